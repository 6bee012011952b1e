"""Looks at what ``vla_ros demo`` left behind, as a stranger would: is the film a film, the bag a bag?

    python scripts/check_demo.py out/demo

Prints a line for each finding; the exit code is 1 if something is missing or broken.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

CAMERAS = ('front', 'wrist')
LEAST_FRAMES = 100
LEAST_PICTURE = (600, 300)  # pixels of the summary
PNG_SIGNATURE = b'\x89PNG\r\n\x1a\n'

# What a run must have said at least once, with the type as bags spell it.
IMAGE, STRING, STATUS = 'sensor_msgs/msg/Image', 'std_msgs/msg/String', 'diagnostic_msgs/msg/DiagnosticArray'
TOPICS = {
    **{f'/camera/{name}/image_raw': IMAGE for name in CAMERAS},
    **{f'/camera/{name}/camera_info': 'sensor_msgs/msg/CameraInfo' for name in CAMERAS},
    **{f'/perception/{name}/image': IMAGE for name in CAMERAS},
    '/joint_states': 'sensor_msgs/msg/JointState',
    '/instruction': STRING,
    '/perception/tokens': IMAGE,
    '/reasoning/thought': IMAGE,
    '/reasoning/decision': STATUS,
    '/reasoning/trace': STRING,
    '/reasoning/image': IMAGE,
    **dict.fromkeys(
        (
            '/reasoning/markers',
            *(f'/visualise/{what}' for what in ('robot', 'ghost', 'path', 'trace', 'workspace')),
        ),
        'visualization_msgs/msg/MarkerArray',
    ),
    '/robot_description': STRING,
    '/action/limits': STATUS,
    '/joint_trajectory': 'trajectory_msgs/msg/JointTrajectory',
    '/diagnostics': STATUS,
}


class ArtefactError(Exception):
    """What is wrong with an artefact, in a sentence."""


def check_film(folder: Path) -> str:
    """The film decodes from beginning to end."""
    import av

    path = present(folder / 'demo.mp4')
    try:
        with av.open(str(path)) as film:
            frames = sum(1 for _ in film.decode(video=0))
            stream = film.streams.video[0]
            size = f'{stream.width}x{stream.height}'
    except (av.FFmpegError, IndexError) as error:
        raise ArtefactError(f'{path} does not decode: {error}') from error
    if frames < LEAST_FRAMES:
        raise ArtefactError(f'{path}: expected at least {LEAST_FRAMES} frames, found {frames}')
    return f'{path}: {frames} frames of {size}'


def check_picture(folder: Path) -> str:
    """The summary is a PNG of a useful size, and not of one colour."""
    import cv2

    path = present(folder / 'summary.png')
    image = cv2.imread(str(path)) if path.read_bytes().startswith(PNG_SIGNATURE) else None
    if image is None:
        raise ArtefactError(f'{path} is no PNG image')
    height, width = image.shape[:2]
    if width < LEAST_PICTURE[0] or height < LEAST_PICTURE[1]:
        raise ArtefactError(
            f'{path}: expected at least {LEAST_PICTURE[0]}x{LEAST_PICTURE[1]}, found {width}x{height}'
        )
    if image.std() < 1:
        raise ArtefactError(f'{path} is empty: all of one colour')
    return f'{path}: {width}x{height}'


def check_bag(folder: Path) -> str:
    """The bag's MCAP file is read by the mcap library, and every topic of the package has messages that decode."""
    from mcap.exceptions import McapError
    from mcap.reader import make_reader
    from mcap_ros2.decoder import DecoderFactory

    files = sorted(folder.rglob('*.mcap'))
    if not files:
        raise ArtefactError(f'{folder} has no bag: expected a file *.mcap')
    counts: Counter[tuple[str, str]] = Counter()
    for path in files:
        present(path.with_name('metadata.yaml'))
        try:
            with path.open('rb') as stream:
                for schema, channel, _, _ in make_reader(
                    stream, decoder_factories=[DecoderFactory()]
                ).iter_decoded_messages():
                    counts[channel.topic, schema.name if schema else ''] += 1
        except McapError as error:
            raise ArtefactError(f'{path} cannot be read: {error}') from error
    silent = [f'{topic} ({kind})' for topic, kind in TOPICS.items() if counts[topic, kind] == 0]
    if silent:
        raise ArtefactError(f'{files[0]}: no message on {", ".join(silent)}')
    return f'{files[0]}: {counts.total()} messages on {len(counts)} topics'


def check_report(folder: Path) -> str:
    """The report says that the run succeeded."""
    path = present(folder / 'report.json')
    try:
        report = json.loads(path.read_text(encoding='utf-8'))
    except ValueError as error:
        raise ArtefactError(f'{path} is not JSON: {error}') from error
    if not isinstance(report, dict) or report.get('success') is not True:
        found = report.get('success') if isinstance(report, dict) else report
        raise ArtefactError(f'{path}: expected success true, found {found!r}')
    return f'{path}: success'


def present(path: Path) -> Path:
    """The path of a file that is there and not empty."""
    if not path.is_file():
        raise ArtefactError(f'{path} is missing')
    if path.stat().st_size == 0:
        raise ArtefactError(f'{path} is empty')
    return path


CHECKS: tuple[Callable[[Path], str], ...] = (check_film, check_picture, check_bag, check_report)


def main(arguments: list[str]) -> int:
    """Check the folder named by the arguments; 0 if all is well. ``--any-outcome`` accepts orders that failed."""
    any_outcome = arguments[:1] == ['--any-outcome']
    folders = arguments[any_outcome:]
    if len(folders) != 1:
        print('usage: python scripts/check_demo.py [--any-outcome] FOLDER', file=sys.stderr)
        return 2
    failed = False
    for check in CHECKS:
        if any_outcome and check is check_report:
            continue
        try:
            print(f'ok      {check(Path(folders[0]))}')
        except ArtefactError as finding:
            failed = True
            print(f'BROKEN  {finding}')
    return int(failed)


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
