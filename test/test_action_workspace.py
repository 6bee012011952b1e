"""The workspace: links stay in the box and above the table, all along the way, and nothing that is meant is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from vla_ros.action.guard import Guard
from vla_ros.action.limits import load_limits
from vla_ros.action.refusal import GuardReason
from vla_ros.action.shape import shape
from vla_ros.action.stitch import PlannedState
from vla_ros.types import DoubleArray, JointTrajectory, VlaError

CONFIG = Path(__file__).parents[1] / 'config'
JOINTS = ('shoulder_pan', 'shoulder_lift', 'elbow_flex', 'wrist_flex', 'wrist_roll', 'gripper')
LIMITS = load_limits(CONFIG / 'joint_limits.yaml', JOINTS)
GUARD = Guard(LIMITS)
HOME = np.array([0.0, -1.35, 1.25, 0.95, 0.0, 0.3])
DUE = 0.05 * np.arange(1, 17)
LOW = HOME + [0.0, 0.35, 0.3, 0.0, 0.0, 0.0]  # fingertips in the table
FAR = np.array([0.0, 0.9, -1.4, 0.0, 0.0, 0.3])  # stretched out forward, in the air


def reach(start: DoubleArray, goal: DoubleArray) -> JointTrajectory:
    """A plan at once to a goal, from rest."""
    state = PlannedState(start, np.zeros(6), np.zeros(6))
    return shape(state, DUE, np.repeat(goal[None], len(DUE), axis=0), LIMITS)


def tip(joints: DoubleArray) -> DoubleArray:
    assert LIMITS.workspace is not None
    return LIMITS.workspace.kinematics.origins(joints[None])[0, 0]


def reason(plan: JointTrajectory) -> GuardReason | None:
    refusal = GUARD.check_path(plan)
    return None if refusal is None else refusal.reason


def test_the_poses_of_these_tests_are_where_they_are_said_to_be():
    assert tip(HOME)[2] > 0.05
    assert tip(LOW)[2] < 0.0
    assert tip(FAR)[0] > 0.43
    assert tip(FAR)[2] > 0.05


def test_given_a_plan_into_the_table_it_is_refused_with_the_link_and_the_depth():
    refusal = GUARD.check_path(reach(HOME, LOW))
    assert refusal is not None
    assert refusal.reason is GuardReason.BELOW_TABLE
    assert 'gripper_tip would come' in refusal.sentence


def test_given_a_plan_out_of_the_box_it_is_refused_with_the_link_and_the_axis():
    refusal = GUARD.check_path(reach(HOME + [0, 0.8, -1.0, 0, 0, 0], FAR))
    assert refusal is not None
    assert refusal.reason is GuardReason.OUTSIDE_WORKSPACE
    assert 'in x' in refusal.sentence


def test_given_points_above_the_table_and_a_way_between_them_through_it_the_plan_is_refused():
    """The table is met only between the two points of the plan."""
    down = LOW - HOME
    speed = np.array([np.zeros(6), np.zeros(6)])
    plan = JointTrajectory(JOINTS, np.array([0.0, 1.5]), np.stack([HOME, HOME]), speed, speed)
    assert reason(plan) is None
    bent = replace(plan, velocities=np.stack([down * 2.0, -down * 2.0]))
    assert tip(HOME + down)[2] < 0.0
    assert reason(bent) is GuardReason.BELOW_TABLE


def test_given_an_arm_in_the_table_it_may_come_out_but_go_no_deeper():
    assert reason(reach(LOW, HOME)) is None
    assert reason(reach(LOW, LOW + [0, 0.05, 0, 0, 0, 0])) is GuardReason.BELOW_TABLE


def test_given_an_arm_outside_of_the_box_it_may_come_back_but_go_no_further():
    assert reason(reach(FAR, FAR - [0, 0.3, 0, 0, 0, 0])) is None
    assert reason(reach(FAR, FAR + [0, 0.03, 0.1, 0, 0, 0])) is GuardReason.OUTSIDE_WORKSPACE


def test_given_a_jaw_that_opens_into_the_table_the_plan_is_refused():
    """The closed fingertips alone would pass."""
    low = HOME + [0.0, 0.2, 0.25, -0.4, 2.7, -0.46]
    refusal = GUARD.check_path(reach(low, low + [0, 0, 0, 0, 0, 1.0]))
    assert tip(low)[2] > 0.0
    assert refusal is not None
    assert 'jaw_tip would come' in refusal.sentence


@given(seed=st.integers(1_000_000, 1_001_000))
def test_given_any_plan_that_passes_no_place_on_its_way_is_a_millimetre_outside(seed: int):
    assert LIMITS.workspace is not None
    workspace = LIMITS.workspace
    generator = np.random.default_rng(seed)
    start = HOME + generator.uniform(-0.3, 0.3, 6)
    goals = start + np.cumsum(generator.normal(0, 0.08, (16, 6)), axis=0)
    plan = shape(PlannedState(start, np.zeros(6), np.zeros(6)), DUE, goals, LIMITS)
    if reason(plan) is not None:
        return
    points = workspace.kinematics.origins(dense(plan))
    assert (points > np.minimum(workspace.lower, points[0]) - 1e-3).all()
    assert (points < np.maximum(workspace.upper, points[0]) + 1e-3).all()
    assert (points[..., 2] > np.minimum(workspace.lowest, points[0, :, 2]) - 1e-3).all()


def dense(plan: JointTrajectory) -> DoubleArray:
    """Positions on the way, 64 a step, each step's quintic solved for by itself."""
    rows = []
    for i in range(len(plan.times) - 1):
        h = plan.times[i + 1] - plan.times[i]
        matrix = [[1, 0, 0, 0, 0, 0], [0, 1, 0, 0, 0, 0], [0, 0, 2, 0, 0, 0]]
        matrix += [[h**k for k in range(6)], [k * h ** max(k - 1, 0) for k in range(6)]]
        matrix += [[k * (k - 1) * h ** max(k - 2, 0) for k in range(6)]]
        columns = (plan.positions, plan.velocities, plan.accelerations)
        ends = [column[i] for column in columns] + [column[i + 1] for column in columns]
        coefficients = np.linalg.solve(np.array(matrix, float), np.array(ends))
        rows.append(np.power.outer(np.linspace(0, h, 64), np.arange(6)) @ coefficients)
    return np.concatenate(rows)


