"""What every protocol of policy servers has in common."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from vla_ros.types import FloatArray, ImageArray


@dataclass(frozen=True)
class Asked:
    """A question: pictures (height, width, 3) uint8 rgb and state vectors (K,) float32 by the policy's own keys.

    Attributes:
        seed: of a policy that draws noise itself; the same for the same pictures and the same parameter ``seed``.
    """

    pictures: Mapping[str, ImageArray]
    state: Mapping[str, FloatArray]
    prompt: str
    seed: int = 0


class Link(Protocol):
    """A connection to a server. One thread uses it; only ``abort`` may be called from another.

    Every method but ``abort`` and ``close`` raises: ServerError with a sentence, or whatever the network raises.
    """

    def connect(self) -> None:
        """Connect anew, and see that the server serves the policy that is expected."""
        ...

    def ask(self, asked: Asked) -> Mapping[str, npt.NDArray[np.generic]]:
        """The answer: by key a matrix, one row a step."""
        ...

    def abort(self) -> None:
        """Make whatever another thread waits for in here end soon."""
        ...

    def close(self) -> None:
        """End the connection, if there is one."""
        ...
