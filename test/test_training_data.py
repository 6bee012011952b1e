"""What the models learn from: labels that follow their pictures, chunks that follow their order."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip('torch')
pytest.importorskip('mujoco')

import mujoco

from vla_ros.evaluation.wordings import HELD_OUT, load_wordings
from vla_ros.sim.cameras import FRONT_SIZE, Camera
from vla_ros.sim.expert import JOINT_SPEED, PERIOD
from vla_ros.sim.scene import sample_scene
from vla_ros.sim.world import World
from vla_ros.training.action import PLACE_ERROR, SMALLEST_SPREAD, oldest_looks, patches, statistics, texts_of
from vla_ros.training.augment import moved, relit
from vla_ros.training.demonstrations import HORIZON, Demonstrations, _episode, joined
from vla_ros.training.snapshots import KINDS, object_centres
from vla_ros.training.stages import _run
from vla_ros.training.wordings import parts, sentence, templates
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
    """Three looks in two orders; at each the joints stand at -0.5 and the chunk counts 0, 1, 2, ... in every joint."""
    counted = np.arange(HORIZON, dtype=np.float32)[None, :, None]
    return Demonstrations(
        images=np.zeros((3, 2, 4, 4, 3), np.uint8),
        centres=np.zeros((3, len(KINDS), 2), np.float32),
        joints=np.full((3, 6), -0.5, np.float32),
        chunks=np.broadcast_to(counted, (3, HORIZON, 6)).copy(),
        wanted=np.zeros(3, np.int64),
        step=np.array([0, 5, 7]),
        order=np.array([4, 4, 9]),
    )


def test_statistics_are_of_relative_actions() -> None:
    moments = statistics(_demonstrations())
    # 0, 1, ..., 15 relative to -0.5: the mean of n numbers from 0 is (n - 1) / 2, their variance (n^2 - 1) / 12.
    np.testing.assert_allclose(moments.action_mean, (HORIZON - 1) / 2 + 0.5)
    np.testing.assert_allclose(moments.action_std, np.sqrt((HORIZON**2 - 1) / 12), rtol=1e-6)
    np.testing.assert_allclose(moments.state_mean, -0.5)
    np.testing.assert_allclose(moments.state_std, SMALLEST_SPREAD)


def test_the_patch_to_look_at_is_the_one_that_the_wanted_object_is_in() -> None:
    lessons = _demonstrations()
    lessons.centres[0, 0] = 0.99, 0.01  # at the top right
    lessons.centres[1, 0] = 0.30, 0.80  # second column of four, last row
    lessons.centres[2, 0] = np.nan, np.nan
    assert patches(lessons, 16).tolist() == [3, 13, -1]


def test_places_in_a_trace_that_is_learned_from_are_wrong_by_a_little_and_names_are_right() -> None:
    lessons = _demonstrations()
    lessons.centres[:] = 0.5
    texts = [trace for seed in range(40) for _, trace in texts_of(lessons, KINDS, 128, seed)]
    assert all(KINDS[0] in trace for trace in texts)
    written = np.array([[int(place) for place in re.findall(r'<loc_(\d+)>', trace)] for trace in texts])
    assert written.mean() == pytest.approx(63.5, abs=0.3)  # a bin is the floor of a place
    assert written.std() == pytest.approx(128 * PLACE_ERROR, rel=0.1)


def test_a_thought_is_of_the_same_order_and_not_too_old() -> None:
    order = np.array([4, 4, 4, 4, 9, 9])
    steps = np.array([0, 10, 20, 30, 40, 45])
    assert oldest_looks(order, steps).tolist() == [0, 0, 0, 1, 4, 4]


def test_a_thought_never_comes_from_the_episode_before_though_steps_begin_anew() -> None:
    order = np.array([4, 4, 4, 8, 8])
    steps = np.array([50, 60, 70, 0, 10])
    assert oldest_looks(order, steps).tolist() == [0, 0, 0, 3, 3]


def test_joined_demonstrations_keep_looks_and_chunks_together() -> None:
    one = _demonstrations()
    both = joined([one, one])
    np.testing.assert_array_equal(both.step, [0, 5, 7, 0, 5, 7])
    np.testing.assert_array_equal(both.chunks, np.concatenate([one.chunks, one.chunks]))


def test_a_covered_object_that_the_hand_was_sent_to_still_counts_as_seen() -> None:
    scene = sample_scene(3, randomise=0.0)
    world, wanted = World(scene), scene.objects[0]
    camera = Camera(world.model, 'front', *FRONT_SIZE, scene=scene)
    other = scene.objects[1]
    # Behind another object, as seen from the camera: one stands where the line of sight to the other goes through.
    eye, _ = camera.pose(world.data)
    place = world.object_position(wanted.name)
    joint = world.model.body(other.name).jntadr[0]
    at = world.model.jnt_qposadr[joint]
    world.data.qpos[at : at + 3] = place + 0.05 * (eye - place) / np.linalg.norm(eye - place)
    mujoco.mj_forward(world.model, world.data)
    kind = KINDS.index(wanted.name)
    assert np.isnan(object_centres(world, camera)[kind]).all()
    assert not np.isnan(object_centres(world, camera, known=wanted.name)[kind]).any()


def test_an_episode_shows_what_the_expert_does_from_each_look() -> None:
    lessons = _episode(300_000, 32)
    assert lessons.images.shape[1:] == (2, 32, 32, 3)
    assert lessons.chunks.shape[1:] == (HORIZON, 6)
    assert len(set(lessons.order.tolist())) == 2
    assert (np.diff(lessons.step) > 0).all()
    # No joint is asked to go faster than the expert's own limit, plus what servos give away.
    assert np.abs(np.diff(lessons.chunks, axis=1)).max() < 3 * JOINT_SPEED * PERIOD
    wanted = lessons.centres[np.arange(len(lessons.wanted)), lessons.wanted]
    assert not np.isnan(wanted).any()


def test_training_sentences_name_their_object_in_words_that_are_known() -> None:
    rng = np.random.default_rng(0)
    names = parts()['names']
    for _ in range(300):
        text = sentence(rng, 'touch', 'red cube')
        assert any(word in text for word in names['red'])
        assert any(word in text for word in names['cube'])
        assert '{' not in text
    with pytest.raises(VlaError, match='expected one of'):
        sentence(rng, 'juggle', 'red cube')


def _bare(text: str) -> str:
    """The words alone: no article before the object, no punctuation, no capitals."""
    letters = re.sub(r'[^a-z{} ]', '', text.lower()).replace('the {object}', '{object}')
    return ' '.join(letters.split())


def _can_be_made(template: str, action: str) -> bool:
    """Whether a training verb in a training frame, with words before and after or without, gives this sentence."""
    cores = {_bare(core) for core in templates(action)}
    before = [_bare(words) for words in ('', *parts()['before'])]
    after = [_bare(words) for words in ('', *parts()['after'])]
    text = _bare(template)
    middles = [text.removeprefix(b).strip() for b in before if text.startswith(b)]
    return any(m.removesuffix(a).strip() in cores for m in middles for a in after if m.endswith(a))


def test_the_judge_of_held_out_sentences_knows_what_training_can_say() -> None:
    assert _can_be_made('Please, could you touch the {object} for me?', 'touch')
    assert _can_be_made('the {object} must be tapped', 'touch')
    assert not _can_be_made('caress the {object}', 'touch')


def test_no_held_out_sentence_can_be_made_of_the_training_parts() -> None:
    for task, lines in load_wordings(HELD_OUT).items():
        assert not [line for line in lines if _can_be_made(line, task)]


def test_every_verb_goes_through_the_same_frames() -> None:
    count = {action: len(verbs) for action, verbs in parts()['verbs'].items()}
    shared = sum(len(parts()['frames'][kind]) for kind in ('order', 'gerund', 'pronoun'))
    for action, verbs in parts()['verbs'].items():
        passive = sum(bool(participle) for *_, participle in verbs) * len(parts()['frames']['passive'])
        assert len(templates(action)) == count[action] * shared + passive
        assert all(line.count('{object}') == 1 for line in templates(action))


def test_what_goes_on_from_a_bundle_never_resumes_another_run(tmp_path: Path) -> None:
    fresh = _run(tmp_path, None)
    (tmp_path / 'manifest.yaml').write_text('one', encoding='utf-8')
    first = _run(tmp_path, tmp_path)
    (tmp_path / 'manifest.yaml').write_text('two', encoding='utf-8')
    assert len({fresh, first, _run(tmp_path, tmp_path)}) == 3
