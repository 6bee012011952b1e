"""With SROS2 enforced a node without valid keys does not start: it never falls back to talking with everybody."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip('rclpy')

FILES = (
    'identity_ca.cert.pem',
    'cert.pem',
    'key.pem',
    'permissions_ca.cert.pem',
    'governance.p7s',
    'permissions.p7s',
)


@pytest.mark.slow
@pytest.mark.parametrize('keys', ['none', 'rubbish'])
def test_given_no_valid_keys_when_security_is_enforced_then_the_node_does_not_start(
    tmp_path: Path, ros_domain: int, keys: str
) -> None:
    """Also where Fast DDS was built without security, as the wheels of PyPI are."""
    enclave = tmp_path / 'enclaves' / 'vla_ros' / 'action'
    if keys == 'rubbish':
        enclave.mkdir(parents=True)
        for name in FILES:
            (enclave / name).write_text('rubbish')
    security = {
        'ROS_SECURITY_ENABLE': 'true',
        'ROS_SECURITY_STRATEGY': 'Enforce',
        'ROS_SECURITY_KEYSTORE': str(tmp_path),
    }

    ended = subprocess.run(
        [sys.executable, '-m', 'vla_ros.nodes.action', '--ros-args', '--enclave', '/vla_ros/action'],
        env={**os.environ, **security, 'ROS_DOMAIN_ID': str(ros_domain)},
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        timeout=120,
    )

    assert ended.returncode == 1
    assert 'limits:' not in ended.stdout + ended.stderr, 'it became active'
