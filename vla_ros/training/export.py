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
from vla_ros.training.shared_cache import write_shared_cache
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
    return _export(Features(), {'pixels': pixels}, ['features'], {}, path)


@torch.no_grad()
def export_language(model: LlavaForConditionalGeneration, path: Path) -> float:
    """Reading and writing in one graph, see ``write_shared_cache``. Returns the largest difference of what it says.

    A question and a guess behind it, in one pass and in two: as ``CachedDecoder`` reads them at once.
    """
    write_shared_cache(model, path)
    decoder = CachedDecoder(model.eval())
    visual = torch.randn(model.config.image_seq_length, model.config.vision_config.hidden_size)
    ids = torch.arange(16) + 8
    logits, hidden, _ = decoder(visual, ids, empty_cache(model))
    wanted = {'hidden': hidden.numpy(), 'logits': logits.numpy()}
    session = open_session(path)
    names = [value.name for value in session.get_outputs()]
    cache = {
        v.name: np.zeros(v.shape, np.float32) for v in session.get_inputs() if v.name[:3] in ('key', 'val')
    }
    found: list[dict[str, Any]] = []
    for rows, text, past in ((visual, ids, 0), (visual, ids[:8], 0), (visual[:0], ids[8:], len(visual) + 8)):
        values = {'visual': rows.numpy(), 'ids': text.numpy(), 'past': np.array(past, np.int32)}
        out = session.run(None, {**values, 'answers': np.array([2]), **cache})
        found.append(dict(zip(names, out)))
        cache = {name: found[-1][f'new_{name}'] for name in cache}
    at_once, first, then = found
    in_two = np.concatenate([first['hidden'], then['hidden']])
    return _largest(
        path,
        [(wanted['hidden'], at_once['hidden']), (wanted['hidden'], in_two)]
        + [(wanted['logits'], part['logits'][-1]) for part in (at_once, then)],
    )


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
    return _export(Loop(), example, ['actions'], {}, path)


def _export(
    model: nn.Module,
    example: Mapping[str, Tensor],
    outputs: Sequence[str],
    dynamic: dict[str, dict[int, str]],
    path: Path,
) -> float:
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
    return _largest(path, [(a.numpy(), b) for a, b in zip(wanted, found)])


def _largest(path: Path, pairs: Sequence[tuple[Any, Any]]) -> float:
    """The largest difference of what PyTorch and the graph say; VlaError if it is too large."""
    difference = max(float(np.abs(a - b).max()) for a, b in pairs)
    if not difference < TOLERANCE:
        raise VlaError(f'{path}: expected a difference from PyTorch below {TOLERANCE}, found {difference}')
    return difference
