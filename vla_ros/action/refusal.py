"""Why the guard refuses: the one list of reasons, with what each means and what a person can do about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class GuardReason(Enum):
    """Why a chunk or a plan is refused. The value is what is counted on /diagnostics.

    Attributes:
        meaning: one sentence.
        remedy: one sentence, to the person at the robot.
    """

    STOPPED = (
        'stopped',
        'The arm was stopped with `action/stop`, which holds until it is reset.',
        'Call `action/reset`, then `action/enable`.',
    )
    NOT_ENABLED = (
        'not_enabled',
        'Nobody has enabled the arm, or the clock jumped and disarmed it.',
        'Call `action/enable` with true.',
    )
    HOLD = (
        'hold',
        'The newest thought has no rows: no order, an order that is not thought through yet, unsure, or refused.',
        'Read `reasoning/decision`; it says which.',
    )
    STALE_OBSERVATION = (
        'stale_observation',
        'The visual tokens are missing, older than `max_token_age`, or stamped in the future.',
        "Look at the ages and rates of perception, and at the clocks of the cameras' machines.",
    )
    STALE_THOUGHT = (
        'stale_thought',
        'The thought is missing, older than `max_thought_age`, or stamped in the future.',
        'Give an instruction; then look at how long reasoning thinks, against `max_thought_age`.',
    )
    STALE_JOINT_STATE = (
        'stale_joint_state',
        'No joint state near enough in time says where all joints are and how fast.',
        'See that `joint_states` has all joints of the bundle, comes in time for `max_joint_state_age`, with stamps.',
    )
    EMPTY = (
        'empty',
        'The chunk or the plan has no points.',
        'Report it: the model or the planner is broken.',
    )
    WRONG_JOINTS = (
        'wrong_joints',
        'The chunk or the plan is not for the joints that there are limits for.',
        'Run `vla_ros inspect` on the bundle, and compare its joints with those of the robot.',
    )
    NON_FINITE = (
        'non_finite',
        'The chunk or the plan has NaN or infinite numbers.',
        'Run `vla_ros inspect` to verify the checksums of the bundle; on a GPU, try `provider` cpu.',
    )
    NOT_INCREASING = (
        'not_increasing',
        'The times of the plan do not go strictly upwards from 0, or the steps of the chunk take no time.',
        "Look at the bundle's `chunk.dt`; if that is positive, report it.",
    )
    TOO_LONG = (
        'too_long',
        'The chunk or the plan lasts longer than 5 s.',
        "Look at the bundle's `chunk.horizon` and `chunk.dt`.",
    )
    START_JUMP = (
        'start_jump',
        'The plan begins further from where the arm is than `start_jump` and 0.1 rad allow.',
        'See whether something blocks the arm or moves it by hand; if servos only lag, widen `start_jump`.',
    )
    POSITION_LIMIT = (
        'position_limit',
        'A joint would leave its position limits; for a chunk, by more than 0.1 rad.',
        'Compare `limits_file` and the zero positions of the joints with the robot that the model was trained on.',
    )
    VELOCITY_LIMIT = (
        'velocity_limit',
        'A joint would be faster than its limit.',
        'Let the arm come to rest, and see whether joint states report velocities that are not real.',
    )
    ACCELERATION_LIMIT = (
        'acceleration_limit',
        'A joint would accelerate more than its limit.',
        'Let the arm come to rest, and see whether joint states report velocities that are not real.',
    )
    JERK_LIMIT = (
        'jerk_limit',
        'The acceleration of a joint would change faster than its limit.',
        'Let the arm come to rest; if it goes on, the acceleration or jerk limits in `limits_file` are too tight.',
    )
    OUTSIDE_WORKSPACE = (
        'outside_workspace',
        'A link would leave the box of the workspace, or go further out of it.',
        'See where the arm is and where the order leads it; if the box is wrong, measure `workspace` again.',
    )
    BELOW_TABLE = (
        'below_table',
        'A link would come nearer to the table than its clearance.',
        'See where the arm is and where the order leads it; if it stays clear, measure `workspace` again.',
    )
    NOT_AT_REST_AT_END = (
        'not_at_rest_at_end',
        'The plan does not end at rest.',
        'Report it: the planner is broken.',
    )

    meaning: str
    remedy: str

    def __new__(cls, value: str, meaning: str = '', remedy: str = '') -> GuardReason:
        """A member whose value is the first of the three texts."""
        member = object.__new__(cls)
        member._value_ = value
        member.meaning, member.remedy = meaning, remedy
        return member


@dataclass(frozen=True)
class Refusal:
    """A reason to count and a sentence to read."""

    reason: GuardReason
    sentence: str
