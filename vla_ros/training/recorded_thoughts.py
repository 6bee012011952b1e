"""What System 2 thinks while it looks at a recording: greedily, at its own rate, remembering what it thought before.

A recording says in words what was to be done, and nothing of what is true of the scene. So, other than with
demonstrations, System 1 learns from what System 2 really writes, right or wrong.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from tqdm import tqdm
from transformers import LlavaForConditionalGeneration, PreTrainedTokenizerFast

from vla_ros.reasoning import trace
from vla_ros.reasoning.progress import Progress
from vla_ros.reasoning.prompt import prompt
from vla_ros.training.conversations import HAND
from vla_ros.training.decoder import CachedDecoder, empty_cache
from vla_ros.training.labels import GRIPPER
from vla_ros.training.recorded import RecordedLooks
from vla_ros.types import IndexArray, Verdict


@torch.no_grad()
def think(
    model: LlavaForConditionalGeneration,
    tokenizer: PreTrainedTokenizerFast,
    visual: npt.NDArray[np.float16],
    looks: RecordedLooks,
    every: int,
    bins: int,
    longest: int,
    rows: int,
) -> tuple[IndexArray, npt.NDArray[np.float16]]:
    """The looks at which there was a thought to act on, and its vectors (N, rows, width), padded with zeros.

    They are those that the robot has: the hidden states of the answer while it is written.

    Args:
        visual: (S, tokens, channels) of the camera that System 2 looks at.
        every: a thought every so many looks.
        longest: tokens of a trace; rows: those of an answer.
    """
    decoder, nothing = CachedDecoder(model).eval(), empty_cache(model)
    found, vectors = [], [np.zeros((0, rows, model.config.text_config.hidden_size), np.float16)]
    progress, before, since = Progress(), (-1, ''), 0
    for look in tqdm(range(len(looks)), desc='thinking', unit='look', leave=False):
        said = (int(looks.episode[look]), looks.tasks[look])
        if said != before:
            progress, before, since = Progress(), said, look
        if (look - since) % every:
            continue
        situation = progress.situation(HAND, float(looks.joints[look, GRIPPER]))
        asked = torch.tensor(tokenizer(prompt(said[1], situation, bins))['input_ids'])
        seen = torch.from_numpy(visual[look].astype(np.float32))
        written, hidden = write(decoder, nothing, tokenizer, seen, asked, longest)
        decision = trace.read(written, said[1], bins, 'front')
        progress.note(decision)
        if decision.verdict is Verdict.GO and len(hidden) <= rows:
            found.append(look)
            padded = np.zeros(vectors[0].shape[1:], np.float16)
            padded[: len(hidden)] = hidden.numpy()
            vectors.append(padded[None])
    return np.array(found, np.int64), np.concatenate(vectors)


@torch.no_grad()
def write(
    decoder: CachedDecoder,
    cache: Tensor,
    tokenizer: PreTrainedTokenizerFast,
    visual: Tensor,
    asked: Tensor,
    longest: int,
) -> tuple[str, Tensor]:
    """A trace, greedily, and the hidden states (rows, width) of its answer, each after its token was read.

    Args:
        cache: an empty one.
        visual: (tokens, channels); asked: (T,) the prompt.
    """
    answer, end = (tokenizer.convert_tokens_to_ids(token) for token in (trace.ANSWER, trace.END_ANSWER))
    logits, _, cache = decoder(visual, asked, cache)
    written: list[int] = []
    rows: list[Tensor] = []
    while len(written) < longest and end not in written[-1:]:
        written.append(int(logits.argmax()))
        logits, hidden, cache = decoder(visual[:0], torch.tensor(written[-1:]), cache)
        if rows or written[-1] == answer:
            rows.append(hidden[0])
    text = str(tokenizer.decode(written, skip_special_tokens=False))
    return text, torch.stack(rows) if rows else torch.zeros(0, hidden.shape[-1])


def thought_of(looks: RecordedLooks, thoughts: IndexArray, oldest: int) -> IndexArray:
    """(S,) for each look the newest of ``thoughts``, looks themselves, that may be acted on; -1 for none.

    It is of the same episode and task, and at most ``oldest`` looks old.
    """
    found = np.full(len(looks), -1)
    newest = np.searchsorted(thoughts, np.arange(len(looks)), side='right') - 1
    for look, index in enumerate(newest.tolist()):
        if index < 0:
            continue
        at = int(thoughts[index])
        same = looks.episode[at] == looks.episode[look] and looks.tasks[at] == looks.tasks[look]
        if same and look - at <= oldest:
            found[look] = index
    return found


def held_out(episodes: Sequence[int], every: int) -> set[int]:
    """The episodes that are kept for testing: the last of each ``every``, and of a few the last; none of one."""
    each = sorted(set(episodes))
    return set(each[every - 1 :: every]) or set(each[1:][-1:])
