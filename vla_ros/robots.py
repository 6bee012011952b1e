"""Robots by name: ``config/robots/NAME.yaml`` says which joints, topics, limits, cameras and pose an arm has.

One file a robot, of one typed schema. The numbers are those that the maker publishes, with their source; what keeps
a motion in bounds is the file of limits that it names, and never allows more. A path to such a file of one's own is
as good as a name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from vla_ros.manifest import Manifest
from vla_ros.paths import config_file, share_directory
from vla_ros.strict_yaml import read_typed
from vla_ros.types import VlaError

Remap = tuple[str, str]

LARGEST_FILE = 100_000  # bytes
START_JUMP = 0.25  # rad, of a joint that no file says otherwise of

Number = Annotated[float, Field(ge=-1e6, le=1e6)]
Positive = Annotated[float, Field(gt=0, le=1e6)]
Text = Annotated[str, Field(min_length=1, max_length=1000)]
Topic = Annotated[str, Field(pattern=r'^/?[A-Za-z][A-Za-z0-9_]*(/[A-Za-z][A-Za-z0-9_]*)*$', max_length=255)]
Url = Annotated[str, Field(pattern=r'^https://\S+$', max_length=1000)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra='forbid', frozen=True, allow_inf_nan=False)


class Joint(_Strict):
    """One joint of the trajectories, with what the maker publishes: rad, rad/s, rad/s^2, rad/s^3.

    Attributes:
        acceleration, jerk: None where the maker publishes none.
        rest: where it waits.
        start_jump: rad between plan and measurement beyond which a plan begins where the joint is measured.
    """

    name: Text
    min: Number
    max: Number
    velocity: Positive
    acceleration: Positive | None
    jerk: Positive | None
    rest: Number
    start_jump: Positive = START_JUMP

    @model_validator(mode='after')
    def _rests_in_its_range(self) -> Joint:
        if not self.min <= self.rest <= self.max:
            raise ValueError(
                f'expected min <= rest <= max, found {self.min:g}, {self.rest:g}, {self.max:g} of {self.name}'
            )
        return self


class Controller(_Strict):
    """Who executes: the topic of its trajectories, its type, and what it takes beyond the maker's own settings."""

    topic: Topic
    type: Text
    note: str = ''


class Camera(_Strict):
    """A camera as the bundle names it, and the topics of its driver."""

    name: str = Field(pattern=r'^[a-z][a-z0-9_]*$')
    image: Topic
    camera_info: Topic


class Gripper(_Strict):
    """The gripper's joint, open and closed, and who moves it; part of the trajectories if it is one of the joints."""

    joint: Text
    unit: Literal['rad', 'm']
    open: Number
    closed: Number
    moved_by: Text


class Description(_Strict):
    """Where the model of a robot is: a package by name, the file in it, and its address."""

    package: Text
    file: Text
    url: Url


class Source(_Strict):
    """Where a number was published."""

    what: Text
    url: Url


class Robot(_Strict):
    """An arm. ``joints`` are in the order of its controller; links are named as in its URDF."""

    name: str = Field(pattern=r'^[a-z][a-z0-9_]*$', max_length=100)
    title: Text
    joints: tuple[Joint, ...] = Field(min_length=1, max_length=100)
    limits_file: Text
    controller: Controller
    joint_states: Topic
    cameras: tuple[Camera, ...] = Field(min_length=1, max_length=16)
    base: Text
    end_effector: Text
    gripper: Gripper | None
    urdf: Description
    mjcf: Description
    sources: tuple[Source, ...] = Field(min_length=1)

    @model_validator(mode='after')
    def _names_differ(self) -> Robot:
        for key, names in (
            ('joints', self.joint_names),
            ('cameras', tuple(camera.name for camera in self.cameras)),
        ):
            if len(set(names)) != len(names):
                raise ValueError(f'{key}: expected names that differ, found {list(names)}')
        return self

    @property
    def joint_names(self) -> tuple[str, ...]:
        """In the order of the controller."""
        return tuple(joint.name for joint in self.joints)

    @property
    def moves_its_gripper(self) -> bool:
        """Whether the gripper is part of the trajectories."""
        return self.gripper is not None and self.gripper.joint in self.joint_names

    @property
    def remaps(self) -> tuple[Remap, ...]:
        """From the names that the nodes use to the topics of drivers and controller, where they differ."""
        wanted = [
            ('joint_trajectory', self.controller.topic),
            ('joint_states', self.joint_states),
        ]
        for camera in self.cameras:
            image = f'camera/{camera.name}/image_raw'
            wanted += [
                (image, camera.image),
                (f'{image}/compressed', f'{camera.image}/compressed'),
                (f'camera/{camera.name}/camera_info', camera.camera_info),
            ]
        return tuple((ours, theirs) for ours, theirs in wanted if ours != theirs)

    def start_jumps(self, joints: Sequence[str]) -> list[float]:
        """``start_jump`` of these joints, in their order."""
        jumps = {joint.name: joint.start_jump for joint in self.joints}
        return [jumps.get(name, START_JUMP) for name in joints]


