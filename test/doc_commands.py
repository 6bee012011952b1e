"""The commands in the code blocks of README.md and docs/: which of them run here, and what the others need.

``python test/doc_commands.py`` runs those that can run, each once, in the order of the pages, with
what ``make demo`` left.
"""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from doc_pages import PAGES, ROOT, commands_of, indented

ROBOT = "ROS 2 from apt, on the robot's machine"
NEEDS = (
    # (page, command, what it needs); the first that fits counts.
    (r'.*', r'(ros2|rosdep|colcon|sudo|source|\.|export|docker)( .*)?', ROBOT),
    (r'.*', r'(cd|mkdir|git clone|pip install) .*', 'a workspace of colcon: scripts/workspace.sh makes one'),
    (r'README.md', r'make (demo|test)', 'nothing: .ci/run begins with it'),
    (r'.*', r'vla_ros train .*', 'hours; each stage has tests of its own'),
    (r'training.md', r'vla_ros .*models/mine.*', "a bundle of one's own"),
    (r'training.md', r'vla_ros eval language .*', 'what hours of `vla_ros train` leave in out/train'),
    (
        r'replay.md',
        r'vla_ros replay .*--(remap|namespace) .*',
        'a bag with other names (test/test_replay_bag.py)',
    ),
    (
        r'performance.md',
        r'(cp|vla_ros) .*out/int8.*',
        'a copy with other graphs (test/test_training_precision.py)',
    ),
    (r'training.md', r'accelerate .*', 'GPUs'),
    (r'models.md', r'python scripts/deployment/.*', 'Isaac-GR00T, its weights and a GPU'),
    (r'.*', r'vla_ros record .*', 'somebody who ends it (test/test_nodes_dataset_recorder.py)'),
    (
        r'dataset.md',
        r'vla_ros dataset check .*--mapping .*',
        'a recording of somebody else (test/test_dataset_format.py)',
    ),
    (r'dataset.md', r'sh scripts/check_lerobot.sh', 'packages of lerobot, which is for a person to install'),
    (r'fleet.md', r'vla_ros say .*', 'robots in namespaces'),
    (r'fleet.md', r'vla_ros eval fleet .*', 'minutes, and eight nodes (test/test_nodes_fleet.py has two)'),
    (
        r'models.md',
        r'vla_ros import .*',
        'a checkpoint (test/test_smolvla.py and test/test_groot_onnx.py write tiny ones)',
    ),
    (r'safety.md', r'vla_ros say .*', 'the keys of SROS 2 (test/test_nodes_security.py)'),
    (
        r'safety.md',
        r'python -m vla_ros\.security_policy .*',
        'nothing: test/test_security_policy.py compares the files',
    ),
)
EPISODES = {'success': '3', 'reasoning': '11', 'ablations': '1', 'generations': '2'}
"""Instead of those that the numbers in the pages are of; one a task at least."""
PART = '14'  # seconds of the bag: two of the four orders
MAY_DIFFER = re.compile(r'vla_ros (eval )?replay .*')
"""These end with 1 if a busy machine recorded something else than the model gives in lockstep."""
PATIENCE = 900.0  # seconds for one command: what takes half a minute, on a machine that does much else
DOMAIN = '93'  # of ROS, for the nodes that a page starts


@dataclass(frozen=True)
class DocCommand:
    """One command of a page, in words; ``needs`` is '' if it runs here."""

    page: str
    words: tuple[str, ...]
    needs: str

    def __str__(self) -> str:
        return f'{self.page}: {" ".join(self.words)}'


def doc_commands() -> list[DocCommand]:
    """Every command in a code block, in the order of the pages."""
    found = []
    for page in PAGES:
        for line in whole(indented(page.read_text(encoding='utf-8'))):
            for words in commands_of(line):
                words[0] = words[0].removeprefix('.venv/bin/')
                found.append(DocCommand(page.name, tuple(words), needed(page.name, ' '.join(words))))
    return found


