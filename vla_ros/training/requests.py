"""What is asked in training: drawn from what stands on the table, in given shares, possible or not."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from vla_ros.reasoning.subtask import DIRECTIONS, is_container
from vla_ros.reasoning.trace import OTHER_REQUESTS, Request, Sighting
from vla_ros.training.labels import KINDS, SMALL
from vla_ros.types import Subtask, VlaError

TWO_STEPS = 'two_step'
SINGLE = ('touch', 'point', 'pick', 'put', 'push', 'home')
ASKED: Mapping[str, float] = {
    'touch': 0.18,
    'point': 0.08,
    'pick': 0.10,
    'put': 0.15,
    'push': 0.12,
    'home': 0.04,
    TWO_STEPS: 0.12,
    'stop': 0.02,
    'throw': 0.03,
    'hit': 0.03,
    'edge': 0.03,
    'person': 0.02,
    'nonsense': 0.03,
    'job': 0.03,
    'unknown': 0.02,
}
"""Shares of what System 2 is asked."""
DONE: Mapping[str, float] = {
    'touch': 0.2,
    'point': 0.1,
    'pick': 0.15,
    'put': 0.2,
    'push': 0.15,
    'home': 0.05,
    TWO_STEPS: 0.15,
}
"""Shares of what the expert demonstrates."""
ABSENT = 0.18
"""Share of orders about an object that is not there."""
FAR = 0.5
"""Share of the others that are about an object out of reach, where there is one."""
TOO_BIG = 0.05
"""Share of orders to move something that are about a bowl or a plate, where there is one."""
CONTAINERS = 0.1
"""Share of orders to touch or point that are about a bowl or a plate, where there is one."""
THEN_HOME = 0.35


def shares_from(words: Sequence[str] | None) -> Mapping[str, float]:
    """Shares of what the expert demonstrates, of words as 'put=0.3'; the default shares of none.

    Raises:
        VlaError: a kind that cannot be demonstrated, what is no number from 0 on, or shares that come to nothing.
    """
    if not words:
        return DONE
    shares = {}
    for word in words:
        kind, _, number = word.partition('=')
        try:
            shares[kind] = float(number)
        except ValueError:
            shares[kind] = -1.0
        if kind not in DONE or not 0 <= shares[kind] < math.inf:
            raise VlaError(f"share: expected 'kind=number' with a kind of {list(DONE)}, found {word!r}")
    if not sum(shares.values()) > 0:
        raise VlaError(f'share: expected numbers that are not all 0, found {list(words)}')
    return shares


def drawn_kind(rng: np.random.Generator, shares: Mapping[str, float]) -> str:
    """One of the kinds, as often as its share says."""
    weights = np.array(list(shares.values()), float)
    return list(shares)[int(rng.choice(len(weights), p=weights / weights.sum()))]


def draw_request(
    rng: np.random.Generator,
    kind: str,
    seen: Sequence[Sighting],
    *,
    held: str = '',
    possible: bool = False,
) -> Request:
    """Something of this kind to be asked about what is seen.

    Args:
        held: what the hand holds: no order of two steps begins with picking it up, for that is done already.
        possible: nothing that is not there, out of reach or too big.
    """
    if kind in OTHER_REQUESTS:
        return Request(other=kind)
    if kind != TWO_STEPS:
        return Request((_step(rng, kind, seen, possible=possible),))
    first = _step(rng, _pick(rng, [k for k in SINGLE if k != 'home']), seen, possible=possible)
    if first.kind == 'pick' and first.object == held:
        first = Subtask('touch', held)
    if first.kind == 'pick':
        # Whatever comes after must not make the hand let go: the object is put somewhere, or stays up.
        return Request((first, Subtask('put', first.object, _target(rng, seen, possible=possible))))
    if rng.random() < THEN_HOME:
        return Request((first, Subtask('home')))
    rest = [s for s in seen if s.name != first.object or first.kind in ('touch', 'point')]
    kinds = SINGLE[:-1] if any(not is_container(s.name) for s in rest) else ('home',)
    return Request((first, _step(rng, _pick(rng, kinds), rest, possible=possible)))


def _step(rng: np.random.Generator, kind: str, seen: Sequence[Sighting], *, possible: bool) -> Subtask:
    if kind == 'home':
        return Subtask('home')
    if kind == 'put' and not any(is_container(s.name) for s in seen) and (possible or rng.random() > ABSENT):
        kind = 'pick'
    name = _object(rng, kind, seen, possible=possible)
    if kind == 'put':
        return Subtask('put', name, _target(rng, seen, possible=possible))
    return Subtask(kind, name, _pick(rng, DIRECTIONS) if kind == 'push' else '')


def _object(rng: np.random.Generator, kind: str, seen: Sequence[Sighting], *, possible: bool) -> str:
    small = [s for s in seen if not is_container(s.name) and (s.within_reach or not possible)]
    big = [s.name for s in seen if is_container(s.name)]
    unlikely = CONTAINERS if kind in ('touch', 'point') else TOO_BIG
    if big and rng.random() < unlikely and not (possible and kind not in ('touch', 'point')):
        return _pick(rng, big)
    if not small or (not possible and rng.random() < ABSENT):
        return absent(rng, [s.name for s in seen], SMALL)
    far = [s.name for s in small if not s.within_reach]
    if far and rng.random() < FAR:
        return _pick(rng, far)
    return _pick(rng, [s.name for s in small])


def _target(rng: np.random.Generator, seen: Sequence[Sighting], *, possible: bool) -> str:
    there = [s.name for s in seen if is_container(s.name)]
    if there and (possible or rng.random() > ABSENT):
        return _pick(rng, there)
    names = [s.name for s in seen]
    shapes = [shape for shape in ('bowl', 'plate') if not any(name.endswith(shape) for name in names)]
    if shapes and rng.random() < 0.3:
        return _pick(rng, shapes)  # 'the bowl', and there is none of any colour
    return absent(rng, names, [name for name in KINDS if is_container(name)])


def absent(rng: np.random.Generator, present: Sequence[str], names: Sequence[str]) -> str:
    """One of ``names`` that is not there; half of the time one whose colour and shape are, each on another object."""
    missing = [name for name in names if name not in present]
    words = {word for name in present for word in name.split()}
    hard = [name for name in missing if all(word in words for word in name.split())]
    return _pick(rng, hard if hard and rng.random() < 0.5 else missing)


def _pick(rng: np.random.Generator, options: Sequence[str]) -> str:
    return options[int(rng.integers(len(options)))]
