"""System 2: a LLaVA model learns to write the chain of thought that is true of a scene.

The language model is a Llama decoder; the frozen SigLIP encoder's patch features go through a two-layer
perceptron into its embedding space and stand in front of the words (LLaVA, arXiv 2304.08485). Only the answer is
learned: the loss counts the trace, not the image and not the order.

Places are learned as words that have neighbours, and with one attention head that is taught to look (see ``places``).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import (
    LlamaForCausalLM,
    LlavaConfig,
    LlavaForConditionalGeneration,
    PreTrainedTokenizerFast,
    SiglipVisionModel,
)

from vla_ros.reasoning.prompt import IMAGE
from vla_ros.training.conversations import IGNORED, Conversations
from vla_ros.training.llama import LanguageSize, new_decoder
from vla_ros.training.places import patches_of, pointing_loss, word_losses

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
