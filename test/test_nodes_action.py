"""The action node over real DDS: bad input never moves the arm, and whatever ends a motion brakes it first."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

pytest.importorskip('rclpy')

from lifecycle_msgs.srv import ChangeState
from node_graph import JOINTS, Ear, Graph, eventually, hops_of, hops_told, refusals, rows, write_bundle
from rclpy.qos import QoSProfile
from rosgraph_msgs.msg import Clock
from std_srvs.srv import SetBool, Trigger
from trajectory_msgs.msg import JointTrajectory

from vla_ros.nodes import qos
from vla_ros.nodes.action import ActionNode
from vla_ros.nodes.image_messages import matrix_message
from vla_ros.nodes.joint_messages import joints_message
from vla_ros.nodes.messages import nanoseconds, time_message
from vla_ros.robots import robot_file
from vla_ros.types import NANOSECONDS, ActionChunk, JointSample


@dataclass
class Steady:
    """A policy that moves both joints steadily; or does what a broken one would."""

    error: Exception | None = None
    value: float = 0.0
    providers: tuple[str, ...] = ('CPUExecutionProvider',)
    seen: list[Any] = field(default_factory=list)

    def act(self, tokens, thought, joints, noise, prefix=None) -> ActionChunk:
        self.seen.append((tokens, thought, joints, noise))
        if self.error is not None:
            raise self.error
        steps = np.arange(1, 9)[:, None] * 0.05 * 0.5
        return ActionChunk(tokens.stamp, 0.05, joints.positions + steps + self.value)

    def warm_up(self) -> None:
        pass


class Bench:
    """An action node, its inputs, and the controller's ear; time stands still at 100 s unless it is set."""

    def __init__(self, graph: Graph, folder: Path, policy: Steady | None = None, **parameters: Any) -> None:
        self.graph, self.policy = graph, policy or Steady()
        self.plans: Ear = graph.ear(JointTrajectory, 'joint_trajectory', QoSProfile(depth=50))
        bundle = write_bundle(folder / 'tiny')
        settings = {'bundle': str(bundle), 'limits_file': str(bundle / 'joint_limits.yaml'), **parameters}
        self.node = graph.active(
            lambda **o: ActionNode(lambda *_, **__: self.policy, **o), use_sim_time=True, **settings
        )
        self.now = self.set_time(100.0)

    def set_time(self, seconds: float) -> int:
        """Say the time, wait until the node has heard it, and give it in nanoseconds."""
        self.now = round(seconds * NANOSECONDS)
        self.graph.say(Clock(clock=time_message(self.now)), '/clock', qos.STREAM_OUT)
        assert eventually(lambda: self.node.now() == self.now)
        return self.now

    def joints(self, stamp: int, positions: tuple[float, ...] = (0.0, 0.0)) -> None:
        message = joints_message(JOINTS, JointSample(stamp, np.array(positions), np.zeros(2)))
        self.graph.say(message, 'joint_states', qos.JOINT_STATES_OUT)
        self._wait_for('joint state', stamp)

    def think(self, stamp: int, count: int = 1) -> None:
        self.graph.say(matrix_message(rows(count, 5), stamp), 'reasoning/thought', qos.THOUGHT)
        self._wait_for('thought', stamp)

    def see(self, stamp: int) -> None:
        self.graph.say(matrix_message(rows(4, 3), stamp), 'perception/tokens', qos.STREAM_OUT)
        self._wait_for('tokens', stamp)

    def feed(self, stamp: int | None = None) -> int:
        """Fresh joints, thought and tokens, in this order."""
        stamp = self.now if stamp is None else stamp
        self.joints(stamp)
        self.think(stamp)
        self.see(stamp)
        return stamp

    def _wait_for(self, name: str, stamp: int) -> None:
        assert eventually(lambda: self.node._motion.stamps()[name] == stamp), refusals(self.node)

    def enable(self, on: bool = True) -> SetBool.Response:
        return self.graph.call(SetBool, 'action/enable', SetBool.Request(data=on))

    def trigger(self, name: str) -> Trigger.Response:
        return self.graph.call(Trigger, f'action/{name}', Trigger.Request())

    def moving(self) -> JointTrajectory:
        """Set the arm in motion; the plan."""
        assert self.enable().success
        self.feed()
        return self.plans.wait()

    def transition(self, label: str) -> bool:
        request = ChangeState.Request()
        request.transition.label = label
        return bool(self.graph.call(ChangeState, 'action/change_state', request).success)


