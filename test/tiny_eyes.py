"""A vision tower small enough for a test: 32 pixels a side, four patches, features of 24 numbers."""

from __future__ import annotations

import torch
import transformers


def tiny_eyes(layers: int = 1) -> transformers.SiglipVisionModel:
    """The same weights each time."""
    torch.manual_seed(0)
    return transformers.SiglipVisionModel(
        transformers.SiglipVisionConfig(
            hidden_size=24,
            intermediate_size=48,
            num_hidden_layers=layers,
            num_attention_heads=2,
            image_size=32,
            patch_size=16,
        )
    )
