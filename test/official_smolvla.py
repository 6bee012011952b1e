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


def stand_in_for_operators() -> Any:
    """A library with the names of torchvision's operators, if torchvision cannot be imported; keep it."""
    if 'torchvision' in sys.modules or importlib.util.find_spec('torchvision') is None:
        return None
    probe = subprocess.run([sys.executable, '-c', 'import torchvision'], capture_output=True, check=False)
    if probe.returncode == 0:
        return None
    library = torch.library.Library('torchvision', 'DEF')
    for name in OPERATORS.split():
        library.define(f'{name}(Tensor x) -> Tensor')
    return library


KEPT = stand_in_for_operators()
"""Before anybody imports torchvision, as transformers does."""


def official_policy() -> Any:
    """LeRobot's class SmolVLAPolicy; ImportError says what is missing."""
    import lerobot

    policies = ModuleType('lerobot.policies')
    policies.__path__ = [f'{path}/policies' for path in lerobot.__path__]
    sys.modules.setdefault('lerobot.policies', policies)
    from lerobot.policies.smolvla.modeling_smolvla import SmolVLAPolicy

    return SmolVLAPolicy
