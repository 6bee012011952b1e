"""Visualise: what a person sees in rviz or Foxglove of the plan, the target and the limits. It commands nothing.

It knows what any listener on the robot may know: the plans as they are sent, the limits that the action node says it
keeps, the decision, the description of the robot, the calibration of the camera. Only viewers listen to it.
"""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.subscription import Subscription
from sensor_msgs.msg import CameraInfo, JointState
from std_msgs.msg import String
from trajectory_msgs.msg import JointTrajectory as JointTrajectoryMessage
from visualization_msgs.msg import MarkerArray

from vla_ros.evaluation.bag import decision_of
from vla_ros.nodes import marker_messages as markers
from vla_ros.nodes import qos
from vla_ros.nodes.image_messages import camera_model_from_message
from vla_ros.nodes.joint_messages import trajectory_from_message
from vla_ros.nodes.lifecycle import VlaNode
from vla_ros.nodes.limits_messages import Box, box_from_message
from vla_ros.nodes.main import run
from vla_ros.nodes.messages import nanoseconds
from vla_ros.nodes.parameters import Setting
from vla_ros.perception.rate_gate import RateGate
from vla_ros.types import CameraModel, Decision, DoubleArray, Verdict, VlaError
from vla_ros.viz.planned_path import planned_path, speed_colours
from vla_ros.viz.robot_shapes import RobotShapes
from vla_ros.viz.sight import on_table

SETTINGS = (
    Setting('base_frame', 'base_link', 'Frame of the robot, in which the limits of the workspace are.'),
    Setting('tip_link', 'gripper_tip', 'Link whose planned way is drawn.'),
    Setting(
        'full_speed',
        0.25,
        'Of that link, from which on its way is red; 0.25 m/s is the reduced speed of ISO 10218.',
        0.01,
        10.0,
        live=True,
        unit='m/s',
    ),
    Setting('robot_rate', 10.0, 'Of the robot as markers.', 0.1, 100.0, live=True, unit='1/s'),
)
CAMERA_NAME = re.compile(r'[A-Za-z][A-Za-z0-9_]{0,63}')
ABOVE = np.array([0.0, 0.0, 0.62])
"""Where the chain of thought hangs, m above the base; the decision hangs below it."""
LINGERS = 0.2
"""Seconds for which a plan is shown after its end."""


