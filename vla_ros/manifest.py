"""The schema of ``manifest.yaml``: everything that is said of a model on disk, and within which bounds.

Nothing is believed: every number has bounds that no robot's model comes near, and every file has a kind and a place
inside of the bundle.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

FORMAT = 1
LARGEST_FILE = {'.onnx': 2**31, '.data': 2**35, '.safetensors': 2**35, '.json': 2**26}
"""Bytes, by kind; there are no other kinds. No ONNX file is larger: protobuf ends at 2 GiB; .data is its rest."""
LARGEST_MATRIX = 2**24  # numbers
MOST_PIXELS = 2**23  # of all cameras together

Size = Annotated[int, Field(gt=0, le=65_536)]
Mean = Annotated[float, Field(ge=-1000.0, le=1000.0)]
Spread = Annotated[float, Field(ge=1e-6, le=1000.0)]
Angle = Annotated[float, Field(ge=-100.0, le=100.0)]
Precision = Literal['fp32', 'fp16', 'int8']
Name = Annotated[str, Field(min_length=1, max_length=100)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra='forbid', frozen=True, allow_inf_nan=False)


class CameraSpec(_Strict):
    """One camera as the model sees it. ``mean`` and ``std`` normalise pixels in 0..1; it has ``tokens`` rows."""

    name: str = Field(pattern=r'^[a-z][a-z0-9_]*$')
    width: int = Field(gt=0, le=4096)
    height: int = Field(gt=0, le=4096)
    mean: tuple[Mean, Mean, Mean]
    std: tuple[Spread, Spread, Spread]
    tokens: Size


class HandSpec(_Strict):
    """The joint that opens the gripper: ``closed`` below, ``open`` above, something may be held between."""

    joint: Name
    closed: Angle
    open: Angle

    @model_validator(mode='after')
    def _opens_upwards(self) -> HandSpec:
        if self.closed >= self.open:
            raise ValueError(f'expected closed to be less than open, found {self.closed} and {self.open}')
        return self


class ReasoningSpec(_Strict):
    """System 2: which cameras it looks at, the size of its decoder and the words it may use.

    With ``hand`` it is told what the gripper's joint says and how far the order has come; older ones are not.
    """

    cameras: tuple[str, ...] = Field(min_length=1)
    layers: int = Field(gt=0, le=1000)
    heads: int = Field(gt=0, le=1000)
    head_width: Size
    max_new_tokens: Size
    context: int = Field(gt=0, le=10_000_000)
    location_bins: int = Field(gt=1, le=10_000)
    location_camera: str
    hand: HandSpec | None = None


class MatrixSpec(_Strict):
    """A matrix that passes between the rooms: at most ``rows`` rows, exactly ``width`` columns."""

    rows: Size
    width: Size

    @model_validator(mode='after')
    def _fits_into_memory(self) -> MatrixSpec:
        if self.rows * self.width > LARGEST_MATRIX:
            raise ValueError(f'expected at most {LARGEST_MATRIX} numbers, found {self.rows} x {self.width}')
        return self


class RobotSpec(_Strict):
    """The joints in the order of every vector in this bundle; ``rest`` is where the arm waits, in ``units``."""

    name: Name
    joints: tuple[Name, ...] = Field(min_length=1, max_length=100)
    units: Literal['rad']
    rest: tuple[Angle, ...]


class ChunkSpec(_Strict):
    """An action chunk: ``horizon`` steps, ``dt`` seconds apart; ``prefix`` is the longest clean prefix in training."""

    horizon: int = Field(gt=0, le=1000)
    dt: float = Field(ge=0.001, le=1.0)
    representation: Literal['relative', 'absolute']
    prefix: int = Field(ge=0)

    @model_validator(mode='after')
    def _leaves_something_open(self) -> ChunkSpec:
        if self.prefix >= self.horizon:
            raise ValueError(f'prefix: expected less than the horizon {self.horizon}, found {self.prefix}')
        return self


class StatisticsSpec(_Strict):
    """Mean and standard deviation a joint."""

    mean: tuple[Mean, ...]
    std: tuple[Spread, ...]


class NormalisationSpec(_Strict):
    """``state`` normalises measured joints, ``action`` normalises actions after they were made relative.

    With ``velocity`` the policy is told the joints' velocities, too, behind their positions; older ones are not.
    """

    method: Literal['mean_std']
    state: StatisticsSpec
    action: StatisticsSpec
    velocity: StatisticsSpec | None = None


class FlowSpec(_Strict):
    """How noise becomes an action chunk: the convention of time and the number of Euler steps in the graph."""

    convention: Literal['groot', 'pi0']
    steps: int = Field(gt=0, le=1000)


class PrecisionSpec(_Strict):
    """What each graph multiplies in: float32, float16, or by weights of eight bits. Older ones are all float32."""

    vision: Precision = 'fp32'
    language: Precision = 'fp32'
    action: Precision = 'fp32'


class ActionTokensSpec(_Strict):
    """Generation 1: one token a joint and step, of ``bins`` uniform bins from ``low`` to ``high``, rad a joint.

    Bins are of actions as ``chunk`` represents them. ``first`` is the id of the token of bin 0; the others follow.
    """

    bins: int = Field(gt=1, le=65_536)
    low: tuple[Angle, ...]
    high: tuple[Angle, ...]
    first: int = Field(ge=0, le=10_000_000)
    chunk: ChunkSpec

    @model_validator(mode='after')
    def _has_room(self) -> ActionTokensSpec:
        if any(low >= high for low, high in zip(self.low, self.high)):
            raise ValueError(f'expected low below high, found {list(self.low)} and {list(self.high)}')
        return self


class FileSpec(_Strict):
    """A file of the bundle, relative to the manifest, with its checksum. Its ending tells what it is."""

    path: str = Field(max_length=1000)
    sha256: str = Field(pattern=r'^[0-9a-f]{64}$')

    @field_validator('path')
    @classmethod
    def _is_of_a_kind_and_inside(cls, path: str) -> str:
        pure = PurePosixPath(path)
        if pure.is_absolute() or '..' in pure.parts or '\\' in path or not path.isprintable():
            raise ValueError('must stay inside of the bundle: expected a relative path')
        if pure.suffix not in LARGEST_FILE:
            raise ValueError(f'expected a file of a kind in {sorted(LARGEST_FILE)}')
        return path


class Manifest(_Strict):
    """Everything that a node must know of a model before it loads it."""

    format: Literal[1]
    name: Name
    licence: str
    cameras: tuple[CameraSpec, ...] = Field(min_length=1, max_length=16)
    tokens: MatrixSpec
    thought: MatrixSpec
    reasoning: ReasoningSpec
    robot: RobotSpec
    chunk: ChunkSpec
    normalisation: NormalisationSpec
    flow: FlowSpec
    precision: PrecisionSpec = PrecisionSpec()
    action_tokens: ActionTokensSpec | None = None
    files: dict[str, FileSpec] = Field(max_length=100)
    provenance: dict[str, Any]
    metrics: dict[str, Any]

    @property
    def tag(self) -> str:
        """The name, and what tells its files from those of other bundles: 'tabletop 0123456789ab'."""
        files = '\n'.join(f'{key} {spec.sha256}' for key, spec in sorted(self.files.items()))
        return f'{self.name} {hashlib.sha256(files.encode()).hexdigest()[:12]}'

    @model_validator(mode='after')
    def _agrees_with_itself(self) -> Manifest:
        joints = len(self.robot.joints)
        lengths = {
            'robot.rest': len(self.robot.rest),
            'normalisation.state.mean': len(self.normalisation.state.mean),
            'normalisation.state.std': len(self.normalisation.state.std),
            'normalisation.action.mean': len(self.normalisation.action.mean),
            'normalisation.action.std': len(self.normalisation.action.std),
        }
        if self.normalisation.velocity is not None:
            lengths['normalisation.velocity.mean'] = len(self.normalisation.velocity.mean)
            lengths['normalisation.velocity.std'] = len(self.normalisation.velocity.std)
        if self.action_tokens is not None:
            lengths['action_tokens.low'] = len(self.action_tokens.low)
            lengths['action_tokens.high'] = len(self.action_tokens.high)
        for key, found in lengths.items():
            if found != joints:
                raise ValueError(f'{key}: expected {joints} values, one a joint, found {found}')
        tokens = sum(camera.tokens for camera in self.cameras)
        if tokens != self.tokens.rows:
            raise ValueError(
                f'tokens.rows: expected {tokens}, the sum over cameras, found {self.tokens.rows}'
            )
        pixels = sum(camera.width * camera.height for camera in self.cameras)
        if pixels > MOST_PIXELS:
            raise ValueError(f'cameras: expected at most {MOST_PIXELS} pixels together, found {pixels}')
        names = [camera.name for camera in self.cameras]
        _require_unlike('cameras', names)
        _require_unlike('robot.joints', self.robot.joints)
        for name in (*self.reasoning.cameras, self.reasoning.location_camera):
            if name not in names:
                raise ValueError(f'reasoning.cameras: expected some of {names}, found {name!r}')
        hand = self.reasoning.hand
        if hand is not None and hand.joint not in self.robot.joints:
            raise ValueError(
                f'reasoning.hand.joint: expected one of {list(self.robot.joints)}, found {hand.joint!r}'
            )
        return self


def _require_unlike(key: str, names: Sequence[str]) -> None:
    if len(set(names)) != len(names):
        raise ValueError(f'{key}: expected names that differ, found {list(names)}')
