"""Scenes, the robot's model and the world: what a seed decides, and what the physics promises."""

from __future__ import annotations

import math

import mujoco
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vla_ros.sim.model import JOINT_NAMES, REST_POSE, TIME_STEP
from vla_ros.sim.scene import AZIMUTH, COLOURS, PAN_AXIS_X, REACH, SPACING, sample_scene
from vla_ros.sim.world import World
from vla_ros.types import VlaError

seeds = st.integers(min_value=0, max_value=1_999_999)


@given(seeds)
@settings(max_examples=40, deadline=None)
def test_the_same_seed_gives_the_same_scene(seed: int) -> None:
    assert sample_scene(seed) == sample_scene(seed)


@given(seeds)
@settings(max_examples=40, deadline=None)
def test_two_seeds_give_two_scenes(seed: int) -> None:
    assert sample_scene(seed) != sample_scene(seed + 1)


@given(seeds)
@settings(max_examples=40, deadline=None)
def test_no_two_objects_of_a_scene_have_the_same_name(seed: int) -> None:
    names = [thing.name for thing in sample_scene(seed).objects]
    assert 2 <= len(names) <= 4
    assert len(set(names)) == len(names)


@given(seeds)
@settings(max_examples=40, deadline=None)
def test_objects_stand_on_the_table_apart_and_within_reach(seed: int) -> None:
    things = sample_scene(seed).objects
    for index, thing in enumerate(things):
        x, y, z = thing.position
        assert z == pytest.approx(thing.height / 2)
        assert REACH[0] <= math.hypot(x - PAN_AXIS_X, y) <= REACH[1]
        assert abs(math.atan2(y, x - PAN_AXIS_X)) <= AZIMUTH
        for other in things[:index]:
            assert math.dist(thing.position[:2], other.position[:2]) > SPACING


def test_in_about_half_of_the_scenes_a_colour_alone_does_not_name_a_thing() -> None:
    shared = 0
    for seed in range(400):
        colours = [thing.colour for thing in sample_scene(seed).objects]
        shared += len(set(colours)) < len(colours)
    assert 160 <= shared <= 240


def test_without_randomisation_only_places_and_names_differ() -> None:
    first, second = sample_scene(1, randomise=0.0), sample_scene(2, randomise=0.0)
    assert (first.lights, first.ambient, first.table, first.floor) == (
        second.lights,
        second.ambient,
        second.table,
        second.floor,
    )
    assert first.front_camera == second.front_camera
    assert first.objects != second.objects
    for thing in first.objects:
        assert thing.rgba[:3] == pytest.approx(COLOURS[thing.colour])


def test_the_strength_of_randomisation_does_not_move_or_rename_anything() -> None:
    plain, varied = sample_scene(7, randomise=0.0), sample_scene(7, randomise=1.0)
    assert [t.name for t in plain.objects] == [t.name for t in varied.objects]
    assert [t.position[:2] for t in plain.objects] == [t.position[:2] for t in varied.objects]


@given(seeds)
@settings(max_examples=40, deadline=None)
def test_sizes_and_camera_poses_vary_within_their_bounds(seed: int) -> None:
    plain, varied = sample_scene(seed, randomise=0.0), sample_scene(seed)
    for nominal, thing in zip(plain.objects, varied.objects):
        assert 0.9 <= thing.radius / nominal.radius <= 1.1
    for offset, reach in ((varied.front_camera, 0.010), (varied.wrist_camera, 0.002)):
        assert max(map(abs, offset.translation)) <= reach
        assert max(map(abs, offset.rotation)) <= math.radians(1.0)


@pytest.mark.parametrize(
    ('arguments', 'word'),
    [({'kinds': ('cone',)}, 'shape'), ({'count': (3, 2)}, 'count'), ({'count': (0, 2)}, 'count')],
)
def test_an_impossible_scene_is_refused_in_one_sentence(arguments: dict, word: str) -> None:
    with pytest.raises(VlaError, match=f'^{word}: expected'):
        sample_scene(0, **arguments)


def test_bowls_and_plates_keep_clear_and_stand_still() -> None:
    scene = sample_scene(5, count=(3, 3), containers=('bowl', 'plate'))
    world = World(scene)
    for _ in range(100):
        world.step(world.command)
    for thing in scene.objects:
        assert world.object_position(thing.name) == pytest.approx(thing.position, abs=5e-4)


def test_the_model_has_the_joints_of_an_so101_in_order() -> None:
    model = World(sample_scene(0)).model
    assert tuple(model.joint(i).name for i in range(6)) == JOINT_NAMES
    assert tuple(model.actuator(i).name for i in range(6)) == JOINT_NAMES
    assert model.actuator_ctrlrange[:6] == pytest.approx(model.jnt_range[:6])
    # Published figures: the arm's mass and the distance from the shoulder's to the elbow's axis.
    assert model.body_subtreemass[model.body('base').id] == pytest.approx(0.632, abs=1e-3)
    assert np.linalg.norm(model.body('lower_arm').pos) == pytest.approx(math.hypot(0.11257, 0.028), abs=1e-5)


def test_the_arm_holds_the_rest_pose_and_nothing_on_the_table_moves() -> None:
    scene = sample_scene(3)
    world = World(scene)
    for _ in range(round(1.0 / TIME_STEP)):
        world.step(REST_POSE)
    joints = world.joints()
    assert joints.stamp == 1_000_000_000
    assert joints.positions == pytest.approx(REST_POSE, abs=0.005)
    assert np.abs(joints.velocities).max() < 1e-3
    for thing in scene.objects:
        assert world.object_position(thing.name) == pytest.approx(thing.position, abs=5e-4)


def test_the_same_commands_lead_to_the_same_state_bit_for_bit() -> None:
    def final_state() -> np.ndarray:
        world = World(sample_scene(11), np.random.default_rng(4))
        rng = np.random.default_rng(5)
        for _ in range(10):
            world.follow(np.array(REST_POSE) + rng.uniform(-0.3, 0.3, 6))
        return np.concatenate([world.data.qpos, world.data.qvel])

    assert np.array_equal(final_state(), final_state())


def test_poses_read_after_a_step_belong_to_the_state_after_the_step() -> None:
    world = World(sample_scene(0))
    world.follow(np.array(REST_POSE) + 0.1)
    seen = world.gripper_tip()
    mujoco.mj_forward(world.model, world.data)
    assert np.array_equal(seen, world.gripper_tip())


@pytest.mark.parametrize('command', [[0.0] * 5, [0.0] * 5 + [math.nan], [math.inf] + [0.0] * 5])
def test_a_malformed_command_is_refused_and_moves_nothing(command: list[float]) -> None:
    world = World(sample_scene(0))
    before = world.data.qpos.copy()
    with pytest.raises(VlaError, match='expected 6 finite numbers'):
        world.step(command)
    assert np.array_equal(before, world.data.qpos)


def test_a_command_beyond_the_joint_ranges_is_clipped() -> None:
    world = World(sample_scene(0))
    world.step([9.0] * 6)
    assert world.command == pytest.approx(world.model.jnt_range[:6, 1])


def test_an_unknown_object_is_refused_with_the_names_that_exist() -> None:
    world = World(sample_scene(0))
    with pytest.raises(VlaError, match='pink elephant'):
        world.object_position('pink elephant')
