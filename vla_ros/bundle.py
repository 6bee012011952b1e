"""A model on disk: ``manifest.yaml`` and the files it names, validated and checksummed before anything runs.

Nothing is guessed. A loader that finds something else than the manifest says refuses with the key, what was
expected and what was found. Nothing is believed either: every number has bounds that no robot's model comes near, and
every file has a kind, a largest size and a place inside of the bundle.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from vla_ros.strict_yaml import read_yaml, write_yaml
from vla_ros.types import IndexArray, VlaError

MANIFEST = 'manifest.yaml'
FORMAT = 1
LARGEST_MANIFEST = 250_000  # bytes; a manifest is a page of text
LARGEST_FILE = {'.onnx': 2**31, '.safetensors': 2**35, '.json': 2**26}
"""Bytes, by kind; there are no other kinds. No ONNX file is larger: protobuf ends at 2 GiB."""
LARGEST_MATRIX = 2**24  # numbers
MOST_PIXELS = 2**23  # of all cameras together
SHOWN = 80  # characters of what was found

Size = Annotated[int, Field(gt=0, le=65_536)]
Mean = Annotated[float, Field(ge=-1000.0, le=1000.0)]
Spread = Annotated[float, Field(ge=1e-6, le=1000.0)]
Angle = Annotated[float, Field(ge=-100.0, le=100.0)]
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
        if self.chunk.prefix >= self.chunk.horizon:
            raise ValueError(
                f'chunk.prefix: expected less than the horizon {self.chunk.horizon}, found {self.chunk.prefix}'
            )
        return self


@dataclass(frozen=True)
class Bundle:
    """A validated manifest and the folder it lives in."""

    folder: Path
    manifest: Manifest

    def file(self, key: str) -> Path:
        """The path of one of the manifest's files; VlaError as of ``checked_file``."""
        return checked_file(self.folder, MANIFEST, self.manifest.files, key, repr(self.manifest.name))

    def rows_of(self, cameras: tuple[str, ...]) -> IndexArray:
        """Row indices (N,) of the given cameras' tokens in the token matrix."""
        start = 0
        rows: dict[str, IndexArray] = {}
        for camera in self.manifest.cameras:
            rows[camera.name] = np.arange(start, start + camera.tokens)
            start += camera.tokens
        return np.concatenate([rows[name] for name in cameras])


def checked_file(folder: Path, manifest: str, files: Mapping[str, FileSpec], key: str, name: str) -> Path:
    """The path of a file that a manifest names by ``key``, checked against its SHA-256.

    Raises:
        VlaError: the key is not in the manifest; the file is missing, too large, was altered or, by a link, lies
        outside of the folder.
    """
    spec = files.get(key)
    if spec is None:
        raise VlaError(f'{folder / manifest}: files.{key} is missing; found {sorted(files)}')
    where = f'{folder / manifest}: files.{key}'
    path = (folder / spec.path).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise VlaError(f'{where} must stay inside of the bundle, found {spec.path!r}, which leads to {path}')
    if not path.is_file():
        raise VlaError(f'{path} is missing; restore the bundle {name}')
    largest, size = LARGEST_FILE[Path(spec.path).suffix], path.stat().st_size
    if size > largest:
        raise VlaError(f'{where}: expected at most {largest} bytes, found {size}')
    found = sha256(path)
    if found != spec.sha256:
        raise VlaError(
            f'{path} was altered: expected SHA-256 {spec.sha256[:12]}..., found {found[:12]}...; '
            'restore it or export it again'
        )
    return path


def sha256(path: Path) -> str:
    """SHA-256 of a file as 64 hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open('rb') as file:
        for block in iter(lambda: file.read(1 << 20), b''):
            digest.update(block)
    return digest.hexdigest()


def load_bundle(folder: Path) -> Bundle:
    """Read and validate the manifest of a bundle; its files are checked when they are opened.

    Raises:
        VlaError: no manifest, not YAML, or a key that is missing, unknown or out of range.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise VlaError(f'{path} is missing; a bundle is a folder with a {MANIFEST}')
    content = read_yaml(path, LARGEST_MANIFEST)
    try:
        return Bundle(folder, Manifest.model_validate(content))
    except ValidationError as error:
        raise VlaError(f'{path}: {_first_problem(error)}') from error


def _first_problem(error: ValidationError) -> str:
    problem = error.errors()[0]
    key = '.'.join(str(part) for part in problem['loc']) or 'manifest'
    found = problem.get('input')
    shown = '' if isinstance(found, (dict, list)) else f', found {_short(repr(found))}'
    more = f' (and {error.error_count() - 1} more)' if error.error_count() > 1 else ''
    sentence = problem['msg'].removeprefix('Value error, ')
    return f'{_short(key)}: {sentence}{shown}{more}'


def _short(text: str) -> str:
    """One line of it that is not too long to read."""
    line = ''.join(c if c.isprintable() else '?' for c in text)
    return line if len(line) <= SHOWN else f'{line[:SHOWN]}...'


def _require_unlike(key: str, names: Sequence[str]) -> None:
    if len(set(names)) != len(names):
        raise ValueError(f'{key}: expected names that differ, found {list(names)}')


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write ``manifest.yaml`` into the bundle's folder, keys in the order of the schema."""
    write_yaml(folder / MANIFEST, manifest.model_dump(mode='json'))
