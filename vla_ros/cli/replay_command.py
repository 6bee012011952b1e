"""``vla_ros replay BAG``: a recorded bag through the model, compared with what it should give."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from vla_ros.cli.terminal import (
    DEFAULT_BUNDLE,
    Bundle,
    JsonFile,
    Namespace,
    Parameters,
    console,
    show_error,
    show_numbers,
    write_json,
)
from vla_ros.types import VlaError

SAME, DIFFERS, UNUSABLE = 0, 1, 2
"""Exit codes."""


def replay(
    bag: Annotated[Path, typer.Argument(help='A folder as of ros2 bag record, an .mcap or a .db3 file.')],
    bundle: Bundle = DEFAULT_BUNDLE,
    parameters: Parameters = None,
    live: Annotated[
        bool, typer.Option('--live', help='Through the nodes, over DDS, in real time; not in lockstep.')
    ] = False,
    rate: Annotated[
        float, typer.Option(min=0.05, max=20.0, help='Seconds of the bag a second, with --live.')
    ] = 1.0,
    golden: Annotated[
        Path | None, typer.Option(help='Compare with this file, not with what the bag recorded.')
    ] = None,
    update: Annotated[bool, typer.Option('--update', help='Write the result to the golden file.')] = False,
    reason: Annotated[str, typer.Option(help='Why the golden result changes; kept in the file.')] = '',
    tolerance: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            help='Mean joint error in rad that passes; to the last bit with a golden file without it.',
        ),
    ] = None,
    instruction: Annotated[
        str | None, typer.Option(help='Words at the beginning, in the place of those in the bag.')
    ] = None,
    start: Annotated[float, typer.Option(min=0.0, help='Seconds into the bag.')] = 0.0,
    duration: Annotated[float | None, typer.Option(min=0.0, help='Seconds; without it to the end.')] = None,
    loops: Annotated[int, typer.Option(min=1, help='How often, one after another.')] = 1,
    namespace: Namespace = '',
    remap: Annotated[
        list[str] | None, typer.Option(help="'camera/front/image_raw:=/the/topic/in/the/bag'; repeatable.")
    ] = None,
    clock: Annotated[
        str, typer.Option(help='Where the time comes from: auto, recorded, clock or stamps.')
    ] = 'auto',
    fault: Annotated[
        list[str] | None, typer.Option(help="'camera_gap@12.5+2': kind@begin+seconds; repeatable.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help='Where the report goes: HTML and PNG.')] = None,
    json_file: JsonFile = None,
) -> None:
    """Feed a bag through the model and compare; exit code 0 the same, 1 it differs, 2 it cannot be done."""
    from vla_ros.evaluation.replay.clock import ClockSource
    from vla_ros.evaluation.replay.faults import parse_fault
    from vla_ros.evaluation.replay.run import Selection

    try:
        if clock not in {source.value for source in ClockSource}:
            raise VlaError(f'clock: expected one of {[s.value for s in ClockSource]}, found {clock!r}')
        if update and (golden is None or not reason.strip()):
            raise VlaError('--update takes --golden FILE and --reason "why it changes"')
        if update and live:
            raise VlaError('--update takes a replay in lockstep: one with --live is never the same again')
        selection = Selection(
            start=start,
            duration=duration,
            loops=loops,
            instruction=instruction,
            namespace=namespace,
            remaps=tuple(remap or ()),
            clock=ClockSource(clock),
            faults=tuple(parse_fault(text) for text in fault or ()),
        )
        result = _run(
            bag, bundle, parameters, selection, rate if live else None, golden, update, reason, tolerance, out
        )
        _tell(result, update, golden, out, json_file)
    except VlaError as error:
        show_error(str(error))
        raise typer.Exit(UNUSABLE) from error
    if result['same'] is False and not update:
        raise typer.Exit(DIFFERS)


def _run(
    bag: Path,
    bundle: str,
    parameters: Path | None,
    selection: Any,
    live_rate: float | None,
    golden_file: Path | None,
    update: bool,
    reason: str,
    tolerance: float | None,
    out: Path | None,
) -> dict[str, Any]:
    from vla_ros.evaluation.replay.model import load_model
    from vla_ros.evaluation.replay.session import Session
    from vla_ros.evaluation.replay.verdict import Tolerance
    from vla_ros.paths import bundle_directory

    folder = bundle_directory(bundle)
    model = load_model(folder, parameters)
    session = Session(bag, model, selection, golden_file)
    if live_rate is not None:
        from vla_ros.nodes.bringup import require_ros

        require_ros()
        from vla_ros.nodes.live_replay import live_replay

        work = out or Path('out/replay')
        outcome = live_replay(bag, model, folder, selection, parameters, work, live_rate)
        session.take(outcome, 'live')
    else:
        session.run()
    session.judge(None if tolerance is None else Tolerance(mean=tolerance), may_be_new=update)
    if update:
        session.update(reason)
    result = session.report()
    if out is not None:
        from vla_ros.viz.replay_page import write_page

        assert session.verdict is not None and session.outcome is not None  # it has been judged
        write_page(out, result, session.verdict, session.outcome)
    return result


def _tell(
    result: dict[str, Any], update: bool, golden: Path | None, out: Path | None, json_file: Path | None
) -> None:
    from vla_ros.evaluation.replay.report import summary

    words = {True: '[green]the same[/green]', False: '[red]it differs[/red]', None: 'nothing to compare with'}
    show_numbers(str(result['bag']), summary(result))
    console.print(f'new golden result: {golden}' if update else words[result['same']], highlight=False)
    if out is not None:
        console.print(f'report: {out / "report.html"}', highlight=False)
    write_json(json_file, result)
