"""Joints that are measured where they cannot have got to are found out; what hands and servos do is not minded."""

from __future__ import annotations

import numpy as np
import pytest

from vla_ros.action.jump import jump_between
from vla_ros.action.limits import JointLimits
from vla_ros.types import NANOSECONDS, JointSample

LIMITS = JointLimits(
    ('lift', 'gripper'), *(np.array(pair, float) for pair in ((-2, -2), (2, 2), (2, 2), (12, 12), (400, 400)))
)
START_JUMP = (0.25, 1.0)


def at(seconds: float, *positions: float) -> JointSample:
    return JointSample(round(seconds * NANOSECONDS), np.array(positions), np.zeros(2))


@pytest.mark.parametrize(
    ('after', 'named'),
    [
        (at(1.02, 0.28, 0.0), ''),
        (at(1.02, 0.30, 0.0), 'lift'),
        (at(1.02, -0.30, 0.9), 'lift'),
        (at(1.02, 0.0, 0.9), ''),
        (at(1.02, 0.0, 1.1), 'gripper'),
        (at(1.00, 0.2, 0.0), ''),
        (at(2.00, 2.2, 0.0), ''),
        (at(2.00, 2.3, 0.0), 'lift'),
    ],
)
def test_given_two_samples_the_joint_that_cannot_have_got_there_is_named(
    after: JointSample, named: str
) -> None:
    sentence = jump_between(at(1.0, 0.0, 0.0), after, LIMITS, START_JUMP)

    assert sentence.split(' ')[0] == named


def test_the_sentence_says_how_far_and_in_which_time() -> None:
    sentence = jump_between(at(1.0, 0.0, 0.0), at(1.02, 0.6, 0.0), LIMITS, 0.25)

    assert sentence == 'lift jumped by 0.600 rad in 0.020 s'
