"""A checkpoint of Isaac-GR00T N1.7, read and checked before anything is made of it: all but its weights.

``config.json``, and of its processor ``processor_config.json``, ``statistics.json`` and ``embodiment_id.json``, which
may be in a folder ``processor``. What a checkpoint wants that is not done here is refused; nothing is left out without
a word. Keys that a configuration does not have are as Gr00tN1d7Config of Isaac-GR00T has them then.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from vla_ros.action.groot.model import ActionSpec, ScaleSpec, StateSpec
from vla_ros.json_file import read_json
from vla_ros.types import VlaError

Representation = Literal['absolute', 'delta', 'unsaid']
REPRESENTATIONS: Mapping[str, Representation] = {
    'ABSOLUTE': 'absolute',
    'RELATIVE': 'absolute',
    'DELTA': 'delta',
}
"""Of an answer: what is relative is added to the state before."""


@dataclass(frozen=True)
class Checkpoint:
    """What an import needs beside weights.

    Attributes:
        embodiment, embodiment_id: which robot of those that it was trained on.
        cameras: keys of the pictures, in the order in which the model sees them.
        side, crop: pixels a side, and the share of a side that is kept.
        plain: words become lower case and lose their punctuation.
        normalised, placed: whether the features are normalised, and places added to actions.
    """

    embodiment: str
    embodiment_id: int
    cameras: tuple[str, ...]
    side: int
    crop: float
    plain: bool
    horizon: int
    steps: int
    buckets: int
    clip: bool
    normalised: bool
    placed: bool
    state: tuple[StateSpec, ...]
    actions: tuple[ActionSpec, ...]


def read_checkpoint(folder: Path, embodiment: str | None = None) -> Checkpoint:
    """Read a checkpoint.

    Args:
        embodiment: which of its robots; None if there is only one.

    Raises:
        VlaError: a file is missing, or the checkpoint wants what is not done here.
    """
    config = read_json(folder / 'config.json')
    inside = folder / 'processor'
    own = inside if inside.is_dir() and not (folder / 'processor_config.json').is_file() else folder
    try:
        return _read(folder, config, own, embodiment)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise VlaError(
            f'{folder}: its configuration: expected a key or a number, found none: {error!r}'
        ) from error


def _read(folder: Path, config: Mapping[str, Any], own: Path, embodiment: str | None) -> Checkpoint:
    processor = read_json(own / 'processor_config.json')['processor_kwargs']
    require(folder / 'config.json', config, {'model_type': 'Gr00tN1d7'})
    require(
        folder / 'config.json', config, {'use_alternate_vl_dit': True, 'state_history_length': 1}, given=False
    )
    require(own / 'processor_config.json', processor, {'use_albumentations': True})
    require(own / 'processor_config.json', processor, {'exclude_state': False}, given=False)
    known = processor['modality_configs']
    if embodiment is None and len(known) == 1:
        embodiment = next(iter(known))
    if embodiment is None or embodiment not in known:
        raise VlaError(
            f'{own}: expected an embodiment of {sorted(known)}, found {embodiment}; name it with --embodiment'
        )
    modalities = known[embodiment]
    moments = {key: modality['delta_indices'] for key, modality in modalities.items()}
    for key in ('video', 'state', 'language'):
        if moments[key] != [0]:
            raise VlaError(
                f'{own}: {embodiment}.{key}: expected the present alone, [0], found moments {moments[key]}'
            )
    horizon = len(moments['action'])
    if moments['action'] != list(range(horizon)):
        raise VlaError(f'{own}: {embodiment}.action: expected steps from 0 on, found {moments["action"]}')
    statistics = read_json(own / 'statistics.json')[embodiment]
    side = processor['shortest_image_edge'] or processor['image_target_size'][0]
    crop = processor['crop_fraction'] or processor['image_crop_size'][0] / processor['image_target_size'][0]
    return Checkpoint(
        embodiment=embodiment,
        embodiment_id=int(read_json(own / 'embodiment_id.json')[embodiment]),
        cameras=tuple(modalities['video']['modality_keys']),
        side=int(side),
        crop=float(crop),
        plain=bool(processor['formalize_language']),
        horizon=horizon,
        steps=int(config.get('num_inference_timesteps', 4)),
        buckets=int(config.get('num_timestep_buckets', 1000)),
        clip=bool(processor.get('clip_outliers', True)),
        normalised=bool(config.get('use_vlln', True)),
        placed=bool(config.get('add_pos_embed', True)),
        state=tuple(_states(modalities['state'], processor, statistics)),
        actions=tuple(_actions(own, modalities['action'], processor, statistics)),
    )


def _states(
    modality: Mapping[str, Any], processor: Mapping[str, Any], statistics: Mapping[str, Any]
) -> Sequence[StateSpec]:
    circles = modality.get('sin_cos_embedding_keys') or () if processor['apply_sincos_state_encoding'] else ()
    found = []
    for key in modality['modality_keys']:
        numbers = statistics['state'][key]
        scale = (
            ScaleSpec(kind='circle', first=(), second=())
            if key in circles
            else _scale(numbers, key, modality, percentiles=processor['use_percentiles'])
        )
        found.append(StateSpec(key=key, width=len(numbers['mean']), scale=scale))
    return found


def _actions(
    own: Path, modality: Mapping[str, Any], processor: Mapping[str, Any], statistics: Mapping[str, Any]
) -> Sequence[ActionSpec]:
    keys, configs = modality['modality_keys'], modality.get('action_configs')
    found = []
    for key, config in zip(keys, configs or [None] * len(keys), strict=True):
        numbers, percentiles = statistics['action'][key], processor['use_percentiles']
        representation: Representation = 'unsaid'
        added_to: str | None = None
        width = len(numbers['mean'])
        if config is not None:
            where = f'{own}: action {key!r}'
            if config['type'] != 'NON_EEF' or config['format'] != 'DEFAULT':
                raise VlaError(
                    f'{where}: expected joints (NON_EEF, DEFAULT), found {config["type"]}, {config["format"]}; '
                    'nothing here solves for the joints'
                )
            if config['rep'] not in REPRESENTATIONS:
                raise VlaError(
                    f'{where}: rep: expected one of {sorted(REPRESENTATIONS)}, found {config["rep"]!r}'
                )
            representation = REPRESENTATIONS[config['rep']]
            if config['rep'] == 'RELATIVE':
                if not processor['use_relative_action']:
                    raise VlaError(f'{where}: rep: expected use_relative_action with RELATIVE, found none')
                # Isaac-GR00T normalises these between their smallest and largest, whatever use_percentiles says.
                numbers, percentiles = statistics['relative_action'][key], False
                added_to = config.get('state_key') or key
        scale = _scale(numbers, key, modality, percentiles=percentiles)
        found.append(
            ActionSpec(key=key, width=width, representation=representation, added_to=added_to, scale=scale)
        )
    return found


def _scale(
    numbers: Mapping[str, Any], key: str, modality: Mapping[str, Any], *, percentiles: bool
) -> ScaleSpec:
    """Of one vector, or one a step, as Isaac-GR00T chooses it."""
    kind: Literal['bounds', 'deviation'] = 'bounds'
    names = ('q01', 'q99') if percentiles else ('min', 'max')
    if key in (modality.get('mean_std_embedding_keys') or ()):
        kind, names = 'deviation', ('mean', 'std')
    first, second = (np.atleast_2d(np.array(numbers[name], np.float64)).tolist() for name in names)
    return ScaleSpec(kind=kind, first=first, second=second)


def require(path: Path, found: Mapping[str, Any], wanted: Mapping[str, Any], *, given: bool = True) -> None:
    """Refuse what is not done here; ``given``: a key that is missing is refused, too.

    Raises:
        VlaError: which key, what was expected, what was found.
    """
    for key, value in wanted.items():
        if found.get(key, None if given else value) != value:
            raise VlaError(f'{path}: {key}: expected {value!r}, found {found.get(key)!r}')
