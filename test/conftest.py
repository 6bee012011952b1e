"""What all tests share: a ROS domain of their own, and waiting for events instead of sleeping."""

from __future__ import annotations

import atexit
import fcntl
import os
import random
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings

from vla_ros.graph import environment
from vla_ros.nodes.supervisor import is_free

if TYPE_CHECKING:
    from node_graph import Graph

# Before the first import of numpy, torch or rclpy. Tests never talk to the network, where real robots may listen.
os.environ.setdefault('OMP_NUM_THREADS', '1')
if 'ROS_LOG_DIR' not in os.environ:
    os.environ['ROS_LOG_DIR'] = tempfile.mkdtemp(prefix='vla_ros_log_')
    atexit.register(shutil.rmtree, os.environ['ROS_LOG_DIR'], ignore_errors=True)
os.environ.update(environment(os.environ, simulator=True))

# The machine may be busy with other things: examples are counted, not timed.
settings.register_profile('untimed', deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile('untimed')

NOT_ON_A_ROBOT = {
    'av',
    'matplotlib',
    'mcap',
    'mcap_ros2',
    'msgpack',
    'mujoco',
    'onnx',
    'pyarrow',
    'rosbags',
    'torch',
    'transformers',
    'websockets',
    'zmq',
}
DOMAINS = range(1, 101)  # above 101 the ports of a domain run into those that Linux hands out
LOCKS = Path(tempfile.gettempdir()) / f'vla_ros_test_domains_{os.getuid()}'


@pytest.hookimpl(hookwrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Iterator[None]:
    """Skip a file that needs what a robot lacks (the extras sim and train), and say so, instead of failing."""
    report: Any = (yield).get_result()  # type: ignore[misc]
    error = getattr(getattr(report, 'call', None), 'excinfo', None)
    while error is not None and not isinstance(error, BaseException):
        error = error.value
    missing = getattr(getattr(error, '__cause__', None), 'name', None)
    if report.failed and missing in NOT_ON_A_ROBOT:
        report.outcome, report.longrepr = 'skipped', (str(collector.path), 0, f'{missing} is not installed')


@pytest.fixture
def ros_domain(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A ROS_DOMAIN_ID that no other test on this machine uses at the same time, in the environment as well."""
    LOCKS.mkdir(exist_ok=True)
    for domain in random.Random(os.getpid() ^ time.time_ns()).sample(DOMAINS, len(DOMAINS)):
        with (LOCKS / str(domain)).open('w') as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            if not is_free(domain):  # a graph of somebody who runs no tests
                continue
            monkeypatch.setenv('ROS_DOMAIN_ID', str(domain))
            yield domain
            return
    pytest.fail('all ROS domains of this machine are in use')


@pytest.fixture
def graph(ros_domain: int) -> Iterator[Graph]:
    """A running ROS graph around the node under test."""
    from node_graph import Graph  # needs ROS 2, which not all tests do

    with Graph(ros_domain) as made:
        yield made


@pytest.fixture
def bundle(tmp_path: Path) -> str:
    """The folder of a tiny bundle, as the parameter says it."""
    from node_graph import write_bundle

    return str(write_bundle(tmp_path / 'tiny'))


@pytest.fixture
def wait_until() -> Callable[..., bool]:
    """The function ``wait_until``."""
    return _wait_until


def _wait_until(predicate: Callable[[], Any], timeout: float = 20.0, executor: Any = None) -> bool:
    """Spin the executor (or only wait, without one) until the predicate is true; whether it became true in time."""
    end = time.monotonic() + timeout
    while not predicate():
        if time.monotonic() > end:
            return False
        if executor is None:
            time.sleep(0.01)
        else:
            executor.spin_once(timeout_sec=0.05)
    return True
