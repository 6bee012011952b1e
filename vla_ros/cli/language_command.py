"""`vla_ros eval language`: what the decoder has learned, on held-out text."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from vla_ros.cli.terminal import JsonFile, console, show_numbers, training_packages, write_json


def language(
    out: Annotated[Path, typer.Option(help='Where the stages of training keep their work.')] = Path(
        'out/train'
    ),
    json_file: JsonFile = None,
) -> None:
    """Perplexity on held-out text: against n-grams, before and after CPT, and at twice the training length."""
    with training_packages('eval language'):
        from vla_ros.training.language_report import language_report
    with console.status('') as status:
        result = language_report(out, lambda text: status.update(f'measuring: {text}'))
    console.print(_table(result['held_out']))
    show_numbers('ratios of perplexities', result['ratios'])
    show_numbers('at twice the training length', result['context']['scaling'])
    write_json(json_file, result)


def _table(held_out: dict[str, dict[str, Any]]) -> Table:
    table = Table('held-out text', 'model', 'perplexity a token', 'bits a byte', 'tokens')
    for name, models in held_out.items():
        for model, row in models.items():
            numbers = (f'{row["perplexity"]:.2f}', f'{row["bits_per_byte"]:.3f}', f'{row["tokens"]:,}')
            table.add_row(name, model, *numbers)
    return table
