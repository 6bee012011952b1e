"""Why the guard refuses: the one list of reasons."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class GuardReason(Enum):
    """Why a chunk or a plan is refused."""

    STOPPED = 'stopped'
    NOT_ENABLED = 'not_enabled'
    HOLD = 'hold'
    STALE_OBSERVATION = 'stale_observation'
    STALE_THOUGHT = 'stale_thought'
    STALE_JOINT_STATE = 'stale_joint_state'
    EMPTY = 'empty'
    WRONG_JOINTS = 'wrong_joints'
    NON_FINITE = 'non_finite'
    NOT_INCREASING = 'not_increasing'
    TOO_LONG = 'too_long'
    START_JUMP = 'start_jump'
    POSITION_LIMIT = 'position_limit'
    VELOCITY_LIMIT = 'velocity_limit'
    ACCELERATION_LIMIT = 'acceleration_limit'
    JERK_LIMIT = 'jerk_limit'
    OUTSIDE_WORKSPACE = 'outside_workspace'
    BELOW_TABLE = 'below_table'
    NOT_AT_REST_AT_END = 'not_at_rest_at_end'


@dataclass(frozen=True)
class Refusal:
    """A reason to count and a sentence to read."""

    reason: GuardReason
    sentence: str
