"""`vla_ros train`: one command a stage; each resumes where it was interrupted."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

# Several threads that spin while they wait for each other are slower than one as soon as anything else runs.
os.environ.setdefault('OMP_WAIT_POLICY', 'passive')

import typer

from vla_ros.training import language_commands
from vla_ros.training.loop import Schedule
from vla_ros.training.options import WORK, Batch, Count, Out, Rate, Steps, Test, Workers, show
from vla_ros.types import VlaError

app = typer.Typer(
    no_args_is_help=True, help='Train the reference model, stage by stage; `all` runs the whole road.'
)

Bundle = Annotated[Path, typer.Option(help='of the bundle')]
Start = Annotated[Path | None, typer.Option(help='a bundle to go on from, instead of random weights')]
Shares = Annotated[
    list[str] | None,
    typer.Option(help="'put=0.3': how much of a task, in place of the defaults; may be repeated"),
]

FlowSteps = Annotated[int | None, typer.Option(min=1, max=1000, help='Euler steps; as before, if not given')]
BUNDLE = Path('models/tabletop')


def snapshots(out: Out = WORK, count: Count = 8000, test: Test = 1000, workers: Workers = 2) -> None:
    """Render labelled pictures of random scenes."""
    from vla_ros.training import stages

    stages.collect_scenes(out, count, test, workers)


def tokenizer(out: Out = WORK) -> None:
    """Train the byte-level BPE on orders and traces."""
    from vla_ros.training import stages

    typer.echo(f'{len(stages.train_words(out))} tokens')


def vision(
    out: Out = WORK,
    steps: Steps = 2200,
    batch: Batch = 64,
    learning_rate: Rate = 1e-3,
    start: Start = None,
) -> None:
    """Train the eyes: SigLIP's contrastive loss and a dense loss that keeps space precise."""
    from vla_ros.training import stages

    show(stages.train_vision(out, Schedule(steps, batch, learning_rate), start))


def language(
    out: Out = WORK,
    steps: Steps = 4000,
    batch: Batch = 16,
    learning_rate: Rate = 1e-3,
    start: Start = None,
) -> None:
    """Train System 2: a LLaVA model that writes the chain of thought."""
    from vla_ros.training import stages

    show(stages.train_language(out, Schedule(steps, batch, learning_rate), start))


def demonstrations(
    out: Out = WORK, count: Count = 1500, test: Test = 60, workers: Workers = 2, share: Shares = None
) -> None:
    """Record the scripted expert at all tasks."""
    from vla_ros.training import action_stage, requests

    action_stage.collect_demonstrations(out, count, test, workers, requests.shares_from(share))


def action(
    out: Out = WORK,
    steps: Steps = 6000,
    batch: Batch = 32,
    learning_rate: Rate = 5e-4,
    start: Start = None,
    dataset: Annotated[
        Path | None, typer.Option(help='recorded episodes in the place of demonstrations: a LeRobot dataset')
    ] = None,
    mapping: Annotated[
        str | None, typer.Option(help="what its numbers mean: a name in config/datasets, or a file's path")
    ] = None,
) -> None:
    """Train System 1: the flow-matching head."""
    from vla_ros.training import action_stage, recorded_stage

    schedule = Schedule(steps, batch, learning_rate, average=0.998)
    if dataset is not None:
        show(recorded_stage.train_action_on(out, schedule, dataset, mapping, start))
    elif mapping is not None:
        raise VlaError('--mapping says what the numbers of a --dataset mean; name one')
    else:
        show(action_stage.train_action(out, schedule, start))


def tokens(
    out: Out = WORK,
    steps: Steps = 4000,
    batch: Batch = 16,
    learning_rate: Rate = 5e-4,
    traces: Annotated[
        float, typer.Option(min=0.0, max=0.99, help='share of traces, by which the language survives')
    ] = 0.25,
    every: Annotated[int, typer.Option(min=1, help='of the steps of an action chunk, one in so many')] = 2,
) -> None:
    """Train generation 1 of System 1: System 2 goes on with action tokens; compared with `action`."""
    from vla_ros.training import tokens_stage

    schedule = Schedule(steps, batch, learning_rate, average=0.998)
    show(tokens_stage.train_tokens(out, schedule, traces, every))


def rollouts(
    out: Out = WORK,
    folder: Bundle = BUNDLE,
    count: Annotated[int, typer.Option(min=1, help='episodes')] = 160,
    seed: Annotated[int, typer.Option(help='of the first scene')] = 200_000,
    workers: Workers = 2,
    share: Shares = None,
) -> None:
    """Let the bundle's model act and the expert correct it (DAgger); `action` then learns from that too."""
    from vla_ros.training import action_stage, requests

    action_stage.collect_rollouts(out, folder, count, seed, workers, requests.shares_from(share))


def bundle(
    out: Out = WORK,
    folder: Bundle = BUNDLE,
    name: Annotated[str, typer.Option(help='of the bundle, in its manifest')] = 'tabletop',
) -> None:
    """Export to ONNX, compare with PyTorch, and write the bundle that the nodes load."""
    from vla_ros.training import assemble

    show(assemble.summary(assemble.assemble(out, folder, name)))


def card(
    out: Out = WORK,
    folder: Bundle = BUNDLE,
    results: Annotated[
        list[Path] | None, typer.Option(help='JSON of vla_ros eval success or reasoning; may be repeated')
    ] = None,
) -> None:
    """Write the bundle's model card: data, stages with their losses, what was measured, limits, licence."""
    from vla_ros.training.card import write_card

    typer.echo(str(write_card(out, folder, results or ())))


def graphs(
    folder: Bundle = BUNDLE,
    flow_steps: FlowSteps = None,
    precision: Annotated[
        str | None, typer.Option(help='fp32, fp16 for GPUs, int8 for CPUs; as before, if not given')
    ] = None,
    graph: Annotated[
        list[str] | None,
        typer.Option(
            help='of vision, language, action: only this one changes its precision; may be repeated'
        ),
    ] = None,
) -> None:
    """Write a bundle's ONNX graphs anew from its checkpoints, as this version exports them; nothing is trained."""
    from vla_ros.training import assemble

    if graph and precision is None:
        raise VlaError('--graph says which graphs get another --precision; name that')
    show(assemble.renew_graphs(folder, flow_steps, precision, graph or ()))


def everything(out: Out = WORK, folder: Bundle = BUNDLE, workers: Workers = 2) -> None:
    """Every stage in order, from nothing to a bundle."""
    snapshots(out, workers=workers)
    demonstrations(out, workers=workers)
    language_commands.corpus(out)
    tokenizer(out)
    language_commands.pretrain(out)
    language_commands.cpt(out)
    vision(out)
    language(out)
    language_commands.dpo(out)
    action(out)
    bundle(out, folder)
    rollouts(out, folder, workers=workers)
    action(out, steps=2000, learning_rate=3e-4, start=folder)
    bundle(out, folder)


# In the order of the road; it is that of --help. What `all` leaves out stands where it belongs.
for stage in (
    *(snapshots, demonstrations, language_commands.corpus, language_commands.vocabulary, tokenizer),
    *(language_commands.pretrain, language_commands.cpt, vision, language, language_commands.dpo),
    *(language_commands.lora, action, tokens, bundle, rollouts, graphs, card),
):
    app.command()(stage)
app.command(name='all')(everything)

if __name__ == '__main__':
    app()
