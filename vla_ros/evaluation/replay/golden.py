"""A golden result: what a replay is to give, in a file beside the bag, with the reason for each change."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vla_ros.evaluation.replay.course import STEP, Course, Decided, course_of
from vla_ros.evaluation.replay.model import Model
from vla_ros.evaluation.replay.outcome import Outcome, decisions_sha256, trajectories_sha256
from vla_ros.evaluation.replay.run import Selection
from vla_ros.evaluation.replay.timing import ReplayTiming
from vla_ros.types import VlaError

FORMAT = 1
DIGITS = 6  # of positions in rad
CLOSE = 0.1  # seconds by which the length of a live replay may differ


@dataclass(frozen=True)
class Golden:
    """A result to compare with.

    Attributes:
        trajectories, decisions: SHA-256, see ``outcome``.
        clock, seconds: at the beginning and the length, to know the bag and the part of it again.
        selection, timing: as they were, for people.
        model: name and fingerprint of the model.
        refusals: by node and reason.
        history: reasons, the newest last, each with the SHA-256 of the trajectories.
    """

    course: Course
    trajectories: str
    decisions: str
    clock: int
    seconds: float
    selection: dict[str, Any]
    timing: dict[str, Any]
    model: dict[str, str]
    refusals: dict[str, dict[str, int]]
    history: tuple[dict[str, str], ...] = ()


def golden_of(
    outcome: Outcome,
    model: Model,
    selection: Selection,
    timing: ReplayTiming,
    reason: str,
    before: Golden | None = None,
) -> Golden:
    """The golden result that this outcome is, for a reason.

    Raises:
        VlaError: no reason.
    """
    if not reason.strip():
        raise VlaError("reason: expected why the golden result changes, found ''")
    digest = trajectories_sha256(outcome.sent, outcome.replayed.plans.values)
    earlier = () if before is None else before.history
    return Golden(
        course=course_of(outcome.replayed, outcome.seconds),
        trajectories=digest,
        decisions=decisions_sha256(outcome.replayed),
        clock=outcome.clock,
        seconds=outcome.seconds,
        selection=selected(selection),
        timing=asdict(timing),
        model=model_of(model),
        refusals=outcome.refused(),
        history=(*earlier, {'reason': reason.strip(), 'trajectories_sha256': digest}),
    )


def model_of(model: Model) -> dict[str, str]:
    """Which model it is, as JSON."""
    return {'name': model.name, 'fingerprint': model.fingerprint}


def selected(selection: Selection) -> dict[str, Any]:
    """A selection as JSON."""
    return {
        **asdict(selection),
        'remaps': list(selection.remaps),
        'clock': selection.clock.value,
        'faults': [asdict(fault) for fault in selection.faults],
    }


def write_golden(path: Path, golden: Golden) -> None:
    """Write a golden result.

    Raises:
        VlaError: the file could not be written.
    """
    course = golden.course
    rows = [[None if np.isnan(v) else round(v, DIGITS) for v in row] for row in course.positions.tolist()]
    head = {
        'format': FORMAT,
        'history': list(golden.history),
        'trajectories_sha256': golden.trajectories,
        'decisions_sha256': golden.decisions,
        **{name: getattr(golden, name) for name in ('model', 'clock', 'seconds', 'selection', 'timing')},
        'refusals': golden.refusals,
        'instructions': [list(said) for said in course.instructions],
        'decisions': [asdict(decided) for decided in course.decisions],
        'joints': list(course.joints),
        'step': STEP,
    }
    text = json.dumps(head, indent=1, ensure_ascii=False).rstrip('}\n')
    # One row a line: differences between two versions are to be read by people.
    lines = ',\n'.join('  ' + json.dumps(row) for row in rows)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f'{text},\n "positions": [\n{lines}\n ]\n}}\n', encoding='utf-8')
    except OSError as error:
        raise VlaError(f'{path} could not be written: {error.strerror}') from error


def read_golden(path: Path) -> Golden:
    """Read a golden result.

    Raises:
        VlaError: no such file, or not of this format.
    """
    try:
        found = json.loads(path.read_text(encoding='utf-8'))
    except FileNotFoundError as error:
        raise VlaError(f'{path} is missing; make it with --update --reason "first result"') from error
    except (OSError, ValueError) as error:
        raise VlaError(f'{path}: expected a golden result: {error}') from error
    try:
        if found['format'] != FORMAT or found['step'] != STEP:
            raise VlaError(f'{path}: expected format {FORMAT}, found {found["format"]!r}')
        joints = tuple(map(str, found['joints']))
        positions = np.array(found['positions'], dtype=np.float64).reshape(-1, len(joints))
        course = Course(
            joints,
            positions,
            tuple(Decided(**decided) for decided in found['decisions']),
            tuple((float(at), str(words)) for at, words in found['instructions']),
        )
        return Golden(
            course=course,
            trajectories=str(found['trajectories_sha256']),
            decisions=str(found['decisions_sha256']),
            clock=int(found['clock']),
            seconds=float(found['seconds']),
            selection=dict(found['selection']),
            timing=dict(found['timing']),
            model=dict(found['model']),
            refusals=dict(found['refusals']),
            history=tuple(found['history']),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise VlaError(
            f'{path}: expected a golden result, found one without or with a bad {error}'
        ) from error


def require_same_part(golden: Golden, outcome: Outcome, path: Path) -> None:
    """Raise VlaError unless both are of the same bag and the same part of it."""
    apart = abs(golden.seconds - outcome.seconds)
    if golden.clock != outcome.clock or apart > CLOSE or golden.course.joints != outcome.replayed.joint_names:
        raise VlaError(
            f'{path} is of another bag or another part of it: expected {golden.seconds:.3f} s from clock '
            f'{golden.clock} on, found {outcome.seconds:.3f} s from {outcome.clock} on'
        )
