"""What the format needs and the robot may lack, imported when it is used."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from vla_ros.types import VlaError


def pyarrow() -> Any:
    """The library of columns, with its functions on them."""
    _wanted('pyarrow.compute', 'pyarrow')
    return _wanted('pyarrow', 'pyarrow')


def parquet() -> Any:
    """pyarrow's files of columns."""
    return _wanted('pyarrow.parquet', 'pyarrow')


def pyav() -> Any:
    """FFmpeg's libraries: encoder, decoder and container of videos."""
    return _wanted('av', 'PyAV')


def _wanted(module: str, name: str) -> Any:
    try:
        return import_module(module)
    except ImportError as error:
        raise VlaError(
            f"{name} is not installed ({error}), and LeRobot datasets need it; pip install 'vla_ros[dataset]'"
        ) from error
