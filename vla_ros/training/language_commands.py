"""`vla_ros train corpus | vocabulary | pretrain | cpt | dpo | lora`: the road of System 2 as commands."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from vla_ros.training.loop import Schedule
from vla_ros.training.options import WORK, Batch, Out, Rate, Steps, show

Rank = Annotated[int, typer.Option(min=1, max=64, help='of the adapters')]


def corpus(
    out: Out = WORK, count: Annotated[int, typer.Option(min=0, help='dialogues to generate')] = 40_000
) -> None:
    """Fetch English and robotics text from Debian packages, generate dialogues, clean and split it all."""
    from vla_ros.training.corpus import collect_corpus

    card = collect_corpus(out, count)
    for source in card['sources']:
        if 'missing' in source:
            typer.echo(f'{source["source"]} is left out: {source["missing"]}', err=True)
    show(card['parts'])


def vocabulary(out: Out = WORK) -> None:
    """Show what vocabularies of several sizes cost in parameters and save in tokens."""
    from vla_ros.training.corpus import GENERAL, load_part, sample_texts
    from vla_ros.training.llama import LanguageSize
    from vla_ros.training.stages import BINS, CORPUS_FOR_WORDS
    from vla_ros.training.vocabulary import vocabulary_table

    texts = sample_texts(out, CORPUS_FOR_WORDS)
    show(vocabulary_table(texts, load_part(out, f'{GENERAL}_test'), BINS, LanguageSize()))


def pretrain(out: Out = WORK, steps: Steps = 6000, batch: Batch = 32, learning_rate: Rate = 2e-3) -> None:
    """Train a decoder from random weights to predict the next token of general English."""
    from vla_ros.training.pretrain import train_pretrain

    show(train_pretrain(out, Schedule(steps, batch, learning_rate)))


def cpt(
    out: Out = WORK,
    steps: Steps = 1500,
    batch: Batch = 32,
    learning_rate: Rate = 5e-4,
    replay: Annotated[float, typer.Option(min=0.0, max=1.0, help='share of general text')] = 0.5,
) -> None:
    """Go on from the pre-trained decoder with text of the domain, general text among it."""
    from vla_ros.training.pretrain import train_cpt

    show(train_cpt(out, Schedule(steps, batch, learning_rate), replay))


def dpo(
    out: Out = WORK,
    steps: Steps = 400,
    batch: Batch = 8,
    learning_rate: Rate = 5e-6,
    beta: Annotated[float, typer.Option(min=0.0, help='how dear it is to leave the reference')] = 0.1,
    pairs: Annotated[int, typer.Option(min=1, help='preference pairs')] = 8000,
) -> None:
    """Teach System 2 to prefer what is grounded and safe (Direct Preference Optimization)."""
    from vla_ros.training.dpo_stage import train_dpo

    show(train_dpo(out, Schedule(steps, batch, learning_rate), beta, pairs))


def lora(
    stage: Annotated[
        Literal['cpt', 'german', 'dpo'], typer.Argument(help='what the adapters learn')
    ] = 'german',
    out: Out = WORK,
    rank: Rank = 4,
    steps: Steps = 1500,
    batch: Batch = 16,
    learning_rate: Rate = 2e-3,
) -> None:
    """Train adapters with less than one hundredth of the parameters instead of the weights, and merge them."""
    schedule = Schedule(steps, batch, learning_rate)
    if stage == 'cpt':
        from vla_ros.training.pretrain import train_cpt

        show(train_cpt(out, schedule, rank=rank))
    elif stage == 'dpo':
        from vla_ros.training.dpo_stage import train_dpo

        show(train_dpo(out, schedule, rank=rank))
    else:
        from vla_ros.training.german_stage import train_german

        show(train_german(out, schedule, rank))
