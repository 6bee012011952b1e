"""What System 1 learns from a recorded dataset: chunks at its own rate, and nothing that nobody recorded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip('torch')
pytest.importorskip('transformers')
pytest.importorskip('pyarrow')
pytest.importorskip('av')
pytest.importorskip('mujoco')

from recordings import frame, write_dataset  # noqa: E402
from tiny_eyes import tiny_eyes  # noqa: E402

from vla_ros.dataset.reader import DatasetReader  # noqa: E402
from vla_ros.dataset.recording import RecordingSpec  # noqa: E402
from vla_ros.reasoning.prompt import prompt  # noqa: E402
from vla_ros.reasoning.trace import ANSWER, Request, Sighting, write  # noqa: E402
from vla_ros.sim.model import JOINT_NAMES  # noqa: E402
from vla_ros.training import action_stage, dataset_export, recorded, recorded_stage, recorded_thoughts, stages  # noqa: E402
from vla_ros.training.decoder import CachedDecoder, empty_cache  # noqa: E402
from vla_ros.training.flow import FlowConfig, FlowHead, flow_matching_loss  # noqa: E402
from vla_ros.training.language import build_llava  # noqa: E402
from vla_ros.training.llama import LanguageSize  # noqa: E402
from vla_ros.training.loop import Schedule  # noqa: E402
from vla_ros.training.recorded import RecordedLooks, cut_chunks, look_frames  # noqa: E402
from vla_ros.training.tokenizer import train_tokenizer  # noqa: E402
from vla_ros.types import Subtask, VlaError  # noqa: E402

BINS = 16
ARM = RecordingSpec(20, tuple(JOINT_NAMES), {'front': (32, 32), 'wrist': (32, 32)}, 'so101')


def some_looks(tasks: tuple[str, ...], episode: tuple[int, ...]) -> RecordedLooks:
    count = len(tasks)
    zeros = np.zeros((count, 6), np.float32)
    chunks = np.zeros((count, 4, 6), np.float32)
    padding = np.zeros((count, 4), bool)
    return RecordedLooks(zeros, zeros, chunks, padding, tasks, np.array(episode), np.arange(count))


def test_at_the_models_own_rate_a_chunk_is_the_actions_from_the_look_on() -> None:
    actions = np.random.default_rng(0).normal(size=(30, 2))
    chunks, padding = cut_chunks(actions, 20, np.array([0, 7]), 5, 0.05)
    np.testing.assert_allclose(chunks, [actions[0:5], actions[7:12]])
    assert not padding.any()


@pytest.mark.parametrize('fps', [10, 30, 50])
def test_at_another_rate_a_chunk_lies_on_the_line_between_actions(fps: int) -> None:
    # An action is due one frame later: on this line of time it says when it is due.
    actions = ((np.arange(200) + 1) / fps)[:, None]
    looks = np.array([0, 11, 40])
    chunks, _ = cut_chunks(actions, fps, looks, 8, 0.05)
    expected = np.maximum(looks[:, None] / fps + 0.05 * np.arange(1, 9), 1 / fps)
    np.testing.assert_allclose(chunks[..., 0], expected, atol=1e-12)


def test_behind_the_end_of_its_episode_a_chunk_stays_and_is_padding() -> None:
    actions = np.arange(10.0)[:, None]
    chunks, padding = cut_chunks(actions, 20, np.array([7]), 6, 0.05)
    np.testing.assert_allclose(chunks[0, :, 0], [7, 8, 9, 9, 9, 9])
    assert padding[0].tolist() == [False] * 3 + [True] * 3


@pytest.mark.parametrize(('length', 'expected'), [(1, [0]), (6, [0, 5]), (11, [0, 5, 10]), (12, [0, 5, 10])])
def test_looks_are_a_quarter_of_a_second_apart(length: int, expected: list[int]) -> None:
    assert look_frames(length, 20, 0.25).tolist() == expected


def test_statistics_are_those_of_relative_actions_without_padding(tmp_path: Path) -> None:
    reader = DatasetReader(write_dataset(tmp_path / 'toy', (30,), ARM))
    looks = recorded.read_looks(reader, JOINT_NAMES, 4, 0.05, 0.25)
    # The joints move by 0.01 rad a frame, and each action is where they are a frame later.
    np.testing.assert_allclose(recorded.statistics(looks).action_mean, 0.025, atol=1e-6)
    np.testing.assert_allclose(looks.velocities[1:], 0.2, atol=1e-5)
    assert looks.padding.any() == (looks.step[-1] * 5 + 4 > 30)


def test_given_another_arm_or_no_wrist_camera_then_it_is_refused(tmp_path: Path) -> None:
    reader = DatasetReader(write_dataset(tmp_path / 'toy', (3,)))
    with pytest.raises(VlaError, match=r"dataset: expected joints \['shoulder_pan'.*found \['pan', 'lift'"):
        recorded.read_looks(reader, JOINT_NAMES, 4, 0.05, 0.25)
    with pytest.raises(VlaError, match="dataset: expected camera 'top', found"):
        recorded.see(reader, ['front', 'top'], 32, 0.25, lambda images: images)


def test_what_nobody_recorded_is_not_learned_and_without_padding_all_is_as_it_was() -> None:
    config = FlowConfig(
        joints=2, horizon=4, prefix=1, tokens=4, token_width=8, thought_width=8, width=12, heads=2, pairs=2
    )
    torch.manual_seed(0)
    head = FlowHead(config)
    samples = (torch.randn(3, 4, 2), torch.randn(3, 4, 8), torch.randn(3, 2, 8), torch.randn(3, 2))

    def loss(padding: torch.Tensor | None) -> float:
        torch.manual_seed(1)
        return float(flow_matching_loss(head, *samples, None, 2, padding))

    assert loss(torch.zeros(3, 4, dtype=torch.bool)) == loss(None) > 0
    assert loss(torch.ones(3, 4, dtype=torch.bool)) == 0
    half = torch.tensor([[False, False, True, True]]).expand(3, 4)
    assert loss(half) not in (0, loss(None))


def test_a_thought_is_acted_on_in_its_own_episode_and_for_its_own_task_and_not_for_ever() -> None:
    looks = some_looks(('a', 'a', 'a', 'a', 'b', 'b', 'b'), (0, 0, 0, 0, 0, 1, 1))
    found = recorded_thoughts.thought_of(looks, np.array([0, 6]), oldest=2)
    assert found.tolist() == [0, 0, 0, -1, -1, -1, 1]


@pytest.fixture(scope='module')
def system_2():
    """A tiny System 2 that knows nothing, and its words."""
    said = write([Sighting('red cube', 0.1, 0.9)], Request((Subtask('touch', 'red cube'),)), BINS)
    words = train_tokenizer([prompt('touch the red cube') + said], BINS, 400)
    size = LanguageSize(width=32, layers=2, heads=2, feed_forward=64)
    torch.manual_seed(0)
    return build_llava(size, tiny_eyes(), words, 4).eval(), words


class Noted:
    """A tokenizer whose answer begins with a given token, and that notes which tokens were written."""

    def __init__(self, answer: int) -> None:
        self.answer, self.written = answer, [-1]

    def convert_tokens_to_ids(self, token: str) -> int:
        return self.answer if token == ANSWER else -1

    def decode(self, ids: list[int], **_: object) -> str:
        self.written = ids
        return ''


@torch.no_grad()
def test_a_trace_is_written_greedily_and_its_vectors_are_those_of_reading_it(system_2) -> None:
    model, words = system_2
    visual, asked = torch.randn(4, 24), torch.tensor(words(prompt('touch it'))['input_ids'])
    decoder, empty = CachedDecoder(model), empty_cache(model)
    first = Noted(answer=-2)
    assert len(recorded_thoughts.write(decoder, empty, first, visual, asked, 6)[1]) == 0
    assert len(first.written) == 6
    for i, token in enumerate(first.written):
        before = torch.cat([asked, torch.tensor(first.written[:i], dtype=torch.long)])
        assert int(decoder(visual, before, empty)[0].argmax()) == token

    begin = first.written.index(first.written[2])
    again = Noted(answer=first.written[2])
    _, rows = recorded_thoughts.write(decoder, empty, again, visual, asked, 6)
    read = decoder(visual, torch.cat([asked, torch.tensor(first.written)]), empty)[1]
    torch.testing.assert_close(rows, read[4 + len(asked) + begin :], atol=1e-5, rtol=1e-5)


def test_given_what_system_2_writes_then_only_what_it_goes_for_is_a_thought(
    system_2, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, words = system_2
    go = write([Sighting('red cube', 0.1, 0.9)], Request((Subtask('touch', 'red cube'),)), BINS)
    asked: list[str] = []

    def written(decoder: object, cache: object, tokenizer: Any, visual: object, ids: Any, longest: int):
        asked.append(tokenizer.decode(ids))
        return (go if 'red' in asked[-1] else 'nonsense'), torch.ones(3, 32)

    monkeypatch.setattr(recorded_thoughts, 'write', written)
    looks = some_looks(('touch red', 'touch red', 'touch red', 'sing'), (0, 0, 0, 1))
    at, rows = recorded_thoughts.think(model, words, np.zeros((4, 4, 24)), looks, 2, BINS, 9, rows=5)
    assert at.tolist() == [0, 2]
    assert len(asked) == 3  # every other look, and the first of an episode
    assert rows.shape == (2, 5, 32)
    assert (rows[:, :3] == 1).all()
    assert (rows[:, 3:] == 0).all()


@pytest.mark.parametrize(
    ('episodes', 'expected'), [([0], set()), ([0, 0, 4], {4}), (list(range(25)), {9, 19})]
)
def test_some_episodes_are_kept_for_testing(episodes: list[int], expected: set[int]) -> None:
    assert recorded_thoughts.held_out(episodes, 10) == expected


def require_the_stage_runs(
    folder: Path, out: Path, monkeypatch: pytest.MonkeyPatch, mapping: str | None = None
) -> dict[str, Any]:
    """Train two steps on a dataset, with eyes and System 2 that say anything; a head is left that loads."""
    small = FlowConfig(
        joints=6,
        velocities=True,
        horizon=16,
        tokens=128,
        token_width=8,
        thought_width=8,
        width=12,
        heads=2,
        pairs=2,
    )
    rng = np.random.default_rng(0)

    def thoughts(out: Path, looks: RecordedLooks, tokens: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        begins = np.flatnonzero(looks.step == 0)
        return begins, rng.normal(size=(len(begins), 3, 8)).astype(np.float16)

    (out / 'vision').mkdir(parents=True)
    (out / 'vision' / 'model.safetensors').touch()
    monkeypatch.setattr(stages, 'load_vision', lambda out: None)
    monkeypatch.setattr(
        recorded_stage.vision,
        'encode',
        lambda tower, images: np.broadcast_to(images.mean((1, 2, 3))[:, None, None], (len(images), 64, 8)),
    )
    monkeypatch.setattr(recorded_stage, '_thoughts', thoughts)
    monkeypatch.setattr(recorded_stage, 'FlowConfig', lambda **_: small)
    schedule = Schedule(2, batch=2, learning_rate=1e-3, warm_up=1)
    metrics = recorded_stage.train_action_on(out, schedule, folder, mapping)
    assert json.loads((out / 'action' / 'metrics.json').read_text()) == metrics
    head, moments = action_stage.load_action(out)
    assert head.config == small
    assert moments.action_mean.shape == (6,)
    return metrics


def test_given_a_recorded_dataset_when_the_stage_runs_then_a_head_is_left_that_loads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_dataset(tmp_path / 'toy', (12, 9), ARM)
    metrics = require_the_stage_runs(folder, tmp_path / 'out', monkeypatch)
    assert (metrics['episodes'], metrics['held_out_episodes'], metrics['looks']) == (2, 1, 5)
    assert metrics['looks_without_thought'] == 0


def test_given_the_expert_when_exported_then_episodes_have_words_and_actions_that_the_arm_follows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dataset_export, 'CAMERAS', {'front': (32, 32), 'wrist': (32, 32)})
    (first, *_) = dataset_export._filmed(900_000, {'touch': 1.0})
    assert first.task
    states = np.array([shown.state for shown in first.frames])
    actions = np.array([shown.action for shown in first.frames])
    # The servo lags behind its target: it is nearer to the target a step later than before.
    assert np.abs(states[1:] - actions[:-1]).mean() < np.abs(states[:-1] - actions[:-1]).mean()
    assert [shown.timestamp for shown in first.frames] == pytest.approx(np.arange(len(states)) / 20)
    assert frame(0, 0, ARM).images.keys() == first.frames[0].images.keys()
