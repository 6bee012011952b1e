"""The limits in force as a message, and the workspace back from it. Pure functions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus

from vla_ros.action.limits import JointLimits
from vla_ros.nodes.messages import diagnostics_message
from vla_ros.types import DoubleArray, VlaError

LOWER, UPPER, TABLE = 'workspace min [m]', 'workspace max [m]', 'table height [m]'


@dataclass(frozen=True)
class Box:
    """Where links may be: corners (3,) in metres in the base, and the height of the table."""

    lower: DoubleArray
    upper: DoubleArray
    table_height: float


def limits_message(limits: JointLimits, stamp: int) -> DiagnosticArray:
    """What a guard holds every plan to: a sentence for each joint, and the workspace in numbers if there is one."""
    values = dict(sentence.split(': ', 1) for sentence in limits.describe())
    workspace = limits.workspace
    if workspace is not None:
        values[LOWER], values[UPPER] = (
            ' '.join(repr(float(v)) for v in corner) for corner in (workspace.lower, workspace.upper)
        )
        values[TABLE] = repr(workspace.table_height)
    summary = f'limits of {len(limits.names)} joints' + ('' if workspace else ', and no workspace')
    return diagnostics_message('action: limits', DiagnosticStatus.OK, summary, values, stamp)


def box_from_message(message: DiagnosticArray) -> Box | None:
    """The workspace that a message tells; None if it tells none.

    Raises:
        VlaError: it has no status, or what it says are not numbers of metres.
    """
    if not message.status:
        raise VlaError('limits: expected a status, found none')
    told = {pair.key: pair.value for pair in message.status[0].values}
    if not {LOWER, UPPER, TABLE} & set(told):
        return None
    lower, upper, (height,) = _numbers(told, LOWER, 3), _numbers(told, UPPER, 3), _numbers(told, TABLE, 1)
    if not (lower < upper).all():
        raise VlaError(f'limits: {LOWER} {lower.tolist()} is not below {UPPER} {upper.tolist()}')
    return Box(lower, upper, float(height))


def _numbers(told: dict[str, str], key: str, count: int) -> DoubleArray:
    try:
        values = np.array([float(part) for part in told.get(key, '').split()])
    except ValueError:
        values = np.array([])
    if len(values) != count or not np.isfinite(values).all():
        raise VlaError(f'limits: {key}: expected {count} numbers, found {told.get(key)!r}')
    return values
