"""Parts, loops and faults of a bag, as pure functions on its messages."""

from __future__ import annotations

import pytest
from replay_bags import BEGAN, GO, stream

from vla_ros.evaluation.replay.clock import ClockSource, TimeLine, choose
from vla_ros.evaluation.replay.faults import KINDS, Fault, inject, parse_fault
from vla_ros.evaluation.replay.stream import (
    CameraFrame,
    ClockSet,
    End,
    Instruction,
    Joints,
    instructed,
    looped,
    part,
)
from vla_ros.types import NANOSECONDS, VlaError

SECOND = NANOSECONDS


def of(kind, messages):
    return [message for message in messages if isinstance(message, kind)]


def seconds(messages):
    return [message.at / SECOND for message in messages]


def test_a_part_begins_at_zero_with_the_clock_of_its_beginning_and_what_was_said_before() -> None:
    found = list(part(stream(4.0), 2.0, 1.0))

    assert found[0] == ClockSet(0, BEGAN + 2 * SECOND)
    assert found[1] == Instruction(0, GO)
    assert of(Joints, found)[0].sample.stamp == BEGAN + 2 * SECOND
    assert of(Joints, found)[0].at == 0
    assert found[-1] == End(SECOND)
    assert len(of(Joints, found)) == 50


def test_the_whole_is_a_part() -> None:
    whole = list(part(stream(1.0), 0.0, None))

    assert [(type(m), m.at) for m in whole] == [(type(m), m.at) for m in stream(1.0)]


def test_a_part_beyond_the_end_has_no_length() -> None:
    assert list(part(stream(1.0), 5.0, None))[-1] == End(0)


def test_a_loop_goes_on_with_the_time_line_and_back_with_the_clock() -> None:
    found = list(looped(lambda: stream(1.0), 3))

    assert of(ClockSet, found) == [ClockSet(k * SECOND, BEGAN) for k in range(3)]
    assert of(End, found) == [End(3 * SECOND)]
    assert seconds(found) == sorted(seconds(found))


def test_words_of_the_command_line_take_the_place_of_those_in_the_bag() -> None:
    found = list(instructed(stream(1.0), 'wave'))

    assert of(Instruction, found) == [Instruction(0, 'wave')]
    assert isinstance(found[0], ClockSet)


def test_a_camera_gap_has_no_frames_and_everything_else() -> None:
    found = list(inject(stream(3.0), Fault('camera_gap', 1.0, 1.0)))

    assert not [at for at in seconds(of(CameraFrame, found)) if 1.0 <= at < 2.0]
    assert len(of(CameraFrame, found)) == 40
    assert len(of(Joints, found)) == 150


def test_stale_frames_arrive_a_second_after_they_were_taken() -> None:
    frames = of(CameraFrame, inject(stream(3.0), Fault('stale_camera', 1.0, 1.0)))

    ages = [round((BEGAN + frame.at - frame.stamp) / SECOND, 3) for frame in frames]
    assert set(ages) == {0.005, 1.005}
    assert ages.count(1.005) == 20


def test_frozen_joints_repeat_their_last_state_with_its_stamp() -> None:
    joints = of(Joints, inject(stream(3.0), Fault('frozen_joints', 1.0, 1.0)))

    assert {joint.sample.stamp for joint in joints if 1.0 <= joint.at / SECOND < 2.0} == {BEGAN + 980_000_000}
    assert joints[-1].sample.stamp == BEGAN + 2_980_000_000


def test_a_joint_gap_has_no_joints_and_all_frames() -> None:
    found = list(inject(stream(3.0), Fault('joints_gap', 1.0, 1.0)))

    assert len(of(Joints, found)) == 100
    assert len(of(CameraFrame, found)) == 60


def test_a_clock_that_jumps_back_takes_the_stamps_along() -> None:
    found = list(inject(stream(3.0), Fault('clock_back', 1.0, 5.0)))

    assert of(ClockSet, found) == [ClockSet(0, BEGAN), ClockSet(SECOND, BEGAN - 4 * SECOND)]
    assert of(Joints, found)[-1].sample.stamp == BEGAN - 5 * SECOND + 2_980_000_000
    assert of(CameraFrame, found)[-1].stamp == BEGAN - 5 * SECOND + 2_900_000_000


@pytest.mark.parametrize('kind', sorted(KINDS))
def test_no_fault_changes_the_order_or_the_length(kind: str) -> None:
    found = list(inject(stream(2.0), Fault(kind, 0.7, 0.5)))

    assert seconds(found) == sorted(seconds(found))
    assert found[-1] == End(2 * SECOND)


def test_a_fault_is_written_as_kind_begin_and_length() -> None:
    assert parse_fault('camera_gap@12.5+2') == Fault('camera_gap', 12.5, 2.0)
    for wrong in ('camera_gap', 'flood@1+1', 'camera_gap@-1+2', 'camera_gap@1'):
        with pytest.raises(VlaError, match='fault: expected'):
            parse_fault(wrong)


def test_the_time_line_never_goes_back_and_shortens_long_gaps() -> None:
    line = TimeLine()

    told = [line.advance(clock * SECOND) for clock in (100, 101, 40, 41, 5000)]

    assert told == [True, False, True, False, True]
    assert line.at == (1 + 0 + 1 + 10) * SECOND


def test_simulated_stamps_without_a_clock_are_noticed_and_the_way_out_is_said() -> None:
    pairs = [(1_700_000_000 * SECOND, 12 * SECOND)]

    with pytest.raises(VlaError, match="'--clock stamps'"):
        choose(ClockSource.AUTO, False, pairs)
    assert choose(ClockSource.STAMPS, False, pairs) is ClockSource.STAMPS
    assert choose(ClockSource.AUTO, True, pairs) is ClockSource.CLOCK
    assert choose(ClockSource.AUTO, False, [(5 * SECOND, 5 * SECOND)]) is ClockSource.RECORDED
    with pytest.raises(VlaError, match='found none'):
        choose(ClockSource.CLOCK, False, pairs)
