"""The MuJoCo model of a scene: our SO-101, the table, the objects and the cameras."""

from __future__ import annotations

import math
from pathlib import Path

import mujoco
import numpy as np

from vla_ros.sim.looks import CameraOffset, Vector3
from vla_ros.sim.scene import Scene, SceneObject
from vla_ros.types import DoubleArray

ROBOT_FILE = Path(__file__).parent / 'assets' / 'so101.xml'
JOINT_NAMES = ('shoulder_pan', 'shoulder_lift', 'elbow_flex', 'wrist_flex', 'wrist_roll', 'gripper')
REST_POSE = (0.0, -1.35, 1.25, 0.95, 0.0, 0.3)
"""Home position of the joints in rad, in the order of JOINT_NAMES."""
GRIPPER_CLOSED = -0.16
"""Target of the gripper joint in rad at which the empty fingertips press lightly against each other."""

TIME_STEP = 0.005
GRIPPER_BODIES = ('gripper', 'moving_jaw')

# Geom groups: the front camera draws what never moves once per episode.
STATIC_GROUP, ROBOT_GROUP, OBJECT_GROUP = 0, 1, 2

View = tuple[Vector3, Vector3, float]
"""Position, point looked at and vertical field of view in degrees of a camera."""
FRONT_VIEW: View = ((0.58, 0.0, 0.40), (0.19, 0.0, 0.045), 42.0)
BEAUTY_VIEW: View = ((0.60, -0.43, 0.34), (0.13, 0.01, 0.085), 38.0)

OBJECT_DENSITY = 900.0
RIM_SEGMENTS = 12


def build_model(scene: Scene) -> mujoco.MjModel:
    """The compiled model of the scene: bodies named as its objects, cameras 'front', 'wrist' and 'beauty'.

    Works with MuJoCo 3.8 to 4.0; parameters as measured for a reliable grasp and a stable contact.
    """
    spec = mujoco.MjSpec.from_file(str(ROBOT_FILE))
    _set_options(spec)
    _add_table(spec, scene)
    for thing in scene.objects:
        _add_object(spec, thing)
    _add_camera(spec, 'front', FRONT_VIEW, scene.front_camera)
    _add_camera(spec, 'beauty', BEAUTY_VIEW, CameraOffset())
    _mount_wrist_camera(spec, scene.wrist_camera)
    _add_lights(spec, scene)
    return spec.compile()


def _set_options(spec: mujoco.MjSpec) -> None:
    option = spec.option
    option.timestep = TIME_STEP
    option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    option.cone = mujoco.mjtCone.mjCONE_ELLIPTIC
    option.impratio = 10.0
    option.iterations = 50
    option.ls_iterations = 50


def _add_table(spec: mujoco.MjSpec, scene: Scene) -> None:
    world = spec.worldbody
    rgba = [*scene.table.tones[0], 1.0]
    touchable = {'group': STATIC_GROUP, 'contype': 1, 'conaffinity': 3, 'friction': [1, 0.02, 0.0005]}
    world.add_geom(
        name='table',
        type=mujoco.mjtGeom.mjGEOM_BOX,
        pos=[0.10, 0, -0.02],
        size=[0.46, 0.60, 0.02],
        rgba=rgba,
        **touchable,
    )
    world.add_geom(
        name='floor',
        type=mujoco.mjtGeom.mjGEOM_PLANE,
        pos=[0, 0, -0.75],
        size=[4, 4, 0.1],
        rgba=[*scene.floor, 1.0],
        **touchable,
    )


def _add_object(spec: mujoco.MjSpec, thing: SceneObject) -> None:
    half_turn = thing.yaw / 2
    quaternion = [math.cos(half_turn), 0.0, 0.0, math.sin(half_turn)]
    body = spec.worldbody.add_body(name=thing.name, pos=list(thing.position), quat=quaternion)
    if thing.is_container:
        _add_container(body, thing)
        return
    body.add_freejoint()
    cube = thing.shape == 'cube'
    size = [thing.radius, thing.radius, thing.height / 2] if cube else [thing.radius, thing.height / 2, 0]
    body.add_geom(
        name=thing.name,
        type=mujoco.mjtGeom.mjGEOM_BOX if cube else mujoco.mjtGeom.mjGEOM_CYLINDER,
        size=size,
        rgba=list(thing.rgba),
        group=OBJECT_GROUP,
        contype=1,
        conaffinity=3,
        condim=4,
        friction=[1, 0.02, 0.0005],
        density=OBJECT_DENSITY,
    )


