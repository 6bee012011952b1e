"""The tokenizer of a policy that is told its words, from its file."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def open_words(path: Path) -> Any:
    """A tokenizer (``tokenizers.Tokenizer``) that neither fills up nor cuts off."""
    from tokenizers import Tokenizer

    words = Tokenizer.from_file(str(path))
    words.no_padding()
    words.no_truncation()
    return words
