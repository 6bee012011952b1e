"""SmolVLA in this process, behind the interface of a policy server: asked, it answers with a chunk in its own units.

So what its numbers mean is said by a file in ``config/policies``, as of any served policy; and whoever asks waits for
a given time and no longer.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from vla_ros.action.local_link import LocalLink, require_same
from vla_ros.action.noise import noise
from vla_ros.action.remote.errors import ServerError
from vla_ros.action.remote.link import Asked
from vla_ros.action.remote.policy_file import PolicyFile
from vla_ros.action.smolvla.model import ModelSpec, TimeSpec, VectorSpec, load_model, model_file
from vla_ros.action.smolvla.pictures import as_seen
from vla_ros.action.words_file import open_words
from vla_ros.runtime import open_session
from vla_ros.types import FloatArray, VlaError

EPSILON = 1e-8  # beside deviations, as in LeRobot's normalisation
STATE, ACTION = 'observation.state', 'action'


class SmolVlaLink(LocalLink):
    """SmolVLA, as ``vla_ros import smolvla`` writes it."""

    def __init__(
        self, file: PolicyFile, folder: Path, provider: str = 'cpu', *, allow_fallback: bool = False
    ) -> None:
        """Compare the policy's file with the model; nothing is loaded yet.

        Raises:
            VlaError: there is no such model, or it does not fit.
        """
        super().__init__()
        self._spec = load_model(folder)
        require_fit(file, self._spec)
        self._folder, self._provider, self._allow_fallback = folder, provider, allow_fallback
        self._keys = [key for key in self._spec.images if key in {picture.key for picture in file.pictures}]

    def _load(self) -> None:
        spec = self._spec
        self._words = open_words(model_file(self._folder, spec, 'tokenizer'))
        self._sessions = {
            key: open_session(path, self._provider, allow_fallback=self._allow_fallback)
            for key, path in (
                ('prefix', model_file(self._folder, spec, 'prefix')),
                ('step', model_file(self._folder, spec, 'step')),
            )
        }
        nothing = np.zeros((spec.image_size, spec.image_size, 3), np.uint8)
        state = np.array(spec.state.mean, np.float32)
        self.ask(Asked(dict.fromkeys(self._keys, nothing), {STATE: state}, 'wait', 0))

    def ask(self, asked: Asked) -> Mapping[str, npt.NDArray[np.generic]]:
        """A chunk (horizon, numbers) in the units of the data; the same question gives the same chunk."""
        spec = self._spec
        if not self._sessions:
            raise ServerError('not loaded yet')
        ids = self._words.encode(asked.prompt if asked.prompt.endswith('\n') else f'{asked.prompt}\n').ids
        if len(ids) > spec.words:
            raise ServerError(f'prompt: expected at most {spec.words} tokens, found {len(ids)}')
        images = np.stack([as_seen(asked.pictures[key], spec.image_size) for key in self._keys])
        keys, values = self._run(
            'prefix',
            {
                'images': images,
                'words': np.array(ids, np.int64),
                'state': normalised(asked.state[STATE], spec.state),
            },
        )
        x = noise(asked.seed, 0, (spec.horizon, spec.action.width))
        for k in range(spec.steps):
            time = time_waves(1.0 - k / spec.steps, spec.time)
            (velocity,) = self._run('step', {'actions': x, 'time': time, 'keys': keys, 'values': values})
            x = x - velocity / np.float32(spec.steps)
        mean, std = np.array(spec.action.mean), np.array(spec.action.std)
        return {ACTION: x[:, : len(mean)] * std + mean}


def require_fit(file: PolicyFile, spec: ModelSpec) -> None:
    """Refuse a policy's file that is about another model.

    Raises:
        VlaError: in one sentence, what does not fit.
    """
    require = partial(require_same, file)
    strange = [picture.key for picture in file.pictures if picture.key not in spec.images]
    if strange:
        raise VlaError(
            f'policy {file.name!r}: pictures: expected some of {list(spec.images)}, found {strange}'
        )
    require('state', [STATE], [state.key for state in file.state])
    require('actions', [ACTION], [actions.key for actions in file.actions])
    require(f'numbers of {STATE}', len(spec.state.mean), len(file.state[0].columns))
    require(f'numbers of {ACTION}', len(spec.action.mean), len(file.actions[0].columns))
    require('horizon', spec.horizon, file.horizon)


def normalised(numbers: FloatArray, spec: VectorSpec) -> FloatArray:
    """Numbers (K,) as the model was trained on them, filled up with zeros."""
    filled = np.zeros(spec.width, np.float32)
    filled[: len(numbers)] = (numbers - np.array(spec.mean)) / (np.array(spec.std) + EPSILON)
    return filled


def time_waves(time: float, spec: TimeSpec) -> FloatArray:
    """A moment of the flow as sines and cosines (width,): periods from the shortest to the longest by equal ratios."""
    periods = spec.shortest * (spec.longest / spec.shortest) ** np.linspace(0.0, 1.0, spec.width // 2)
    angles = 2.0 * np.pi * np.float64(np.float32(time)) / periods
    return np.concatenate([np.sin(angles), np.cos(angles)]).astype(np.float32)
