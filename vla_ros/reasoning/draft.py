"""What the model will probably write: what it wrote about the last frame, as far as that still goes.

From one frame to the next a trace changes little: a place by a bin or two, the name of an object that came into view.
A draft need not be right. It is only ever compared with what the model itself would write.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence


def continuation(draft: Sequence[int], written: Sequence[int]) -> list[int]:
    """What should follow ``written`` if it goes on as ``draft`` did; both are tokens.

    They are read side by side. Where another token was written than the draft has, it is taken to stand in its place,
    there and wherever the draft says the same again: an object that moved has moved in the whole trace. Where the last
    two tokens written stand elsewhere in the draft, something was left out or put in, and reading goes on there.
    """
    at, changed = 0, dict[int, int]()
    for i, token in enumerate(written):
        if at < len(draft) and changed.get(draft[at], draft[at]) == token:
            at += 1
            continue
        again = _behind_pair(draft, written[max(0, i - 1) : i + 1], at)
        if again is not None:
            at = again
            changed.clear()
        elif at < len(draft):
            changed[draft[at]] = token
            at += 1
    return [changed.get(token, token) for token in draft[at:]]


def _behind_pair(draft: Sequence[int], pair: Sequence[int], near: int) -> int | None:
    """The position behind the two tokens, in the draft, that is nearest to ``near``."""
    if len(pair) < 2:
        return None
    found = [i + 2 for i in range(len(draft) - 1) if draft[i] == pair[0] and draft[i + 1] == pair[1]]
    return min(found, key=lambda place: abs(place - near), default=None)


def through_places(guess: Sequence[int], places: Collection[int], count: int) -> list[int]:
    """The guess up to its ``count``-th place, that one included: what stands behind a wrong place is read in vain."""
    kept: list[int] = []
    for token in guess:
        if count <= 0:
            break
        kept.append(token)
        count -= token in places
    return kept
