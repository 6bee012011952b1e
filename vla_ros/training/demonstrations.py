"""Demonstrations of the scripted expert: what the cameras see, where the joints are, what the expert does next.

Half of the episodes start near the rest pose and half anywhere over the table; each has two orders one after the
other, so that the arm also learns to leave one object for another. The joint targets are disturbed a little while
the expert's own answer is recorded (DART, arXiv 1703.09327). In later rounds the learner drives first and the expert
takes over where the learner went (DAgger, arXiv 1011.0686).
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from vla_ros.action.flow import FlowPolicy
from vla_ros.action.noise import flow_noise
from vla_ros.bundle import Bundle, load_bundle
from vla_ros.perception.encoder import Encoder
from vla_ros.reasoning.onnx_reasoner import OnnxReasoner
from vla_ros.sim.cameras import Camera
from vla_ros.sim.expert import Expert
from vla_ros.sim.scene import sample_scene
from vla_ros.sim.tasks import Referee, Task
from vla_ros.sim.world import World
from vla_ros.training.snapshots import CAMERAS, object_centres, random_pose
from vla_ros.types import DoubleArray, FloatArray, Frame, Thought, VisualTokens, VlaError

STEP = 0.05
HOLD_STEPS = 12
LONGEST = 130
NOISE = 0.012

Learner = Callable[[VisualTokens, Task, Any], Any]


@dataclass(frozen=True)
class Demonstrations:
    """M control steps, 0.05 s apart within an order.

    Attributes:
        tokens: (M, visual tokens, width) float16.
        joints: (M, J) measured positions, rad; targets: (M, J) the expert's absolute targets 0.05 s later.
        centres: (M, kinds, 2) object centres in the front image, NaN where not seen.
        wanted: (M,) index of the wanted kind; order: (M,) a number that is the same within one order.
        expert: (M,) false where the learner drove and the expert's target stands for one step only.
    """

    tokens: npt.NDArray[np.float16]
    joints: FloatArray
    targets: FloatArray
    centres: FloatArray
    wanted: npt.NDArray[np.int64]
    order: npt.NDArray[np.int64]

    def save(self, path: Path) -> None:
        """One .npz file."""
        np.savez(path, **self.__dict__)


def load_demonstrations(path: Path) -> Demonstrations:
    """Read what ``Demonstrations.save`` wrote."""
    if not path.is_file():
        raise VlaError(f'{path} is missing; run `vla_ros train demonstrations` first')
    with np.load(path) as file:
        return Demonstrations(**{name: file[name] for name in file.files})
