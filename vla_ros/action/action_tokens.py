"""Generation 1: the 256 tokens that stand for the bins of an action dimension (RT-2, arXiv 2307.15818, section 3.2)."""

from __future__ import annotations

ACTION_BINS = 256


def action_tokens() -> list[str]:
    """All action tokens, in the order of their bins. No instruction can write one: see ``prompt.plain``."""
    return [f'<act_{i:03d}>' for i in range(ACTION_BINS)]