def robots_directory() -> Path:
    """The folder of the robots that come with the package."""
    return share_directory() / 'config' / 'robots'


@lru_cache(maxsize=1)
def robot_names() -> tuple[str, ...]:
    """Of the robots that come with the package."""
    return tuple(sorted(path.stem for path in robots_directory().glob('*.yaml')))


def robot_file(robot: str) -> Path:
    """The file of a robot, given by its name or by the path of a file of one's own.

    Raises:
        VlaError: neither exists; the message lists the names there are.
    """
    if robot in robot_names():
        return robots_directory() / f'{robot}.yaml'
    given = Path(robot).expanduser()
    if given.suffix == '.yaml' and given.is_file():
        return given.resolve()
    raise VlaError(
        f"robot: expected one of {[*robot_names()]} or the path of a robot's .yaml, found {robot!r}"
    )


def load_robot(robot: str) -> Robot:
    """The robot of a name or of a file.

    Raises:
        VlaError: there is none, or its file is not of the schema.
    """
    return read_robot(robot_file(robot))


def read_robot(path: Path) -> Robot:
    """The robot that a file describes.

    Raises:
        VlaError: it cannot be read, is not YAML, or a key is missing, unknown or wrong.
    """
    robot = read_typed(path, LARGEST_FILE, Robot)
    if robot.name != path.stem:
        raise VlaError(f'{path}: name: expected {path.stem!r}, as its file is called, found {robot.name!r}')
    return robot


def limits_of(robot: str) -> Path:
    """The file of limits that a robot's file names, beside which it is looked for."""
    path = robot_file(robot)
    return (path.parent / Path(read_robot(path).limits_file).expanduser()).resolve()


def for_robot(parameters: Mapping[str, Any], manifest: Manifest) -> dict[str, Any]:
    """Parameters of the action node with what they leave to the robot: ``limits_file`` and ``start_jump``.

    The robot is the one that ``robot`` names, else that of the bundle, if there is a file of that name.

    Args:
        parameters: what was given; an empty ``limits_file`` and a ``start_jump`` of 0, of all joints or of one, are as
            good as none.

    Returns:
        All of them; ``limits_file`` is a path, and '' if there is neither a robot nor a file.

    Raises:
        VlaError: no such robot or file, or the bundle is made for another arm.
    """
    robot = str(parameters.get('robot', ''))
    if robot:
        require_made_for(load_robot(robot), manifest)
    elif manifest.robot.name in robot_names():
        robot = manifest.robot.name
    values = dict(parameters)
    named = str(values.get('limits_file', ''))
    if named:
        path = Path(named).expanduser()
        values['limits_file'] = str(config_file(path.name) if path.parent == Path('.') else path)
    else:
        values['limits_file'] = str(limits_of(robot)) if robot else ''
    names, jumps = manifest.robot.joints, list(values.get('start_jump', ())) or [0.0]
    if 0 in jumps and len(jumps) in (1, len(names)):
        theirs = load_robot(robot).start_jumps(names) if robot else [START_JUMP] * len(names)
        ours = jumps * len(names) if len(jumps) == 1 else jumps
        values['start_jump'] = [our or their for our, their in zip(ours, theirs, strict=True)]
    return values


def require_made_for(robot: Robot, manifest: Manifest) -> None:
    """Refuse a bundle whose joints are not those of the robot; their order is the bundle's own affair.

    Raises:
        VlaError: the names or the number of joints differ.
    """
    expected, found = robot.joint_names, manifest.robot.joints
    if set(expected) == set(found):
        return
    raise VlaError(
        f'bundle {manifest.name!r} is made for another arm: expected the {len(expected)} joints of robot '
        f'{robot.name!r}, {", ".join(expected)}; found the {len(found)} of {manifest.robot.name!r}, '
        f'{", ".join(found)}; choose another bundle or robot'
    )
