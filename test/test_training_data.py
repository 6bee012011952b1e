"""What the models learn from: labels that follow their pictures, chunks that follow their order."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip('torch')
pytest.importorskip('mujoco')

import mujoco

from vla_ros.reasoning.trace import Request
from vla_ros.sim.cameras import FRONT_SIZE, Camera
from vla_ros.sim.expert import JOINT_SPEED, PERIOD
from vla_ros.sim.scene import sample_scene
from vla_ros.sim.world import World
from vla_ros.training.action import PLACE_ERROR, SMALLEST_SPREAD, oldest_looks, patches, statistics, texts_of
from vla_ros.training.augment import moved, relit
from vla_ros.training.conversations import followed
from vla_ros.training.demonstrations import HORIZON, _episode
from vla_ros.training.labels import KINDS, Truth, object_centres
from vla_ros.training.lessons import Lessons, LessonWriter, as_numbers, from_numbers, joined, load_lessons
from vla_ros.training.stages import run_folder
from vla_ros.types import Subtask

TOUCH = Request((Subtask('touch', KINDS[0]),))
TOUCH_RED = Request((Subtask('touch', 'red cube'),))


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


def _lessons(request: Request = TOUCH, held: int = -1) -> Lessons:
    """Three looks in two orders; at each the joints stand at -0.5 and the chunk counts 0, 1, 2, ... in every joint.

    All kinds of things are seen at the middle of the image, and within reach.
    """
    counted = np.arange(HORIZON, dtype=np.float32)[None, :, None]
    goals = np.full((3, len(KINDS), 4, 2), 0.25, np.float32)
    truth = Truth(
        np.full((3, len(KINDS), 2), 0.5, np.float32),
        np.ones((3, len(KINDS)), bool),
        goals,
        np.zeros(3, np.float32),
        np.full(3, held),
    )
    pushes = request.steps[0].kind == 'push'
    return Lessons(
        images=np.arange(3 * 2 * 4 * 4 * 3, dtype=np.uint8).reshape(3, 2, 4, 4, 3),
        truth=truth,
        joints=np.full((3, 6), -0.5, np.float32),
        velocities=np.full((3, 6), 2.0, np.float32),
        chunks=np.broadcast_to(counted, (3, HORIZON, 6)).copy(),
        requests=np.stack([as_numbers(request)] * 3),
        done=np.zeros(3, np.int64),
        goals=np.full((3, 2), 0.75 if pushes else np.nan, np.float32),
        step=np.array([0, 5, 7]),
        order=np.array([4, 4, 9]),
    )


def test_statistics_are_of_relative_actions() -> None:
    moments = statistics(_lessons())
    # 0, 1, ..., 15 relative to -0.5: the mean of n numbers from 0 is (n - 1) / 2, their variance (n^2 - 1) / 12.
    np.testing.assert_allclose(moments.action_mean, (HORIZON - 1) / 2 + 0.5)
    np.testing.assert_allclose(moments.action_std, np.sqrt((HORIZON**2 - 1) / 12), rtol=1e-6)
    np.testing.assert_allclose(moments.state_mean, -0.5)
    np.testing.assert_allclose(moments.state_std, SMALLEST_SPREAD)


def test_the_state_has_velocities_behind_positions_where_there_are_statistics_of_them() -> None:
    lessons = _lessons()
    moments = statistics(lessons)
    lessons.velocities[:] += SMALLEST_SPREAD
    np.testing.assert_allclose(moments.state(lessons), [[0.0] * 6 + [1.0] * 6] * 3, atol=1e-5)
    assert replace(moments, velocity_mean=None, velocity_std=None).state(lessons).shape == (3, 6)


def test_the_patch_to_look_at_is_the_one_that_the_wanted_object_is_in() -> None:
    lessons = _lessons()
    lessons.truth.centres[0, 0] = 0.99, 0.01  # at the top right
    lessons.truth.centres[1, 0] = 0.30, 0.80  # second column of four, last row
    lessons.truth.centres[2, 0] = np.nan, np.nan
    assert patches(lessons, 16).tolist() == [3, 13, -1]


@pytest.mark.parametrize(('held', 'patch'), [(-1, 0), (0, 15)])
def test_the_hand_goes_to_the_object_and_then_with_it_to_the_bowl(held: int, patch: int) -> None:
    bowl = KINDS[-1]
    lessons = _lessons(Request((Subtask('put', KINDS[0], bowl),)), held)
    lessons.truth.centres[:, 0], lessons.truth.centres[:, -1] = 0.1, 0.9
    assert patches(lessons, 16).tolist() == [patch] * 3
    np.testing.assert_allclose(lessons.places(), [[[0.1, 0.1], [0.9, 0.9]]] * 3)


def test_the_hand_goes_nowhere_on_the_table_on_its_way_home() -> None:
    lessons = _lessons(Request((Subtask('home'),)))
    assert patches(lessons, 16).tolist() == [-1] * 3
    assert np.isnan(lessons.places()).all()


@pytest.mark.parametrize('steps', [
    (Subtask('home'),),
    (Subtask('push', KINDS[3], 'back'),),
    (Subtask('put', KINDS[0], KINDS[-1]), Subtask('point', KINDS[5])),
])  # fmt: skip
def test_an_order_survives_being_numbers(steps: tuple[Subtask, ...]) -> None:
    assert from_numbers(as_numbers(Request(steps))) == Request(steps)


def test_lessons_come_back_from_disk_and_more_can_be_added(tmp_path: Path) -> None:
    path, lessons = tmp_path / 'lessons.npz', _lessons()
    with LessonWriter(path) as writer:
        writer.add(lessons)
    with LessonWriter(path, go_on=True) as writer:
        writer.add(lessons)
    found = load_lessons(path)
    np.testing.assert_array_equal(found.images, np.concatenate([lessons.images] * 2))
    np.testing.assert_array_equal(found.step, [0, 5, 7, 0, 5, 7])
    assert found.request(5) == TOUCH
    np.testing.assert_array_equal(found.truth.centres[3:], lessons.truth.centres)


def test_lessons_that_were_broken_off_leave_what_was_there(tmp_path: Path) -> None:
    path, lessons = tmp_path / 'lessons.npz', _lessons()
    with LessonWriter(path) as writer:
        writer.add(lessons)
    with pytest.raises(KeyboardInterrupt), LessonWriter(path, go_on=True) as writer:
        writer.add(lessons)
        raise KeyboardInterrupt
    np.testing.assert_array_equal(load_lessons(path).images, lessons.images)


def test_a_push_is_told_where_it_goes_to_at_all_looks_but_the_first() -> None:
    rng = np.random.default_rng(0)
    lessons = _lessons(Request((Subtask('push', KINDS[0], 'left'),)))
    said = [followed(rng, lessons, look, 128) for look in range(3)]
    assert [one.situation.place for one in said] == [None, (0.75, 0.75), None]
    assert all('goes to<loc_096><loc_096>' in one.trace for one in said)


def test_a_step_that_was_just_done_is_mostly_news_and_later_remembered() -> None:
    rng = np.random.default_rng(0)
    lessons = _lessons(Request((Subtask('touch', KINDS[0]), Subtask('home'))))
    lessons.order[:], lessons.done[1:] = 4, 1
    news = [followed(rng, lessons, 1, 128).situation.done for _ in range(50)]
    assert 0.1 < np.mean(news) < 0.6
    assert all(followed(rng, lessons, 2, 128).situation.done == 1 for _ in range(20))
    assert 'go: go home' in followed(rng, lessons, 1, 128).trace


def test_places_in_a_trace_that_is_learned_from_are_wrong_by_a_little_and_names_are_right() -> None:
    lessons = _lessons()
    texts = [trace for seed in range(40) for _, trace in texts_of(lessons, 128, seed)]
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
    one = _lessons()
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
    assert not np.isnan(object_centres(world, camera, known={wanted.name})[kind]).any()


@pytest.mark.parametrize('kind', ['push', 'put', 'two_step'])
def test_an_episode_shows_what_the_expert_does_from_each_look(kind: str) -> None:
    lessons = _episode(800_003, 32, {kind: 1.0})
    assert lessons.images.shape[1:] == (2, 32, 32, 3)
    assert lessons.chunks.shape[1:] == (HORIZON, 6)
    assert (np.diff(lessons.step) >= 0).all()
    # No joint is asked to go faster than the expert's own limit, plus what servos give away.
    assert np.abs(np.diff(lessons.chunks, axis=1)).max() < 3 * JOINT_SPEED * PERIOD
    steps = [lessons.request(look).steps for look in range(len(lessons))]
    assert {len(s) > 1 if kind == 'two_step' else s[0].kind for s in steps} <= {kind, True}
    things = [s[int(done)].object for s, done in zip(steps, lessons.done)]
    places = lessons.places()
    assert all(np.isnan(place[0, 0]) == (not thing) for place, thing in zip(places, things))
    assert np.abs(lessons.velocities).max() > 0.3


def test_what_goes_on_from_a_bundle_never_resumes_another_run(tmp_path: Path) -> None:
    fresh = run_folder(tmp_path, None)
    (tmp_path / 'manifest.yaml').write_text('one', encoding='utf-8')
    first = run_folder(tmp_path, tmp_path)
    (tmp_path / 'manifest.yaml').write_text('two', encoding='utf-8')
    assert len({fresh, first, run_folder(tmp_path, tmp_path)}) == 3
