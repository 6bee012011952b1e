"""The action node as a process of its own with a policy that needs no model; for tests of how processes end."""

from __future__ import annotations

from typing import Any

import numpy as np

from vla_ros.nodes.action import ActionNode
from vla_ros.nodes.main import run
from vla_ros.types import ActionChunk


class Steady:
    """Moves both joints steadily from where they are."""

    providers = ('CPUExecutionProvider',)

    def act(self, tokens: Any, thought: Any, joints: Any, noise: Any, prefix: Any = None) -> ActionChunk:
        steps = np.arange(1, 9)[:, None] * 0.025
        return ActionChunk(tokens.stamp, 0.05, joints.positions + steps)

    def warm_up(self) -> None:
        pass


if __name__ == '__main__':
    raise SystemExit(run([lambda: ActionNode(lambda *_, **__: Steady())]))