@pytest.mark.parametrize('seed', [1_100_000, 1_100_001, 1_100_002])
def test_what_the_expert_does_to_touch_an_object_is_not_refused(seed: int):
    """Measured and commanded joints of whole demonstrations, and plans along the commands."""
    pytest.importorskip('mujoco')
    from vla_ros.sim.expert import Expert
    from vla_ros.sim.scene import sample_scene
    from vla_ros.sim.tasks import Referee, Task
    from vla_ros.sim.world import World

    assert LIMITS.workspace is not None
    world = World(sample_scene(seed), np.random.default_rng(seed))
    task = Task('touch', world.scene.objects[0].name)
    expert, referee = Expert(world, task), Referee(world, task)
    starts, targets = [], []
    while world.time < 7.0 and not referee.success:
        starts.append(world.joints().positions)
        targets.append(expert.action())
        world.follow(targets[-1])
        referee.update()
    came_down_to = world.object_top(task.object or '')[2]
    assert tip(world.joints().positions)[2] < came_down_to + 0.01
    for i in range(0, len(targets) - 16, 4):
        state = PlannedState(starts[i], np.zeros(6), np.zeros(6))
        plan = shape(state, DUE, np.array(targets[i : i + 16]), LIMITS)
        refusal = GUARD.check_path(plan)
        assert refusal is None, refusal


def entry(**changes: Any) -> dict[str, Any]:
    whole = yaml.safe_load((CONFIG / 'joint_limits.yaml').read_text())
    whole['workspace'] |= {'urdf': str(CONFIG / 'robots' / 'so101.urdf'), **changes}
    return whole


def written(folder: Path, content: Any) -> Path:
    path = folder / 'joint_limits.yaml'
    path.write_text(yaml.safe_dump(content))
    return path


@pytest.mark.parametrize(
    ('changes', 'named'),
    [
        ({'min': [0, 0]}, r'workspace\.min'),
        ({'max': [0.4, 0.4, float('nan')]}, r'workspace\.max'),
        ({'min': [0.42, -0.4, 0.0]}, 'is not below max'),
        ({'table_height': 'low'}, r'workspace\.table_height'),
        ({'clearances': {}}, r'workspace\.clearances'),
        ({'clearances': {'gripper_tip': None}}, r'workspace\.clearances\.gripper_tip'),
        ({'clearances': {'elbow': 0.0}}, "no joint carries a link 'elbow'"),
        ({'urdf': 3}, r'workspace\.urdf'),
        ({'urdf': 'none.urdf'}, r'none\.urdf'),
        ({'radius': 3}, 'expected the keys'),
    ],
)
def test_given_a_workspace_that_cannot_be_meant_the_error_names_the_key(
    tmp_path: Path, changes: dict[str, Any], named: str
):
    with pytest.raises(VlaError, match=named):
        load_limits(written(tmp_path, entry(**changes)), JOINTS)


def test_given_an_empty_workspace_it_is_an_error_and_not_no_workspace(tmp_path: Path):
    with pytest.raises(VlaError, match='expected the keys'):
        load_limits(written(tmp_path, entry() | {'workspace': None}), JOINTS)


def test_given_a_higher_table_less_is_allowed(tmp_path: Path):
    low = HOME + [0.0, 0.05, 0.05, 0.0, 0.0, 0.0]
    raised = load_limits(written(tmp_path, entry(table_height=float(tip(low)[2]) + 0.01)), JOINTS)
    assert reason(reach(HOME, low)) is None
    refusal = Guard(raised).check_path(reach(HOME, low))
    assert refusal is not None
    assert refusal.reason is GuardReason.BELOW_TABLE
