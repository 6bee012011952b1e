"""A model on disk: ``manifest.yaml`` and the files it names, validated and checksummed before anything runs.

Nothing is guessed. A loader that finds something else than the manifest says refuses with the key, what was
expected and what was found.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from vla_ros.types import IndexArray, VlaError

MANIFEST = 'manifest.yaml'
FORMAT = 1
LARGEST_MANIFEST = 1_000_000  # bytes; a manifest is a page of text


class _Strict(BaseModel):
    model_config = ConfigDict(extra='forbid', frozen=True)


class CameraSpec(_Strict):
    """One camera as the model sees it. ``mean`` and ``std`` normalise pixels in 0..1; it has ``tokens`` rows."""

    name: str = Field(pattern=r'^[a-z][a-z0-9_]*$')
    width: int = Field(gt=0, le=4096)
    height: int = Field(gt=0, le=4096)
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    tokens: int = Field(gt=0)


class ReasoningSpec(_Strict):
    """System 2: which cameras it looks at, the size of its decoder and the words it may use."""

    cameras: tuple[str, ...]
    layers: int = Field(gt=0)
    heads: int = Field(gt=0)
    head_width: int = Field(gt=0)
    max_new_tokens: int = Field(gt=0)
    context: int = Field(gt=0)
    location_bins: int = Field(gt=1)
    location_camera: str


class MatrixSpec(_Strict):
    """A matrix that passes between the rooms: at most ``rows`` rows, exactly ``width`` columns."""

    rows: int = Field(gt=0)
    width: int = Field(gt=0)


class RobotSpec(_Strict):
    """The joints in the order of every vector in this bundle; ``rest`` is where the arm waits, in ``units``."""

    name: str
    joints: tuple[str, ...]
    units: Literal['rad']
    rest: tuple[float, ...]


class ChunkSpec(_Strict):
    """An action chunk: ``horizon`` steps, ``dt`` seconds apart; ``prefix`` is the longest clean prefix in training."""

    horizon: int = Field(gt=0)
    dt: float = Field(gt=0)
    representation: Literal['relative', 'absolute']
    prefix: int = Field(ge=0)


class StatisticsSpec(_Strict):
    """Mean and standard deviation a joint."""

    mean: tuple[float, ...]
    std: tuple[float, ...]


class NormalisationSpec(_Strict):
    """``state`` normalises measured joints, ``action`` normalises actions after they were made relative."""

    method: Literal['mean_std']
    state: StatisticsSpec
    action: StatisticsSpec


class FlowSpec(_Strict):
    """How noise becomes an action chunk: the convention of time and the number of Euler steps in the graph."""

    convention: Literal['groot', 'pi0']
    steps: int = Field(gt=0)


class FileSpec(_Strict):
    """A file of the bundle, relative to the manifest, with its checksum."""

    path: str
    sha256: str = Field(pattern=r'^[0-9a-f]{64}$')


class Manifest(_Strict):
    """Everything that a node must know of a model before it loads it."""

    format: Literal[1]
    name: str
    licence: str
    cameras: tuple[CameraSpec, ...]
    tokens: MatrixSpec
    thought: MatrixSpec
    reasoning: ReasoningSpec
    robot: RobotSpec
    chunk: ChunkSpec
    normalisation: NormalisationSpec
    flow: FlowSpec
    files: dict[str, FileSpec]
    provenance: dict[str, Any]
    metrics: dict[str, Any]

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
        for key, found in lengths.items():
            if found != joints:
                raise ValueError(f'{key}: expected {joints} values, one a joint, found {found}')
        tokens = sum(camera.tokens for camera in self.cameras)
        if tokens != self.tokens.rows:
            raise ValueError(
                f'tokens.rows: expected {tokens}, the sum over cameras, found {self.tokens.rows}'
            )
        for key in ('state', 'action'):
            if min(getattr(self.normalisation, key).std) <= 0:
                raise ValueError(f'normalisation.{key}.std: expected values above 0')
        names = [camera.name for camera in self.cameras]
        for name in (*self.reasoning.cameras, self.reasoning.location_camera):
            if name not in names:
                raise ValueError(f'reasoning.cameras: expected some of {names}, found {name!r}')
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
        """The path of one of the manifest's files, checked against its SHA-256.

        Raises:
            VlaError: the key is not in the manifest, the file is missing or was altered.
        """
        spec = self.manifest.files.get(key)
        if spec is None:
            raise VlaError(
                f'{self.folder / MANIFEST}: files.{key} is missing; found {sorted(self.manifest.files)}'
            )
        path = (self.folder / spec.path).resolve()
        if not path.is_relative_to(self.folder.resolve()):
            raise VlaError(
                f'{self.folder / MANIFEST}: files.{key} must stay inside the bundle, found {spec.path!r}'
            )
        if not path.is_file():
            raise VlaError(f'{path} is missing; restore the bundle {self.manifest.name!r}')
        found = sha256(path)
        if found != spec.sha256:
            raise VlaError(
                f'{path} was altered: expected SHA-256 {spec.sha256[:12]}..., found {found[:12]}...; '
                'restore it or export it again'
            )
        return path

    def rows_of(self, cameras: tuple[str, ...]) -> IndexArray:
        """Row indices (N,) of the given cameras' tokens in the token matrix."""
        start = 0
        rows: dict[str, IndexArray] = {}
        for camera in self.manifest.cameras:
            rows[camera.name] = np.arange(start, start + camera.tokens)
            start += camera.tokens
        return np.concatenate([rows[name] for name in cameras])


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
    if path.stat().st_size > LARGEST_MANIFEST:
        raise VlaError(f'{path}: expected at most {LARGEST_MANIFEST} bytes, found {path.stat().st_size}')
    try:
        content = yaml.safe_load(path.read_text(encoding='utf-8'))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise VlaError(f'{path} is not YAML: {str(error).splitlines()[0]}') from error
    try:
        return Bundle(folder, Manifest.model_validate(content))
    except ValidationError as error:
        raise VlaError(f'{path}: {_first_problem(error)}') from error


def _first_problem(error: ValidationError) -> str:
    problem = error.errors()[0]
    key = '.'.join(str(part) for part in problem['loc']) or 'manifest'
    found = problem.get('input')
    shown = '' if isinstance(found, (dict, list)) else f', found {found!r}'
    more = f' (and {error.error_count() - 1} more)' if error.error_count() > 1 else ''
    return f'{key}: {problem["msg"]}{shown}{more}'


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write ``manifest.yaml`` into the bundle's folder, keys in the order of the schema."""
    content = manifest.model_dump(mode='json')
    (folder / MANIFEST).write_text(
        yaml.safe_dump(content, sort_keys=False, default_flow_style=None, width=110, allow_unicode=True),
        encoding='utf-8',
    )
