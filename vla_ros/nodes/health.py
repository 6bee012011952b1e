"""What a node tells of itself on /diagnostics: rates, latencies, and each refusal counted by its reason."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable

import numpy as np

from vla_ros.diagnostics import Level, Report
from vla_ros.nodes.topic_status import Acceptable, TopicStatus

WINDOW = 5.0  # seconds over which rates are taken and for which a refusal keeps the level at WARN
SAMPLES = 2000  # latencies kept for the percentiles
LATEST = 20  # latencies that are reported one by one, for whoever wants them of a time of his own
LOG_PAUSE = 5.0  # seconds between two log lines for the same reason


class Health:
    """Collects what happens in a node; every method may be called from any thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._events: dict[str, deque[float]] = {}
        self._topics: dict[str, TopicStatus] = {}
        self._latencies: dict[str, deque[float]] = {}
        self._latency_counts: Counter[str] = Counter()
        self._notes: dict[str, str] = {}
        self._refusals: Counter[str] = Counter()
        self._logged: dict[str, float] = {}
        self._last: tuple[Level, str, float] | None = None
        self._broken: str | None = None
        self._degraded: str | None = None

    def tick(self, stream: str, age: float | None = None) -> None:
        """One event of a stream whose rate is reported; ``age`` is the clock minus its stamp in seconds."""
        with self._lock:
            now = self._clock()
            self._events.setdefault(stream, deque(maxlen=SAMPLES)).append(now)
            if stream in self._topics:
                self._topics[stream].tick(now, age)

    def expect(self, stream: str, acceptable: Acceptable) -> None:
        """Report on a stream by itself, from now on, as on a topic that is to be like this."""
        with self._lock:
            topic = self._topics.setdefault(stream, TopicStatus(acceptable, self._clock()))
            topic.acceptable = acceptable

    def expect_nothing(self) -> None:
        """Report on no stream by itself any more."""
        with self._lock:
            self._topics.clear()

    def topics(self) -> dict[str, Report]:
        """How the streams are of which something is expected."""
        with self._lock:
            now = self._clock()
            return {stream: topic.report(now) for stream, topic in self._topics.items()}

    def latency(self, name: str, seconds: float) -> None:
        """One measured duration; its percentiles are reported in milliseconds."""
        with self._lock:
            self._latencies.setdefault(name, deque(maxlen=SAMPLES)).append(seconds)
            self._latency_counts[name] += 1

    def note(self, name: str, value: object) -> None:
        """The present value of something worth showing."""
        with self._lock:
            self._notes[name] = str(value)

    def refuse(self, reason: str, sentence: str, level: Level = Level.WARN) -> bool:
        """Count a refusal; true if it is worth a line in the log (not the same reason all over again)."""
        with self._lock:
            now = self._clock()
            self._refusals[reason] += 1
            self._last = (level, f'{reason}: {sentence}', now)
            if now - self._logged.get(reason, -LOG_PAUSE) < LOG_PAUSE:
                return False
            self._logged[reason] = now
            return True

    def count(self, reason: str) -> None:
        """Count what was left undone for a good reason: nothing to warn of."""
        with self._lock:
            self._refusals[reason] += 1

    def broken(self, sentence: str | None) -> None:
        """The node cannot work at all until this is called with None."""
        with self._lock:
            self._broken = sentence

    def degraded(self, sentence: str | None) -> None:
        """The node works, but not as it was asked to, until this is called with None."""
        with self._lock:
            self._degraded = sentence

    def refusals(self) -> dict[str, int]:
        """How often each reason was counted."""
        with self._lock:
            return dict(self._refusals)

    def report(self) -> Report:
        """The state of things now."""
        with self._lock:
            now = self._clock()
            values = dict(self._notes)
            for stream, events in self._events.items():
                values[f'{stream} rate [Hz]'] = f'{_rate(events, now):.1f}'
            for name, latencies in self._latencies.items():
                milliseconds = 1000.0 * np.asarray(latencies)
                for percent in (50, 99):
                    values[f'{name} p{percent} [ms]'] = f'{np.percentile(milliseconds, percent):.2f}'
                values[f'{name} count'] = str(self._latency_counts[name])
                values[f'{name} latest [ms]'] = ' '.join(f'{value:.1f}' for value in milliseconds[-LATEST:])
            for reason, count in sorted(self._refusals.items()):
                values[f'refused {reason}'] = str(count)
            if self._broken is not None:
                return Report(Level.ERROR, self._broken, values)
            if self._last is not None and now - self._last[2] < WINDOW:
                return Report(self._last[0], self._last[1], values)
            if self._degraded is not None:
                return Report(Level.WARN, self._degraded, values)
            return Report(Level.OK, 'OK', values)


def _rate(events: deque[float], now: float) -> float:
    recent = [moment for moment in events if now - moment <= WINDOW]
    if len(recent) < 2:
        return 0.0
    # The open interval up to now counts too: a stream that has just died is seen to slow down.
    interval = (recent[-1] - recent[0]) / (len(recent) - 1)
    return len(recent) / (now - recent[0] + interval)
