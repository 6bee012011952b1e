"""What the vision-language model of a GR00T wants of pictures and words, from the folder of that model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from transformers.utils.chat_template_utils import render_jinja_template

from vla_ros.action.groot.model import PicturesSpec, PromptSpec
from vla_ros.json_file import read_json
from vla_ros.training.groot_checkpoint import Checkpoint, require
from vla_ros.types import VlaError

PICTURE = '<|image_pad|>'
MARK = 'WORDS'


def read_pictures(vlm: Path, checkpoint: Checkpoint) -> PicturesSpec:
    """How pictures become patches; VlaError if they would be scaled once more."""
    path = vlm / 'preprocessor_config.json'
    config = read_json(path)
    require(path, config, {'do_rescale': True, 'do_normalize': True, 'do_resize': True}, given=False)
    try:
        patch, merge, frames = (
            int(config[key]) for key in ('patch_size', 'merge_size', 'temporal_patch_size')
        )
        size = config.get('size') or {}
        least = config.get('min_pixels') or size['shortest_edge']
        most = config.get('max_pixels') or size['longest_edge']
        mean, std = tuple(config['image_mean']), tuple(config['image_std'])
    except (KeyError, TypeError, ValueError) as error:
        raise VlaError(f'{path}: expected a key or a number, found none: {error!r}') from error
    side = checkpoint.side
    if side % (patch * merge) or not least <= side * side <= most:
        raise VlaError(
            f'{path}: expected pictures that it leaves as they are, {side} pixels a side; it takes multiples of '
            f'{patch * merge}, and {least} to {most} pixels'
        )
    return PicturesSpec(
        keys=checkpoint.cameras,
        side=side,
        crop=checkpoint.crop,
        patch=patch,
        merge=merge,
        frames=frames,
        mean=mean,
        std=std,
    )


def read_prompt(vlm: Path, cameras: int, *, plain: bool) -> PromptSpec:
    """What its chat template writes around the words, behind the pictures."""
    content: list[dict[str, Any]] = [{'type': 'image'} for _ in range(cameras)]
    turns = [{'role': 'user', 'content': [*content, {'type': 'text', 'text': MARK}]}]
    (text,), _ = render_jinja_template([turns], chat_template=_template(vlm), add_generation_prompt=False)
    before, mark, after = text.partition(MARK)
    if mark != MARK or MARK in after or before.count(PICTURE) != cameras or PICTURE in after:
        raise VlaError(
            f'{vlm}: chat template: expected {cameras} times {PICTURE} and then the words, found {text!r}'
        )
    return PromptSpec(before=before, after=after, picture=PICTURE, plain=plain)


def _template(vlm: Path) -> str:
    if (vlm / 'chat_template.jinja').is_file():
        return (vlm / 'chat_template.jinja').read_text('utf-8')
    for name in ('chat_template.json', 'tokenizer_config.json'):
        found = read_json(vlm / name).get('chat_template') if (vlm / name).is_file() else None
        if isinstance(found, str):
            return found
    raise VlaError(f'{vlm}: expected a chat template, chat_template.jinja or chat_template.json, found none')
