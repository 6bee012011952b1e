"""The check of the demonstration's artefacts must see what is wrong with them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterable
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

cv2 = pytest.importorskip('cv2')
av = pytest.importorskip('av')
rosbag2 = pytest.importorskip('rosbags.rosbag2')
typesys = pytest.importorskip('rosbags.typesys')
serialization = pytest.importorskip('rclpy.serialization')

SCRIPT = Path(__file__).resolve().parents[1] / 'scripts' / 'check_demo.py'
sys.path.insert(0, str(SCRIPT.parent))
check_demo = import_module('check_demo')


def write_film(path: Path, frames: int) -> None:
    with av.open(str(path), 'w') as film:
        stream = film.add_stream('mpeg4', rate=20)
        stream.width, stream.height = 64, 48
        for shade in range(frames):
            image = np.full((48, 64, 3), shade % 256, np.uint8)
            film.mux(stream.encode(av.VideoFrame.from_ndarray(image, format='rgb24')))
        film.mux(stream.encode())


def write_bag(folder: Path, topics: Iterable[str]) -> None:
    types = typesys.get_typestore(typesys.Stores.ROS2_JAZZY)
    with rosbag2.Writer(folder, version=9, storage_plugin=rosbag2.StoragePlugin.MCAP) as bag:
        for topic in topics:
            kind = check_demo.TOPICS[topic]
            package, _, name = kind.split('/')
            message = getattr(import_module(f'{package}.msg'), name)()
            connection = bag.add_connection(topic, kind, typestore=types)
            bag.write(connection, 1, serialization.serialize_message(message))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What a good run leaves."""
    noise = np.random.default_rng(0).integers(0, 255, (400, 800, 3), np.uint8)
    cv2.imwrite(str(tmp_path / 'summary.png'), noise)
    write_film(tmp_path / 'demo.mp4', check_demo.LEAST_FRAMES)
    write_bag(tmp_path / 'bag', check_demo.TOPICS)
    (tmp_path / 'report.json').write_text(json.dumps({'success': True}))
    return tmp_path


def run(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, str(SCRIPT), str(folder)], capture_output=True, text=True)


def test_given_good_artefacts_when_checked_then_each_is_found_well(folder: Path) -> None:
    ended = run(folder)

    assert (ended.returncode, ended.stdout.count('ok ')) == (0, 4), ended.stdout + ended.stderr


def no_film(folder: Path) -> None:
    (folder / 'demo.mp4').unlink()


def short_film(folder: Path) -> None:
    write_film(folder / 'demo.mp4', check_demo.LEAST_FRAMES - 1)


def cut_film(folder: Path) -> None:
    (folder / 'demo.mp4').write_bytes((folder / 'demo.mp4').read_bytes()[:300])


def black_picture(folder: Path) -> None:
    cv2.imwrite(str(folder / 'summary.png'), np.zeros((400, 800, 3), np.uint8))


def tiny_picture(folder: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (40, 80, 3), np.uint8)
    cv2.imwrite(str(folder / 'summary.png'), noise)


def no_picture(folder: Path) -> None:
    (folder / 'summary.png').write_text('<svg/>')


def no_bag(folder: Path) -> None:
    next(folder.rglob('*.mcap')).unlink()


def cut_bag(folder: Path) -> None:
    path = next(folder.rglob('*.mcap'))
    path.write_bytes(path.read_bytes()[:200])


def bag_without_motion(folder: Path) -> None:
    write_bag(folder / 'second', [topic for topic in check_demo.TOPICS if topic != '/joint_trajectory'])
    no_bag_in(folder / 'bag')


def no_bag_in(folder: Path) -> None:
    next(folder.glob('*.mcap')).unlink()


def failed_run(folder: Path) -> None:
    (folder / 'report.json').write_text('{"success": false}')


def no_json(folder: Path) -> None:
    (folder / 'report.json').write_text('success')


@pytest.mark.parametrize(
    ('damage', 'sentence'),
    [
        (no_film, 'demo.mp4 is missing'),
        (short_film, 'demo.mp4: expected at least 100 frames, found 99'),
        (cut_film, 'demo.mp4 does not decode'),
        (black_picture, 'summary.png is empty: all of one colour'),
        (tiny_picture, 'summary.png: expected at least 600x300, found 80x40'),
        (no_picture, 'summary.png is no PNG image'),
        (no_bag, 'expected a file *.mcap'),
        (cut_bag, 'cannot be read'),
        (bag_without_motion, 'no message on /joint_trajectory (trajectory_msgs/msg/JointTrajectory)'),
        (failed_run, 'report.json: expected success true, found False'),
        (no_json, 'report.json is not JSON'),
    ],
)
def test_given_one_broken_artefact_when_checked_then_it_is_named(
    folder: Path, capsys: pytest.CaptureFixture[str], damage: Callable[[Path], None], sentence: str
) -> None:
    damage(folder)

    code = check_demo.main([str(folder)])

    said = capsys.readouterr().out
    assert (code, said.count('BROKEN')) == (1, 1), said
    assert sentence in said
