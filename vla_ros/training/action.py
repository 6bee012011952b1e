"""System 1's lessons: from demonstrations, through the frozen eyes and System 2, to flow-matching samples.

Actions are made relative first (target minus the joints measured when the chunk begins), then normalised with the
statistics of relative actions. The thought that goes with a step is one that System 2 had at that moment or up to a
second before, as on the robot.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.utils.data import Dataset
from tqdm import tqdm
from transformers import PreTrainedTokenizerFast

from vla_ros.reasoning.trace import ANSWER
from vla_ros.training.conversations import followed
from vla_ros.training.flow import FlowHead, flow_matching_loss, integrate
from vla_ros.training.language import LanguageTrainer
from vla_ros.training.lessons import STEPS, Lessons
from vla_ros.training.loop import fresh_generator
from vla_ros.training.requests import SINGLE
from vla_ros.types import FloatArray, IndexArray, VlaError

OLDEST_THOUGHT = 20
"""How many control steps old a thought may be when it is acted on."""
PLACE_ERROR = 0.02
"""Standard deviation, as a share of the image, of the places in the traces that thoughts are made of.

System 2 misplaces things by two or three pixels of 128. System 1 must look for itself, or it inherits that.
"""
SMALLEST_SPREAD = 0.02
"""Least standard deviation in rad that a joint is divided by."""


class HasJoints(Protocol):
    """Looks that know the joints: positions (S, J) rad, velocities (S, J) rad/s."""

    @property
    def joints(self) -> FloatArray: ...

    @property
    def velocities(self) -> FloatArray: ...


@dataclass(frozen=True)
class Statistics:
    """Mean and standard deviation of joint positions and relative actions, each (J,) rad, and of velocities, rad/s.

    Those of velocities are None for heads that are not told them.
    """

    state_mean: FloatArray
    state_std: FloatArray
    action_mean: FloatArray
    action_std: FloatArray
    velocity_mean: FloatArray | None = None
    velocity_std: FloatArray | None = None

    def state(self, lessons: HasJoints) -> FloatArray:
        """(S, J) normalised positions, or (S, 2 J) with velocities behind them, as ``action.flow`` has them."""
        positions = (lessons.joints - self.state_mean) / self.state_std
        if self.velocity_mean is None or self.velocity_std is None:
            return positions
        return np.concatenate([positions, (lessons.velocities - self.velocity_mean) / self.velocity_std], 1)


def as_lists(moments: Statistics) -> dict[str, list[float]]:
    """For JSON; what is None is left out."""
    return {name: value.tolist() for name, value in asdict(moments).items() if value is not None}


def from_lists(values: Mapping[str, list[float]]) -> Statistics:
    """What ``as_lists`` was made of."""
    return Statistics(**{name: np.array(value, np.float32) for name, value in values.items()})


def statistics(lessons: Lessons) -> Statistics:
    """Of all joints and all relative chunks."""
    relative = lessons.chunks - lessons.joints[:, None]
    joints, velocities = lessons.joints, lessons.velocities
    return Statistics(
        joints.mean(0),
        np.maximum(joints.std(0), SMALLEST_SPREAD),
        relative.mean((0, 1)),
        np.maximum(relative.std((0, 1)), SMALLEST_SPREAD),
        velocities.mean(0),
        np.maximum(velocities.std(0), SMALLEST_SPREAD),
    )


@torch.no_grad()
def thoughts(
    model: LanguageTrainer,
    tokenizer: PreTrainedTokenizerFast,
    visual: npt.NDArray[np.float16],
    texts: Sequence[tuple[str, str]],
    rows: int,
) -> npt.NDArray[np.float16]:
    """(N, rows, width) hidden states of the answers, padded with zeros, for ``texts`` of (prompt, true trace)."""
    model.eval()
    answer = tokenizer.convert_tokens_to_ids(ANSWER)
    out = np.zeros((len(texts), rows, model.language.config.hidden_size), np.float16)
    for start in tqdm(range(0, len(texts), 32), desc='thinking', unit='batch', leave=False):
        ids = [tokenizer(asked + trace)['input_ids'] for asked, trace in texts[start : start + 32]]
        padded = torch.zeros(len(ids), max(map(len, ids)), dtype=torch.long)
        for row, tokens in enumerate(ids):
            padded[row, : len(tokens)] = torch.tensor(tokens)
        seen = torch.from_numpy(visual[start : start + 32].astype(np.float32))
        hidden = model.hidden(seen, padded)[:, seen.shape[1] :].numpy()
        for row, tokens in enumerate(ids):
            begin = tokens.index(answer)
            if len(tokens) - begin > rows:
                raise VlaError(
                    f'thought: expected answers of at most {rows} tokens, found {len(tokens) - begin}'
                )
            out[start + row, : len(tokens) - begin] = hidden[row, begin : len(tokens)]
    return out


def texts_of(lessons: Lessons, bins: int, seed: int) -> list[tuple[str, str]]:
    """What System 2 reads and a trace that is true but for places, which are as wrong as its own, at each look."""
    rng = np.random.default_rng(seed)
    said = (followed(rng, lessons, look, bins, PLACE_ERROR) for look in range(len(lessons)))
    return [(one.prompt(bins), one.trace) for one in said]


class Chunks(Dataset[dict[str, Tensor]]):
    """Flow-matching samples, one a look: tokens, a thought, the normalised state and the normalised relative chunk.

    And the patch of the front image, whose tokens come first, that the hand goes to.
    """

    def __init__(
        self,
        lessons: Lessons,
        tokens: npt.NDArray[np.float16],
        thought_rows: npt.NDArray[np.float16],
        moments: Statistics,
    ) -> None:
        self._tokens, self._thoughts = tokens, thought_rows
        relative = lessons.chunks - lessons.joints[:, None]
        self._state = moments.state(lessons)
        self._actions = (relative - moments.action_mean) / moments.action_std
        self._patch = patches(lessons, tokens.shape[1] // lessons.images.shape[1])
        self._oldest = oldest_looks(lessons.order * STEPS + lessons.done, lessons.step)

    def __len__(self) -> int:
        return len(self._state)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        thought = int(fresh_generator().integers(self._oldest[index], index + 1))
        values = {
            'actions': self._actions[index],
            'tokens': self._tokens[index],
            'thought': self._thoughts[thought],
            'state': self._state[index],
        }
        sample = {name: torch.from_numpy(value.astype(np.float32)) for name, value in values.items()}
        return sample | {'patch': torch.tensor(self._patch[index])}


def patches(lessons: Lessons, count: int) -> IndexArray:
    """(S,) the patch of the front image, of ``count`` in a square, row by row, that the hand goes to; -1 for none.

    That is the patch of the object, and once the object is in the hand that of the bowl or plate it is put in or on.
    """
    grid = math.isqrt(count)
    now = np.arange(len(lessons))
    kind, thing, _ = lessons.requests[now, lessons.done].T
    carried = (kind == SINGLE.index('put')) & (thing == lessons.truth.held)
    wanted = np.where(carried[:, None], lessons.places()[:, 1], lessons.places()[:, 0])
    column, row = np.clip(np.floor(np.nan_to_num(wanted) * grid), 0, grid - 1).astype(int).T
    return np.where(np.isnan(wanted[:, 0]), -1, row * grid + column)


def oldest_looks(order: IndexArray, steps: IndexArray) -> IndexArray:
    """For each look the first one whose thought may still be acted on: of the same step of an order and not too old."""
    number = np.cumsum(np.append(False, order[1:] != order[:-1]))
    # One line of time on which the orders are too far apart for a thought to reach the next.
    time = number * (steps.max() + OLDEST_THOUGHT + 1) + steps
    return np.searchsorted(time, time - OLDEST_THOUGHT)


class ActionTrainer(nn.Module):
    """The head with its loss as the forward pass."""

    def __init__(self, head: FlowHead, draws: int = 2) -> None:
        super().__init__()
        self.head, self.draws = head, draws

    def forward(
        self,
        actions: Tensor,
        tokens: Tensor,
        thought: Tensor,
        state: Tensor,
        patch: Tensor,
        padding: Tensor | None = None,
    ) -> dict[str, Tensor]:
        samples = (actions, tokens, thought, state, patch)
        return {'loss': flow_matching_loss(self.head, *samples, self.draws, padding)}


def save_head(folder: Path, head: FlowHead, moments: Statistics) -> None:
    """Weights, sizes and statistics, as ``action_stage.load_action`` reads them."""
    save_file(head.state_dict(), str(folder / 'model.safetensors'))
    values = {name: value.tolist() for name, value in asdict(moments).items() if value is not None}
    (folder / 'config.json').write_text(
        json.dumps({**asdict(head.config), 'statistics': values}, indent=1), encoding='utf-8'
    )


@torch.no_grad()
def measure(head: FlowHead, data: Any, moments: Statistics, count: int = 1000) -> dict[str, float]:
    """Error in rad of whole chunks from noise, against the expert's, on held-out demonstrations."""
    head.eval()
    generator = torch.Generator().manual_seed(0)
    chosen = np.linspace(0, len(data) - 1, min(count, len(data))).astype(int)
    errors = []
    for start in range(0, len(chosen), 50):
        samples = [data[int(i)] for i in chosen[start : start + 50]]
        batch = {key: torch.stack([sample[key] for sample in samples]) for key in samples[0]}
        actions = batch['actions']
        noise = torch.randn(actions.shape, generator=generator)
        clean = torch.zeros(actions.shape[:2], dtype=torch.bool)
        found = integrate(
            head, noise, batch['tokens'], batch['thought'], batch['state'], torch.zeros_like(actions), clean
        )
        errors.append(((found - actions).numpy() * moments.action_std).reshape(-1))
    error = np.abs(np.concatenate(errors))
    return {'mean_absolute_error_rad': float(error.mean()), 'p95_error_rad': float(np.percentile(error, 95))}
