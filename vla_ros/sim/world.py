"""One simulated tabletop: physics, joint position servos, and what a referee or an expert may ask about it."""

from __future__ import annotations

import math

import mujoco
import numpy as np
import numpy.typing as npt

from vla_ros.sim.model import GRIPPER_BODIES, JOINT_NAMES, REST_POSE, TIME_STEP, build_model
from vla_ros.sim.scene import Scene
from vla_ros.types import NANOSECONDS, DoubleArray, JointSample, VlaError

JOINTS = len(JOINT_NAMES)
START_SPREAD = 0.03
"""Standard deviation in rad of the joints around the rest pose when a generator is given."""
RIM = 0.005
"""Metres from a bowl's or plate's rim inwards that still count as its edge."""
STACKED = 0.040
"""Height in metres of an object's centre from which on it lies on top of something else, not in a bowl or a plate."""


class World:
    """A scene in motion. Owns ``model`` (MjModel) and ``data`` (MjData); not thread safe."""

    def __init__(self, scene: Scene, rng: np.random.Generator | None = None) -> None:
        """Starts at the rest pose, or near it when ``rng`` is given, with the objects settled on the table."""
        self.scene = scene
        self.model = build_model(scene)
        self.data = mujoco.MjData(self.model)
        self._bodies = {thing.name: self.model.body(thing.name).id for thing in scene.objects}
        self._body_names = {body: name for name, body in self._bodies.items()}
        self._gripper_bodies = {self.model.body(name).id for name in GRIPPER_BODIES}
        self._hand = self.model.body('gripper').id
        self._tip = self.model.site('gripper_tip').id
        self._lower, self._upper = self.model.actuator_ctrlrange[:JOINTS].T.copy()
        start = np.array(REST_POSE)
        if rng is not None:
            start = start + rng.normal(0.0, START_SPREAD, JOINTS)
        self.set_joints(start)

    @property
    def time(self) -> float:
        """Simulated time in seconds."""
        return float(self.data.time)

    @property
    def command(self) -> DoubleArray:
        """The joint position targets (6,) rad that the servos follow now."""
        return self.data.ctrl[:JOINTS].copy()

    def set_joints(self, positions: npt.ArrayLike) -> None:
        """Put the arm at rest at ``positions`` (6,) rad, clipped to the joint ranges, servos holding there."""
        clipped = np.clip(self._checked(positions), self._lower, self._upper)
        self.data.qpos[:JOINTS] = clipped
        self.data.qvel[:JOINTS] = 0.0
        self.data.ctrl[:JOINTS] = clipped
        mujoco.mj_forward(self.model, self.data)

    def displace(self, name: str, by: tuple[float, float]) -> None:
        """Move the named object over the table at once, by (x, y) metres, as a hand from outside would.

        Raises:
            VlaError: no such object, or one that stands fast.
        """
        joint = int(self.model.body_jntadr[self._body(name)])
        if joint < 0:
            raise VlaError(f'object: expected one that can be moved, found {name!r}')
        address = int(self.model.jnt_qposadr[joint])
        self.data.qpos[address : address + 2] += by
        mujoco.mj_forward(self.model, self.data)

    def step(self, command: npt.ArrayLike) -> None:
        """Advance one physics step (5 ms) with joint position targets (6,) rad, clipped to the joint ranges."""
        self.data.ctrl[:JOINTS] = np.clip(self._checked(command), self._lower, self._upper)
        # In this order the poses and contacts that cameras and referees read belong to the new state, not the old one.
        mujoco.mj_step2(self.model, self.data)
        mujoco.mj_step1(self.model, self.data)

    def follow(self, target: npt.ArrayLike, duration: float = 0.05) -> None:
        """Move the targets in a straight line from the present command to ``target`` (6,) in ``duration`` seconds."""
        start, goal = self.command, self._checked(target)
        steps = max(1, round(duration / TIME_STEP))
        for index in range(1, steps + 1):
            self.step(start + (goal - start) * (index / steps))

    def joints(self) -> JointSample:
        """Measured positions (6,) rad and velocities (6,) rad/s, stamped with the simulated time."""
        stamp = round(self.data.time * NANOSECONDS)
        return JointSample(stamp, self.data.qpos[:JOINTS].copy(), self.data.qvel[:JOINTS].copy())

    def object_position(self, name: str) -> DoubleArray:
        """Centre (3,) of the named object, world frame, metres."""
        return self.data.xpos[self._body(name)].copy()

    def object_top(self, name: str) -> DoubleArray:
        """The point (3,) above the centre of the named object at the height of its highest point."""
        body = self._body(name)
        thing = self.scene.object(name)
        column = np.abs(self.data.xmat[body].reshape(3, 3)[2])
        if thing.shape == 'cube':
            rise = float(column.sum()) * thing.radius
        else:
            upright = min(1.0, float(column[2]))
            rise = upright * thing.height / 2 + math.sqrt(1 - upright**2) * thing.radius
        return self.data.xpos[body] + np.array([0.0, 0.0, rise])

    def object_rotation(self, name: str) -> DoubleArray:
        """Rotation (3, 3) of the named object; its columns are the object's axes in the world frame."""
        return self.data.xmat[self._body(name)].reshape(3, 3).copy()

    def object_speed(self, name: str) -> float:
        """Linear speed of the named object in m/s."""
        return float(np.linalg.norm(self.data.cvel[self._body(name)][3:]))

    def gripper_tip(self) -> DoubleArray:
        """Where the closed fingertips meet (3,), world frame, metres."""
        return self.data.site_xpos[self._tip].copy()

    def gripper_rotation(self) -> DoubleArray:
        """Rotation (3, 3) of the gripper: x from the fixed to the moving jaw, z against the approach."""
        return self.data.xmat[self._hand].reshape(3, 3).copy()

    def contacts(self) -> set[str]:
        """Names of the objects that the gripper (either jaw or its housing) touches."""
        touched: set[str] = set()
        contact = self.data.contact
        for first, second in self.model.geom_bodyid[contact.geom]:
            for gripper, other in ((first, second), (second, first)):
                if gripper in self._gripper_bodies and other in self._body_names:
                    touched.add(self._body_names[int(other)])
        return touched

    def held(self) -> set[str]:
        """Names of the objects that both jaws touch."""
        pairs = self._touching_bodies()
        return {
            name
            for body, name in self._body_names.items()
            if all((jaw, body) in pairs or (body, jaw) in pairs for jaw in self._gripper_bodies)
        }

    def inside(self, name: str, container: str) -> bool:
        """Whether the named object lies in the bowl or on the plate, let go or not."""
        away = self.object_position(name) - self.object_position(container)
        within = math.hypot(away[0], away[1]) < self.scene.object(container).radius - RIM
        low = bool(self.object_position(name)[2] < STACKED)
        return within and low and self.touching(name, container)

    def touching(self, name: str, other: str) -> bool:
        """Whether the two named objects touch each other."""
        first, second = self._body(name), self._body(other)
        return bool({(first, second), (second, first)} & self._touching_bodies())

    def _touching_bodies(self) -> set[tuple[int, int]]:
        return {(int(a), int(b)) for a, b in self.model.geom_bodyid[self.data.contact.geom]}

    def _body(self, name: str) -> int:
        if name not in self._bodies:
            raise VlaError(f'object: expected one of {sorted(self._bodies)}, found {name!r}')
        return int(self._bodies[name])

    def _checked(self, values: npt.ArrayLike) -> DoubleArray:
        array = np.asarray(values, dtype=np.float64)
        if array.shape != (JOINTS,) or not all(math.isfinite(v) for v in array):
            raise VlaError(f'joint positions: expected {JOINTS} finite numbers, found {array.tolist()}')
        return array
