"""What a joint_trajectory_controller is set to, and how the releases of ROS 2 differ.

Read in ros-controls/ros2_controllers, humble 2.54.0, jazzy 4.42.1, kilted 5.17.0:
joint_trajectory_controller/src/joint_trajectory_controller_parameters.yaml and joint_trajectory_controller.cpp.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ControllerSettings:
    """The defaults are those of Jazzy; take ``HUMBLE``, ``JAZZY`` or ``KILTED``, and ``dataclasses.replace``.

    How a release works:

    Attributes:
        commands_the_next_update: the command is for the next update; otherwise for this one.
        counts_its_own_time: a trajectory that has begun goes on by the periods of the updates, whatever the clock does;
            otherwise each update looks at the clock.

    Parameters, by their name there if it is another:

    Attributes:
        interpolate_from_desired_state: begin from the last command, not from the measured state. On Humble
            ``open_loop_control``; Jazzy knows both.
        allow_partial_joints_goal: messages may leave joints out.
        allow_nonzero_velocity_at_trajectory_end: messages need not end at rest.
        cmd_timeout: seconds after the last point until the measured position is held; 0 is never. Ignored unless it is
            larger than ``goal_time``.
        goal_time: ``constraints.goal_time``, seconds after the last point that a joint has to get within its goal
            tolerance; 0 is any time.
        path_tolerance, goal_tolerance: ``constraints.<joint>.trajectory`` and ``.goal``, rad, one value for all joints
            or one a joint; 0 does not check.
    """

    commands_the_next_update: bool = True
    counts_its_own_time: bool = True
    interpolate_from_desired_state: bool = False
    allow_partial_joints_goal: bool = False
    allow_nonzero_velocity_at_trajectory_end: bool = False
    cmd_timeout: float = 0.0
    goal_time: float = 0.0
    path_tolerance: float | tuple[float, ...] = 0.0
    goal_tolerance: float | tuple[float, ...] = 0.0


HUMBLE = ControllerSettings(
    commands_the_next_update=False,
    counts_its_own_time=False,
    allow_nonzero_velocity_at_trajectory_end=True,
)
JAZZY = ControllerSettings()
KILTED = JAZZY  # for position commands; it only dropped the name open_loop_control
RELEASES = {'humble': HUMBLE, 'jazzy': JAZZY, 'kilted': KILTED}
