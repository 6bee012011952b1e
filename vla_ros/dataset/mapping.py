"""What the numbers of somebody's recording mean, column by column: ``config/datasets/NAME.yaml``, of one schema.

A dataset says how its columns are called and never in which unit they are: LeRobot records an SO-101 in degrees or in
percent of each joint's range. So a person declares it here; nothing is guessed.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from vla_ros.dataset.layout import ACTION, IMAGES, STATE
from vla_ros.joint_units import JointColumn, Strict
from vla_ros.paths import named_yaml
from vla_ros.strict_yaml import read_typed

LARGEST_FILE = 100_000  # bytes

Key = Annotated[str, Field(min_length=1, max_length=200)]


class NamedColumn(JointColumn):
    """One number of a vector, by the ``name`` that the dataset has for it."""

    name: Key


class Vector(Strict):
    """A vector of a dataset. Every number of it is declared; what is of no use is ``ignored``."""

    key: Key
    columns: tuple[NamedColumn, ...] = Field(min_length=1, max_length=200)

    @model_validator(mode='after')
    def _each_once(self) -> Vector:
        for what, names in (('names', [c.name for c in self.columns]), ('joints', self.joints)):
            if len(set(names)) != len(names):
                raise ValueError(f'expected {what} that differ, found {list(names)}')
        return self

    @property
    def joints(self) -> tuple[str, ...]:
        """Those of ours that it tells, in its order."""
        return tuple(column.joint for column in self.columns if not column.ignored)


class CameraKey(Strict):
    """Which video is which camera of ours."""

    key: Key
    camera: str = Field(pattern=r'^[a-z][a-z0-9_]*$')


class DatasetMapping(Strict):
    """Somebody's columns as states and actions of ours.

    Attributes:
        state: measured positions. action: commanded ones, absolute, of the same joints in any order.
    """

    name: str = Field(pattern=r'^[a-z][a-z0-9_]*$', max_length=100)
    title: str = Field(min_length=1, max_length=1000)
    state: Vector
    action: Vector
    cameras: tuple[CameraKey, ...] = Field(max_length=16)

    @model_validator(mode='after')
    def _fits_together(self) -> DatasetMapping:
        if set(self.state.joints) != set(self.action.joints):
            raise ValueError(
                f'action: expected the joints of state, {sorted(self.state.joints)}, '
                f'found {sorted(self.action.joints)}'
            )
        names = [entry.camera for entry in self.cameras]
        if len(set(names)) != len(names):
            raise ValueError(f'cameras: expected names that differ, found {names}')
        return self


def load_mapping(mapping: str) -> DatasetMapping:
    """The mapping of a name in ``config/datasets``, or of the path of a file.

    Raises:
        VlaError: there is none, or a key is missing, unknown or wrong.
    """
    return read_typed(named_yaml('datasets', mapping, 'mapping'), LARGEST_FILE, DatasetMapping)


def in_radians(joints: tuple[str, ...], cameras: tuple[str, ...]) -> DatasetMapping:
    """That of a dataset of our own: rad, and its own names."""
    columns = tuple(NamedColumn(name=joint, joint=joint) for joint in joints)
    return DatasetMapping(
        name='own',
        title='Recorded by vla_ros',
        state=Vector(key=STATE, columns=columns),
        action=Vector(key=ACTION, columns=columns),
        cameras=tuple(CameraKey(key=IMAGES + camera, camera=camera) for camera in cameras),
    )
