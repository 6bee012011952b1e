"""The command line in the process of a test."""

from __future__ import annotations

import sys

import pytest

from vla_ros import cli


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    """Run ``vla_ros`` with these arguments; its exit code."""
    monkeypatch.setattr(sys, 'argv', ['vla_ros', *map(str, arguments)])
    try:
        cli.main()
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0
