"""From PyTorch to ONNX: a graph for each part, each compared with its model before anything is written down."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from transformers import LlavaForConditionalGeneration, SiglipVisionModel

from vla_ros.fixed_run import zeros_for
from vla_ros.manifest import Precision
from vla_ros.runtime import open_session
from vla_ros.training.decoder import CachedDecoder, empty_cache
from vla_ros.training.flow import FlowHead, integrate
from vla_ros.training.flow_graph import write_flow
from vla_ros.training.precision import lower, relative_difference
from vla_ros.training.shared_cache import write_shared_cache
from vla_ros.training.token_decoder import TokenDecoder
from vla_ros.training.token_model import TokenModel
from vla_ros.training.vision import PIXEL_MEAN, PIXEL_STD
from vla_ros.types import VlaError

OPSET = 18
TOLERANCE, ACTION_TOLERANCE = 1e-4, 1e-5


def export_vision(model: SiglipVisionModel, path: Path, cameras: int, precision: Precision = 'fp32') -> float:
    """``images`` (cameras, h, w, 3) uint8 to ``features`` (cameras, tokens, width). Returns the difference.

    Normalising the pixels is linear, and so is the first layer: it is in its weights, and costs nothing.
    """
    size, mean, std = model.config.image_size, torch.tensor(PIXEL_MEAN), torch.tensor(PIXEL_STD)
    images = torch.randint(0, 256, (cameras, size, size, 3), dtype=torch.uint8)

    def whole(images: Tensor) -> Tensor:
        pixels = ((images / 255.0 - mean) / std).permute(0, 3, 1, 2)
        return model.encoder(inputs_embeds=model.embeddings(pixels)).last_hidden_state

    class Features(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embeddings, self.encoder = deepcopy(model.embeddings), model.encoder
            first = self.embeddings.patch_embedding
            first.bias -= (first.weight * (mean / std)[:, None, None]).sum((1, 2, 3))
            first.weight /= 255 * std[:, None, None]

        def forward(self, images: Tensor) -> Tensor:
            pixels = images.permute(0, 3, 1, 2).to(torch.float32)
            return self.encoder(inputs_embeds=self.embeddings(pixels)).last_hidden_state

    model.eval()
    with torch.no_grad():
        _export(Features(), {'images': images}, ['features'], path)
        lower(path, precision)
        (found,) = open_session(path).run(None, {'images': images.numpy()})
        return _difference(path, [(whole(images).numpy(), found)], TOLERANCE, precision)


@torch.no_grad()
def export_language(model: LlavaForConditionalGeneration, path: Path, precision: Precision = 'fp32') -> float:
    """Reading and writing in one graph, see ``write_shared_cache``. Returns the difference of what it says.

    A question and a guess behind it, in one pass and in two: as ``CachedDecoder`` reads them at once.
    """
    write_shared_cache(model, path)
    lower(path, precision)
    decoder = CachedDecoder(model.eval())
    visual = torch.randn(model.config.image_seq_length, model.config.vision_config.hidden_size)
    ids = torch.arange(16) + 8
    logits, hidden, _ = decoder(visual, ids, empty_cache(model))
    wanted = {'hidden': hidden.numpy(), 'logits': logits.numpy()}
    session = open_session(path)
    names = [value.name for value in session.get_outputs()]
    cache = {v.name: zeros_for(v) for v in session.get_inputs() if v.name[:3] in ('key', 'val')}
    found: list[dict[str, Any]] = []
    for rows, text, past in ((visual, ids, 0), (visual, ids[:8], 0), (visual[:0], ids[8:], len(visual) + 8)):
        values = {'visual': rows.numpy(), 'ids': text.numpy(), 'past': np.array(past, np.int32)}
        out = session.run(None, {**values, 'answers': np.array([2]), **cache})
        found.append(dict(zip(names, out)))
        cache = {name: found[-1][f'new_{name}'] for name in cache}
    at_once, first, then = found
    in_two = np.concatenate([first['hidden'], then['hidden']])
    return _difference(
        path,
        [(wanted['hidden'], at_once['hidden']), (wanted['hidden'], in_two)]
        + [(wanted['logits'], part['logits'][-1]) for part in (at_once, then)],
        TOLERANCE,
        precision,
    )


@torch.no_grad()
def export_tokens(model: LlavaForConditionalGeneration, tokens: TokenModel, path: Path, rows: int) -> float:
    """Generation 1, prefill and decoding in one graph; see ``TokenDecoder.forward``. ``rows`` are visual tokens."""
    decoder = TokenDecoder(model, tokens)
    width = tokens.thought.in_features
    example = {
        'visual': torch.randn(rows, model.config.vision_config.hidden_size),
        'thought': torch.randn(3, width),
        'state': torch.randn(1, tokens.state.in_features),
        'ids': torch.tensor([tokens.actions.start, tokens.actions.stop - 1]),
        'cache': empty_cache(model),
    }
    axes = {'visual': 'visual_tokens', 'thought': 'rows', 'state': 'states', 'ids': 'text_tokens'}
    dynamic = {**{name: {0: axis} for name, axis in axes.items()}, 'cache': {3: 'past'}}
    difference = export_compared(decoder, example, ['logits', 'new_cache'], dynamic, path)
    _, cache = decoder(**example)
    nothing = {name: example[name][:0] for name in ('visual', 'thought', 'state')}
    next_token = {**nothing, 'ids': example['ids'][:1], 'cache': cache}
    return max(difference, _difference(path, _said(decoder, next_token, path)))


@torch.no_grad()
def export_action(
    head: FlowHead, path: Path, tokens: int, thought_rows: int, precision: Precision = 'fp32'
) -> float:
    """The whole Euler loop; see ``integrate`` for inputs and output ``actions`` (1, horizon, joints).

    Compared with and without a clean prefix, with whole and with padded thoughts.
    """
    config = head.config
    if tokens != config.tokens:
        raise ValueError(f'tokens: expected {config.tokens}, found {tokens}')
    write_flow(head.eval(), path, thought_rows)
    lower(path, precision)
    session, pairs = open_session(path), []
    for rows, clean in ((thought_rows // 2, config.prefix // 2), (thought_rows, 0)):
        thought = torch.randn(1, thought_rows, config.thought_width)
        thought[:, rows:] = 0
        example = {
            'noise': torch.randn(1, config.horizon, config.joints),
            'tokens': torch.randn(1, tokens, config.token_width),
            'thought': thought,
            'state': torch.randn(1, config.state),
            'prefix': torch.randn(1, config.horizon, config.joints),
            'clean': torch.arange(config.horizon)[None] < clean,
        }
        (found,) = session.run(None, {name: value.numpy() for name, value in example.items()})
        pairs.append((integrate(head, **example).numpy(), found))
    return _difference(path, pairs, ACTION_TOLERANCE, precision)


@torch.no_grad()
def export_compared(
    model: nn.Module,
    example: Mapping[str, Tensor],
    outputs: Sequence[str],
    dynamic: Mapping[str, Mapping[int, str]],
    path: Path,
) -> float:
    """Export, and return the largest difference from PyTorch; VlaError if it is not below TOLERANCE."""
    _export(model, example, outputs, path, dynamic)
    return _difference(path, _said(model, example, path))


def _said(model: nn.Module, example: Mapping[str, Tensor], path: Path) -> list[tuple[Any, Any]]:
    """What PyTorch and the graph say of the same, output by output."""
    wanted = model(*example.values())
    found = open_session(path).run(None, {name: value.numpy() for name, value in example.items()})
    return [(a.numpy(), b) for a, b in zip(wanted if isinstance(wanted, tuple) else (wanted,), found)]


def _export(
    model: nn.Module,
    example: Mapping[str, Tensor],
    outputs: Sequence[str],
    path: Path,
    dynamic: Mapping[str, Mapping[int, str]] | None = None,
) -> None:
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


def _difference(
    path: Path,
    pairs: Sequence[tuple[Any, Any]],
    tolerance: float = TOLERANCE,
    precision: Precision = 'fp32',
) -> float:
    """The largest difference of what PyTorch and the graph say, below fp32 a relative one; VlaError if too large."""
    if precision != 'fp32':
        return relative_difference(path, pairs, precision)
    difference = max(float(np.abs(a - b).max()) for a, b in pairs)
    if not difference < tolerance:
        raise VlaError(f'{path}: expected a difference from PyTorch below {tolerance}, found {difference}')
    return difference
