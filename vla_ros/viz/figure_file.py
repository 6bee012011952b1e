"""A finished figure of matplotlib, as a file."""

from __future__ import annotations

from pathlib import Path

from matplotlib import pyplot
from matplotlib.figure import Figure

from vla_ros.types import VlaError


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure with the colour behind it that it has, make the folder if need be, and close it in any case.

    Raises:
        VlaError: the file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, facecolor=figure.get_facecolor())
    except OSError as error:
        raise VlaError(f'{path} could not be written: {error.strerror}') from error
    finally:
        pyplot.close(figure)
