"""A policy in this process, behind the interface of a policy server: whoever asks may stop waiting at any time."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from vla_ros.action.remote.errors import ServerError
from vla_ros.action.remote.link import Asked
from vla_ros.action.remote.policy_file import PolicyFile
from vla_ros.types import VlaError


class LocalLink(ABC):
    """A ``Link`` that leads nowhere but to ONNX Runtime. The model stays loaded from one connection to the next."""

    def __init__(self) -> None:
        self._sessions: dict[str, Any] = {}
        self._options: Any = None
        self._given_up = False

    def connect(self) -> None:
        """Whatever was given up before is over; load the model, if it is not yet, and run it once."""
        import onnxruntime

        self._options = self._options or onnxruntime.RunOptions()
        self._given_up = False
        if self._sessions:
            return
        try:
            self._load()
        except BaseException:
            self._sessions = {}  # half of a model is none
            raise

    @abstractmethod
    def ask(self, asked: Asked) -> Mapping[str, npt.NDArray[np.generic]]:
        """See ``Link.ask``; the same question gives the same chunk."""

    def abort(self) -> None:
        """End the run that another thread waits for; nothing more runs before the next ``connect``."""
        self._given_up = True
        if self._options is not None:
            self._options.terminate = True

    def close(self) -> None:  # noqa: B027  (most have nothing to leave, and need not say so)
        """Nothing to leave."""

    @abstractmethod
    def _load(self) -> None:
        """Fill ``_sessions``, and whatever else there is to load."""

    def _run(self, name: str, inputs: Mapping[str, npt.NDArray[Any]]) -> list[Any]:
        """All outputs of a session.

        Raises:
            ServerError: nothing is loaded, or it was given up. ONNX Runtime raises an error of its own if that happens
                meanwhile.
        """
        if not self._sessions:
            raise ServerError('not loaded yet')
        self._options.terminate = False
        if self._given_up:
            raise ServerError('given up')
        found: list[Any] = self._sessions[name].run(None, dict(inputs), self._options)
        return found


def require_same(file: PolicyFile, what: str, expected: object, found: object) -> None:
    """Raise VlaError if a policy's file says another thing than its model."""
    if expected != found:
        raise VlaError(f'policy {file.name!r}: {what}: expected {expected}, as the model, found {found}')
