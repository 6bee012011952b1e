"""A pytest plugin: the fixture ``replay_bag``, for tests of one's own model and parameters on one's own bags.

::

    def test_the_kitchen(replay_bag):
        replay = replay_bag('kitchen_bag', bundle='models/mine', parameters='config/mine.yaml')
        replay.assert_golden('kitchen.json')

``pytest --replay-update "why"`` writes golden files anew. Relative paths are looked for beside the test, then in the
working directory. Nothing but pytest is imported before the fixture is used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from vla_ros.evaluation.replay.model import Model
    from vla_ros.evaluation.replay.outcome import Outcome
    from vla_ros.evaluation.replay.run import Selection
    from vla_ros.evaluation.replay.timing import ReplayTiming
    from vla_ros.evaluation.replay.verdict import Tolerance

OPTION = '--replay-update'


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that writes golden files anew."""
    parser.getgroup('vla_ros').addoption(
        OPTION, metavar='REASON', default='', help='write golden results of replayed bags anew, and why'
    )


@pytest.fixture(scope='session')
def replay_models() -> Iterator[dict[tuple[str, str], Any]]:
    """Models that have been loaded, by bundle and parameter file: to load one takes longer than a short replay."""
    yield {}


@pytest.fixture
def replay_bag(
    request: pytest.FixtureRequest, replay_models: dict[tuple[str, str], Any]
) -> Callable[..., BagReplay]:
    """A function: ``replay_bag(bag, bundle='tabletop', parameters=None, model=None, timing=None, **selection)``.

    ``selection`` are fields of ``vla_ros.evaluation.replay.run.Selection``: start, duration, loops, instruction,
    namespace, remaps, clock, faults. A fault may be written as on the command line: 'camera_gap@12.5+2'.
    """
    beside = Path(str(request.path)).parent
    reason = str(request.config.getoption(OPTION))

    def run(
        bag: str | Path,
        *,
        bundle: str | Path = 'tabletop',
        parameters: str | Path | None = None,
        model: Model | None = None,
        timing: ReplayTiming | None = None,
        **selection: Any,
    ) -> BagReplay:
        from vla_ros.types import VlaError

        try:
            file = None if parameters is None else _found(parameters, beside)
            used = model or _load(str(bundle), file, beside, replay_models)
            return BagReplay(_found(bag, beside), used, _selection(selection), timing, beside, reason)
        except VlaError as error:
            pytest.fail(str(error), pytrace=False)

    return run


class BagReplay:
    """A bag that has been replayed in lockstep.

    Attributes:
        outcome: what was sent, decided and refused, and when.
    """

    outcome: Outcome

    def __init__(
        self,
        bag: Path,
        model: Model,
        selection: Selection,
        timing: ReplayTiming | None,
        beside: Path,
        reason: str,
    ) -> None:
        from vla_ros.evaluation.replay.session import Session

        self._make = lambda golden: Session(bag, model, selection, golden, timing)
        self._beside, self._reason = beside, reason
        self.outcome = self._make(None).run()

    def report(self, golden: str | Path | None = None, tolerance: Tolerance | None = None) -> dict[str, Any]:
        """All numbers of the comparison with a golden file, or with what the bag recorded."""
        session = self._make(None if golden is None else _place(golden, self._beside))
        session.take(self.outcome, 'lockstep')
        session.judge(tolerance)
        return session.report()

    def assert_golden(self, golden: str | Path, tolerance: Tolerance | None = None) -> None:
        """Fail unless the result is that of the golden file: to the last bit, or within a tolerance.

        With ``--replay-update REASON`` the file is written instead.
        """
        from vla_ros.types import VlaError

        try:
            if self._reason:
                session = self._make(_place(golden, self._beside))
                session.take(self.outcome, 'lockstep')
                session.judge(tolerance, may_be_new=True)
                session.update(self._reason)
                return
            self._require(self.report(golden, tolerance), f'{golden}; pytest {OPTION} "why" accepts it')
        except VlaError as error:
            pytest.fail(f'{error} (with pytest: {OPTION} "why")', pytrace=False)

    def assert_recorded(self, tolerance: Tolerance | None = None) -> None:
        """Fail unless the result is, within a tolerance, what the bag recorded."""
        self._require(self.report(tolerance=tolerance), 'what the bag recorded')

    def _require(self, report: dict[str, Any], what: str) -> None:
        from vla_ros.evaluation.replay.report import summary

        if report['same'] is None:
            pytest.fail('the bag recorded neither plans nor decisions to compare with', pytrace=False)
        if not report['same']:
            lines = [f'  {name}: {value}' for name, value in summary(report).items()]
            pytest.fail('\n'.join([f'the replay differs from {what}', *lines]), pytrace=False)


def _load(bundle: str, parameters: Path | None, beside: Path, loaded: dict[tuple[str, str], Any]) -> Model:
    from vla_ros.evaluation.replay.model import load_model
    from vla_ros.paths import bundle_directory

    key = (bundle, str(parameters))
    if key not in loaded:
        folder = beside / bundle
        loaded[key] = load_model(
            folder if (folder / 'manifest.yaml').is_file() else bundle_directory(bundle), parameters
        )
    model: Model = loaded[key]
    return model


def _selection(fields: dict[str, Any]) -> Selection:
    from vla_ros.evaluation.replay.clock import ClockSource
    from vla_ros.evaluation.replay.faults import parse_fault
    from vla_ros.evaluation.replay.run import Selection

    faults = tuple(parse_fault(f) if isinstance(f, str) else f for f in fields.pop('faults', ()))
    clock = ClockSource(fields.pop('clock', ClockSource.AUTO))
    return Selection(**{**fields, 'remaps': tuple(fields.get('remaps', ()))}, faults=faults, clock=clock)


def _found(path: str | Path, beside: Path) -> Path:
    """A path beside the test if there is one, else as it is."""
    return beside / path if (beside / path).exists() else Path(path)


def _place(path: str | Path, beside: Path) -> Path:
    """Where a golden file is or will be: beside the test."""
    return beside / path
