"""What a served policy wants and gives, number by number: ``config/policies/NAME.yaml``, of one typed schema.

No server says of itself in which units, order and sense its numbers are, so a person declares it here. What is
declared but cannot be turned into joint positions (poses of the hand, velocities) is refused with the reason.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from vla_ros.joint_units import JointColumn, Strict
from vla_ros.manifest import Manifest
from vla_ros.paths import named_yaml
from vla_ros.strict_yaml import read_typed
from vla_ros.types import VlaError

LARGEST_FILE = 100_000  # bytes
LONGEST_CHUNK = 5.0  # seconds; the guard takes no longer one

Key = Annotated[str, Field(min_length=1, max_length=200)]
Representation = Literal['absolute', 'relative', 'delta', 'velocity']


class Column(JointColumn):
    """One number of a vector of the policy; ``representation`` is of this one alone, where it differs from the rest."""

    representation: Representation | None = None


class Picture(Strict):
    """Which camera of the bundle goes where; rgb, at the size that the bundle gives it."""

    key: Key
    camera: str = Field(pattern=r'^[a-z][a-z0-9_]*$')


class State(Strict):
    """A vector of measured joint positions."""

    key: Key
    columns: tuple[Column, ...] = Field(min_length=1, max_length=200)


class Actions(Strict):
    """A matrix of the answer, one row a step: 'relative' to where the joints were, 'delta' to the step before."""

    key: Key
    space: Literal['joint', 'end_effector']
    representation: Representation
    columns: tuple[Column, ...] = Field(min_length=1, max_length=200)


class PolicyFile(Strict):
    """A served policy. ``horizon`` rows, ``dt`` seconds apart; the first is due ``dt`` after the pictures.

    Attributes:
        prompt: which words go to it: the subtask that System 2 chose, or the person's own.
        metadata: what the server must say of itself (openpi); more may be there.
    """

    name: str = Field(pattern=r'^[a-z][a-z0-9_]*$', max_length=100)
    title: str = Field(min_length=1, max_length=1000)
    backend: Literal['openpi', 'groot', 'smolvla', 'groot_onnx']
    prompt: Literal['subtask', 'instruction']
    prompt_key: Key
    horizon: int = Field(gt=0, le=1000)
    dt: float = Field(ge=0.001, le=1.0)
    pictures: tuple[Picture, ...] = Field(min_length=1, max_length=16)
    state: tuple[State, ...] = Field(min_length=1, max_length=50)
    actions: tuple[Actions, ...] = Field(min_length=1, max_length=50)
    metadata: dict[str, Any] = {}

    @model_validator(mode='after')
    def _keys_differ(self) -> PolicyFile:
        asked = [picture.key for picture in self.pictures] + [state.key for state in self.state]
        asked.append(self.prompt_key)
        for what, keys in (('of the question', asked), ('of actions', [entry.key for entry in self.actions])):
            if len(set(keys)) != len(keys):
                raise ValueError(f'expected keys {what} that differ, found {keys}')
        if self.horizon * self.dt > LONGEST_CHUNK:
            raise ValueError(
                f'expected horizon * dt of at most {LONGEST_CHUNK} s, found {self.horizon * self.dt:g} s'
            )
        return self


def load_policy_file(policy: str) -> PolicyFile:
    """The policy of a name in ``config/policies``, or of the path of a file.

    Raises:
        VlaError: there is none, or a key is missing, unknown or wrong.
    """
    path = named_yaml('policies', policy, "parameter 'policy'")
    file = read_typed(path, LARGEST_FILE, PolicyFile)
    if file.name != path.stem:
        raise VlaError(f'{path}: name: expected {path.stem!r}, as its file is called, found {file.name!r}')
    return file


def require_mappable(file: PolicyFile, manifest: Manifest) -> None:
    """Refuse a policy whose numbers cannot be turned into positions of the bundle's joints, and back.

    Raises:
        VlaError: in one sentence, what cannot.
    """
    joints, cameras = manifest.robot.joints, {camera.name for camera in manifest.cameras}

    def refuse(key: str, sentence: str) -> None:
        raise VlaError(f'policy {file.name!r}: {key}: {sentence}')

    for picture in file.pictures:
        if picture.camera not in cameras:
            refuse(
                picture.key, f'expected a camera of the bundle, {sorted(cameras)}, found {picture.camera!r}'
            )
    for state in file.state:
        for column in state.columns:
            if column.ignored or column.representation is not None:
                refuse(state.key, 'expected a joint, measured; nothing else is known of the robot')
            if column.joint not in joints:
                refuse(state.key, f'expected joints of the bundle, {list(joints)}, found {column.joint!r}')
    moved = []
    for actions in file.actions:
        if actions.space != 'joint':
            refuse(
                actions.key,
                f'expected space joint, found {actions.space}; nothing here solves for the joints',
            )
        for column in actions.columns:
            if not column.ignored and (column.representation or actions.representation) == 'velocity':
                refuse(
                    actions.key, 'expected positions, found velocities, which drift when a chunk is cut short'
                )
            if not column.ignored:
                moved.append(column.joint)
    if sorted(moved) != sorted(joints):
        refuse('actions', f'expected each joint of the bundle once, {sorted(joints)}, found {sorted(moved)}')
