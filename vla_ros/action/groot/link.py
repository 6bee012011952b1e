"""GR00T in this process, behind the interface of a policy server: asked, it answers with a chunk in its own units.

The answers are those of GR00T's own server: relative actions already added to the state. So the same file in
``config/policies`` says what the numbers mean, but for its backend.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from vla_ros.action.groot.graphs import open_graphs
from vla_ros.action.groot.model import ModelSpec, load_model, model_file
from vla_ros.action.groot.numbers import action_parts, state_vector
from vla_ros.action.groot.pictures import patches
from vla_ros.action.groot.words import places, prompt_text
from vla_ros.action.local_link import LocalLink, require_same
from vla_ros.action.noise import noise
from vla_ros.action.remote.errors import ServerError
from vla_ros.action.remote.link import Asked
from vla_ros.action.remote.policy_file import PolicyFile
from vla_ros.action.words_file import open_words
from vla_ros.types import BoolArray, FloatArray, IndexArray, VlaError


class GrootOnnxLink(LocalLink):
    """GR00T N1.7, as ``vla_ros import groot-onnx`` writes it."""

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

    def _load(self) -> None:
        spec = self._spec
        words = open_words(model_file(self._folder, spec, 'tokenizer'))
        self._words, self._picture = words, words.token_to_id(spec.prompt.picture)
        if self._picture is None:
            raise VlaError(f'{self._folder}: tokenizer: expected a token {spec.prompt.picture!r}, found none')
        self._special = [token.content for token in words.get_added_tokens_decoder().values()]
        self._sessions = open_graphs(self._folder, spec, self._provider, allow_fallback=self._allow_fallback)
        self._embodiment = np.array([spec.embodiment_id], np.int64)
        (self._places,) = self._run('places', {'ids': np.arange(spec.sizes.rows)})
        nothing = np.zeros((spec.pictures.side, spec.pictures.side, 3), np.uint8)
        state = {part.key: np.zeros(part.width, np.float32) for part in spec.state}
        self.ask(Asked(dict.fromkeys(spec.pictures.keys, nothing), state, 'wait', 0))

    def ask(self, asked: Asked) -> Mapping[str, npt.NDArray[np.generic]]:
        """By key, numbers (horizon, K) in the units of the data; the same question gives the same chunk."""
        chunk = self.chunk(asked, noise(asked.seed, 0, (self._spec.sizes.rows, self._spec.sizes.action)))
        return action_parts(chunk[: self._spec.horizon], asked.state, self._spec.actions)

    def chunk(self, asked: Asked, started: FloatArray) -> FloatArray:
        """Normalised actions (rows, filled-up width) of noise of that shape."""
        spec = self._spec
        features, is_picture = self._features(asked)
        state = state_vector(asked.state, spec.state, spec.sizes.state, clip=spec.clip)
        own = {'embodiment_id': self._embodiment}
        (first,) = self._run('state_encoder', {'state': state[None, None], **own})
        seen = {
            'vl_embs': features,
            'image_mask': is_picture[None],
            'backbone_attention_mask': np.ones((1, len(is_picture)), np.bool_),
        }
        x = started[None]
        for k in range(spec.steps):
            time = np.array([int(k / spec.steps * spec.buckets)], np.int64)
            (encoded,) = self._run('action_encoder', {'actions': x, 'timesteps': time, **own})
            stream = np.concatenate([first, encoded + self._places], axis=1)
            (left,) = self._run('dit', {'sa_embs': stream, 'timestep': time, **seen})
            (velocity,) = self._run('action_decoder', {'model_output': left, **own})
            x = x + velocity[:, -spec.sizes.rows :] / np.float32(spec.steps)
        return np.asarray(x[0], np.float32)

    def _features(self, asked: Asked) -> tuple[FloatArray, BoolArray]:
        """What System 2's backbone makes of pictures and words (1, tokens, width), and which tokens are of pictures."""
        spec = self._spec
        ids = self._ids(asked.prompt)
        is_picture = ids == self._picture
        pixels = patches([asked.pictures[key] for key in spec.pictures.keys], spec.pictures)
        image, deep = self._run('vit', {'pixel_values': pixels})
        (rows,) = self._run('words', {'ids': ids})
        rows[is_picture] = image
        inputs = {
            'inputs_embeds': rows[None],
            'attention_mask': np.ones((1, len(ids)), np.int64),
            'position_ids': places(is_picture, spec.pictures),
            'visual_pos_masks': is_picture[None],
            **{f'deepstack_{layer}': deep[layer] for layer in range(spec.sizes.deepstack)},
        }
        (features,) = self._run('llm', inputs)
        for name in ('normalise', 'vl_self_attention'):
            if name in self._sessions:
                (features,) = self._run(name, {'hidden_states': features})
        return features, is_picture

    def _ids(self, words: str) -> IndexArray:
        """Tokens of the whole prompt; words that would be taken for a special token are refused."""
        spec = self._spec
        special = [token for token in self._special if token in words]
        if special:
            raise ServerError(f'prompt: expected words, found the special token {special[0]!r}')
        text = prompt_text(words, spec.prompt, spec.pictures)
        return np.array(self._words.encode(text, add_special_tokens=False).ids, np.int64)


def require_fit(file: PolicyFile, spec: ModelSpec) -> None:
    """Refuse a policy's file that is about another model.

    Raises:
        VlaError: in one sentence, what does not fit.
    """
    require = partial(require_same, file)
    require('pictures', sorted(spec.pictures.keys), sorted(picture.key for picture in file.pictures))
    for what, parts, declared in (
        ('state', {part.key: part.width for part in spec.state}, file.state),
        ('actions', {part.key: part.width for part in spec.actions}, file.actions),
    ):
        require(what, sorted(parts), sorted(entry.key for entry in declared))
        for entry in declared:
            require(f'numbers of {entry.key}', parts[entry.key], len(entry.columns))
    require('horizon', spec.horizon, file.horizon)
    means = {part.key: part.representation for part in spec.actions}
    for actions in file.actions:
        if means[actions.key] == 'unsaid':
            continue  # the checkpoint does not say; the file alone does
        for column in actions.columns:
            if not column.ignored:
                said = column.representation or actions.representation
                require(f'representation of {actions.key}', means[actions.key], said)