def ends_at_rest(message: JointTrajectory) -> bool:
    return not any(message.points[-1].velocities)


def is_brake(message: JointTrajectory, plan: JointTrajectory) -> bool:
    """Whether it stops within the range of the plan, sooner than the plan would."""
    last = message.points[-1]
    return ends_at_rest(message) and last.positions[0] < plan.points[-1].positions[0]


def test_enabled_and_told_to_go_it_sends_a_whole_plan_that_a_stock_controller_takes(graph, tmp_path) -> None:
    bench = Bench(graph, tmp_path)
    plan = bench.moving()
    times = [p.time_from_start.sec + p.time_from_start.nanosec * 1e-9 for p in plan.points]
    assert nanoseconds(plan.header.stamp) == bench.now, (
        'the stamp of the joints, which the clock of the controller is past'
    )
    assert plan.joint_names == list(JOINTS)
    assert all(later > earlier for earlier, later in zip(times, times[1:], strict=False))
    assert all(len(p.velocities) == len(p.accelerations) == 2 for p in plan.points)
    assert ends_at_rest(plan)
    tokens, thought, joints, noise = bench.policy.seen[-1]
    assert (tokens.rows.shape, thought.rows.shape, noise.shape) == ((4, 3), (1, 5), (8, 2))
    assert joints.positions.tolist() == [0.0, 0.0]


def test_given_a_robots_file_that_is_gone_it_goes_on_by_what_was_read_and_still_brakes(
    graph, tmp_path
) -> None:
    content = yaml.safe_load(robot_file('so101').read_text())
    joints = [{**content['joints'][0], 'name': name} for name in JOINTS]
    file = tmp_path / 'mine.yaml'
    file.write_text(yaml.safe_dump({**content, 'name': 'mine', 'joints': joints, 'gripper': None}))
    bench = Bench(graph, tmp_path, robot=str(file))
    plan = bench.moving()

    file.unlink()
    bench.set_time(100.3)  # the joints are too old

    assert is_brake(bench.plans.wait(after=1), plan)
    assert 'internal_error' not in refusals(bench.node)


def test_told_not_to_stamp_plans_it_lets_them_begin_on_arrival(graph, tmp_path) -> None:
    bench = Bench(graph, tmp_path)
    bench.node.set_parameters([_parameter('stamp_plans', False)])
    assert nanoseconds(bench.moving().header.stamp) == 0


def test_the_policy_is_told_where_the_joints_were_when_the_frames_were_taken(graph, tmp_path) -> None:
    bench = Bench(graph, tmp_path)
    now = bench.now
    bench.enable()
    bench.joints(now - 100_000_000, (0.0, 0.2))
    bench.joints(now, (0.1, 0.2))
    bench.think(now)
    bench.see(now - 50_000_000)
    bench.plans.wait()
    assert bench.policy.seen[-1][2].positions.tolist() == pytest.approx([0.05, 0.2])


def test_by_default_the_arm_is_disabled(graph, tmp_path) -> None:
    bench = Bench(graph, tmp_path)
    bench.feed()
    assert bench.policy.seen == []
    assert bench.plans.messages == []
    assert bench.enable(False).success
    assert bench.plans.messages == []


def test_it_starts_enabled_only_when_the_parameter_says_so(graph, tmp_path) -> None:
    bench = Bench(graph, tmp_path, start_enabled=True)
    bench.feed()
    bench.plans.wait()


@pytest.mark.parametrize('end', ['stop', 'disable', 'hold', 'deactivate', 'dry run'])
def test_whatever_ends_the_motion_sends_one_braking_plan(graph, tmp_path, end) -> None:
    bench = Bench(graph, tmp_path)
    plan = bench.moving()
    if end == 'stop':
        assert bench.trigger('stop').success
        assert bench.trigger('stop').success
    elif end == 'disable':
        assert bench.enable(False).success
    elif end == 'hold':
        bench.think(bench.now, count=0)
    elif end == 'deactivate':
        assert bench.transition('deactivate')
    else:
        bench.node.set_parameters([_parameter('dry_run', True)])
    brake = bench.plans.wait(after=1)
    assert is_brake(brake, plan)
    assert len(bench.plans.messages) == 2


