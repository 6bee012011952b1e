"""The simulated robot behind the topics of a real one: joint states and cameras out, joint trajectories in."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.parameter import Parameter
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, Image, JointState
from std_msgs.msg import String
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory

from vla_ros.evaluation.motion_log import MotionWriter
from vla_ros.nodes import qos
from vla_ros.nodes.distributions import after_change
from vla_ros.nodes.heap import give_back
from vla_ros.nodes.image_messages import camera_info_message, image_message
from vla_ros.nodes.joint_messages import joints_message
from vla_ros.nodes.lifecycle import VlaNode
from vla_ros.nodes.main import run
from vla_ros.nodes.messages import diagnostics_message, nanoseconds, time_message
from vla_ros.nodes.simulated_robot import (
    CAMERA_SIZES,
    STEP,
    SimulatedRobot,
    Snapshot,
    StateLog,
    make_controller,
)
from vla_ros.nodes.simulator_settings import SETTINGS
from vla_ros.nodes.worker import LatestWorker
from vla_ros.paths import config_file
from vla_ros.sim.controller_settings import RELEASES
from vla_ros.sim.model import JOINT_NAMES
from vla_ros.sim.orders import parse_tasks
from vla_ros.sim.trajectory_message import TrajectoryMessage, TrajectoryPoint, TrajectoryRejected
from vla_ros.types import NANOSECONDS, JointSample, VlaError

CLOCK_STEPS = 2  # physics steps from one /clock to the next: 100 Hz
SCORE_STEPS = 20  # 10 Hz
LARGEST_LAG = 0.1  # seconds behind the wall that are caught up; more slows the world down
CAMERA_PATIENCE = 2.0  # seconds that the world waits for a picture, if it waits


class SimulatorNode(VlaNode):
    """``joint_trajectory`` to ``joint_states`` and ``camera/<name>/...``; ``simulator/score`` is for judges only."""

    def __init__(self, **options: Any) -> None:
        super().__init__('simulator', SETTINGS, **options)
        self._lock = threading.Lock()  # of the robot, held for a physics step
        self._robot: SimulatedRobot | None = None
        self._stopping = threading.Event()
        self._physics: threading.Thread | None = None
        self._camera: LatestWorker[tuple[SimulatedRobot, Snapshot]] | None = None
        self._picture_taken = threading.Event()
        self._episode = self._trial = self._saved = 0
        self.create_service(Trigger, 'simulator/reset', self._on_reset)
        after_change(self, self._on_parameters)

    def set_up(self) -> None:
        """Stand up the first scene and open the topics."""
        self._description = self.speak(String, 'robot_description', qos.LATCHED)
        self._joint_states = self.speak(JointState, 'joint_states', qos.JOINT_STATES_OUT)
        self._scores = self.speak(DiagnosticArray, 'simulator/score', qos.SCORE)
        self._clock_topic = self.speak(Clock, '/clock', qos.CLOCK) if self.setting('publish_clock') else None
        self._images = {n: self.speak(Image, f'camera/{n}/image_raw', qos.CAMERA) for n in CAMERA_SIZES}
        self._infos = {n: self.speak(CameraInfo, f'camera/{n}/camera_info', qos.CAMERA) for n in CAMERA_SIZES}
        self.listen(
            JointTrajectory,
            'joint_trajectory',
            self._on_trajectory,
            qos.COMMAND,
            'bad_trajectory',
            hop='trajectory to controller',
        )
        log = self.setting('motion_log')
        self._motion = MotionWriter(Path(log).expanduser()) if log else None
        self._begin(self._fresh_robot(), time.time_ns())

    def start(self) -> None:
        """Say what robot it is, and let time run."""
        self._description.publish(String(data=config_file('robots/so101.urdf').read_text(encoding='utf-8')))
        self._stopping.clear()
        self._camera = LatestWorker('cameras', self._draw, self.fail)
        self._picture_taken.set()
        self._physics = threading.Thread(target=self._run, name='physics', daemon=True)
        self._physics.start()

    def wind_down(self) -> None:
        """Let time stand still."""
        self._stopping.set()
        if self._physics is not None:
            self._physics.join()
        if self._camera is not None:
            self._camera.stop()
        if self._robot is not None:
            self._save(self._robot)

    def tear_down(self) -> None:
        """Clear the table."""
        self._robot = None
        if (motion := vars(self).pop('_motion', None)) is not None:
            motion.close()

    def _fresh_robot(self) -> SimulatedRobot:
        settings = replace(
            RELEASES[self.setting('controller')],
            interpolate_from_desired_state=self.setting('interpolate_from_desired_state'),
            allow_partial_joints_goal=self.setting('allow_partial_joints_goal'),
        )
        return SimulatedRobot(
            self.setting('seed'), make_controller(settings), self.setting('layout'), away=self.setting('away')
        )

    def _begin(self, robot: SimulatedRobot, start: int) -> None:
        robot.start_at(start)
        self._episode += 1
        self._judge(robot)
        self._robot = robot

    def _judge(self, robot: SimulatedRobot) -> None:
        """Begin to judge the task of the parameter; a task that makes no sense is none."""
        self._trial += 1
        try:
            robot.judge(*parse_tasks(self.setting('task')), time_limit=self.setting('time_limit'))
        except VlaError as error:
            robot.judge()
            self.refuse('bad_task', error)

    def _on_reset(self, _request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        if not self.is_active or self._robot is None:
            response.success, response.message = False, 'the node is not active'
            return response
        try:
            fresh = self._fresh_robot()
        except VlaError as error:
            response.success, response.message = False, str(error)
            return response
        with self._lock:
            old = self._robot
            self._begin(fresh, old.now)  # time goes on, whatever happens to the world
            stamp = self._stamp(fresh)
            told = {'episode': self._episode, 'trial': self._trial, 'stamp': stamp}
        self._save(old)
        del old
        give_back()
        response.success, response.message = True, json.dumps(told)
        return response

    def _on_parameters(self, parameters: list[Parameter]) -> None:
        if any(parameter.name == 'task' for parameter in parameters) and self._robot is not None:
            with self._lock:
                self._judge(self._robot)

    def _on_trajectory(self, message: JointTrajectory) -> None:
        with self._lock:
            if self._robot is None:
                return
            ahead = self._robot.now - self._stamp(self._robot)
            try:
                self._robot.accept(controller_message(message, ahead))
            except TrajectoryRejected as rejection:
                self.refuse(f'rejected_{rejection.reason.value}', rejection.sentence)
                return
        self.health.tick('trajectories')

    def _stamp(self, robot: SimulatedRobot) -> int:
        """The time for stamps: simulated if this node says the time, else that of the node's clock."""
        return robot.now if self._clock_topic is not None else self.now()

    def _run(self) -> None:
        """The physics thread: steps in real time, or as fast as the machine can."""
        due = time.monotonic()
        begun, counted = due, 0
        while not self._stopping.is_set():
            try:
                for _ in range(CLOCK_STEPS):
                    self._step()
            except Exception as error:  # physics that went wild ends an episode, not the node
                self.fail(error)
            counted += CLOCK_STEPS
            now = time.monotonic()
            if now - begun >= 1.0:
                self.health.note('real-time factor', f'{counted * STEP / NANOSECONDS / (now - begun):.3f}')
                begun, counted = now, 0
            due = max(due + CLOCK_STEPS * STEP / NANOSECONDS / self.setting('speed'), now - LARGEST_LAG)
            if due > now:
                self._stopping.wait(due - now)

    def _step(self) -> None:
        with self._lock:
            robot = self._robot
            assert robot is not None
            robot.step()
            steps, stamp = robot.steps, self._stamp(robot)
            joints = robot.joints() if _is_due(steps, self.setting('joint_state_rate')) else None
            score = robot.score() if steps % SCORE_STEPS == 0 else None
            snapshot = robot.snapshot(stamp) if _is_due(steps, self.setting('camera_rate')) else None
            if joints is not None and self.setting('state_log'):
                robot.log.add(stamp, robot.world)
            if self._motion is not None:
                self._motion.add(wall=time.time_ns(), time=stamp, **robot.motion())
        if self._clock_topic is not None and steps % CLOCK_STEPS == 0:
            self._clock_topic.publish(Clock(clock=time_message(stamp)))
        if joints is not None:
            sample = JointSample(stamp, joints.positions, joints.velocities)
            self._joint_states.publish(joints_message(JOINT_NAMES, sample))
            self.health.tick('joint states')
        if score is not None:
            self._publish_score(score, stamp)
        if snapshot is not None:
            self._take_picture(robot, snapshot)

    def _publish_score(self, score: dict[str, str], stamp: int) -> None:
        values = {'episode': self._episode, 'trial': self._trial, **score}
        summary = 'success' if score['success'] == 'true' else score['failure'] or 'under way'
        self._scores.publish(
            diagnostics_message('simulator: referee', DiagnosticStatus.OK, summary, values, stamp)
        )

    def _take_picture(self, robot: SimulatedRobot, snapshot: Snapshot) -> None:
        if self._clock_topic is not None:
            self._picture_taken.wait(CAMERA_PATIENCE)
        self._picture_taken.clear()
        assert self._camera is not None
        self._camera.submit((robot, snapshot))

    def _draw(self, job: tuple[SimulatedRobot, Snapshot]) -> None:
        """In the cameras' thread: all pictures of one moment."""
        robot, snapshot = job
        try:
            begun = time.perf_counter()
            for name, camera in robot.cameras.items():
                frame_id = f'{name}_optical_frame'
                self._images[name].publish(
                    image_message(robot.draw(name, snapshot), snapshot.stamp, frame_id)
                )
                self._infos[name].publish(camera_info_message(camera.model, snapshot.stamp, frame_id))
            self.health.latency('drawing', time.perf_counter() - begun)
            self.health.tick('cameras')
        finally:
            self._picture_taken.set()

    def _save(self, robot: SimulatedRobot) -> None:
        """Write the log of an episode; all but the first get their number into the file's name."""
        if not self.setting('state_log') or not robot.log.times:
            return
        path = Path(self.setting('state_log')).expanduser()
        robot.log.write(path.with_stem(f'{path.stem}_{self._saved}') if self._saved else path)
        robot.log = StateLog(robot.seed)
        self._saved += 1


def controller_message(message: JointTrajectory, ahead: int) -> TrajectoryMessage:
    """As the controller takes it; ``ahead`` is how far (ns) its clock is ahead of the stamps' clock."""
    stamp = nanoseconds(message.header.stamp)
    points = tuple(
        TrajectoryPoint(
            tuple(point.positions),
            tuple(point.velocities),
            tuple(point.accelerations),
            point.time_from_start.sec + point.time_from_start.nanosec / NANOSECONDS,
            tuple(point.effort),
        )
        for point in message.points
    )
    return TrajectoryMessage(stamp + ahead if stamp else 0, tuple(message.joint_names), points)


def _is_due(steps: int, rate: float) -> bool:
    """Whether something that happens at a rate (Hz) happens at this physics step."""
    seconds = STEP / NANOSECONDS
    return int(steps * seconds * rate + 1e-6) > int((steps - 1) * seconds * rate + 1e-6)


def main() -> int:
    """Entry point of the executable ``simulator``."""
    return run([SimulatorNode])


if __name__ == '__main__':
    raise SystemExit(main())
