"""The prompt of GR00T as tokens, and where each token is for Qwen3-VL: a line of text with pictures in it."""

from __future__ import annotations

import re

import numpy as np

from vla_ros.action.groot.model import PicturesSpec, PromptSpec
from vla_ros.types import BoolArray, IndexArray

PUNCTUATION = re.compile(r'[^\w\s]')


def prompt_text(words: str, prompt: PromptSpec, pictures: PicturesSpec) -> str:
    """The whole prompt, with a placeholder for every token of a picture."""
    said = PUNCTUATION.sub('', words.lower()) if prompt.plain else words
    before = prompt.before.replace(prompt.picture, prompt.picture * pictures.tokens)
    return before + said + prompt.after


def places(is_picture: BoolArray, pictures: PicturesSpec) -> IndexArray:
    """Time, row and column (3, 1, tokens) of each token, as Qwen3-VL's rotary embedding takes them.

    Words go on by one in all three. The tokens of a picture are at one time, rows and columns count from there, and
    what follows is behind the largest of them.
    """
    side = pictures.side // pictures.patch // pictures.merge
    rows, columns = np.divmod(np.arange(side * side), side)
    grid = np.stack([np.zeros_like(rows), rows, columns])
    found, now, at = [], 0, 0
    while at < len(is_picture):
        if is_picture[at]:
            found.append(now + grid)
            at, now = at + side * side, now + side
        else:
            found.append(np.full((3, 1), now))
            at, now = at + 1, now + 1
    return np.concatenate(found, axis=1)[:, None].astype(np.int64)
