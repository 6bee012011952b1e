"""Perception or reasoning as a process of its own, without a model: it only lives; for tests of what its death does."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from vla_ros.nodes.main import run
from vla_ros.nodes.perception import PerceptionNode
from vla_ros.nodes.reasoning import ReasoningNode
from vla_ros.types import VisualTokens


class Nothing:
    """A model that is only run once, to warm up."""

    providers = ('CPUExecutionProvider',)

    def __init__(self, *_: Any, **__: Any) -> None: ...

    def encode(self, frames: Any) -> VisualTokens:
        return VisualTokens(0, np.zeros((4, 3), np.float32))


NODES = {'perception': PerceptionNode, 'reasoning': ReasoningNode}

if __name__ == '__main__':
    raise SystemExit(run([lambda: NODES[sys.argv[1]](Nothing)]))
