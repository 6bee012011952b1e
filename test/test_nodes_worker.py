"""Slow work runs beside the callbacks: newest first, one at a time, and no failure ends it."""

from __future__ import annotations

import threading

import pytest

from vla_ros.nodes.worker import LatestWorker

PATIENCE = 10.0


class Recorder:
    """Handles jobs, waiting at a gate so that a test decides when work takes long."""

    def __init__(self) -> None:
        self.started = threading.Semaphore(0)
        self.gate = threading.Semaphore(0)
        self.handled: list[int] = []
        self.errors: list[Exception] = []
        self.failed = threading.Event()

    def handle(self, job: int) -> None:
        self.started.release()
        assert self.gate.acquire(timeout=PATIENCE)
        if job < 0:
            raise ValueError(f'job {job}')
        self.handled.append(job)

    def on_error(self, error: Exception) -> None:
        self.errors.append(error)
        self.failed.set()


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


def test_while_busy_only_the_newest_job_waits(recorder: Recorder) -> None:
    worker: LatestWorker[int] = LatestWorker('test', recorder.handle, recorder.on_error)
    worker.submit(1)
    assert recorder.started.acquire(timeout=PATIENCE)
    for job in (2, 3, 4):
        worker.submit(job)
    recorder.gate.release(2)
    assert recorder.started.acquire(timeout=PATIENCE)
    assert worker.stop(PATIENCE)
    assert recorder.handled == [1, 4]
    assert worker.replaced == 2


def test_an_exception_is_told_and_the_next_job_is_done(recorder: Recorder) -> None:
    worker: LatestWorker[int] = LatestWorker('test', recorder.handle, recorder.on_error)
    recorder.gate.release(2)
    worker.submit(-1)
    assert recorder.failed.wait(PATIENCE)
    worker.submit(5)
    assert recorder.started.acquire(timeout=PATIENCE)
    assert recorder.started.acquire(timeout=PATIENCE)
    assert worker.stop(PATIENCE)
    assert recorder.handled == [5]
    assert [str(error) for error in recorder.errors] == ['job -1']


def test_stop_lets_the_running_job_end_and_drops_the_waiting_one(recorder: Recorder) -> None:
    worker: LatestWorker[int] = LatestWorker('test', recorder.handle, recorder.on_error)
    worker.submit(1)
    assert recorder.started.acquire(timeout=PATIENCE)
    worker.submit(2)
    assert not worker.stop(timeout=0.01), 'a running job cannot be ended by force'
    recorder.gate.release(2)
    assert worker.stop(PATIENCE)
    assert recorder.handled == [1]
    assert not worker.is_alive
