"""Limits of a motion, read from a ``joint_limits.yaml`` with MoveIt's keys. No limits, no motion."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from vla_ros.action.workspace import Workspace, read_workspace
from vla_ros.types import DoubleArray, VlaError

# Beyond these, a file is more likely to be in degrees, or made for another robot, than to be meant.
FASTEST_SENSIBLE_VELOCITY = 2 * math.pi  # rad/s
FASTEST_SENSIBLE_ACCELERATION = 100.0  # rad/s^2
FASTEST_SENSIBLE_JERK = 10_000.0  # rad/s^3
WIDEST_SENSIBLE_RANGE = 4 * math.pi  # rad


@dataclass(frozen=True)
class JointLimits:
    """Limits of J joints, each array (J,): rad, rad/s, rad/s^2, rad/s^3.

    A joint that turns freely has infinite position limits. Without a ``workspace``, links may be anywhere.
    """

    names: tuple[str, ...]
    min_position: DoubleArray
    max_position: DoubleArray
    max_velocity: DoubleArray
    max_acceleration: DoubleArray
    max_jerk: DoubleArray
    workspace: Workspace | None = None

    def describe(self) -> list[str]:
        """Sentences for the log: what is in force."""
        columns = (
            self.min_position,
            self.max_position,
            self.max_velocity,
            self.max_acceleration,
            self.max_jerk,
        )
        sentences = [
            f'{name}: {low:g} to {high:g} rad, {velocity:g} rad/s, {acceleration:g} rad/s^2, {jerk:g} rad/s^3'
            for name, low, high, velocity, acceleration, jerk in zip(self.names, *columns, strict=True)
        ]
        if self.workspace is not None:
            sentences.append(f'workspace: {self.workspace.describe()}')
        return sentences


def load_limits(path: str | Path, joint_names: Sequence[str]) -> JointLimits:
    """Read the limits of ``joint_names``, in that order, and the workspace; other joints in the file are ignored.

    Raises:
        VlaError: no such file, not YAML, a joint or a key missing, a limit switched off or not positive. Only
            position limits may be switched off, with ``has_position_limits: false``.
    """
    content = _read(Path(path))
    if not joint_names:
        raise VlaError(f'{path}: no joint names were given, so no limits apply.')
    rows = [_joint(path, name, content['joint_limits'].get(name)) for name in joint_names]
    lower, upper, velocity, acceleration, jerk = np.array(rows, dtype=float).T
    workspace = None
    if 'workspace' in content:
        workspace = read_workspace(Path(path), content['workspace'], joint_names)
    return JointLimits(tuple(joint_names), lower, upper, velocity, acceleration, jerk, workspace)


def absurdities(limits: JointLimits) -> list[str]:
    """Sentences for a person about limits that are valid but hardly meant; empty if all look sensible."""
    found = []
    checks = (
        ('max_velocity', limits.max_velocity, FASTEST_SENSIBLE_VELOCITY, 'rad/s'),
        ('max_acceleration', limits.max_acceleration, FASTEST_SENSIBLE_ACCELERATION, 'rad/s^2'),
        ('max_jerk', limits.max_jerk, FASTEST_SENSIBLE_JERK, 'rad/s^3'),
        ('position range', limits.max_position - limits.min_position, WIDEST_SENSIBLE_RANGE, 'rad'),
    )
    for what, values, largest, unit in checks:
        for name, value in zip(limits.names, values, strict=True):
            if largest < value < math.inf:
                found.append(f'{name}: {what} {value:g} {unit} is above {largest:.4g}; is it in degrees?')
    if limits.workspace is None:
        found.append('The file of limits has no workspace: links may go anywhere, through the table, too.')
    else:
        found += limits.workspace.warnings
    return found


def _read(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding='utf-8'))
    except OSError as error:
        raise VlaError(f'{path}: cannot be read ({error.strerror}); without limits nothing moves.') from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise VlaError(f'{path}: is not YAML ({str(error).splitlines()[0]}).') from error
    joints = content.get('joint_limits') if isinstance(content, dict) else None
    if not isinstance(joints, dict):
        raise VlaError(f'{path}: joint_limits: expected a mapping, found {type(joints).__name__}.')
    return content


def _joint(path: str | Path, name: str, entry: object) -> tuple[float, ...]:
    """(min_position, max_position, max_velocity, max_acceleration, max_jerk) of one joint."""
    where = f'{path}: joint_limits.{name}'
    if not isinstance(entry, dict):
        raise VlaError(f'{where} is missing; give the limits of this joint.')

    def switch(key: str) -> bool:
        value = entry.get(key)
        if not isinstance(value, bool):
            raise VlaError(f'{where}.{key}: expected true or false, found {value!r}.')
        return value

    def number(key: str) -> float:
        value = entry.get(key)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            raise VlaError(f'{where}.{key}: expected a finite number, found {value!r}.')
        return float(value)

    lower, upper = -math.inf, math.inf
    if switch('has_position_limits'):
        lower, upper = number('min_position'), number('max_position')
        if lower >= upper:
            raise VlaError(f'{where}: min_position {lower:g} is not below max_position {upper:g}.')
    largest = []
    for quantity in ('velocity', 'acceleration', 'jerk'):
        if not switch(f'has_{quantity}_limits'):
            raise VlaError(f'{where}.has_{quantity}_limits is false; a motion needs this limit.')
        value = number(f'max_{quantity}')
        if value <= 0:
            raise VlaError(f'{where}.max_{quantity}: expected a positive number, found {value:g}.')
        largest.append(value)
    return (lower, upper, *largest)
