"""Peer: System 1 in PyTorch with the same weights and inputs, eager or compiled. Run as a program."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from vla_ros.bench.peers import serve


def prepare(arguments: Sequence[str]) -> tuple[Callable[[], Any], Any]:
    """``eager`` or ``compile``, the bundle's folder, and a file of inputs (npz)."""
    mode, folder, inputs = arguments
    # What is compiled goes beside the inputs, and away with them: a shared cache may hold what another left
    # half-written.
    os.environ['TORCHINDUCTOR_CACHE_DIR'] = str(Path(inputs).parent / 'compiled')

    import numpy as np
    import torch

    from vla_ros.training.action_stage import load_action
    from vla_ros.training.flow import integrate

    torch.set_num_threads(1)
    head, _ = load_action(Path(folder))
    head.eval().requires_grad_(False)
    with np.load(inputs) as file:
        given = {name: torch.from_numpy(file[name]) for name in file.files}

    def whole(values: dict[str, torch.Tensor]) -> torch.Tensor:
        return integrate(head, **values)

    run = torch.compile(whole) if mode == 'compile' else whole

    @torch.inference_mode()
    def work() -> torch.Tensor:
        return run(given)

    return work, work().tolist()


if __name__ == '__main__':
    serve(prepare)
