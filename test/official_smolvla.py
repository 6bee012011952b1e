"""LeRobot's own SmolVLA, for comparison. Not in the project's environment: scripts/compare_smolvla.sh makes one.

Of LeRobot only this policy is imported: its package of policies would import all of them and what they need.
torchvision's compiled operators are of no use here; where they do not fit torch's build, names stand in for them.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from types import ModuleType
from typing import Any

import torch

OPERATORS = (
    'nms qnms box_iou_rotated deform_conv2d ps_roi_align ps_roi_pool qroi_align roi_align roi_pool '
    '_deform_conv2d_backward _ps_roi_align_backward _ps_roi_pool_backward _roi_align_backward _roi_pool_backward'
)
_kept: list[Any] = []


def official_policy() -> Any:
    """LeRobot's class SmolVLAPolicy; ImportError says what is missing."""
    if 'torchvision' not in sys.modules and importlib.util.find_spec('torchvision') is not None:
        probe = subprocess.run([sys.executable, '-c', 'import torchvision'], capture_output=True, check=False)
        if probe.returncode:
            library = torch.library.Library('torchvision', 'DEF')
            for name in OPERATORS.split():
                library.define(f'{name}(Tensor x) -> Tensor')
            _kept.append(library)
    import lerobot

    policies = ModuleType('lerobot.policies')
    policies.__path__ = [f'{path}/policies' for path in lerobot.__path__]
    sys.modules.setdefault('lerobot.policies', policies)
    from lerobot.policies.smolvla.modeling_smolvla import SmolVLAPolicy

    return SmolVLAPolicy
