"""A stock joint_trajectory_controller in plain Python, for a simulated arm with position commands.

After ``update``, ``fill_partial_goal`` and ``set_hold_position`` of
joint_trajectory_controller/src/joint_trajectory_controller.cpp in ros-controls/ros2_controllers, humble 2.54.0, jazzy
4.42.1 and kilted 5.17.0. What is left out: the action interface, other command interfaces, speed scaling and
``decelerate_on_cancel``, all off or unused by default there.

What surprises people, and is modelled:

- A new message makes the controller forget the old one at its next update, even when its stamp lies in the
  future: until its first point is due, the controller interpolates from where the arm is to that point.
- It starts from the measured state, or from its own last command with ``interpolate_from_desired_state``. A
  point at ``time_from_start`` 0 leaves no time to interpolate: the command jumps there.
- With a stamp, whatever lies in the past is skipped, so the command can jump as well.
- From Jazzy on the command is one update period ahead. With ``interpolate_from_desired_state`` the last command, meant
  for now, counts as the state of one period ago, so the command skips ahead by a period. A first point that is due
  avoids that, too.
- From Jazzy on a trajectory that has begun goes on by the periods of the updates. On Humble it goes by the clock, and
  when that goes back, the arm jumps to the end of the trajectory: segments that were left are never looked at again.
- At the end it holds the last point, also with the last point's velocity if that was allowed to be non-zero.
- Path tolerances are checked for messages of the topic, too. When one is violated, the measured position is held until
  a new message comes; ``stopped_velocity_tolerance`` does not count for position commands.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vla_ros.sim.controller_settings import JAZZY, ControllerSettings
from vla_ros.sim.sampled_trajectory import Sample, SampledTrajectory, State
from vla_ros.sim.trajectory_message import TrajectoryMessage, to_nanoseconds, validate
from vla_ros.types import DoubleArray


class JointTrajectoryController:
    """Executes the latest accepted trajectory; holds where it was switched on until there is one.

    Args:
        joints: names, the order of every array that goes in or out.
        settings: one of ``vla_ros.sim.controller_settings``, or made of one.
        update_period_ns: the controller manager's period: how far ahead a command for the next update is.

    Attributes:
        is_holding: no trajectory is executed: none came, or the last one was given up.
    """

    def __init__(
        self,
        joints: Sequence[str],
        settings: ControllerSettings = JAZZY,
        *,
        update_period_ns: int = 10_000_000,
    ) -> None:
        self.is_holding = True
        self._joints, self._settings, self._period_ns = tuple(joints), settings, update_period_ns
        self._received: TrajectoryMessage | None = None
        self._trajectory: SampledTrajectory | None = None
        self._time_ns = self._updated_ns = self._command_ns = 0
        self._command: State | None = None

    def accept(self, message: TrajectoryMessage, now_ns: int) -> None:
        """Take over a message at the next sample.

        Raises:
            TrajectoryRejected: with the reason; nothing changes then.
        """
        validate(message, self._joints, now_ns, self._settings)
        self._received, self.is_holding = message, False

    def cancel(self, measured_positions: DoubleArray) -> None:
        """What a cancelled goal leaves behind: the position where the arm is measured is held."""
        self._received = None
        self._hold(np.array(measured_positions, dtype=float))

    def sample(
        self,
        now_ns: int,
        measured_positions: DoubleArray,
        measured_velocities: DoubleArray | None = None,
        *,
        period_ns: int | None = None,
    ) -> tuple[DoubleArray, DoubleArray]:
        """One controller update.

        Args:
            now_ns: by the clock of the stamps.
            measured_positions, measured_velocities: (J,) rad, rad/s; no velocities if the hardware has none.
            period_ns: since the last update by a steady clock; None is as far as ``now_ns`` went on.

        Returns:
            The commanded (positions, velocities), (J,) each.
        """
        velocities = None if measured_velocities is None else np.array(measured_velocities, dtype=float)
        measured = State(np.array(measured_positions, dtype=float), velocities)
        if self._received is not None:
            self._trajectory = self._loaded(self._received, measured)
            self._received = None
        elif self._trajectory is None:
            self._hold(measured.positions)
        trajectory = self._trajectory
        assert trajectory is not None  # loaded, or held
        first = not trajectory.has_begun
        if first:
            trajectory.begin(now_ns, *self._state_before(measured, now_ns))
        if first or not self._settings.counts_its_own_time:
            self._time_ns = now_ns
        else:
            self._time_ns += max(now_ns - self._updated_ns, 0) if period_ns is None else period_ns
        self._updated_ns = now_ns
        desired = trajectory.sample(self._time_ns)
        command = desired
        if self._settings.commands_the_next_update:
            command = trajectory.sample(self._time_ns + self._period_ns, remember=False)
        if command is not None:
            self._supervise(desired or command, command, measured.positions, first, now_ns)
        assert self._command is not None and self._command.velocities is not None  # from the first update on
        return self._command.positions.copy(), self._command.velocities.copy()

    def _loaded(self, message: TrajectoryMessage, measured: State) -> SampledTrajectory:
        """Sorted into controller order; joints that the message leaves out keep their command, at rest."""
        index = [self._joints.index(name) for name in message.joint_names]
        held = (self._command or measured).positions

        def fill(values: tuple[float, ...], default: DoubleArray) -> DoubleArray:
            filled = default.copy()
            filled[index] = values
            return filled

        rest = np.zeros(len(self._joints))
        points = [
            State(
                fill(point.positions, held),
                fill(point.velocities, rest) if point.velocities else None,
                fill(point.accelerations, rest) if point.accelerations else None,
            )
            for point in message.points
        ]
        times = [to_nanoseconds(point.time_from_start) for point in message.points]
        return SampledTrajectory(points, times, message.stamp_ns)

    def _state_before(self, measured: State, now_ns: int) -> tuple[State, int]:
        """Where a new trajectory goes to its first point from, and the time of that."""
        if not self._settings.interpolate_from_desired_state or self._command is None:
            return measured, now_ns
        return self._command, self._command_ns if self._settings.commands_the_next_update else now_ns

    def _supervise(
        self, desired: Sample, command: Sample, measured: DoubleArray, first: bool, now_ns: int
    ) -> None:
        """Command what is due, if the arm is where it should be; otherwise hold it from the next update on."""
        settings = self._settings
        # Since the last point, by the present time, though the point is found by that of the command.
        since = command.since_point - (self._period_ns / 1e9 if settings.commands_the_next_update else 0.0)
        error = np.abs(desired.state.positions - measured)
        strays = (not command.is_over or first) and _beyond(error, settings.path_tolerance)
        misses = (
            command.is_over and _beyond(error, settings.goal_tolerance) and 0 < settings.goal_time < since
        )
        gives_up = not self.is_holding and (strays or misses)
        if not gives_up:
            self._command, self._command_ns = command.state, now_ns
        if settings.cmd_timeout > settings.goal_time and command.is_over and since > settings.cmd_timeout:
            gives_up = gives_up or not self.is_holding
        if gives_up:
            self._hold(measured)

    def _hold(self, positions: DoubleArray) -> None:
        self._trajectory, self.is_holding = SampledTrajectory([State(positions)], [0]), True


def _beyond(error: DoubleArray, tolerance: float | tuple[float, ...]) -> bool:
    """Whether any joint is further off than its tolerance (rad), if it has one."""
    most = np.broadcast_to(np.asarray(tolerance, dtype=float), error.shape)
    return bool(((most > 0) & (error > most)).any())
