"""``vla_ros import groot-onnx``: Isaac-GR00T's own ONNX export to a folder that ``backend: groot_onnx`` runs."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from pydantic import ValidationError
from safetensors import safe_open

from vla_ros.action.groot.graphs import OPTIONAL, open_graphs, require_signature, signatures
from vla_ros.action.groot.model import ModelSpec, SizesSpec, write_model
from vla_ros.bundle import sha256
from vla_ros.json_file import read_json
from vla_ros.manifest import FileSpec
from vla_ros.training.groot_checkpoint import Checkpoint, read_checkpoint, require
from vla_ros.training.groot_prompt import read_pictures, read_prompt
from vla_ros.training.single_precision import save, to_single_precision
from vla_ros.types import FloatArray, VlaError
from vla_ros.validation import first_problem

EXPORTED = {
    'vit': ('vit_fp32.onnx', 'vit_bf16.onnx'),
    'llm': ('llm_bf16.onnx', 'llm_fp32.onnx'),
    'vl_self_attention': ('vl_self_attention.onnx',),
    'state_encoder': ('state_encoder.onnx',),
    'action_encoder': ('action_encoder.onnx',),
    'dit': ('dit_bf16.onnx',),
    'action_decoder': ('action_decoder.onnx',),
}
"""By the name of a graph, what the export calls its file."""
SIZES = {
    'features': 'backbone_embedding_dim',
    'embedding': 'input_embedding_dim',
    'hidden': 'hidden_size',
    'state': 'max_state_dim',
    'action': 'max_action_dim',
    'rows': 'action_horizon',
    'deepstack': 'num_deepstack',
}
"""Ours, and what the export calls them."""
OPSET = 19  # as the export has it
WORDS = '.language_model.embed_tokens.weight'
TYPES = {
    TensorProto.FLOAT: 'tensor(float)',
    TensorProto.BFLOAT16: 'tensor(float)',
    TensorProto.INT64: 'tensor(int64)',
    TensorProto.BOOL: 'tensor(bool)',
}


def import_groot(
    source: Path,
    checkpoint_folder: Path,
    vlm: Path,
    out: Path,
    embodiment: str | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> ModelSpec:
    """Take over the graphs of an export in single precision, add what it leaves to torch, and describe all of it.

    Args:
        source: what export_onnx_n1d7.py wrote with ``--export-mode full_pipeline``.
        checkpoint_folder: what it was made of.
        vlm: folder with tokenizer.json, preprocessor_config.json and the chat template of the model that the
            checkpoint names (Cosmos-Reason2-2B).
        out: a folder that is not there yet, or is empty.
        embodiment: see ``read_checkpoint``.
        tell: hears what is being done.

    Raises:
        VlaError: something cannot be read, does not fit together, or wants what is not done here.
    """
    if out.exists() and any(out.iterdir()):
        raise VlaError(f'{out}: expected a new or empty folder, found files in it')
    checkpoint = read_checkpoint(checkpoint_folder, embodiment)
    tell(f'{checkpoint_folder}: {checkpoint.embodiment}, {len(checkpoint.cameras)} cameras')
    exported = read_json(source / 'export_metadata.json')
    require(
        source / 'export_metadata.json',
        exported,
        {'model_version': 'n1d7', 'export_mode': 'full_pipeline', 'batch_size': 1, 'state_history_length': 1},
    )
    if not (vlm / 'tokenizer.json').is_file():
        raise VlaError(
            f'{vlm}: expected tokenizer.json of the vision-language model; name its folder with --vlm'
        )
    try:
        spec = _described(checkpoint, exported, vlm)
    except ValidationError as error:
        raise VlaError(f'{source}: {first_problem(error)}') from error
    out.mkdir(parents=True, exist_ok=True)
    files: dict[str, Path] = {}
    _take_over(source, checkpoint_folder, spec, out, files, tell)
    _add(checkpoint, checkpoint_folder, spec.sizes, out, files, tell)
    files['tokenizer'] = out / 'tokenizer.json'
    shutil.copyfile(vlm / 'tokenizer.json', files['tokenizer'])
    spec = spec.model_copy(
        update={
            'files': {key: FileSpec(path=path.name, sha256=sha256(path)) for key, path in files.items()},
            'provenance': {
                'command': 'vla_ros import groot-onnx',
                'checkpoint': checkpoint_folder.resolve().name,
                'export': exported,
            },
        }
    )
    write_model(out, spec)
    tell('opened, as the robot will')
    open_graphs(out, spec, 'cpu', allow_fallback=False)
    return spec


def _described(checkpoint: Checkpoint, exported: Mapping[str, Any], vlm: Path) -> ModelSpec:
    return ModelSpec(
        format=1,
        embodiment=checkpoint.embodiment,
        embodiment_id=checkpoint.embodiment_id,
        pictures=read_pictures(vlm, checkpoint),
        prompt=read_prompt(vlm, len(checkpoint.cameras), plain=checkpoint.plain),
        horizon=checkpoint.horizon,
        steps=checkpoint.steps,
        buckets=checkpoint.buckets,
        clip=checkpoint.clip,
        state=checkpoint.state,
        actions=checkpoint.actions,
        sizes=SizesSpec.model_validate({ours: exported.get(theirs) for ours, theirs in SIZES.items()}),
        files={},
        provenance={},
    )


def _take_over(
    source: Path,
    checkpoint: Path,
    spec: ModelSpec,
    out: Path,
    files: dict[str, Path],
    tell: Callable[[str], None],
) -> None:
    """The graphs of the export, checked before their weights are read."""
    wanted = signatures(spec.pictures, spec.sizes)
    paths = {}
    for name, names in EXPORTED.items():
        path = next((source / each for each in names if (source / each).is_file()), None)
        if path is None and name not in OPTIONAL:
            raise VlaError(
                f'{source}: expected {names[0]}, found none; export with --export-mode full_pipeline'
            )
        if path is not None:
            graph = onnx.load(path, load_external_data=False).graph
            require_signature(path, wanted[name], *(_shapes(part) for part in (graph.input, graph.output)))
            paths[name] = path
    for name, path in paths.items():
        tell(f'{path.name}: to single precision')
        model = onnx.load(path)
        if name == 'state_encoder':
            _require_same(path, model, checkpoint)
        to_single_precision(model)
        _keep(model, name, out, files)


def _require_same(path: Path, model: onnx.ModelProto, checkpoint: Path) -> None:
    """Refuse an export of another checkpoint: glue and graphs would not belong together, and nobody would notice."""
    wanted = _tensor(checkpoint, '.state_encoder.layer1.W').bfloat16().float().numpy()
    if not any(
        tuple(tensor.dims) == wanted.shape
        and np.array_equal(numpy_helper.to_array(tensor).astype(np.float32), wanted)
        for tensor in model.graph.initializer
    ):
        raise VlaError(f'{path}: expected the export of {checkpoint}, found other weights')


def _add(
    checkpoint: Checkpoint,
    folder: Path,
    sizes: SizesSpec,
    out: Path,
    files: dict[str, Path],
    tell: Callable[[str], None],
) -> None:
    """What the export leaves to torch, rounded to bfloat16 as Isaac-GR00T's policy runs it."""
    tell('words, places and the normalisation of features')

    def rounded(name: str) -> FloatArray:
        return _tensor(folder, name).bfloat16().float().numpy()

    rows: FloatArray = np.zeros((sizes.rows, sizes.embedding), np.float32)
    if checkpoint.placed:
        rows = rounded('action_head.position_embedding.weight')[: sizes.rows]
    _keep(_table(rounded(WORDS)), 'words', out, files)
    _keep(_table(rows), 'places', out, files)
    if checkpoint.normalised:
        scale, bias = rounded('action_head.vlln.weight'), rounded('action_head.vlln.bias')
        _keep(_normalise(scale, bias), 'normalise', out, files)


