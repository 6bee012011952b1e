"""Runs of ONNX Runtime that another thread can end: a policy in this process is given up like one on a server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy.typing as npt

from vla_ros.action.remote.errors import ServerError


class Interruptible:
    """Runs sessions, until ``abort``; then nothing more runs before the next ``begin``. Needs onnxruntime."""

    def __init__(self) -> None:
        import onnxruntime

        self._options = onnxruntime.RunOptions()
        self._given_up = False

    def begin(self) -> None:
        """Whatever was given up before is over."""
        self._given_up = False

    def abort(self) -> None:
        """End the run that another thread waits for."""
        self._given_up = True
        self._options.terminate = True

    def run(self, session: Any, inputs: Mapping[str, npt.NDArray[Any]]) -> list[Any]:
        """All outputs of a session.

        Raises:
            ServerError: it was given up. ONNX Runtime raises an error of its own if that happens meanwhile.
        """
        self._options.terminate = False
        if self._given_up:
            raise ServerError('given up')
        found: list[Any] = session.run(None, dict(inputs), self._options)
        return found