def _parameter(name: str, value: object) -> Any:
    from rclpy.parameter import Parameter

    return Parameter(name, value=value)


def test_a_stop_latches_until_reset_and_enable(graph, tmp_path) -> None:
    bench = Bench(graph, tmp_path)
    assert bench.trigger('stop').success
    refused = bench.enable()
    assert (refused.success, refused.message) == (False, 'stopped; call action/reset first')
    bench.feed()
    assert bench.trigger('reset').success
    bench.feed()
    assert bench.plans.messages == []
    assert bench.enable().success
    bench.feed()
    bench.plans.wait()


def test_a_stop_is_possible_before_the_node_is_configured_and_stays(graph, tmp_path) -> None:
    node = graph.add(lambda **o: ActionNode(lambda *_, **__: Steady(), **o), autostart=False)
    assert graph.call(Trigger, 'action/stop', Trigger.Request()).success
    assert not graph.call(SetBool, 'action/enable', SetBool.Request(data=True)).success
    assert node._motion.stopped


def test_a_dry_run_says_its_plans_elsewhere(graph, tmp_path) -> None:
    bench = Bench(graph, tmp_path, dry_run=True)
    dry = graph.ear(JointTrajectory, 'action/dry_run', qos.COMMAND)
    bench.enable()
    bench.feed()
    assert ends_at_rest(dry.wait())
    assert bench.plans.messages == []


def test_plans_are_made_at_the_rate_by_the_stamps_of_tokens(graph, tmp_path) -> None:
    bench = Bench(graph, tmp_path, replan_rate=5.0, max_token_age=10.0, max_joint_state_age=10.0)
    bench.enable()
    begin = bench.now - 2 * NANOSECONDS
    bench.joints(begin)
    bench.think(begin)
    for i in range(21):
        count = len(bench.policy.seen)
        bench.see(begin + i * NANOSECONDS // 20)
        if i % 4 == 0:
            assert eventually(lambda n=count: len(bench.policy.seen) == n + 1)
    seconds = [(seen[0].stamp - begin) / NANOSECONDS for seen in bench.policy.seen]
    assert seconds == pytest.approx([0.0, 0.2, 0.4, 0.6, 0.8, 1.0])


def test_without_limits_the_node_does_not_configure_and_says_why(graph, tmp_path) -> None:
    bundle = write_bundle(tmp_path / 'tiny')
    settings = {'bundle': str(bundle), 'limits_file': str(tmp_path / 'none.yaml')}
    node = graph.add(lambda **o: ActionNode(lambda *_, **__: Steady(), **o), **settings)
    graph.diagnostics.wait(lambda m: 'none.yaml' in m.status[0].message)
    assert not node.is_active
    assert not graph.call(SetBool, 'action/enable', SetBool.Request(data=True)).success


def test_diagnostics_tell_the_switches_ages_and_latency_from_camera_to_plan(graph, tmp_path) -> None:
    bench = Bench(graph, tmp_path)
    bench.moving()
    message = graph.diagnostics.wait(
        lambda m: any(v.key == 'camera to trajectory count' for v in m.status[0].values)
    )
    values = {pair.key: pair.value for pair in message.status[0].values}
    assert (values['enabled'], values['stopped'], values['dry run']) == ('True', 'False', 'False')
    assert float(values['camera to trajectory p99 [ms]']) == 0, 'time stands still'
    assert float(values['planning p50 [ms]']) > 0, 'but not on the wall'
    assert values['tokens age [s]'] == '0.000'
    assert hops_told(values, 'action') == hops_of('action')
    assert values['inference count'] == values['shaping count'] == values['thought to planning count'] == '1'
    parts = sum(float(values[f'{hop} p50 [ms]']) for hop in ('inference', 'shaping', 'shaping to trajectory'))
    assert parts <= float(values['planning p50 [ms]']) + 0.02, 'they are parts of it, rounded'
