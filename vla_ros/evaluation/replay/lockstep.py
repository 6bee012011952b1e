"""A replay in lockstep: every message in its order, as fast as the model computes, the same each time.

Eyes and System 2 run a little ahead of the arm, in a thread of their own: they depend on the bag alone. What the result
is does not depend on how fast anything runs, only when it is there.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

from vla_ros.evaluation.replay.arm import Arm
from vla_ros.evaluation.replay.mind import Mind
from vla_ros.evaluation.replay.model import Model
from vla_ros.evaluation.replay.outcome import Outcome, Refused
from vla_ros.evaluation.replay.seen import Eyes
from vla_ros.evaluation.replay.stream import Message
from vla_ros.evaluation.replay.timing import ReplayTiming
from vla_ros.types import NANOSECONDS

AHEAD = 2 * NANOSECONDS
"""How far the mind runs ahead of the arm; frames of this long are held in memory."""


def lockstep(messages: Iterable[Message], model: Model, timing: ReplayTiming | None = None) -> Outcome:
    """Feed messages through the model.

    Raises:
        VlaError: the messages cannot be read to their end.
    """
    timing = timing or ReplayTiming()
    refusals: list[Refused] = []
    eyes = Eyes(model.encode)
    with ThreadPoolExecutor(1, 'thinking') as pool:
        mind = Mind(model, timing, eyes, pool, refusals)
        arm = Arm(model, timing, refusals)
        try:
            arm.follow(ahead(mind.follow(messages), AHEAD))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return arm.outcome(eyes.seconds)


def ahead(messages: Iterable[Message], nanoseconds: int) -> Iterator[Message]:
    """The same messages, each given only when those of the next ``nanoseconds`` have been made."""
    waiting: deque[Message] = deque()
    for message in messages:
        waiting.append(message)
        while waiting[0].at + nanoseconds < message.at:
            yield waiting.popleft()
    yield from waiting
