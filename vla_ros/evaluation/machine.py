"""Where a number was measured: the machine and the versions that matter."""

from __future__ import annotations

import os
import platform
from importlib import metadata
from pathlib import Path
from typing import Any

PACKAGES = (
    'vla_ros',
    'numpy',
    'onnxruntime',
    'onnxruntime-gpu',
    'mujoco',
    'ros-jazzy-rclpy',
    'ruckig',
    'tokenizers',
)


def machine() -> dict[str, Any]:
    """Processor, cores this process may use, memory, system and Python."""
    return {
        'processor': _processor(),
        'cores': len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count(),
        'memory_gib': round(os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30, 1),
        'system': f'{platform.system()} {platform.release()} {platform.machine()}',
        'python': platform.python_version(),
    }


def versions() -> dict[str, str]:
    """Versions of the packages that are installed of those that a result depends on."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def _processor() -> str:
    try:
        lines = Path('/proc/cpuinfo').read_text(encoding='utf-8').splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(':', 1)[1].strip() for line in lines if line.startswith(('model name', 'Model'))]
    return names[0] if names else platform.machine()
