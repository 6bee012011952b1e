"""The vocabulary of the package: the values that cross the walls between rooms.

Everything here is a frozen dataclass of plain numbers and numpy arrays, so that perception, reasoning and
action run without ROS, without torch and without each other. Stamps are integer nanoseconds of the clock that
stamped the camera frame; angles are radians; lengths are metres; images are rgb8 unless said otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]
DoubleArray = npt.NDArray[np.float64]
ImageArray = npt.NDArray[np.uint8]
IndexArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

NANOSECONDS = 1_000_000_000


class VlaError(Exception):
    """A refusal that a person can act on: one sentence, no traceback needed."""


@dataclass(frozen=True)
class CameraModel:
    """A calibrated camera, as sensor_msgs/CameraInfo describes it.

    Attributes:
        width, height: image size in pixels.
        matrix: (3, 3) intrinsics K of the raw image; pixel centres are at integer coordinates.
        distortion: D, as many values as the model has; empty or all zero means none.
        model: distortion model name ('plumb_bob', 'rational_polynomial', 'equidistant').
    """

    width: int
    height: int
    matrix: DoubleArray
    distortion: tuple[float, ...] = ()
    model: str = 'plumb_bob'


@dataclass(frozen=True)
class Frame:
    """One camera image. ``image`` is (height, width, 3) uint8 rgb, possibly a read-only view."""

    camera: str
    stamp: int
    image: ImageArray


@dataclass(frozen=True)
class VisualTokens:
    """What perception makes of one set of frames.

    ``rows`` is (tokens, channels) float32, cameras in manifest order; ``stamp`` is the oldest frame's.
    """

    stamp: int
    rows: FloatArray


@dataclass(frozen=True)
class Pictures:
    """What a policy sees that has eyes of its own.

    ``images`` are (height, width, 3) uint8 rgb, cameras in manifest order; ``stamp`` is the oldest frame's.
    """

    stamp: int
    images: tuple[ImageArray, ...]


Sight = VisualTokens | Pictures
"""What a policy is shown, by the kind of the policy."""


@dataclass(frozen=True)
class Thought:
    """What System 1 reads of System 2: (rows, channels) float32, stamped as the tokens that it was made from.

    No rows means: hold still.
    """

    stamp: int
    rows: FloatArray

    @property
    def holds_still(self) -> bool:
        return self.rows.shape[0] == 0


class Verdict(Enum):
    """What System 2 decided."""

    GO = 'go'
    UNSURE = 'unsure'
    REFUSED = 'refused'


Place = tuple[float, float]
"""(x, y) in an image, in 0..1 from the top left."""


@dataclass(frozen=True)
class Subtask:
    """One thing that the arm can do.

    Attributes:
        kind: 'touch', 'point', 'pick', 'put', 'push' or 'home'.
        object: name of the object, '<colour> <shape>'; '' for 'home'.
        target: for 'put' the name of a bowl or a plate, for 'push' a direction of the robot's own, else ''.
    """

    kind: str
    object: str = ''
    target: str = ''


@dataclass(frozen=True)
class Situation:
    """What System 2 is told beside picture and order: what the robot itself feels and remembers.

    Attributes:
        hand: what the gripper's joint says: 'open', 'closed' or 'between'.
        done: how many steps of the order are done, as the last thought about it had it.
        place: where the object of the push that is under way goes to, as the first thought about it had it.
    """

    hand: str
    done: int = 0
    place: Place | None = None


@dataclass(frozen=True)
class Decision:
    """The outcome of one chain of thought.

    Attributes:
        verdict: go, unsure (hold) or refused.
        subtask: what the arm does now, or the reason of the refusal, in words.
        instruction: the words it answers.
        trace: the whole chain of thought as text.
        target: where to act, in the image of ``target_camera``; None if there is nowhere, as for 'home'.
        doing: the subtask that ``subtask`` names, if the verdict is go.
        second_target: where the object goes to, for 'put' and 'push'.
        done: how many steps of the order are done.
    """

    verdict: Verdict
    subtask: str
    instruction: str
    trace: str
    target: Place | None = None
    target_camera: str = ''
    doing: Subtask | None = None
    second_target: Place | None = None
    done: int = 0


@dataclass(frozen=True)
class JointSample:
    """Measured joints at one instant, in the order of the bundle's robot. Positions (J,) rad, velocities (J,) rad/s."""

    stamp: int
    positions: DoubleArray
    velocities: DoubleArray


@dataclass(frozen=True)
class ActionChunk:
    """What System 1 wants: absolute joint targets (horizon, J) rad; row i is due at ``stamp + (i + 1) * dt``.

    ``stamp`` is that of the observation, ``dt`` in seconds.
    """

    stamp: int
    dt: float
    positions: DoubleArray


@dataclass(frozen=True)
class JointTrajectory:
    """A complete plan for a stock joint_trajectory_controller.

    Attributes:
        joint_names: J names; the columns below.
        times: (P,) seconds from the start of execution, strictly increasing; the first is 0, the state it begins in.
        positions, velocities, accelerations: (P, J) rad, rad/s, rad/s^2; the last velocity is zero.
    """

    joint_names: tuple[str, ...]
    times: DoubleArray
    positions: DoubleArray
    velocities: DoubleArray
    accelerations: DoubleArray


def require_shape(name: str, array: npt.NDArray[np.generic], expected: Sequence[int | None]) -> None:
    """Raise VlaError unless ``array`` has the expected shape; ``None`` matches any length."""
    found = array.shape
    matches = len(found) == len(expected) and all(e is None or e == f for e, f in zip(expected, found))
    if not matches:
        wanted = tuple('any' if e is None else e for e in expected)
        raise VlaError(f'{name}: expected shape {wanted}, found {found}')
