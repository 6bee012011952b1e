"""`vla_ros train action --dataset`: System 1 learns from episodes in LeRobot's format, whoever recorded them."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import Dataset

from vla_ros.bundle import load_bundle, sha256
from vla_ros.dataset.layout import INFO, STATISTICS
from vla_ros.dataset.mapping import load_mapping
from vla_ros.dataset.reader import DatasetReader
from vla_ros.sim.expert import PERIOD
from vla_ros.sim.model import JOINT_NAMES
from vla_ros.training import action, action_stage, recorded, recorded_thoughts, stages, vision
from vla_ros.training.assemble import MAX_NEW_TOKENS
from vla_ros.training.cache import cached
from vla_ros.training.demonstrations import HORIZON, LOOK_EVERY
from vla_ros.training.flow import FlowConfig, FlowHead
from vla_ros.training.loop import Schedule, fit
from vla_ros.training.metrics import write_metrics
from vla_ros.training.recorded import RecordedLooks
from vla_ros.training.snapshots import CAMERAS
from vla_ros.types import FloatArray, IndexArray, VlaError

EVERY = LOOK_EVERY * PERIOD
"""Seconds between two looks, as in demonstrations."""
THINK_EVERY, OLDEST = 2, round(action.OLDEST_THOUGHT / LOOK_EVERY)
"""Looks between two thoughts, which is the robot's own rate of them, and how many looks old one may be."""
TEST_EVERY = 10
"""Of so many episodes one is not learned from."""


class RecordedChunks(Dataset[dict[str, Tensor]]):
    """Flow-matching samples as ``action.Chunks`` has them, with the padding; nobody says where the hand goes to."""

    def __init__(
        self,
        looks: RecordedLooks,
        tokens: npt.NDArray[np.float16],
        thoughts: npt.NDArray[np.float16],
        thought_of: IndexArray,
        moments: action.Statistics,
    ) -> None:
        """``thoughts`` (N, rows, width), and ``thought_of`` (S,) which of them belongs to each look."""
        self._padding, self._tokens = looks.padding, tokens
        self._thoughts, self._thought_of = thoughts, thought_of
        self._state: FloatArray = moments.state(looks)
        self._actions = (looks.chunks - looks.joints[:, None] - moments.action_mean) / moments.action_std

    def __len__(self) -> int:
        return len(self._state)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        values = {
            'actions': self._actions[index],
            'tokens': self._tokens[index],
            'thought': self._thoughts[self._thought_of[index]],
            'state': self._state[index],
        }
        sample = {name: torch.from_numpy(value.astype(np.float32)) for name, value in values.items()}
        return sample | {'patch': torch.tensor(-1), 'padding': torch.from_numpy(self._padding[index].copy())}


def train_action_on(
    out: Path, schedule: Schedule, folder: Path, mapping: str | None = None, start: Path | None = None
) -> dict[str, Any]:
    """The flow-matching head, on the dataset in ``folder``; leaves ``out/action``.

    Looks without a thought to act on are left out: there the robot would hold still.

    Args:
        mapping: what the dataset's numbers mean, see ``load_mapping``; None for one that says that they are rad.
        start: a bundle whose head to go on from.
    """
    torch.manual_seed(schedule.seed)
    reader = DatasetReader(folder, None if mapping is None else load_mapping(mapping))
    looks = recorded.read_looks(reader, JOINT_NAMES, HORIZON, PERIOD, EVERY)
    made_from = _identity(folder, reader)
    tokens = _seen(out, reader, made_from)
    at, vectors = _thoughts(out, looks, tokens)
    thought_of = recorded_thoughts.thought_of(looks, at, OLDEST)
    kept = np.flatnonzero(thought_of >= 0)
    if not len(kept):
        raise VlaError(
            f'{folder}: expected tasks that System 2 does, found none in {len(looks)} looks; '
            f'it read, for example, {looks.tasks[0]!r}'
        )
    test = recorded_thoughts.held_out(looks.episode[kept].tolist(), TEST_EVERY)
    is_test = np.isin(looks.episode[kept], sorted(test))
    learned = kept[~is_test]
    if start is None:
        moments = recorded.statistics(looks.chosen(learned))
        head = FlowHead(FlowConfig(horizon=HORIZON, velocities=True))
    else:
        head, moments = action_stage.load_action(start)

    def chunks(which: IndexArray) -> RecordedChunks:
        return RecordedChunks(looks.chosen(which), tokens[which], vectors, thought_of[which], moments)

    folder_out = out / 'action'
    before = None if start is None else load_bundle(start).manifest.metrics.get('action')
    run = hashlib.sha256(f'{made_from} {before}'.encode()).hexdigest()[:8]
    log = fit(action.ActionTrainer(head), chunks(learned), folder_out / f'run_{run}', schedule)
    # The error is that of whole chunks: what is padding has none.
    whole = kept[(is_test | (not test)) & ~looks.padding[kept].any(1)]
    error = action.measure(head, chunks(whole), moments) if len(whole) else {}
    action.save_head(folder_out, head, moments)
    told = {
        'dataset': folder.name,
        'episodes': len(reader.episodes),
        'held_out_episodes': len(test),
        'looks': len(looks),
        'looks_without_thought': len(looks) - len(kept),
        **error,
    }
    return write_metrics(folder_out, schedule, log, told, before=before or 'random weights')


def _identity(folder: Path, reader: DatasetReader) -> str:
    """Of what is read: of the dataset, and of the mapping that it is read by."""
    files = [path for path in (folder / INFO, folder / STATISTICS) if path.is_file()]
    return ' '.join([*map(sha256, files), reader.mapping.model_dump_json()])


def _seen(out: Path, reader: DatasetReader, made_from: str) -> npt.NDArray[np.float16]:
    eyes = out / 'vision' / 'model.safetensors'

    def look() -> npt.NDArray[np.float16]:
        tower = stages.load_vision(out)
        return recorded.see(
            reader, list(CAMERAS), stages.IMAGE_SIZE, EVERY, lambda images: vision.encode(tower, images)
        )

    return cached(out / stages.CACHE, [eyes, made_from, 'recorded tokens'], look)


def _thoughts(
    out: Path, looks: RecordedLooks, tokens: npt.NDArray[np.float16]
) -> tuple[IndexArray, npt.NDArray[np.float16]]:
    """The looks with a thought, and the thought vectors (N, rows, width)."""
    model, tokenizer = stages.load_language(out), stages.load_words(out)
    front = tokens[:, : tokens.shape[1] // len(CAMERAS)]
    return recorded_thoughts.think(
        model, tokenizer, front, looks, THINK_EVERY, stages.BINS, MAX_NEW_TOKENS, action_stage.THOUGHT_ROWS
    )