def _table(rows: FloatArray) -> onnx.ModelProto:
    """``ids`` (n,) to ``rows`` (n, width) of a table."""
    return _model(
        helper.make_node('Gather', ['table', 'ids'], ['rows']),
        helper.make_tensor_value_info('ids', TensorProto.INT64, ['n']),
        helper.make_tensor_value_info('rows', TensorProto.FLOAT, ['n', rows.shape[1]]),
        {'table': rows},
    )


def _normalise(scale: FloatArray, bias: FloatArray) -> onnx.ModelProto:
    """torch's LayerNorm of ``hidden_states`` (1, n, width)."""
    shape: list[str | int | None] = [1, 'n', len(scale)]
    return _model(
        helper.make_node('LayerNormalization', ['hidden_states', 'scale', 'bias'], ['output'], epsilon=1e-5),
        helper.make_tensor_value_info('hidden_states', TensorProto.FLOAT, shape),
        helper.make_tensor_value_info('output', TensorProto.FLOAT, shape),
        {'scale': scale, 'bias': bias},
    )


def _model(
    node: onnx.NodeProto, taken: Any, given: Any, weights: Mapping[str, FloatArray]
) -> onnx.ModelProto:
    tensors = [numpy_helper.from_array(array, name) for name, array in weights.items()]
    graph = helper.make_graph([node], 'glue', [taken], [given], tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid('', OPSET)], ir_version=9)


def _keep(model: onnx.ModelProto, name: str, out: Path, files: dict[str, Path]) -> None:
    files[name] = out / f'{name}.onnx'
    weights = save(model, files[name])
    if weights is not None:
        files[f'{name}_weights'] = weights


def _shapes(values: Any) -> dict[str, Any]:
    """By name type and shape, as ONNX Runtime will say them once the graph is in single precision."""
    found = {}
    for value in values:
        tensor = value.type.tensor_type
        shape = [
            length.dim_value if length.HasField('dim_value') else length.dim_param or '?'
            for length in tensor.shape.dim
        ]
        name = TYPES.get(tensor.elem_type, TensorProto.DataType.Name(tensor.elem_type))
        found[value.name] = (name, tuple(shape))
    return found


def _tensor(folder: Path, ending: str) -> torch.Tensor:
    """The one tensor of a checkpoint whose name ends so."""
    files = sorted(folder.glob('*.safetensors'))
    found = []
    try:
        for path in files:
            with safe_open(path, 'pt') as tensors:
                names = [name for name in tensors.keys() if name.endswith(ending)]  # noqa: SIM118  no mapping
                found += [tensors.get_tensor(name) for name in names]
    except Exception as error:  # safetensors raises errors of its own
        raise VlaError(f'{folder}: expected safetensors, found none ({error})') from error
    if len(found) != 1:
        raise VlaError(
            f'{folder}: expected one tensor that ends in {ending!r} in {len(files)} files, found {len(found)}'
        )
    return found[0]
