"""One replay test from bag to verdict, for whoever runs it: the command line, or a test of a user."""

from __future__ import annotations

import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from vla_ros.evaluation.replay.golden import (
    Golden,
    golden_of,
    model_of,
    read_golden,
    require_same_part,
    selected,
    write_golden,
)
from vla_ros.evaluation.replay.model import Model
from vla_ros.evaluation.replay.outcome import Outcome
from vla_ros.evaluation.replay.report import report
from vla_ros.evaluation.replay.run import Selection, require_something
from vla_ros.evaluation.replay.run import replay as replay_bag
from vla_ros.evaluation.replay.timing import ReplayTiming
from vla_ros.evaluation.replay.verdict import Tolerance, Verdict, judge
from vla_ros.types import VlaError


class Session:
    """A replay of a part of a bag, perhaps with a golden file.

    Attributes:
        outcome: after ``run`` or ``take``.
        verdict: after ``judge``.
    """

    def __init__(
        self,
        bag: Path,
        model: Model,
        selection: Selection | None = None,
        golden_file: Path | None = None,
        timing: ReplayTiming | None = None,
    ) -> None:
        self.outcome: Outcome | None = None
        self.verdict: Verdict | None = None
        self._bag, self._model, self._golden_file = bag, model, golden_file
        self._selection, self._timing = selection or Selection(), timing or ReplayTiming()
        self._golden: Golden | None = None
        self._mode = 'lockstep'
        self._begun = time.perf_counter(), time.process_time()
        self._took = (0.0, 0.0)

    def run(self) -> Outcome:
        """Replay in lockstep.

        Raises:
            VlaError: the bag cannot be read, or lacks what the model needs.
        """
        outcome = replay_bag(self._bag, self._model, self._selection, self._timing)
        self.take(outcome, 'lockstep')
        return outcome

    def take(self, outcome: Outcome, mode: str) -> None:
        """An outcome that was made elsewhere; ``mode`` is 'lockstep' or 'live'."""
        require_something(outcome, self._selection)
        self.outcome, self._mode = outcome, mode
        self._took = time.perf_counter() - self._begun[0], time.process_time() - self._begun[1]

    def judge(self, tolerance: Tolerance | None = None, *, may_be_new: bool = False) -> Verdict:
        """Compare with the golden file, else with what the bag recorded.

        Args:
            tolerance: None is to the last bit with a golden file in lockstep, else ``Tolerance()``.
            may_be_new: whether the golden file may be missing, or of another part: it will be written anew.

        Raises:
            VlaError: the golden file is missing, no golden file, or of another bag.
        """
        outcome = self._done()
        if self._golden_file is not None and (self._golden_file.exists() or not may_be_new):
            self._golden = read_golden(self._golden_file)
        golden = self._golden
        if golden is not None and self._golden_file is not None:
            try:
                require_same_part(golden, outcome, self._golden_file)
            except VlaError:
                if not may_be_new:
                    raise
                golden = None
        if self._mode == 'live' and tolerance is None:
            tolerance = Tolerance()
        verdict = judge(outcome, golden, tolerance)
        if golden is not None and not verdict.same:
            verdict = replace(verdict, differences=(*verdict.differences, *self._otherwise(golden)))
        self.verdict = verdict
        return verdict

    def update(self, reason: str) -> None:
        """Make the outcome the golden result.

        Raises:
            VlaError: no reason, no golden file, or it could not be written.
        """
        if self._golden_file is None:
            raise VlaError('golden: expected the name of a file to write, found none')
        golden = golden_of(
            self._done(), self._model, self._selection, self._timing, reason, before=self._golden
        )
        write_golden(self._golden_file, golden)
        self._golden = golden

    def report(self) -> dict[str, Any]:
        """All numbers, ready for JSON."""
        assert self.verdict is not None, 'judge first'
        return report(
            self._bag,
            self._mode,
            self._model,
            self._selection,
            self._timing,
            self._done(),
            self.verdict,
            self._golden,
            self._took,
        )

    def _otherwise(self, golden: Golden) -> list[str]:
        """What was not as it was for the golden result, and may explain why it differs."""
        found = []
        if golden.model != model_of(self._model):
            found.append(
                f'the model is {self._model.name} {self._model.fingerprint[:12]}; the golden result is of '
                f'{golden.model.get("name")} {golden.model.get("fingerprint", "")[:12]}'
            )
        if golden.timing != asdict(self._timing):
            found.append(f'the timing is {asdict(self._timing)}; it was {golden.timing}')
        now = selected(self._selection)
        found += [
            f'{name} is {now[name]!r}; it was {golden.selection.get(name)!r}'
            for name in now
            if now[name] != golden.selection.get(name)
        ]
        return found

    def _done(self) -> Outcome:
        assert self.outcome is not None, 'run first'
        return self.outcome
