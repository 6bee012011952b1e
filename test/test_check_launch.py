"""scripts/check_launch.sh where there is no launch: it says what is missing, and does not pass without a look."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[1] / 'scripts' / 'check_launch.sh'


def test_given_no_launch_when_checked_then_what_is_missing_is_named(tmp_path: Path) -> None:
    python = tmp_path / 'python'
    python.write_text('#!/bin/sh\ncase "$2" in *launch*) exit 1 ;; esac\n')
    python.chmod(0o755)

    run = subprocess.run(
        ['sh', str(SCRIPT)],
        env={**os.environ, 'PYTHON': str(python)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert run.returncode == 2
    assert f'error: {python} cannot import: launch launch_ros.' in run.stderr
    assert 'apt install ros-jazzy-ros-base' in run.stderr
