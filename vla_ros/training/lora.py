"""LoRA: a stage trains small matrices beside the weights, which stay as they are (arXiv 2106.09685).

Each chosen weight W (out, in) becomes W + (alpha / rank) B A with A (rank, in) random and B (out, rank) zero, so that
training begins where the weights are. Merged, W is that sum, and nothing is slower. The work is done by ``peft``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import PreTrainedModel

from vla_ros.types import VlaError

TARGETS = r'.*(language_model|model)\.layers\.\d+\.self_attn\.(q_proj|v_proj)'
"""Queries and values of the decoder, as in the paper's experiments; never those of the vision tower."""
LARGEST_SHARE = 0.01


def adapted(model: PreTrainedModel, rank: int) -> PeftModel:
    """``model`` with adapters in place and everything else frozen; it goes on to be used under its own name, too.

    Raises:
        VlaError: so high a rank that it is no small part of the model any more.
    """
    towers = r'(?!.*vision_tower)'
    config = LoraConfig(r=rank, lora_alpha=2 * rank, lora_dropout=0.0, target_modules=towers + TARGETS)
    found = get_peft_model(model, config)
    share = trainable_share(found)
    if share >= LARGEST_SHARE:
        raise VlaError(
            f'rank: expected less than 1 % of the parameters to train, found {share:.2%} with rank {rank}'
        )
    return found


def merged(model: PeftModel, folder: Path) -> Any:
    """The plain model with the adapters in its weights; they alone are kept in ``folder``, as peft reads them."""
    model.save_pretrained(str(folder))
    return model.merge_and_unload(safe_merge=True)


def trainable_share(model: torch.nn.Module) -> float:
    """Share of the parameters that learn."""
    sizes = [(p.numel(), p.requires_grad) for p in model.parameters()]
    return sum(size for size, learns in sizes if learns) / sum(size for size, _ in sizes)
