"""System 2: a LLaVA model learns to write the chain of thought that is true of a scene.

The language model is a Llama decoder; the frozen SigLIP encoder's patch features go through a two-layer
perceptron into its embedding space and stand in front of the words (LLaVA, arXiv 2304.08485). Only the answer is
learned: the loss counts the trace, not the image and not the order.

Places are learned as words that have neighbours, and with one attention head that is taught to look (see ``places``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import Dataset
from transformers import (
    LlamaForCausalLM,
    LlavaConfig,
    LlavaForConditionalGeneration,
    PreTrainedTokenizerFast,
    SiglipVisionModel,
)

from vla_ros.reasoning.prompt import IMAGE, prompt
from vla_ros.reasoning.trace import Sighting, write
from vla_ros.training.llama import LanguageSize, new_decoder
from vla_ros.training.loop import fresh_generator
from vla_ros.training.places import patches_of, pointing_loss, word_losses
from vla_ros.training.wordings import sentence
from vla_ros.types import FloatArray

IGNORED = -100
CONCLUSION_WEIGHT = 4.0
"""What follows from order and scene counts more than the list of the scene: a few tokens, and they move the arm."""
VERDICT_WEIGHT = 20.0
"""The one word, 'at' or 'not' after 'it is', by which the arm moves or stays."""
POINTING_LAYER, POINTING_HEAD, POINTING_WEIGHT = -2, 0, 0.3
"""The attention head, of the last layer but one, that is taught to look at the patch of a place about to be written."""


def build_llava(
    size: LanguageSize,
    vision: SiglipVisionModel,
    tokenizer: PreTrainedTokenizerFast,
    image_tokens: int,
    decoder: LlamaForCausalLM | None = None,
) -> LlavaForConditionalGeneration:
    """A LLaVA model around a trained, frozen vision tower and a trained decoder; without one, around a new one."""
    decoder = decoder or new_decoder(size, tokenizer)
    config = LlavaConfig(
        vision_config=vision.config,
        text_config=decoder.config,
        image_token_index=tokenizer.convert_tokens_to_ids(IMAGE),
        image_seq_length=image_tokens,
        vision_feature_layer=-1,
        vision_feature_select_strategy='full',
        tie_word_embeddings=True,
    )
    model = LlavaForConditionalGeneration(config)
    model.set_attn_implementation('eager')  # twice as fast to train as the fused one on a CPU
    model.model.vision_tower.load_state_dict(vision.state_dict())
    model.model.vision_tower.requires_grad_(False)
    model.model.language_model.load_state_dict(decoder.model.state_dict())
    return model


@dataclass(frozen=True)
class Order:
    """One training example's words: who asks what of which scene, and the trace that is true of it."""

    scene: int
    instruction: str
    trace: str


def orders(
    rng: np.random.Generator,
    centres: FloatArray,
    names: Sequence[str],
    bins: int,
    *,
    absent: float = 0.35,
    unknown: float = 0.15,
) -> list[Order]:
    """One order a scene: mostly for an object that is there, some for one that is not, some for no known task.

    Args:
        centres: (scenes, kinds, 2), NaN where a kind is not seen.
        absent, unknown: shares of orders for objects that are not there, and of orders that are not understood.
    """
    made = []
    for scene, places in enumerate(centres):
        seen = [Sighting(name, float(x), float(y)) for name, (x, y) in zip(names, places) if not np.isnan(x)]
        action: str | None = 'touch'
        draw = rng.random()
        present = [s.name for s in seen]
        if draw < absent or not present:
            wanted = _absent(rng, present, names)
        else:
            wanted = present[int(rng.integers(len(present)))]
            if draw > 1 - unknown:
                action = None
        made.append(
            Order(scene, sentence(rng, action or 'unknown', wanted), write(seen, action, wanted, bins))
        )
    return made


def _absent(rng: np.random.Generator, present: Sequence[str], names: Sequence[str]) -> str:
    """An object that is not there; half of the time one whose colour and shape are, each on another object."""
    missing = [name for name in names if name not in present]
    words = {word for name in present for word in name.split()}
    hard = [name for name in missing if all(word in words for word in name.split())]
    options = hard if hard and rng.random() < 0.5 else missing
    return options[int(rng.integers(len(options)))]


