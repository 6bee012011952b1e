"""An imported GR00T on disk: ``groot.yaml`` and the files it names, validated and checksummed before it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from vla_ros.bundle import checked_file
from vla_ros.manifest import FileSpec
from vla_ros.strict_yaml import read_typed, write_yaml
from vla_ros.types import VlaError

FILE = 'groot.yaml'
LARGEST = 1_000_000  # bytes; statistics a step are many numbers

Number = Annotated[float, Field(ge=-1e6, le=1e6)]
Size = Annotated[int, Field(gt=0, le=100_000)]
Key = Annotated[str, Field(min_length=1, max_length=200)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra='forbid', frozen=True, allow_inf_nan=False)


class ScaleSpec(_Strict):
    """How the numbers of a vector were normalised, one pair a number; or one row of pairs a step of a chunk.

    Attributes:
        kind: 'bounds' leads ``first`` to -1 and ``second`` to 1; 'deviation' takes ``first`` off and divides by
            ``second``; 'circle' takes sine and cosine of an angle in rad, and both are empty.
    """

    kind: Literal['bounds', 'deviation', 'circle']
    first: tuple[tuple[Number, ...], ...] = Field(max_length=1000)
    second: tuple[tuple[Number, ...], ...] = Field(max_length=1000)

    @model_validator(mode='after')
    def _rows_agree(self) -> ScaleSpec:
        rows = [len(row) for row in self.first]
        if rows != [len(row) for row in self.second] or len(set(rows)) > 1:
            raise ValueError('expected first and second with equally many numbers in each row')
        if (self.kind == 'circle') != (not rows):
            raise ValueError(f'{self.kind}: expected {"no" if self.kind == "circle" else "some"} numbers')
        return self


class StateSpec(_Strict):
    """A vector of the robot, of ``width`` numbers in the units of the data."""

    key: Key
    width: Size
    scale: ScaleSpec


class ActionSpec(_Strict):
    """A part of each step of a chunk.

    Attributes:
        representation: what the answer means. Numbers that the model gives relative to the state are added to it.
        added_to: the state that they are relative to; None if they are not.
    """

    key: Key
    width: Size
    representation: Literal['absolute', 'delta', 'unsaid']
    added_to: Key | None
    scale: ScaleSpec


class PicturesSpec(_Strict):
    """From a camera's picture to patches, all cameras alike.

    Attributes:
        keys: pictures, in the order in which the model sees them; it must see all.
        side: pixels a side, before and after the crop.
        crop: share of a side that is kept, in the middle.
        patch, merge, frames: of Qwen3-VL: pixels of a patch, patches a side of a token, times each picture is taken.
        mean, std: of a pixel from 0 to 1, by channel.
    """

    keys: tuple[Key, ...] = Field(min_length=1, max_length=16)
    side: int = Field(gt=0, le=4096)
    crop: float = Field(gt=0.0, le=1.0)
    patch: int = Field(gt=0, le=64)
    merge: int = Field(gt=0, le=8)
    frames: int = Field(gt=0, le=8)
    mean: tuple[Number, Number, Number]
    std: tuple[Number, Number, Number]

    @property
    def patches(self) -> int:
        """Of all pictures."""
        return len(self.keys) * (self.side // self.patch) ** 2

    @property
    def tokens(self) -> int:
        """Of one picture."""
        return (self.side // self.patch // self.merge) ** 2


class PromptSpec(_Strict):
    """What stands around the words, as the chat template writes it; ``plain``: lower case, no punctuation."""

    before: str = Field(max_length=10_000)
    after: str = Field(max_length=10_000)
    picture: str = Field(min_length=1, max_length=100)
    plain: bool


class SizesSpec(_Strict):
    """Of the action head: features of the backbone, tokens of the DiT, what leaves it; filled-up state and action."""

    features: Size
    embedding: Size
    hidden: Size
    state: Size
    action: Size
    rows: Size
    deepstack: int = Field(gt=0, le=100)


class ModelSpec(_Strict):
    """Everything that must be known before it is loaded.

    Attributes:
        embodiment: its name, and the number that chooses its weights.
        horizon: rows of an answer; the model makes ``sizes.rows``.
        steps, buckets: Euler steps from noise at time 0 to actions at 1; the model reads time in whole buckets.
        clip: a normalised state outside of -1 to 1 is clipped.
        files: by the names of ``graphs.signatures``, and the tokenizer; with weights beside a graph as NAME_weights.
        provenance: where it came from.
    """

    format: Literal[1]
    embodiment: Key
    embodiment_id: int = Field(ge=0, le=10_000)
    pictures: PicturesSpec
    prompt: PromptSpec
    horizon: int = Field(gt=0, le=1000)
    steps: int = Field(gt=0, le=1000)
    buckets: int = Field(gt=0, le=1_000_000)
    clip: bool
    state: tuple[StateSpec, ...] = Field(min_length=1, max_length=50)
    actions: tuple[ActionSpec, ...] = Field(min_length=1, max_length=50)
    sizes: SizesSpec
    files: dict[Key, FileSpec]
    provenance: dict[str, Any]

    @model_validator(mode='after')
    def _fits(self) -> ModelSpec:
        filled = sum(part.width * (2 if part.scale.kind == 'circle' else 1) for part in self.state)
        for what, found, room in (
            ('numbers of the state', filled, self.sizes.state),
            ('numbers of an action', sum(part.width for part in self.actions), self.sizes.action),
            ('horizon', self.horizon, self.sizes.rows),
        ):
            if found > room:
                raise ValueError(f'{what}: expected at most {room}, found {found}')
        widths = {part.key: part.width for part in self.state}
        for part in self.actions:
            if part.added_to is not None and widths.get(part.added_to) != part.width:
                raise ValueError(
                    f'actions {part.key}: expected a state {part.added_to!r} of {part.width} numbers to be added to, '
                    f'found {widths}'
                )
        vectors: tuple[StateSpec | ActionSpec, ...] = (*self.state, *self.actions)
        for vector in vectors:
            rows = vector.scale.first
            steps = (1, self.horizon) if isinstance(vector, ActionSpec) else (1,)
            if rows and (len(rows) not in steps or len(rows[0]) != vector.width):
                raise ValueError(
                    f'{vector.key}: expected statistics {steps} x {vector.width}, found {len(rows)} x {len(rows[0])}'
                )
            if vector.scale.kind == 'circle' and isinstance(vector, ActionSpec):
                raise ValueError(f'actions {vector.key}: expected bounds or deviation, found circle')
        if self.pictures.side % (self.pictures.patch * self.pictures.merge):
            raise ValueError(f'pictures.side: expected whole tokens, found {self.pictures.side} pixels')
        return self


def load_model(folder: Path) -> ModelSpec:
    """Read and validate the description of a model; its files are checked when they are opened.

    Raises:
        VlaError: there is none, or a key is missing, unknown or out of range.
    """
    path = folder / FILE
    if not path.is_file():
        raise VlaError(f'{folder}: expected a folder with {FILE}, as vla_ros import groot-onnx writes it')
    return read_typed(path, LARGEST, ModelSpec)


def write_model(folder: Path, spec: ModelSpec) -> None:
    """Write the description into the folder of its files."""
    write_yaml(folder / FILE, spec.model_dump(mode='json'))


def model_file(folder: Path, spec: ModelSpec, key: str) -> Path:
    """The path of one of the files, checked against its SHA-256; VlaError as of ``bundle.checked_file``."""
    return checked_file(folder, FILE, spec.files, key, str(folder))
