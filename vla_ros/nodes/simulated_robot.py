"""One simulated episode: a world, its cameras, its controller and its referee. No ROS in here."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from vla_ros.sim.cameras import FRONT_SIZE, WRIST_SIZE, Camera
from vla_ros.sim.controller_settings import JAZZY, ControllerSettings
from vla_ros.sim.joint_trajectory_controller import JointTrajectoryController
from vla_ros.sim.layouts import OBJECTS
from vla_ros.sim.model import JOINT_NAMES, TIME_STEP
from vla_ros.sim.orders import Task, written
from vla_ros.sim.poses import world_of
from vla_ros.sim.sequence import SequenceReferee
from vla_ros.sim.trajectory_message import TrajectoryMessage
from vla_ros.sim.world import World
from vla_ros.types import NANOSECONDS, DoubleArray, ImageArray, JointSample

CAMERA_SIZES = {'front': FRONT_SIZE, 'wrist': WRIST_SIZE}
STEP = round(TIME_STEP * NANOSECONDS)
CONTROLLER_STEPS = 2
"""Physics steps a controller update: 100 Hz."""


@dataclass(frozen=True)
class Snapshot:
    """A state of the world to be drawn later, in another thread: its time (ns) and a copy of MuJoCo's data."""

    stamp: int
    data: Any


@dataclass
class StateLog:
    """What it takes to draw the episode again: ``times`` in seconds of the stamps, and the state at each."""

    seed: int
    times: list[float] = field(default_factory=list)
    qpos: list[DoubleArray] = field(default_factory=list)

    def add(self, stamp: int, world: World) -> None:
        """Note the present state."""
        self.times.append(stamp / NANOSECONDS)
        self.qpos.append(world.data.qpos.copy())

    def write(self, path: Path) -> None:
        """Save as npz: times (N,), qpos (N, Q) and the scene's seed."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open('wb') as file:
            np.savez_compressed(file, times=np.array(self.times), qpos=np.array(self.qpos), seed=self.seed)


class SimulatedRobot:
    """A robot on a fresh table. Not thread-safe, except that ``draw`` may run beside the rest."""

    def __init__(
        self,
        seed: int,
        controller: JointTrajectoryController,
        layout: str = OBJECTS,
        *,
        away: bool = False,
    ) -> None:
        """``seed`` is that of the scene and of where the arm begins; see ``vla_ros.sim.poses.world_of``."""
        self.seed = seed
        self.log = StateLog(seed)
        self.world = world_of(seed, layout, away=away)
        self.cameras = {
            name: Camera(self.world.model, name, *size, scene=self.world.scene)
            for name, size in CAMERA_SIZES.items()
        }
        self.referee: SequenceReferee | None = None
        self._controller = controller
        self._start = self._steps = 0
        self._plans = self._plan_end = 0
        self._command = self.world.command
        self._began = self.world.joints().positions

    @property
    def now(self) -> int:
        """Simulated time in nanoseconds."""
        return self._start + self._steps * STEP

    def start_at(self, start: int) -> None:
        """Set the simulated time (ns) of a robot that has not moved yet."""
        self._start = start

    @property
    def steps(self) -> int:
        """Physics steps since the beginning."""
        return self._steps

    def judge(self, *tasks: Task, time_limit: float = 0.0) -> None:
        """Begin to judge an attempt at tasks, one after the other, from now on; none ends it.

        Args:
            time_limit: seconds for each; 0 is the task's own.

        Raises:
            VlaError: no such kind of task, or no such object on the table.
        """
        self.referee = SequenceReferee(self.world, tasks, time_limit) if tasks else None
        self._began = self.world.joints().positions

    def step(self) -> None:
        """Advance controller, physics and referee by one physics step."""
        if self._steps % CONTROLLER_STEPS == 0:
            joints = self.world.joints()
            self._command, _ = self._controller.sample(self.now, joints.positions, joints.velocities)
        self.world.step(self._command)
        self._steps += 1
        if self.referee is not None:
            self.referee.update()

    def accept(self, message: TrajectoryMessage) -> None:
        """Hand a trajectory to the controller; TrajectoryRejected if it does not take it."""
        self._controller.accept(message, self.now)
        self._plans += 1
        self._plan_end = (message.stamp_ns or self.now) + round(
            message.points[-1].time_from_start * NANOSECONDS
        )

    def motion(self) -> dict[str, Any]:
        """The true joints and what they are told, as ``vla_ros.evaluation.motion_log`` keeps them."""
        joints = self.world.joints()
        return {
            'plans': self._plans,
            'plan_end': self._plan_end,
            'positions': joints.positions,
            'velocities': joints.velocities,
            'command': self._command,
        }

    def joints(self) -> JointSample:
        """Measured joints, stamped with simulated time."""
        measured = self.world.joints()
        return JointSample(self.now, measured.positions, measured.velocities)

    def snapshot(self, stamp: int) -> Snapshot:
        """The present state, to be drawn while the world goes on."""
        return Snapshot(stamp, copy.copy(self.world.data))

    def draw(self, camera: str, snapshot: Snapshot) -> ImageArray:
        """What a camera sees of a snapshot, (height, width, 3) rgb8."""
        return self.cameras[camera].render(snapshot.data)

    def score(self) -> dict[str, str]:
        """What the referee says, as text; for people and evaluations, never for the model."""
        referee = self.referee
        task = '' if referee is None else written(referee.tasks)
        moved = np.abs(self.world.joints().positions - self._began).max()
        return {
            'seed': str(self.seed),
            'task': task,
            'success': str(referee is not None and referee.success).lower(),
            'failure': '' if referee is None else referee.failure,
            'elapsed [s]': '0.000' if referee is None else f'{referee.elapsed:.3f}',
            'contacts': ', '.join(sorted(self.world.contacts())),
            'moved [rad]': f'{moved:.4f}',
        }


def make_controller(settings: ControllerSettings = JAZZY) -> JointTrajectoryController:
    """The simulated arm's controller, updated every CONTROLLER_STEPS physics steps."""
    return JointTrajectoryController(JOINT_NAMES, settings, update_period_ns=CONTROLLER_STEPS * STEP)
