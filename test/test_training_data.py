"""What the models learn from: labels that follow their pictures, chunks that follow their order."""

from __future__ import annotations

import re

import numpy as np
import pytest

pytest.importorskip('torch')
pytest.importorskip('mujoco')

from vla_ros.evaluation.wordings import HELD_OUT, load_wordings
from vla_ros.sim.cameras import FRONT_SIZE, Camera
from vla_ros.sim.scene import sample_scene
from vla_ros.sim.world import World
from vla_ros.training.action import chunks, oldest_looks, statistics
from vla_ros.training.augment import moved, relit
from vla_ros.training.demonstrations import Demonstrations, joined
from vla_ros.training.snapshots import KINDS, object_centres
from vla_ros.training.wordings import parts, sentence
from vla_ros.types import VlaError


def _spot(x: float, y: float, size: int = 128) -> np.ndarray:
    columns, rows = np.meshgrid(np.arange(size), np.arange(size))
    bright = 255 * np.exp(-((columns + 0.5 - x * size) ** 2 + (rows + 0.5 - y * size) ** 2) / 20)
    return np.repeat(bright.astype(np.uint8)[..., None], 3, -1)


@pytest.mark.parametrize('seed', range(20))
def test_a_label_follows_its_object_when_the_picture_is_moved(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, y = rng.uniform(0.2, 0.8, 2)
    picture, (place, gone) = moved(rng, _spot(x, y), np.array([[x, y], [np.nan, np.nan]], np.float32))
    rows, columns = np.nonzero(picture[..., 0])
    weight = picture[rows, columns, 0].astype(float)
    assert np.isnan(gone).all()
    centroid = np.average([columns + 0.5, rows + 0.5], axis=1, weights=weight)
    np.testing.assert_allclose(place * 128, centroid, atol=0.15)


def test_what_leaves_the_picture_is_no_longer_labelled() -> None:
    rng = np.random.default_rng(0)
    places = [moved(rng, _spot(0.5, 0.5), np.array([[0.999, 0.5]], np.float32))[1][0] for _ in range(40)]
    seen = [place for place in places if not np.isnan(place[0])]
    assert 0 < len(seen) < 40
    assert all(0 < value < 1 for place in seen for value in place)


def test_other_light_keeps_size_and_type() -> None:
    picture = _spot(0.5, 0.5)
    lit = relit(np.random.default_rng(0), picture)
    assert lit.shape == picture.shape
    assert lit.dtype == np.uint8


@pytest.mark.parametrize('seed', [3, 4, 5])
def test_object_centres_fall_on_pixels_of_that_object(seed: int) -> None:
    scene = sample_scene(seed, randomise=0.0)
    world = World(scene)
    camera = Camera(world.model, 'front', *FRONT_SIZE, scene=scene)
    image = camera.render(world.data)
    centres = object_centres(world, camera)
    for thing in scene.objects:
        x, y = centres[KINDS.index(thing.name)] * FRONT_SIZE[0]
        pixel = image[int(y), int(x)].astype(float)
        colour = np.array(thing.rgba[:3])
        # Lambert's law scales a colour, so its direction stays.
        assert pixel @ colour / (np.linalg.norm(pixel) * np.linalg.norm(colour)) > 0.98
    assert np.isnan(centres[:, 0]).sum() == len(KINDS) - len(scene.objects)


def _demonstrations() -> Demonstrations:
    """Two orders of 7 and 3 steps; targets count 0, 1, 2, ... in every joint."""
    order = np.array([4] * 7 + [9] * 3)
    steps = np.repeat(np.arange(10, dtype=np.float32)[:, None], 6, 1)
    return Demonstrations(
        looks=np.array([0, 5, 7]),
        images=np.zeros((3, 2, 4, 4, 3), np.uint8),
        joints=steps - 0.5,
        targets=steps,
        centres=np.zeros((3, len(KINDS), 2), np.float32),
        wanted=np.zeros(10, np.int64),
        order=order,
    )


def test_a_chunk_is_the_targets_that_follow_and_never_runs_into_the_next_order() -> None:
    found = chunks(_demonstrations(), 4)[..., 0]
    assert found[0].tolist() == [0, 1, 2, 3]
    assert found[5].tolist() == [5, 6, 6, 6]
    assert found[7].tolist() == [7, 8, 9, 9]
    assert found[9].tolist() == [9, 9, 9, 9]


def test_statistics_are_of_relative_actions() -> None:
    lessons = _demonstrations()
    moments = statistics(lessons, 1)
    np.testing.assert_allclose(moments.action_mean, 0.5)
    np.testing.assert_allclose(moments.state_mean, lessons.joints.mean(0))


def test_a_thought_is_of_the_same_order_and_not_too_old() -> None:
    order = np.array([4, 4, 4, 4, 9, 9])
    steps = np.array([0, 10, 20, 30, 40, 45])
    assert oldest_looks(order, steps).tolist() == [0, 0, 0, 1, 4, 4]


def test_joined_demonstrations_look_at_their_own_steps() -> None:
    one = _demonstrations()
    both = joined([one, one])
    np.testing.assert_array_equal(both.looks, [0, 5, 7, 10, 15, 17])
    np.testing.assert_array_equal(both.joints[both.looks], np.tile(one.joints[one.looks], (2, 1)))


def test_training_sentences_name_their_object_in_words_that_are_known() -> None:
    rng = np.random.default_rng(0)
    names = parts()['names']
    for _ in range(300):
        text = sentence(rng, 'touch', 'red cube')
        assert any(word in text for word in names['red'])
        assert any(word in text for word in names['cube'])
        assert '{' not in text
    with pytest.raises(VlaError, match='expected a key'):
        sentence(rng, 'juggle', 'red cube')


def _bare(text: str) -> str:
    """The words alone: no article before the object, no punctuation, no capitals."""
    letters = re.sub(r'[^a-z{} ]', '', text.lower()).replace('the {object}', '{object}')
    return ' '.join(letters.split())


def test_no_held_out_sentence_can_be_made_of_the_training_parts() -> None:
    before, after = parts()['before'], parts()['after']
    for task, templates in load_wordings(HELD_OUT).items():
        trained = {_bare(f'{b} {middle} {a}') for b in before for middle in parts()[task] for a in after}
        assert not trained & {_bare(template) for template in templates}
