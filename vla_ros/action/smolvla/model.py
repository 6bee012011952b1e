"""An imported SmolVLA on disk: ``smolvla.yaml`` and the files it names, validated and checksummed before it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from vla_ros.bundle import checked_file
from vla_ros.manifest import FileSpec
from vla_ros.strict_yaml import read_typed, write_yaml
from vla_ros.types import VlaError

FILE = 'smolvla.yaml'
LARGEST = 250_000  # bytes

Number = Annotated[float, Field(ge=-1e6, le=1e6)]
Spread = Annotated[float, Field(ge=0.0, le=1e6)]
Size = Annotated[int, Field(gt=0, le=10_000)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra='forbid', frozen=True, allow_inf_nan=False)


class VectorSpec(_Strict):
    """A vector of the robot, in the units of the data: its statistics, and the ``width`` it is filled up to."""

    width: Size
    mean: tuple[Number, ...] = Field(min_length=1, max_length=200)
    std: tuple[Spread, ...] = Field(min_length=1, max_length=200)

    @model_validator(mode='after')
    def _fits(self) -> VectorSpec:
        if not len(self.mean) == len(self.std) <= self.width:
            raise ValueError(
                f'expected as many means as deviations, and at most {self.width}, '
                f'found {len(self.mean)} and {len(self.std)}'
            )
        return self


class TimeSpec(_Strict):
    """How the time of the flow is told: sines and cosines, ``width`` numbers, from the shortest to the longest wave."""

    width: int = Field(gt=0, le=10_000, multiple_of=2)
    shortest: float = Field(gt=0.0, le=1000.0)
    longest: float = Field(gt=0.0, le=1000.0)


class FilesSpec(_Strict):
    """Its graphs and its words."""

    prefix: FileSpec
    step: FileSpec
    tokenizer: FileSpec


class ModelSpec(_Strict):
    """Everything that must be known before it is loaded.

    Attributes:
        images: keys of the pictures that it may be shown, in their order.
        image_size: pixels a side.
        words: tokens of an order at most.
        steps: of the flow, from noise at time 1 to actions at time 0.
        provenance: where it came from, and how it compared.
    """

    format: Literal[1]
    images: tuple[Annotated[str, Field(min_length=1, max_length=200)], ...] = Field(
        min_length=1, max_length=16
    )
    image_size: int = Field(gt=0, le=4096)
    words: Size
    horizon: int = Field(gt=0, le=1000)
    steps: int = Field(gt=0, le=1000)
    time: TimeSpec
    state: VectorSpec
    action: VectorSpec
    files: FilesSpec
    provenance: dict[str, Any]


def load_model(folder: Path) -> ModelSpec:
    """Read and validate the description of a model; its files are checked when they are opened.

    Raises:
        VlaError: there is none, or a key is missing, unknown or out of range.
    """
    path = folder / FILE
    if not path.is_file():
        raise VlaError(f'{folder}: expected a folder with {FILE}, as vla_ros import smolvla writes it')
    return read_typed(path, LARGEST, ModelSpec)


def write_model(folder: Path, spec: ModelSpec) -> None:
    """Write the description into the folder of its files."""
    write_yaml(folder / FILE, spec.model_dump(mode='json'))


def model_file(folder: Path, spec: ModelSpec, key: Literal['prefix', 'step', 'tokenizer']) -> Path:
    """The path of one of the files, checked against its SHA-256; VlaError as of ``bundle.checked_file``."""
    return checked_file(folder, FILE, vars(spec.files), key, str(folder))