def _add_container(body: mujoco.MjsBody, thing: SceneObject) -> None:
    """A disc with a rim of boxes; it stands still, so it belongs to what never moves."""
    common = {
        'rgba': list(thing.rgba),
        'group': STATIC_GROUP,
        'contype': 1,
        'conaffinity': 3,
        'friction': [1, 0.02, 0.0005],
    }
    bottom = -thing.height / 2
    disc = mujoco.mjtGeom.mjGEOM_CYLINDER
    body.add_geom(
        name=thing.name, type=disc, pos=[0, 0, bottom + 0.0015], size=[thing.radius, 0.0015, 0], **common
    )
    step = 2 * math.pi / RIM_SEGMENTS
    lean = 0.35
    for index in range(RIM_SEGMENTS):
        angle = index * step
        turn = _quaternion(np.array([0, 0, 1.0]), angle)
        tilt = _quaternion(np.array([0, 1.0, 0]), lean)
        both = np.zeros(4)
        mujoco.mju_mulQuat(both, turn, tilt)
        body.add_geom(
            type=mujoco.mjtGeom.mjGEOM_BOX,
            pos=[thing.radius * math.cos(angle), thing.radius * math.sin(angle), 0.0005],
            quat=both.tolist(),
            size=[0.0018, thing.radius * math.tan(step / 2) + 0.002, thing.height / 2],
            **common,
        )


def _add_camera(spec: mujoco.MjSpec, name: str, view: View, offset: CameraOffset) -> None:
    start, target, field_of_view = view
    rotation = _look_at(np.array(start), np.array(target))
    position, quaternion = _displaced(np.array(start), rotation, offset)
    spec.worldbody.add_camera(name=name, pos=position, quat=quaternion, fovy=field_of_view)


def _mount_wrist_camera(spec: mujoco.MjSpec, offset: CameraOffset) -> None:
    camera = spec.camera('wrist')
    rotation = np.zeros(9)
    # The angle about x of the mount in so101.xml; MjSpec keeps Euler angles apart from the quaternion.
    mujoco.mju_quat2Mat(rotation, _quaternion(np.array([1.0, 0, 0]), -0.57))
    position, quaternion = _displaced(np.array(camera.pos), rotation.reshape(3, 3), offset)
    camera.alt.type = mujoco.mjtOrientation.mjORIENTATION_QUAT
    camera.pos, camera.quat = position, quaternion


def _displaced(
    position: DoubleArray, rotation: DoubleArray, offset: CameraOffset
) -> tuple[list[float], list[float]]:
    angle = math.sqrt(sum(v * v for v in offset.rotation))
    quaternion = np.zeros(4)
    mujoco.mju_mat2Quat(quaternion, rotation.flatten())
    if angle > 0:
        turn = _quaternion(np.array(offset.rotation) / angle, angle)
        both = np.zeros(4)
        mujoco.mju_mulQuat(both, quaternion, turn)
        quaternion = both
    return (position + rotation @ np.array(offset.translation)).tolist(), quaternion.tolist()


def _look_at(position: DoubleArray, target: DoubleArray) -> DoubleArray:
    """Rotation (3, 3) of a MuJoCo camera (looks along -z, y up in the image) at ``position`` towards ``target``."""
    backward = position - target
    backward = backward / np.linalg.norm(backward)
    right = np.cross([0.0, 0.0, 1.0], backward)
    right = right / np.linalg.norm(right)
    return np.stack([right, np.cross(backward, right), backward], axis=1)


def _quaternion(axis: DoubleArray, angle: float) -> DoubleArray:
    quaternion = np.zeros(4)
    mujoco.mju_axisAngle2Quat(quaternion, axis, angle)
    return quaternion


def _add_lights(spec: mujoco.MjSpec, scene: Scene) -> None:
    """The scene's lights for an OpenGL renderer; the ray caster reads them from the scene."""
    spec.visual.headlight.ambient = list(scene.ambient)
    spec.visual.headlight.diffuse = [0.0, 0.0, 0.0]
    spec.visual.headlight.specular = [0.0, 0.0, 0.0]
    for index, light in enumerate(scene.lights):
        direction = np.array(light.direction)
        spec.worldbody.add_light(
            name=f'light_{index}',
            type=mujoco.mjtLightType.mjLIGHT_DIRECTIONAL,
            pos=(2.0 * direction).tolist(),
            dir=(-direction).tolist(),
            diffuse=list(light.colour),
            ambient=[0.0, 0.0, 0.0],
            specular=[0.05, 0.05, 0.05],
            castshadow=index == 0,
        )
