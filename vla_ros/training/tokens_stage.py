"""`vla_ros train tokens`: generation 1 of System 1, from the checkpoint of System 2 and the lessons of generation 2."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from transformers import LlavaForConditionalGeneration, PreTrainedTokenizerFast

from vla_ros.action.bins import Bins, bins_of
from vla_ros.bundle import sha256
from vla_ros.sim.expert import PERIOD
from vla_ros.training import (
    action,
    action_stage,
    conversations,
    language,
    lessons,
    places,
    snapshots,
    stages,
    vision,
)
from vla_ros.training.cache import cached
from vla_ros.training.llama import seat_places
from vla_ros.training.loop import Schedule, fit
from vla_ros.training.metrics import write_metrics
from vla_ros.training.surgery import add_action_tokens
from vla_ros.training.token_lessons import ChunkTokens, Mixed, collate_mixed, steps_of
from vla_ros.training.token_model import TokenModel
from vla_ros.training.token_report import against_flow
from vla_ros.training.tokenizer import load_tokenizer
from vla_ros.types import VlaError

FOLDER = 'tokens'
EVERY = 2
"""A chunk has every second step of a flow-matching one: a token takes a run of the decoder, and 96 took too long."""
TRACES = 0.25
"""Share of traces in what is learned."""


@dataclass(frozen=True)
class Generation1:
    """What the stage left behind: the model, its ways in, and what its tokens mean."""

    model: LlavaForConditionalGeneration
    tokens: TokenModel
    bins: Bins
    moments: action.Statistics
    spec: dict[str, Any]


def train_tokens(out: Path, schedule: Schedule, traces: float = TRACES, every: int = EVERY) -> dict[str, Any]:
    """Co-fine-tune System 2 on the chunks of `action`, as tokens, and on traces; leaves ``out/tokens``.

    Eyes, thoughts and samples are those of the flow-matching head in ``out/action``, which it is compared with.

    Args:
        traces: share of traces in what is learned, so that the language survives.
        every: a chunk has every ``every``-th step of the flow-matching head's.

    Raises:
        VlaError: a stage before is missing, or ``traces`` or ``every`` is out of range.
    """
    torch.manual_seed(schedule.seed)
    tokenizer, (head, moments) = load_tokenizer(out), action_stage.load_action(out)
    model, start = stages.load_language(out), start_of(out)
    model.set_attn_implementation('eager')  # it says where it looks
    actions = add_action_tokens(model, tokenizer)
    seat_places(model, actions)  # whether they are new or not: nothing was learned of them before
    steps = len(range(head.config.horizon)[steps_of(head.config.horizon, every)])
    tokens = TokenModel(
        model, actions, places.locations(tokenizer), head.config.state, steps * head.config.joints
    )
    shown = lessons.load_lessons(out / stages.DEMONSTRATIONS)
    bins = bins_of((shown.chunks - shown.joints[:, None])[:, steps_of(head.config.horizon, every)])
    learned = ChunkTokens(action_stage.training_chunks(out, moments), moments, bins, actions.start, every)
    folder = out / FOLDER
    before = _language(out, model, tokenizer)
    mixed = Mixed(learned, _traces(out, shown, tokenizer, tokens.front), traces)
    log = fit(tokens, mixed, folder / 'run', schedule, collate_mixed)
    held_out = action_stage.chunks_of(out, stages.DEMONSTRATIONS_TEST, moments, seed=1)
    metrics = {
        'traces': traces,
        'held_out': against_flow(tokens, head, held_out, moments, bins, every),
        'language': {'before': before, 'after': _language(out, model, tokenizer)},
    }
    model.save_pretrained(str(folder))
    tokenizer.save_pretrained(str(folder))
    ways = {name: value for name, value in tokens.state_dict().items() if not name.startswith('reader.')}
    save_file(ways, str(folder / 'inputs.safetensors'))
    spec = {
        'bins': bins.count,
        'low': bins.low.tolist(),
        'high': bins.high.tolist(),
        'first': actions.start,
        'chunk': {
            'horizon': steps,
            'dt': every * PERIOD,
            'representation': 'relative',
            'prefix': head.config.prefix // every,
        },
    }
    content = {'action_tokens': spec, 'statistics': action.as_lists(moments)}
    (folder / 'action_tokens.json').write_text(json.dumps(content, indent=1), encoding='utf-8')
    return write_metrics(folder, schedule, log, metrics, before=start)


def start_of(out: Path) -> dict[str, str]:
    """The stage of System 2 that generation 1 begins from, and the SHA-256 of its weights."""
    folder = stages.system2_folder(out)
    return {folder.name: sha256(folder / 'model.safetensors')}


def has_tokens(out: Path) -> bool:
    """Whether the stage has been run."""
    return (out / FOLDER / 'action_tokens.json').is_file()


def load_tokens(out: Path) -> Generation1:
    """What ``train_tokens`` left in ``out/tokens``.

    Raises:
        VlaError: nothing, or something that is not whole.
    """
    folder = out / FOLDER
    for name in ('model.safetensors', 'inputs.safetensors', 'action_tokens.json'):
        if not (folder / name).is_file():
            raise VlaError(f'{folder / name} is missing; run `vla_ros train tokens` first')
    content = json.loads((folder / 'action_tokens.json').read_text(encoding='utf-8'))
    spec, moments = content['action_tokens'], action.from_lists(content['statistics'])
    bins = Bins(np.array(spec['low']), np.array(spec['high']), spec['bins'])
    model = LlavaForConditionalGeneration.from_pretrained(str(folder), dtype=torch.float32)
    model.set_attn_implementation('eager')
    ways = load_file(str(folder / 'inputs.safetensors'))
    tokens = TokenModel(
        model,
        range(spec['first'], spec['first'] + bins.count),
        range(0),
        ways['state.weight'].shape[1],
        spec['chunk']['horizon'] * len(bins.low),
    )
    tokens.load_state_dict(ways, strict=False)
    return Generation1(model, tokens.eval(), bins, moments, spec)


def _traces(
    out: Path, shown: lessons.Lessons, tokenizer: PreTrainedTokenizerFast, front: int
) -> conversations.Conversations:
    """Orders about the looks of the demonstrations, with the traces that are true of them."""
    seen = action_stage.visual_tokens(out, stages.DEMONSTRATIONS)[:, :front]
    return conversations.Conversations(
        seen, shown.truth, tokenizer, stages.BINS, (shown, np.arange(len(shown)))
    )


def _language(
    out: Path, model: LlavaForConditionalGeneration, tokenizer: PreTrainedTokenizerFast
) -> dict[str, float]:
    """How well it still writes traces, on the held-out scenes of `language`."""
    test = snapshots.load_snapshots(out / 'snapshots_test.npz')
    made_from: list[Path | str | int] = [
        out / 'snapshots_test.npz',
        out / 'vision' / 'model.safetensors',
        'front',
    ]
    seen = cached(
        out / stages.CACHE, made_from, lambda: vision.encode(stages.load_vision(out), test.images['front'])
    )
    with torch.random.fork_rng():  # the orders are the same before and after
        torch.manual_seed(1)
        data = conversations.Conversations(seen, test.truth, tokenizer, stages.BINS)
        return language.measure(language.LanguageTrainer(model), data)