class Conversations(Dataset[dict[str, Any]]):
    """Visual tokens with (order, trace); the orders are drawn anew each epoch, so no two epochs are alike."""

    def __init__(
        self,
        tokens: npt.NDArray[np.float16],
        centres: FloatArray,
        names: Sequence[str],
        tokenizer: PreTrainedTokenizerFast,
        bins: int,
    ) -> None:
        self._tokens, self._centres, self._names = tokens, centres, list(names)
        self._tokenizer, self._bins = tokenizer, bins

    def __len__(self) -> int:
        return len(self._tokens)

    def __getitem__(self, index: int) -> dict[str, Any]:
        (order,) = orders(fresh_generator(), self._centres[index : index + 1], self._names, self._bins)
        asked = self._tokenizer(prompt(order.instruction))['input_ids']
        answer = self._tokenizer(order.trace)['input_ids']
        return {
            'visual': self._tokens[index],
            'ids': asked + answer,
            'labels': [IGNORED] * len(asked) + answer,
            'weights': [0.0] * len(asked) + self._weights(order.trace, len(answer)),
        }

    def _weights(self, trace: str, count: int) -> list[float]:
        """What each of the ``count`` tokens of a trace counts."""
        scene = len(self._tokenizer(trace[: trace.index(' asked:')])['input_ids'])
        weights = [1.0] * scene + [CONCLUSION_WEIGHT] * (count - scene)
        before, verdict, _ = trace.partition(' it is')
        if verdict:
            weights[len(self._tokenizer(before + verdict)['input_ids'])] = VERDICT_WEIGHT
        return weights


def collate(samples: list[dict[str, Any]]) -> dict[str, Tensor]:
    """Pad on the right; padding is never attended to by what counts, because attention is causal."""
    longest = max(len(sample['ids']) for sample in samples)

    def padded(key: str, fill: float) -> Tensor:
        return torch.tensor([sample[key] + [fill] * (longest - len(sample[key])) for sample in samples])

    visual = torch.from_numpy(np.stack([sample['visual'] for sample in samples]).astype(np.float32))
    return {
        'visual': visual,
        'seen': torch.tensor([sample.get('seen', True) for sample in samples]),
        'ids': padded('ids', 0),
        'labels': padded('labels', IGNORED),
        'weights': padded('weights', 0.0),
    }


class LanguageTrainer(nn.Module):
    """LLaVA on visual tokens that were encoded beforehand: the vision tower is frozen, so it need not run again."""

    def __init__(self, model: LlavaForConditionalGeneration, places: range = range(0)) -> None:
        """``places`` are the ids of location tokens, of which near ones count as almost right."""
        super().__init__()
        self.projector = model.model.multi_modal_projector
        self.language = model.model.language_model
        self.places = places

    def head(self, states: Tensor) -> Tensor:
        """Logits over the vocabulary; the head is the embedding, tied."""
        return functional.linear(states, self.language.embed_tokens.weight)

    def hidden(self, visual: Tensor, ids: Tensor) -> Tensor:
        """Hidden states (batch, visual + text, width) after the final norm."""
        return self._read(visual, ids).last_hidden_state

    def _read(self, visual: Tensor, ids: Tensor, seen: Tensor | None = None, **options: Any) -> Any:
        """``seen`` (batch,) is false where there is no picture: then nothing attends to its place."""
        embedded = torch.cat([self.projector(visual), self.language.embed_tokens(ids)], 1)
        if seen is not None and not bool(seen.all()):
            looked = seen[:, None].expand(-1, visual.shape[1])
            options['attention_mask'] = torch.cat([looked, torch.ones_like(ids, dtype=torch.bool)], 1).long()
        return self.language(inputs_embeds=embedded, use_cache=False, **options)

    def forward(
        self, visual: Tensor, ids: Tensor, labels: Tensor, weights: Tensor, seen: Tensor | None = None
    ) -> dict[str, Tensor]:
        read = self._read(visual, ids, seen, output_attentions=True)
        # What the model has at one token decides about the next.
        before = slice(visual.shape[1] - 1, -1)
        states = read.last_hidden_state[:, before]
        wanted = labels != IGNORED
        losses = word_losses(self.head(states[wanted]).float(), labels[wanted], self.places)
        loss = (losses * weights[wanted]).sum() / weights.sum()
        patches = patches_of(labels, self.places, visual.shape[1])
        looks = read.attentions[POINTING_LAYER][:, POINTING_HEAD, before, : visual.shape[1]]
        pointing = pointing_loss(looks, patches)
        return {'loss': loss + POINTING_WEIGHT * pointing, 'pointing': pointing.detach()}


@torch.no_grad()
def measure(trainer: LanguageTrainer, data: Conversations) -> dict[str, float]:
    """Share of tokens and of whole traces that come out greedily as written, each token given the true ones before."""
    trainer.eval()
    tokens_right = tokens = traces_right = 0
    for start in range(0, len(data), 50):
        batch = collate([data[i] for i in range(start, min(start + 50, len(data)))])
        states = trainer.hidden(batch['visual'], batch['ids'])[:, batch['visual'].shape[1] - 1 : -1]
        counted = batch['labels'] != IGNORED
        right = (trainer.head(states).argmax(-1) == batch['labels']) | ~counted
        tokens_right += int((right & counted).sum())
        tokens += int(counted.sum())
        traces_right += int(right.all(-1).sum())
    return {'token_accuracy': tokens_right / tokens, 'trace_accuracy': traces_right / len(data)}
