"""Our joints to a policy's numbers and back. Pure functions; exact but for rounding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from vla_ros.action.remote.errors import ServerError
from vla_ros.action.remote.policy_file import Column, PolicyFile
from vla_ros.types import DoubleArray, FloatArray


def state_vector(columns: Sequence[Column], joints: Sequence[str], positions: DoubleArray) -> FloatArray:
    """Measured positions (J,) rad, in the order of ``joints``, as the numbers (K,) of a vector of the policy."""
    numbers = []
    for column in columns:
        slope, offset = column.line
        numbers.append((positions[joints.index(column.joint)] - offset) / slope)
    return np.array(numbers, np.float32)


def joint_targets(
    file: PolicyFile,
    joints: Sequence[str],
    measured: DoubleArray,
    answer: Mapping[str, npt.NDArray[np.generic]],
) -> DoubleArray:
    """Absolute targets (horizon, J) rad of a policy's answer.

    Args:
        joints: the order of the result's columns; each is named once in ``file.actions``.
        measured: (J,) rad, where the joints were when the policy was asked.
        answer: by key, (horizon, K) numbers as the policy gave them.

    Raises:
        ServerError: a matrix is missing, of another shape, or not all finite numbers.
    """
    targets = np.empty((file.horizon, len(joints)))
    for actions in file.actions:
        numbers = _checked(answer, actions.key, (file.horizon, len(actions.columns)))
        for index, column in enumerate(actions.columns):
            if column.ignored:
                continue
            joint, (slope, offset) = joints.index(column.joint), column.line
            theirs = numbers[:, index]
            representation = column.representation or actions.representation
            if representation == 'absolute':
                targets[:, joint] = offset + slope * theirs
            elif representation == 'relative':
                targets[:, joint] = measured[joint] + slope * theirs
            else:
                targets[:, joint] = measured[joint] + slope * np.cumsum(theirs)
    return targets


def _checked(answer: Mapping[str, npt.NDArray[np.generic]], key: str, shape: tuple[int, int]) -> DoubleArray:
    found = answer.get(key)
    if found is None:
        raise ServerError(f'answer: expected {key!r}, found {sorted(map(str, answer))[:20]}')
    if found.shape != shape or found.dtype.kind not in 'fiu':
        raise ServerError(f'answer {key!r}: expected numbers {shape}, found {found.dtype} {found.shape}')
    numbers = found.astype(np.float64)
    if not np.isfinite(numbers).all():
        raise ServerError(f'answer {key!r}: expected finite numbers, found NaN or infinity')
    return numbers
