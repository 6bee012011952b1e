"""A replay in lockstep: the same each time, as the nodes behave, and at rest soon after a fault."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest
from replay_bags import GO, NO, Obedient, Swing, make_model, stream

from vla_ros.evaluation.replay.agenda import Agenda, SimulatedWorker
from vla_ros.evaluation.replay.course import course_of
from vla_ros.evaluation.replay.faults import Fault, inject
from vla_ros.evaluation.replay.lockstep import ahead, lockstep
from vla_ros.evaluation.replay.outcome import decisions_sha256, trajectories_sha256
from vla_ros.evaluation.replay.rest import rest_after
from vla_ros.evaluation.replay.stream import (
    CameraFrame,
    End,
    Instruction,
    Message,
    Unreadable,
    looped,
)
from vla_ros.evaluation.replay.timing import ReplayTiming
from vla_ros.reasoning.orders import ReasoningSettings
from vla_ros.types import NANOSECONDS, Verdict, VlaError

TIMING = ReplayTiming()


def digest(outcome):
    return trajectories_sha256(outcome.sent, outcome.replayed.plans.values), decisions_sha256(
        outcome.replayed
    )


def with_words(messages, *said):
    """The messages with other instructions: (seconds, words)."""
    others = [m for m in messages if not isinstance(m, (Instruction, End))]
    words = [Instruction(round(at * NANOSECONDS), text) for at, text in said]
    return [*sorted([*others, *words], key=lambda m: m.at), messages[-1]]


def test_five_replays_give_the_same_trajectories_to_the_last_bit_however_long_thinking_takes() -> None:
    class Moody(Obedient):
        def think(self, tokens, instruction, on_text=None):
            time.sleep(0.001 * (len(self.thoughts) % 4))
            return super().think(tokens, instruction, on_text)

    reasoner = Moody()
    outcomes = [lockstep(stream(3.0), make_model(reasoner=reasoner)) for _ in range(5)]

    assert len({digest(outcome) for outcome in outcomes}) == 1
    assert len(outcomes[0].replayed.plans) > 5


def test_a_policy_that_differs_by_a_billionth_gives_other_trajectories() -> None:
    first, second = (lockstep(stream(3.0), make_model(Swing(speed))) for speed in (0.4, 0.4 + 1e-9))

    assert digest(first)[0] != digest(second)[0]
    assert digest(first)[1] == digest(second)[1]


def test_thoughts_and_plans_take_as_long_as_the_timing_says() -> None:
    timing = ReplayTiming(encoding=0.03, planning=0.05, thinking=0.4)

    outcome = lockstep(stream(3.0), make_model(), timing)

    # The order at 0.5 s is thought about with tokens that are there; the next ones after that come at 0.935 s.
    assert outcome.replayed.decisions.times[0] == pytest.approx(0.9, abs=1e-6)
    assert outcome.replayed.plans.times[0] == pytest.approx(0.935 + 0.05)
    assert outcome.latencies['camera to trajectory by the timing model'] == pytest.approx([0.085] * 11)
    gaps = np.diff(outcome.replayed.plans.times)
    assert set(np.round(gaps, 6)) == {0.2}


def test_only_frames_that_somebody_looks_at_are_encoded_and_each_is_decoded_once() -> None:
    decoded, encoded = [], []
    model = make_model()

    def picture(k):
        decoded.append(k)
        return np.zeros((6, 8, 3), np.uint8)

    def encode(frames):
        encoded.append(frames[0].stamp)
        return model.encode(frames)

    outcome = lockstep(stream(4.0, image=picture), replace(model, encode=encode))

    used = len(outcome.replayed.plans) + len([d for d in outcome.replayed.decisions.values if d.trace])
    assert 0 < len(encoded) == len(set(encoded)) <= used < 40
    assert len(decoded) == 2 * len(set(decoded))  # each frame of a set once


def test_nothing_moves_before_a_thought_about_the_instruction_and_after_it_is_withdrawn() -> None:
    outcome = lockstep(with_words(stream(4.0), (1.0, GO), (2.5, '')), make_model())

    assert outcome.replayed.plans.times[0] > 1.0 + TIMING.thinking
    assert [(round(brake.at, 3), brake.why) for brake in outcome.brakes] == [
        (2.5, 'the thought says hold still')
    ]
    assert outcome.replayed.plans.times[-1] == pytest.approx(2.5)


def test_a_refused_order_moves_nothing_and_is_decided() -> None:
    outcome = lockstep(stream(2.0, NO), make_model())

    assert outcome.replayed.decisions.values[-1].verdict is Verdict.REFUSED
    assert len(outcome.replayed.plans) == 0
    assert outcome.refusals == ()


def test_a_new_order_withdraws_the_thought_that_is_under_way() -> None:
    outcome = lockstep(with_words(stream(3.0), (1.0, GO), (1.1, NO)), make_model())

    assert {decision.instruction for decision in outcome.replayed.decisions.values} == {NO}
    assert len(outcome.replayed.plans) == 0


def test_a_thought_that_cannot_be_had_is_a_counted_refusal_and_the_replay_goes_on() -> None:
    class Choking(Obedient):
        def think(self, tokens, instruction, on_text=None):
            super().think(tokens, instruction)
            if len(self.thoughts) == 1:
                raise VlaError('too long; say it shorter')
            if len(self.thoughts) == 2:
                raise RuntimeError('out of memory')
            return super().think(tokens, instruction)

    outcome = lockstep(stream(4.0), make_model(reasoner=Choking()))

    assert outcome.refused() == {'reasoning': {'internal_error': 1, 'reasoning_refused': 1}}
    assert len(outcome.replayed.plans) > 0


def test_an_instruction_that_is_too_long_is_refused() -> None:
    outcome = lockstep(
        stream(1.0, 'a' * 60), make_model(reasoning=ReasoningSettings(max_instruction_length=50))
    )

    assert outcome.refused() == {'reasoning': {'long_instruction': 1}}


@pytest.mark.parametrize(
    ('kind', 'latest', 'counted'),
    [
        ('camera_gap', 1.0, ('action', 'stale_observation')),
        ('stale_camera', 1.0, ('perception', 'stale_frame')),
        ('joints_gap', 0.6, ('action', 'stale_joint_state')),
        ('frozen_joints', 0.6, ('action', 'stale_joint_state')),
    ],
)
def test_after_a_fault_the_arm_rests_in_time_says_why_and_moves_again_when_it_is_over(
    kind: str, latest: float, counted: tuple[str, str]
) -> None:
    fault = Fault(kind, 2.0, 2.0)

    outcome = lockstep(inject(stream(6.0), fault), make_model())
    rest = rest_after(outcome.replayed, fault, outcome.seconds)

    assert rest.moved
    assert rest.seconds_to_rest is not None and 0.1 < rest.seconds_to_rest < latest
    assert rest.seconds_to_motion is not None and rest.seconds_to_motion < 1.2
    node, reason = counted
    assert outcome.refused()[node][reason] >= 1


def test_without_a_fault_the_arm_does_not_rest() -> None:
    outcome = lockstep(stream(6.0), make_model())

    assert (
        rest_after(outcome.replayed, Fault('camera_gap', 2.0, 2.0), outcome.seconds).seconds_to_rest is None
    )
    assert (outcome.brakes, outcome.refusals) == ((), ())


def test_a_clock_that_jumps_back_disarms_until_the_next_instruction() -> None:
    words = with_words(stream(6.0), (0.5, GO), (4.0, 'touch the blue cube'))

    outcome = lockstep(inject(words, Fault('clock_back', 2.0, 10.0)), make_model())

    assert outcome.refused()['action']['clock_went_back'] >= 1
    times = np.array(outcome.replayed.plans.times)
    assert not ((times > 2.1) & (times < 4.0)).any()
    assert (times > 4.0).any()


def test_each_lap_of_a_loop_but_the_first_gives_the_same_plans() -> None:
    # In the first one the order is new; later it is said again, and the last thought about it still holds.
    outcome = lockstep(looped(lambda: stream(3.0), 3), make_model())

    plans = outcome.replayed.plans
    first, second = plans.between(3.5, 6.0), plans.between(6.5, 9.0)
    assert len(first) == len(second) > 5
    assert np.allclose(np.array(first.times) + 3.0, second.times, atol=1e-9)
    for one, other in zip(first.values, second.values, strict=True):
        np.testing.assert_array_equal(one.positions, other.positions)


def test_what_cannot_be_read_is_refused_as_by_the_node() -> None:
    def torn():
        raise VlaError('image data: expected 144 bytes, found 3')

    messages: list[Message] = []
    for message in stream(3.0):
        if isinstance(message, CameraFrame) and message.camera == 'wrist' and message.at < NANOSECONDS:
            message = replace(message, image=torn)
        messages.append(message)
    messages.insert(5, Unreadable(messages[4].at, 'action', 'bad_joint_states', 'a number is not finite'))

    outcome = lockstep(messages, make_model())

    assert outcome.refused() == {'action': {'bad_joint_states': 1}, 'perception': {'bad_image': 10}}
    assert outcome.replayed.plans.times[0] > 1.0


def test_a_recording_that_ends_badly_ends_the_replay_with_its_error() -> None:
    def cut():
        yield from stream(3.0)[:100]
        raise VlaError('cut off')

    with pytest.raises(VlaError, match='cut off'):
        lockstep(cut(), make_model())


def test_the_course_has_a_place_every_20th_of_a_second_and_nothing_before_the_first_plan() -> None:
    outcome = lockstep(stream(3.0), make_model())
    course = course_of(outcome.replayed, outcome.seconds)

    assert course.positions.shape == (61, 2)
    first = outcome.replayed.plans.times[0]
    assert np.isnan(course.positions[course.times < first]).all()
    assert np.isfinite(course.positions[course.times >= first]).all()
    assert course.moving[course.times > first + 0.1][:-1].mean() > 0.8


def test_running_ahead_changes_no_order_and_holds_back_no_message() -> None:
    assert list(ahead(iter(stream(1.0)), NANOSECONDS // 2))[-1] == End(NANOSECONDS)
    seen = [m.at for m in ahead(iter(stream(1.0)), NANOSECONDS // 2)]
    assert seen == [m.at for m in stream(1.0)]


def test_a_simulated_worker_takes_the_newest_job_when_it_is_free() -> None:
    agenda, done = Agenda(), []
    worker = SimulatedWorker(agenda, 10, lambda job: job, lambda job, _: done.append((agenda.now, job)))
    for at, job in ((0, 'a'), (3, 'b'), (4, 'c'), (25, 'd'), (30, 'e')):
        agenda.run_until(at)
        worker.submit(job)
    agenda.run_until(31)
    worker.abandon()
    agenda.run_until(100)

    assert done == [(10, 'a'), (20, 'c')]