class VisualiseNode(VlaNode):
    """``robot_description``, ``joint_states``, plans, limits and decisions to markers on ``visualise/...``."""

    def __init__(self, **options: Any) -> None:
        super().__init__('visualise', SETTINGS, **options)
        self._listening: list[Subscription] = []

    def set_up(self) -> None:
        """Open what is said."""
        self._robots = self.speak(MarkerArray, 'visualise/robot', qos.STREAM_OUT)
        self._ghosts = self.speak(MarkerArray, 'visualise/ghost', qos.STREAM_OUT)
        self._paths = self.speak(MarkerArray, 'visualise/path', qos.STREAM_OUT)
        self._targets = self.speak(MarkerArray, 'visualise/target', qos.LATCHED)
        self._traces = self.speak(MarkerArray, 'visualise/trace', qos.LATCHED)
        self._workspaces = self.speak(MarkerArray, 'visualise/workspace', qos.LATCHED)

    def start(self) -> None:
        """Begin to listen; what is latched comes again."""
        self._robot: RobotShapes | None = None
        self._box: Box | None = None
        self._decision: tuple[Decision, int] | None = None
        self._camera: tuple[CameraModel, str] | None = None
        self._camera_name = ''
        self._calibrations: Subscription | None = None
        self._measured: dict[str, float] = {}
        self._gate = RateGate(self.setting('robot_rate'))
        plan, joints = JointTrajectoryMessage, qos.JOINT_STATES_IN
        self._listening = [
            self.listen(String, 'robot_description', self._on_description, qos.LATCHED, 'bad_description'),
            self.listen(DiagnosticArray, 'action/limits', self._on_limits, qos.LATCHED, 'bad_limits'),
            self.listen(
                DiagnosticArray, 'reasoning/decision', self._on_decision, qos.LATCHED, 'bad_decision'
            ),
            self.listen(plan, 'joint_trajectory', self._on_plan, qos.COMMAND, 'bad_trajectory'),
            self.listen(plan, 'action/dry_run', self._on_plan, qos.COMMAND, 'bad_trajectory'),
            self.listen(JointState, 'joint_states', self._on_joints, joints, 'bad_joint_states'),
        ]

    def wind_down(self) -> None:
        """Listen no more."""
        self._watch_camera('')
        while self._listening:
            self.let_go(self._listening.pop())

    def observe(self) -> None:
        """Show what is still missing to draw."""
        if self.is_active:
            self.health.note('robot description', 'none' if self._robot is None else 'heard')
            self.health.note('limits', 'none' if self._box is None else 'heard')

    def _on_description(self, message: String) -> None:
        self._robot = None
        self._robot = RobotShapes(message.data)
        self._show_target()

    def _on_limits(self, message: DiagnosticArray) -> None:
        self._box = None
        self._box = box_from_message(message)
        self._workspaces.publish(markers.workspace_markers(self._box, self._in_base(self.now())))
        self._show_target()

    def _on_decision(self, message: DiagnosticArray) -> None:
        try:
            decision = decision_of(message)
        except (IndexError, KeyError, ValueError) as error:
            raise VlaError(f'decision: expected one as reasoning publishes it; {error!r:.200}') from error
        target, camera = decision.target, decision.target_camera
        if target is not None and not (all(0 <= v <= 1 for v in target) and CAMERA_NAME.fullmatch(camera)):
            raise VlaError(
                f'decision: expected a target in the image of a camera, found {target} in {camera!r}'
            )
        stamp = nanoseconds(message.header.stamp)
        self._decision = decision, stamp
        self._traces.publish(markers.text_markers(decision.trace, ABOVE, self._in_base(stamp)))
        if target is not None:
            self._watch_camera(camera)
        self._show_target()

    def _on_calibration(self, message: CameraInfo) -> None:
        model = camera_model_from_message(message)
        first = self._camera is None
        self._camera = None if model is None else (model, message.header.frame_id)
        if first:
            self._show_target()

    def _on_plan(self, message: JointTrajectoryMessage) -> None:
        plan = trajectory_from_message(message)
        self.health.tick('plans')
        robot = self._robot
        if robot is None:
            return
        path = planned_path(plan, robot, self._measured, self.setting('tip_link'))
        head, seconds = markers.header(robot.base, self.now()), float(plan.times[-1]) + LINGERS
        colours = speed_colours(path.speeds, self.setting('full_speed'))
        self._paths.publish(markers.path_markers(path.points, colours, head, 'path', seconds))
        ghost = markers.robot_markers(
            robot.shapes, robot.poses(path.ends), head, 'ghost', markers.GHOST, seconds
        )
        self._ghosts.publish(ghost)

    def _on_joints(self, message: JointState) -> None:
        measured = dict(zip(message.name, message.position))
        if len(measured) != len(message.position) or not all(map(math.isfinite, measured.values())):
            raise VlaError('joint_states: expected a finite position for each name')
        self._measured = measured
        robot, stamp = self._robot, nanoseconds(message.header.stamp)
        self._gate.rate = self.setting('robot_rate')
        if robot is None or not set(robot.joints) & set(measured) or not self._gate.admits(stamp):
            return
        poses = robot.poses(robot.vector(measured))
        head = markers.header(robot.base, stamp)
        self._robots.publish(markers.robot_markers(robot.shapes, poses, head, 'robot'))

    def _watch_camera(self, name: str) -> None:
        """Listen to the calibration of this camera and of no other; '' is none."""
        if name == self._camera_name:
            return
        if self._calibrations is not None:
            self.let_go(self._calibrations)
        self._camera_name, self._camera, self._calibrations = name, None, None
        if name:
            topic = f'camera/{name}/camera_info'
            self._calibrations = self.listen(
                CameraInfo, topic, self._on_calibration, qos.CAMERA, 'bad_calibration'
            )

    def _show_target(self) -> None:
        """The target of the newest decision in the world, as far as what has been heard tells it."""
        if self._decision is None:
            return
        decision, stamp = self._decision
        eye, point = None, None
        if decision.verdict is Verdict.GO and decision.target is not None:
            known = self._robot, self._box, self._camera
            missing = [n for n, v in zip(('robot description', 'limits', 'calibration'), known) if v is None]
            self.health.note('target', f'waits for {", ".join(missing)}' if missing else 'known')
            if self._robot is not None and self._box is not None and self._camera is not None:
                model, frame = self._camera
                eye, rotation = self._camera_pose(self._robot, frame)
                point = on_table(decision.target, model, eye, rotation, self._box.table_height)
        else:
            self.health.note('target', 'none')
        self._targets.publish(markers.target_markers(point, eye, self._in_base(stamp)))

    def _camera_pose(self, robot: RobotShapes, frame: str) -> tuple[DoubleArray, DoubleArray]:
        """Position (3,) and rotation (3, 3) of an optical frame in the base frame, the joints as measured."""
        links, base = robot.links(robot.vector(self._measured)), self.setting('base_frame')
        for name in (frame, base):
            if name not in links:
                raise VlaError(f'target: expected a link {name!r} in robot_description, found none')
        (here, turned), (origin, rotation) = links[base], links[frame]
        return turned.T @ (origin - here), turned.T @ rotation

    def _in_base(self, stamp: int) -> Any:
        return markers.header(self.setting('base_frame'), stamp)


def main() -> int:
    """Entry point of the executable ``visualise``."""
    return run([VisualiseNode])


if __name__ == '__main__':
    raise SystemExit(main())
