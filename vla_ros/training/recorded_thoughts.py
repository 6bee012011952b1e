"""What System 2 thinks while it looks at a recording: greedily, at its own rate, remembering what it thought before.

A recording says in words what was to be done, and nothing of what is true of the scene. So, other than with
demonstrations, System 1 learns from what System 2 really writes, right or wrong.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from tqdm import tqdm
from transformers import PreTrainedTokenizerFast

from vla_ros.reasoning import trace
from vla_ros.reasoning.progress import Progress
from vla_ros.reasoning.prompt import prompt
from vla_ros.training.conversations import HAND
from vla_ros.training.labels import GRIPPER
from vla_ros.training.language import LanguageTrainer
from vla_ros.training.recorded import RecordedLooks
from vla_ros.types import IndexArray, Verdict

Texts = list[tuple[str, str]]


def think(
    model: LanguageTrainer,
    tokenizer: PreTrainedTokenizerFast,
    visual: npt.NDArray[np.float16],
    looks: RecordedLooks,
    every: int,
    bins: int,
    longest: int,
) -> tuple[IndexArray, Texts]:
    """The looks at which there was a thought to act on, and its (prompt, trace).

    Args:
        visual: (S, tokens, width) of the camera that System 2 looks at.
        every: a thought every so many looks.
        longest: tokens of a trace.
    """
    model.eval()
    found, texts = [], []
    progress, before = Progress(), (-1, '')
    for look in tqdm(range(len(looks)), desc='thinking', unit='look', leave=False):
        said = (int(looks.episode[look]), looks.tasks[look])
        if said != before:
            progress, before, since = Progress(), said, look
        if (look - since) % every:
            continue
        situation = progress.situation(HAND, float(looks.joints[look, GRIPPER]))
        asked = prompt(said[1], situation, bins)
        written = _write(model, tokenizer, visual[look], asked, longest)
        decision = trace.read(written, said[1], bins, 'front')
        progress.note(decision)
        if decision.verdict is Verdict.GO:
            found.append(look)
            texts.append((asked, written))
    return np.array(found, np.int64), texts


@torch.no_grad()
def _write(
    model: LanguageTrainer,
    tokenizer: PreTrainedTokenizerFast,
    visual: npt.NDArray[np.float16],
    asked: str,
    longest: int,
) -> str:
    embed, end = model.language.embed_tokens, tokenizer.convert_tokens_to_ids(trace.END_ANSWER)
    seen = model.projector(torch.from_numpy(visual[None].astype(np.float32)))
    shown = torch.cat([seen, embed(torch.tensor([tokenizer(asked)['input_ids']]))], 1)
    read = model.language(inputs_embeds=shown, use_cache=True)
    written: list[int] = []
    while True:
        written.append(int(model.head(read.last_hidden_state[0, -1]).argmax()))
        if written[-1] == end or len(written) == longest:
            return str(tokenizer.decode(written, skip_special_tokens=False))
        read = model.language(
            inputs_embeds=embed(torch.tensor([written[-1:]])),
            past_key_values=read.past_key_values,
            use_cache=True,
        )


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
