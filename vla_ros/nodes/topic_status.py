"""Rate and stamps of a topic, told as TopicDiagnostic of the package diagnostic_updater tells them.

That package is on no Python index, so what tools and people expect of it is done here: FrequencyStatus and
TimeStampStatus in one task, with its sentences, levels and keys (https://github.com/ros/diagnostics).
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field

from vla_ros.diagnostics import Level, Report

WINDOW = 5.0  # seconds over which a rate is taken: five reports, as there
STARTING = 1.0  # seconds in which nothing need have come yet: one report
TOLERANCE = 0.1  # share of a bound by which a rate may exceed it, as there


@dataclass(frozen=True)
class Acceptable:
    """What a topic is to be like.

    Attributes:
        slowest, fastest: messages a second.
        oldest: seconds that a stamp may lie in the past on arrival; None does not look at stamps.
        newest: seconds that it may lie in the future.
    """

    slowest: float = 0.0
    fastest: float = math.inf
    oldest: float | None = None
    newest: float = 1.0


@dataclass
class TopicStatus:
    """Counts what comes on a topic. Not thread-safe.

    Args:
        begun: when it began to listen, in seconds of the clock that ``tick`` and ``report`` are given.
    """

    acceptable: Acceptable
    begun: float
    _arrivals: deque[float] = field(default_factory=deque)
    _count: int = 0
    _ages: list[float] = field(default_factory=list)
    _zeros: int = 0
    _early_reports: int = 0
    _late_reports: int = 0
    _zero_reports: int = 0

    def tick(self, now: float, age: float | None = None) -> None:
        """One message; ``age`` is the clock minus its stamp in seconds, infinite for a stamp of zero."""
        self._count += 1
        self._arrivals.append(now)
        self._forget(now)
        if age is not None:
            if math.isinf(age):
                self._zeros += 1
            else:
                self._ages = [min(self._ages[0], age), max(self._ages[1], age)] if self._ages else [age, age]

    def report(self, now: float) -> Report:
        """How the topic has been: its rate over the window, its stamps since the last report."""
        reports = [self._rate(now)]
        if self.acceptable.oldest is not None:
            reports.append(self._stamps(self.acceptable.oldest))
        return merged(reports)

    def _forget(self, now: float) -> None:
        while self._arrivals and now - self._arrivals[0] > WINDOW:
            self._arrivals.popleft()

    def _rate(self, now: float) -> Report:
        self._forget(now)
        window = min(max(now - self.begun, 1e-9), WINDOW)
        events, wanted = len(self._arrivals), self.acceptable
        rate = events / window
        least, most = wanted.slowest * (1 - TOLERANCE), wanted.fastest * (1 + TOLERANCE)
        if events == 0 and now - self.begun < STARTING:
            level, summary = Level.OK, 'Node starting up'
        elif events == 0:
            level, summary = Level.ERROR, 'No events recorded.'
        elif rate < least:
            level, summary = Level.WARN, 'Frequency too low.'
        elif rate > most:
            level, summary = Level.WARN, 'Frequency too high.'
        else:
            level, summary = Level.OK, 'Desired frequency met'
        values = {
            'Events in window': f'{events}',
            'Events since startup': f'{self._count}',
            'Duration of window (s)': f'{window:f}',
            'Actual frequency (Hz)': f'{rate:f}',
        }
        if wanted.slowest == wanted.fastest:
            values['Target frequency (Hz)'] = f'{wanted.slowest:f}'
        if wanted.slowest > 0:
            values['Minimum acceptable frequency (Hz)'] = f'{least:f}'
        if math.isfinite(wanted.fastest):
            values['Maximum acceptable frequency (Hz)'] = f'{most:f}'
        return Report(level, summary, values)

    def _stamps(self, oldest: float) -> Report:
        level, summary = Level.OK, 'Timestamps are reasonable.'
        early, late = self._ages or (0.0, 0.0)
        if self._count and not self._ages and not self._zeros:
            level, summary = Level.WARN, 'No data since last update.'
        if early < -self.acceptable.newest:
            level, summary = Level.ERROR, 'Timestamps too far in future seen.'
            self._early_reports += 1
        if late > oldest:
            level, summary = Level.ERROR, 'Timestamps too far in past seen.'
            self._late_reports += 1
        if self._zeros:
            level, summary = Level.ERROR, 'Zero timestamp seen.'
            self._zero_reports += 1
        self._ages, self._zeros = [], 0
        values = {
            'Earliest timestamp delay': f'{early:f}',
            'Latest timestamp delay': f'{late:f}',
            'Earliest acceptable timestamp delay': f'{-self.acceptable.newest:f}',
            'Latest acceptable timestamp delay': f'{oldest:f}',
            'Late diagnostic update count': f'{self._late_reports}',
            'Early diagnostic update count': f'{self._early_reports}',
            'Zero seen diagnostic update count': f'{self._zero_reports}',
        }
        return Report(level, summary, values)


def merged(reports: list[Report]) -> Report:
    """Several tasks in one, as CompositeDiagnosticTask merges them: the worst level, and what is not well in words."""
    values = {key: value for report in reports for key, value in report.values.items()}
    wrong = [report for report in reports if report.level > Level.OK]
    if not wrong:
        return Report(Level.OK, reports[0].summary, values)
    return Report(
        max(report.level for report in wrong), '; '.join(report.summary for report in wrong), values
    )
