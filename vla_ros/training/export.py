"""From PyTorch to ONNX: three graphs, each compared with the model it came from before anything is written down."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from transformers import LlavaForConditionalGeneration, SiglipVisionModel

from vla_ros.runtime import open_session
from vla_ros.training.decoder import CachedDecoder, empty_cache
from vla_ros.training.flow import FlowHead, integrate
from vla_ros.types import VlaError

OPSET = 18
TOLERANCE = 1e-4


def export_vision(model: SiglipVisionModel, path: Path, cameras: int) -> float:
    """``pixels`` (cameras, 3, h, w) to ``features`` (cameras, tokens, width). Returns the largest difference."""

    class Features(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embeddings, self.encoder = model.embeddings, model.encoder

        def forward(self, pixels: Tensor) -> Tensor:
            return self.encoder(inputs_embeds=self.embeddings(pixels)).last_hidden_state

    size = model.config.image_size
    pixels = torch.rand(cameras, 3, size, size) * 2 - 1
    return export_compared(Features(), {'pixels': pixels}, ['features'], {}, path)


def export_language(model: LlavaForConditionalGeneration, path: Path) -> float:
    """Prefill and decoding in one graph; see ``CachedDecoder.forward`` for inputs and outputs."""
    decoder = CachedDecoder(model)
    visual = torch.randn(model.config.image_seq_length, model.config.vision_config.hidden_size)
    example = {'visual': visual, 'ids': torch.arange(8) + 8, 'cache': empty_cache(model)}
    dynamic = {'visual': {0: 'visual_tokens'}, 'ids': {0: 'text_tokens'}, 'cache': {3: 'past'}}
    difference = export_compared(decoder, example, ['logits', 'hidden', 'new_cache'], dynamic, path)
    with torch.no_grad():
        _, _, cache = decoder(**example)
    next_token = {'visual': visual[:0], 'ids': torch.tensor([9]), 'cache': cache}
    return max(difference, _compare(decoder, next_token, path))


def export_action(head: FlowHead, path: Path, tokens: int, thought_rows: int) -> float:
    """The whole Euler loop; see ``integrate`` for inputs and output ``actions`` (1, horizon, joints)."""
    config = head.config

    class Loop(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = head

        def forward(
            self, noise: Tensor, tokens: Tensor, thought: Tensor, state: Tensor, prefix: Tensor, clean: Tensor
        ) -> Tensor:
            return integrate(self.head, noise, tokens, thought, state, prefix, clean)

    thought = torch.randn(1, thought_rows, config.thought_width)
    thought[:, thought_rows // 2 :] = 0
    example = {
        'noise': torch.randn(1, config.horizon, config.joints),
        'tokens': torch.randn(1, tokens, config.token_width),
        'thought': thought,
        'state': torch.randn(1, config.state),
        'prefix': torch.randn(1, config.horizon, config.joints),
        'clean': torch.arange(config.horizon)[None] < config.prefix // 2,
    }
    return export_compared(Loop(), example, ['actions'], {}, path)


def export_compared(
    model: nn.Module,
    example: Mapping[str, Tensor],
    outputs: Sequence[str],
    dynamic: dict[str, dict[int, str]],
    path: Path,
) -> float:
    """Export, and return the largest difference from PyTorch; VlaError if it is not below TOLERANCE."""
    model.eval()
    path.parent.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        torch.onnx.export(
            model,
            tuple(example.values()),
            str(path),
            input_names=list(example),
            output_names=list(outputs),
            dynamic_axes=dynamic,
            opset_version=OPSET,
            dynamo=False,
        )
    return _compare(model, example, path)


@torch.no_grad()
def _compare(model: Callable[..., Any], example: Mapping[str, Tensor], path: Path) -> float:
    wanted = model(*example.values())
    wanted = wanted if isinstance(wanted, tuple) else (wanted,)
    found: list[npt.NDArray[np.float32]] = open_session(path).run(
        None, {name: x.numpy() for name, x in example.items()}
    )
    difference = max(float(np.abs(a.numpy() - b).max()) for a, b in zip(wanted, found))
    if not difference < TOLERANCE:
        raise VlaError(f'{path}: expected a difference from PyTorch below {TOLERANCE}, found {difference}')
    return difference
