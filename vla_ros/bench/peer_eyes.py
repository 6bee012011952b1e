"""Peer: the vision transformer in PyTorch with the same weights and pictures. Run as a program."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from vla_ros.bench.peers import serve


def prepare(arguments: Sequence[str]) -> tuple[Callable[[], Any], Any]:
    """The bundle's folder and a file of pictures (npz: ``images`` (cameras, h, w, 3) uint8)."""
    import numpy as np
    import torch

    from vla_ros.training.stages import load_llava
    from vla_ros.training.vision import normalise

    folder, path = arguments
    torch.set_num_threads(1)
    tower: Any = load_llava(Path(folder)).model.vision_tower.eval().requires_grad_(False)
    with np.load(path) as file:
        images = file['images']

    @torch.inference_mode()
    def work() -> Any:
        pixels = torch.from_numpy(normalise(images))
        return tower.encoder(inputs_embeds=tower.embeddings(pixels)).last_hidden_state

    return work, float(work().abs().mean())


if __name__ == '__main__':
    serve(prepare)
