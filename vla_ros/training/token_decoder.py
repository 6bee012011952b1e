"""Generation 1 with its KV cache in the open, ready for ONNX: see ``decoder`` and ``token_model``."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from transformers import LlavaForConditionalGeneration

from vla_ros.training.decoder import CachedDecoder
from vla_ros.training.token_model import TokenModel


class TokenDecoder(nn.Module):
    """[visual tokens, thought, state, action tokens] in, logits of the next token out; the cache grows."""

    def __init__(self, model: LlavaForConditionalGeneration, tokens: TokenModel) -> None:
        """``tokens`` are the ways in of thought and state, learned with the ``model``."""
        super().__init__()
        self.decoder, self.thought, self.state = CachedDecoder(model), tokens.thought, tokens.state

    def forward(
        self, visual: Tensor, thought: Tensor, state: Tensor, ids: Tensor, cache: Tensor
    ) -> tuple[Tensor, Tensor]:
        """One pass; of each input there may be none.

        Args:
            visual: (V, channels); thought: (R, width), without padding; state: (0 or 1, numbers); ids: (T,) int64.
            cache: (layers, 2, heads, past, head width), see ``CachedDecoder``.

        Returns:
            logits (vocabulary,) after the last of them; the new cache.
        """
        parts = [self.decoder.projector(visual), self.thought(thought), self.state(state)]
        logits, _, grown = self.decoder.read(torch.cat([*parts, self.decoder.embedding(ids)]), cache)
        return logits, grown
