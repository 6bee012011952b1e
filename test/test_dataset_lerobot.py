"""The lerobot package loads what we wrote, and we train on what it wrote; scripts/check_lerobot.sh runs this."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip('torch')
pytest.importorskip('lerobot')
pytest.importorskip('mujoco')

if torch.version.cuda is None and 'nms' not in dir(torch.ops.torchvision):
    # torchvision's wheels are built for CUDA and do not load beside a torch for CPUs, but all of it that lerobot
    # uses is Python. It wants two operators to exist, which nobody calls.
    operators = torch.library.Library('torchvision', 'FRAGMENT')
    for operator in ('nms', 'qnms'):
        operators.define(f'{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor')

from lerobot.datasets.lerobot_dataset import LeRobotDataset  # noqa: E402
from recordings import SPEC, picture, state, write_dataset  # noqa: E402
from test_training_recorded import require_the_stage_runs  # noqa: E402

from vla_ros.dataset.mapping import load_mapping  # noqa: E402
from vla_ros.dataset.reader import DatasetReader  # noqa: E402
from vla_ros.dataset.statistics import of_numbers  # noqa: E402

LENGTHS = (5, 7, 4)
HORIZON = 4


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is looked up on a hub."""
    monkeypatch.setenv('HF_HUB_OFFLINE', '1')


def test_given_a_dataset_of_ours_when_lerobot_loads_it_then_every_frame_is_the_same(tmp_path: Path) -> None:
    folder = write_dataset(tmp_path / 'toy', LENGTHS)
    deltas = {'action': [step / SPEC.fps for step in range(HORIZON)]}
    theirs = LeRobotDataset('us/toy', root=folder, video_backend='pyav', delta_timestamps=deltas)

    assert (theirs.num_episodes, len(theirs), theirs.fps) == (3, sum(LENGTHS), SPEC.fps)
    index = 0
    for episode, length in enumerate(LENGTHS):
        for number in range(length):
            item: dict[str, Any] = theirs[index]
            assert item['episode_index'] == episode
            assert item['task'] == f'task {episode % 2}'
            np.testing.assert_allclose(item['observation.state'], state(episode, number), atol=1e-6)
            for step in range(HORIZON):
                last = min(number + step, length - 1)
                np.testing.assert_allclose(item['action'][step], state(episode, last + 1), atol=1e-6)
                assert bool(item['action_is_pad'][step]) == (number + step >= length)
            for camera, size in SPEC.cameras.items():
                shown = item[f'observation.images.{camera}'].permute(1, 2, 0).numpy() * 255
                assert np.abs(shown - picture(size, episode, number)).max() <= 6
            index += 1


def test_given_a_dataset_of_ours_then_its_statistics_are_those_that_lerobot_computes(tmp_path: Path) -> None:
    from lerobot.datasets.compute_stats import aggregate_stats, get_feature_stats

    folder = write_dataset(tmp_path / 'toy', LENGTHS)
    found = LeRobotDataset('us/toy', root=folder, video_backend='pyav').meta.stats
    episodes = [
        np.array([state(e, n) for n in range(length)], np.float32) for e, length in enumerate(LENGTHS)
    ]
    each = [get_feature_stats(values, axis=0, keepdims=False) for values in episodes]
    expected = aggregate_stats([{'observation.state': one} for one in each])['observation.state']
    for name in ('min', 'max', 'mean', 'std', 'count'):
        np.testing.assert_allclose(found['observation.state'][name], expected[name], atol=1e-5)
    for ours, theirs in zip(map(of_numbers, episodes), each):
        for name in ('q01', 'q10', 'q50', 'q90', 'q99'):  # they count bins of a histogram
            np.testing.assert_allclose(ours[name], theirs[name], atol=0.011)
    assert found['observation.images.front']['mean'].shape == (3, 1, 1)


def test_given_a_dataset_that_lerobot_wrote_then_we_read_it_and_train_a_step_on_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mapping = load_mapping('so101_lerobot')
    names = [column.name for column in mapping.state.columns]
    vector = {'dtype': 'float32', 'shape': (6,), 'names': names}
    shape = {'dtype': 'video', 'shape': (64, 64, 3), 'names': ['height', 'width', 'channels']}
    features = {'observation.state': vector, 'action': vector}
    features |= {f'observation.images.{camera}': shape for camera in ('front', 'wrist')}
    theirs = LeRobotDataset.create('them/toy', 30, features, root=tmp_path / 'theirs', use_videos=True)
    degrees = np.arange(6, dtype=np.float32)
    for episode in range(2):
        for number in range(30):
            image = picture((64, 64), episode, number % 20)
            values = degrees + number
            frame = {'observation.state': values, 'action': values + 1}
            frame |= {f'observation.images.{camera}': image for camera in ('front', 'wrist')}
            theirs.add_frame(frame | {'task': 'touch the red cube'})
        theirs.save_episode()
    theirs.finalize()

    reader = DatasetReader(tmp_path / 'theirs', mapping)
    assert [episode.length for episode in reader.episodes] == [30, 30]
    numbers = reader.numbers(1)
    np.testing.assert_allclose(numbers.state[7, :5], np.radians(degrees[:5] + 7), atol=1e-5)
    (shown,) = reader.images(1, 'front', [7])
    assert np.abs(shown.astype(int) - picture((64, 64), 1, 7)).max() <= 12  # AV1 at LeRobot's own quality

    metrics = require_the_stage_runs(tmp_path / 'theirs', tmp_path / 'out', monkeypatch, 'so101_lerobot')
    assert metrics['looks'] == 8
