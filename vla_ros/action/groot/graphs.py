"""The graphs of an imported GR00T: what each takes and gives, checked when it is opened.

Seven are those of Isaac-GR00T's own export (scripts/deployment/export_onnx_n1d7.py, mode full_pipeline), by the names
that they have there. Three are what that export leaves to torch, made of the checkpoint by the import: the table of
words, the normalisation of the backbone's features, and the table of places in a chunk.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vla_ros.action.groot.model import ModelSpec, PicturesSpec, SizesSpec, model_file
from vla_ros.runtime import open_session
from vla_ros.types import VlaError

FLOATS, IDS, FLAGS = 'tensor(float)', 'tensor(int64)', 'tensor(bool)'

Tensor = tuple[str, tuple[int | None, ...]]
"""Type and shape; None is a length that must be free to change."""


@dataclass(frozen=True)
class Signature:
    """Inputs and outputs of a graph by name."""

    inputs: Mapping[str, Tensor]
    outputs: Mapping[str, Tensor]


OPTIONAL = ('normalise', 'vl_self_attention')
"""Not every checkpoint has them."""


def signatures(pictures: PicturesSpec, sizes: SizesSpec) -> dict[str, Signature]:
    """Of all graphs, for one question."""
    tokens, chunk = len(pictures.keys) * pictures.tokens, 1 + sizes.rows
    features: Tensor = FLOATS, (1, None, sizes.features)
    seen: Tensor = FLOATS, (tokens, sizes.features)
    embodiment: Tensor = IDS, (1,)
    flags: Tensor = FLAGS, (1, None)
    stream: Tensor = FLOATS, (1, chunk, sizes.embedding)
    left: Tensor = FLOATS, (1, chunk, sizes.hidden)
    rows: Tensor = FLOATS, (1, sizes.rows, sizes.action)
    deepstack = {f'deepstack_{layer}': seen for layer in range(sizes.deepstack)}
    pixels = 3 * pictures.frames * pictures.patch**2
    return {
        'words': Signature({'ids': (IDS, (None,))}, {'rows': (FLOATS, (None, sizes.features))}),
        'vit': Signature(
            {'pixel_values': (FLOATS, (pictures.patches, pixels))},
            {'image_embeds': seen, 'deepstack_features': (FLOATS, (sizes.deepstack, *seen[1]))},
        ),
        'llm': Signature(
            {
                'inputs_embeds': features,
                'attention_mask': (IDS, (1, None)),
                'position_ids': (IDS, (3, 1, None)),
                'visual_pos_masks': flags,
                **deepstack,
            },
            {'embeddings': features},
        ),
        'normalise': Signature({'hidden_states': features}, {'output': features}),
        'vl_self_attention': Signature({'hidden_states': features}, {'output': features}),
        'state_encoder': Signature(
            {'state': (FLOATS, (1, 1, sizes.state)), 'embodiment_id': embodiment},
            {'output': (FLOATS, (1, 1, sizes.embedding))},
        ),
        'places': Signature({'ids': (IDS, (None,))}, {'rows': (FLOATS, (None, sizes.embedding))}),
        'action_encoder': Signature(
            {'actions': rows, 'timesteps': embodiment, 'embodiment_id': embodiment},
            {'output': (FLOATS, (1, sizes.rows, sizes.embedding))},
        ),
        'dit': Signature(
            {
                'sa_embs': stream,
                'vl_embs': features,
                'timestep': embodiment,
                'image_mask': flags,
                'backbone_attention_mask': flags,
            },
            {'output': left},
        ),
        'action_decoder': Signature(
            {'model_output': left, 'embodiment_id': embodiment},
            {'output': (FLOATS, (1, chunk, sizes.action))},
        ),
    }


def open_graphs(folder: Path, spec: ModelSpec, provider: str, *, allow_fallback: bool) -> dict[str, Any]:
    """Sessions by name; of the optional ones those that there are.

    Raises:
        VlaError: a file is missing or was altered, or a graph takes or gives something else.
    """
    sessions = {}
    for name, signature in signatures(spec.pictures, spec.sizes).items():
        if name in OPTIONAL and name not in spec.files:
            continue
        beside = f'{name}_weights'
        weights = model_file(folder, spec, beside) if beside in spec.files else None
        path = model_file(folder, spec, name)
        session = open_session(path, provider, allow_fallback=allow_fallback, weights=weights)
        inputs, outputs = (
            {entry.name: (entry.type, tuple(entry.shape)) for entry in entries}
            for entries in (session.get_inputs(), session.get_outputs())
        )
        require_signature(path, signature, inputs, outputs)
        sessions[name] = session
    return sessions


def require_signature(
    path: Path, signature: Signature, inputs: Mapping[str, Any], outputs: Mapping[str, Any]
) -> None:
    """Refuse a graph that takes or gives something else; lengths that it names instead of saying may be anything.

    Args:
        inputs, outputs: by name the type, and the shape with numbers and names.

    Raises:
        VlaError: in one sentence, what was expected and what was found.
    """
    for kind, expected, found in (
        ('inputs', signature.inputs, inputs),
        ('outputs', signature.outputs, outputs),
    ):
        if set(expected) != set(found):
            raise VlaError(f'{path}: {kind}: expected {sorted(expected)}, found {sorted(found)}')
        for name, (wanted_type, wanted_shape) in expected.items():
            found_type, found_shape = found[name]
            if found_type != wanted_type or not _agree(wanted_shape, found_shape):
                wanted = tuple('any' if length is None else length for length in wanted_shape)
                raise VlaError(
                    f'{path}: {name}: expected {wanted_type} {wanted}, found {found_type} {tuple(found_shape)}'
                )


def _agree(wanted: tuple[int | None, ...], found: tuple[Any, ...]) -> bool:
    return len(wanted) == len(found) and all(
        not isinstance(length, int) if expected is None else not isinstance(length, int) or length == expected
        for expected, length in zip(wanted, found)
    )