def whole(lines: list[str]) -> Iterator[str]:
    """Lines whose quotes end on another one, put together."""
    begun = ''
    for line in lines:
        begun = f'{begun} {line}'.strip()
        try:
            shlex.split(begun, comments=True)
        except ValueError:
            continue
        yield begun
        begun = ''


def needed(page: str, command: str) -> str:
    """What a command needs that is not here, '' for none."""
    for where, pattern, what in NEEDS:
        if re.fullmatch(where, page) and re.fullmatch(pattern, command):
            return what
    return ''


def as_run(words: tuple[str, ...]) -> list[str]:
    """The command as it is run here: on a part of the bag of the demonstration, for a few episodes."""
    found = ['out/demo/bag' if word in ('BAG', 'kitchen') else word for word in words]
    found = [str(ROOT / word) if word.startswith('test/') else word for word in found]
    if '--episodes' in found:
        found[found.index('--episodes') + 1] = EPISODES[found[2]]
    if 'replay' in found[:3] and not {'--fault', '--duration'} & set(found):
        found += ['--duration', PART]
    if found[1:2] == ['bench']:
        found += ['--quick']
    return found


def main() -> int:
    """Run what can run; the number of commands that failed."""
    bag = ROOT / 'out' / 'demo' / 'bag'
    if not bag.is_dir():
        print(f'error: expected the bag of the demonstration in {bag}; run make demo', file=sys.stderr)
        return 1
    failed = []
    runnable = {tuple(as_run(command.words)): command for command in doc_commands() if not command.needs}
    with tempfile.TemporaryDirectory() as name, ExitStack() as nodes:
        folder = Path(name)
        (folder / 'out').mkdir()
        (folder / 'out' / 'demo').symlink_to(bag.parent)
        for words, command in runnable.items():
            print(f'{command.page}: {" ".join(words)}', flush=True)
            if words[1] == 'run':
                nodes.enter_context(running(list(words), folder))
                continue
            if words[1] not in ('say', 'status'):
                nodes.close()
            if not succeeds(list(words), folder):
                failed.append(command)
    for command in failed:
        print(f'failed: {command}', file=sys.stderr)
    return len(failed)


def succeeds(words: list[str], folder: Path) -> bool:
    """Run one command; shows what it said if it failed, and how long it took."""
    begun = time.monotonic()
    try:
        ended = subprocess.run(
            program(words), cwd=folder, env=environment(), capture_output=True, text=True, timeout=PATIENCE
        )
    except subprocess.TimeoutExpired:
        print(f'  did not end in {PATIENCE:.0f} s', file=sys.stderr)
        return False
    good = {0, 1} if MAY_DIFFER.fullmatch(' '.join(words)) else {0}
    print(f'  ended with {ended.returncode} after {time.monotonic() - begun:.1f} s', flush=True)
    if ended.returncode not in good or 'Traceback' in ended.stderr:
        print(ended.stdout[-2000:], ended.stderr[-2000:], file=sys.stderr)
        return False
    return True


@contextmanager
def running(words: list[str], folder: Path) -> Iterator[None]:
    """A command that runs until Ctrl-C, as a person would end it."""
    process = subprocess.Popen(
        program(words),
        cwd=folder,
        env=environment(),
        start_new_session=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        for line in process.stdout:
            print(f'  {line}', end='')
            if 'Ctrl-C ends' in line:
                break
        yield
    finally:
        process.send_signal(signal.SIGINT)
        if process.wait(PATIENCE):
            raise RuntimeError(f'{" ".join(words)} ended with {process.returncode}')


def program(words: list[str]) -> list[str]:
    """The command with the program of this environment."""
    return [str(Path(sys.executable).with_name(words[0])), *words[1:]]


def environment() -> dict[str, str]:
    """A domain of its own, away from the network."""
    return {**os.environ, 'ROS_DOMAIN_ID': DOMAIN, 'ROS_AUTOMATIC_DISCOVERY_RANGE': 'LOCALHOST'}


if __name__ == '__main__':
    raise SystemExit(main())
