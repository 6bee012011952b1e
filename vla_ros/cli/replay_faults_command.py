"""``vla_ros eval replay BAG``: faults put into a bag, and how soon its arm rests."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vla_ros.cli.replay_command import DIFFERS, UNUSABLE
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


def replay_faults(
    bag: Annotated[Path, typer.Argument(help='A folder as of ros2 bag record, an .mcap or a .db3 file.')],
    bundle: Bundle = DEFAULT_BUNDLE,
    parameters: Parameters = None,
    instruction: Annotated[
        str | None, typer.Option(help='Words at the beginning, in the place of those in the bag.')
    ] = None,
    start: Annotated[float, typer.Option(min=0.0, help='Seconds into the bag.')] = 0.0,
    duration: Annotated[float | None, typer.Option(min=0.0, help='Seconds; without it to the end.')] = None,
    namespace: Namespace = '',
    remap: Annotated[
        list[str] | None, typer.Option(help="'camera/front/image_raw:=/the/topic/in/the/bag'; repeatable.")
    ] = None,
    json_file: JsonFile = None,
) -> None:
    """Replay a bag with faults where its arm moves: seconds to rest, false holds, agreement of decisions.

    Exit code 0 if the arm rests in time each time and does without faults what was recorded, 1 if not, 2 if it
    cannot be done.
    """
    from dataclasses import replace

    from vla_ros.evaluation.replay import model as models
    from vla_ros.evaluation.replay.faults import KINDS
    from vla_ros.evaluation.replay.run import Selection
    from vla_ros.evaluation.replay.run import replay as replay_bag
    from vla_ros.evaluation.replay.strike_report import strike_report
    from vla_ros.paths import bundle_directory
    from vla_ros.viz.count_progress import count_progress
    from vla_ros.viz.strike_table import strike_table, summary

    selection = Selection(start, duration, 1, instruction, namespace, tuple(remap or ()))
    try:
        model = models.load_model(bundle_directory(bundle), parameters)
        with count_progress(console, 'faults', len(KINDS)) as show:
            result = strike_report(
                bag,
                model,
                selection,
                lambda faults: replay_bag(bag, model, replace(selection, faults=faults)),
                show,
            )
        console.print(strike_table(result))
        show_numbers('', summary(result))
        write_json(json_file, result)
    except VlaError as error:
        show_error(str(error))
        raise typer.Exit(UNUSABLE) from error
    if not result['passed']:
        raise typer.Exit(DIFFERS)
