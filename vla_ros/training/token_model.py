"""Generation 1: System 2's language model, taught to go on with action tokens where System 1 would act (RT-2).

It reads what the flow-matching head reads, and nothing else, so that both can be compared and exchanged: the visual
tokens of all cameras through LLaVA's projector; the thought vectors, which are fed back as if they were words (as in
Coconut, arXiv 2412.06769), through one linear layer; the state of the joints as one more token, through another (as in
SmolVLA, arXiv 2506.01844). Then come the actions: one token a joint and step, each read before the next is written.

As a text, [visual tokens | thought | state | actions] stands beside [visual tokens | order | trace], from which the
model goes on learning in the same batches: that is the co-fine-tuning of RT-2 (arXiv 2307.15818, section 3.2).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from transformers import LlavaForConditionalGeneration

from vla_ros.training.language import POINTING_HEAD, POINTING_LAYER, POINTING_WEIGHT, LanguageTrainer
from vla_ros.training.places import pointing_loss, word_losses


class TokenModel(nn.Module):
    """A LLaVA model with two more ways in. ``forward`` is the loss of a mixed batch."""

    def __init__(
        self, model: LlavaForConditionalGeneration, actions: range, places: range, state: int, length: int
    ) -> None:
        """Around a model that has the words.

        Args:
            actions, places: ids of the action tokens and of the location tokens.
            state: numbers of the state of the joints.
            length: tokens of a chunk.
        """
        super().__init__()
        self.reader = LanguageTrainer(model, places)
        self.actions, self.length = actions, length
        self.front = model.config.image_seq_length
        words = self.reader.language.embed_tokens.weight.detach()
        width, size = words.shape[1], float(words.std())
        self.thought, self.state = nn.Linear(width, width), nn.Linear(state, width)
        # What is read begins as large as words are; the thought also as what it is.
        with torch.no_grad():
            self.thought.weight.copy_(size * torch.eye(width))
            self.thought.bias.zero_()
            self.state.weight.normal_(0.0, size / state**0.5)
            self.state.bias.zero_()

    def forward(
        self, chunks: dict[str, Tensor] | None = None, traces: dict[str, Tensor] | None = None
    ) -> dict[str, Tensor]:
        """The mean loss of the samples: of ``chunks``, and of ``traces`` as ``LanguageTrainer`` has them."""
        losses = []
        if chunks is not None:
            losses.append((len(chunks['ids']), self.chunk_loss(**chunks)))
        if traces is not None:
            losses.append((len(traces['ids']), self.reader(**traces)['loss']))
        total = sum(count * loss for count, loss in losses)
        return {'loss': torch.as_tensor(total) / sum(count for count, _ in losses)}

    def chunk_loss(
        self, tokens: Tensor, thought: Tensor, state: Tensor, ids: Tensor, patch: Tensor
    ) -> Tensor:
        """Of the action tokens ``ids`` (B, length) alone.

        As for places, a bin next to the true one is almost right, and one attention head is taught to look at the patch
        (B,) that the hand goes to, as it is in the flow-matching head; -1 is nowhere.
        """
        read = self._read(tokens, thought, state, ids[:, :-1], output_attentions=True)
        states = read.last_hidden_state[:, -self.length :]
        losses = word_losses(self.reader.head(states).flatten(0, 1).float(), ids.flatten(), self.actions)
        looks = read.attentions[POINTING_LAYER][:, POINTING_HEAD, -self.length :, : self.front]
        pointing = pointing_loss(looks, patch[:, None].expand(looks.shape[:2]))
        return losses.mean() + POINTING_WEIGHT * pointing

    @torch.no_grad()
    def guesses(self, tokens: Tensor, thought: Tensor, state: Tensor, ids: Tensor) -> Tensor:
        """(B, length) the likeliest action token at each place, the true ones before it given."""
        states = self._read(tokens, thought, state, ids[:, :-1]).last_hidden_state[:, -self.length :]
        return self._most_likely(states)

    @torch.no_grad()
    def decode(self, tokens: Tensor, thought: Tensor, state: Tensor) -> Tensor:
        """(B, length) action tokens, greedily, each with those before it as the model wrote them itself."""
        written = tokens.new_zeros(len(tokens), 0, dtype=torch.long)
        read = self._read(tokens, thought, state, written, use_cache=True)
        mask = self._mask(tokens, thought)
        while True:
            written = torch.cat([written, self._most_likely(read.last_hidden_state[:, -1:])], 1)
            if written.shape[1] == self.length:
                return written
            mask = torch.cat([mask, torch.ones_like(mask[:, :1])], 1)
            read = self.reader.language(
                inputs_embeds=self.reader.language.embed_tokens(written[:, -1:]),
                attention_mask=mask,
                position_ids=mask.sum(1, keepdim=True) - 1,
                past_key_values=read.past_key_values,
                use_cache=True,
            )

    def _most_likely(self, states: Tensor) -> Tensor:
        """The likeliest of the action tokens alone."""
        logits = self.reader.head(states)[..., self.actions.start : self.actions.stop]
        return logits.argmax(-1) + self.actions.start

    def _mask(self, tokens: Tensor, thought: Tensor) -> Tensor:
        """(B, visual tokens + rows + 1) what is there; rows of zeros pad a thought."""
        seen = torch.ones(tokens.shape[:2], dtype=torch.long, device=tokens.device)
        thinks = (thought.abs().amax(-1) > 0).long()
        return torch.cat([seen, thinks, torch.ones_like(seen[:, :1])], 1)

    def _read(self, tokens: Tensor, thought: Tensor, state: Tensor, ids: Tensor, **options: Any) -> Any:
        """The model's output on all of it. Padding takes no place: positions count what is there."""
        parts = [self.reader.projector(tokens), self.thought(thought), self.state(state)[:, None]]
        embedded = torch.cat([*parts, self.reader.language.embed_tokens(ids)], 1)
        mask = torch.cat([self._mask(tokens, thought), torch.ones_like(ids)], 1)
        options.setdefault('use_cache', False)
        return self.reader.language(
            inputs_embeds=embedded,
            attention_mask=mask,
            position_ids=(mask.cumsum(1) - 1).clamp(min=0),
            **options,
        )
