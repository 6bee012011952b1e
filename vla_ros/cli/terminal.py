"""What the commands share: consoles, options, an error as a sentence, numbers as a table and as a file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from vla_ros.types import VlaError

console = Console()
errors = Console(stderr=True)

Bundle = Annotated[str, typer.Option(help='Folder of a model bundle, or the name of one that comes along.')]
Parameters = Annotated[
    Path | None, typer.Option(help='A ROS parameter file instead of the one that comes along.')
]
Namespace = Annotated[str, typer.Option(help='In which the nodes and topics are.')]
Wordings = Annotated[
    Path | None,
    typer.Option(help='YAML: task -> templates with {object}, {target}, {direction}, {other}, {into}.'),
]
Generation = Annotated[
    int, typer.Option(min=1, max=2, help='Of System 1: 2 is flow matching, 1 are action tokens.')
]
JsonFile = Annotated[Path | None, typer.Option('--json', help='Also write the numbers to this file.')]

DEFAULT_BUNDLE = 'tabletop'


def show_error(sentence: str) -> None:
    """What a person can act on, in red."""
    errors.print(f'[red]error: {escape(sentence)}[/red]', soft_wrap=True, highlight=False)


@contextmanager
def training_packages(what: str) -> Iterator[None]:
    """Imports that only training's packages can serve; VlaError says what to install where they are not there."""
    try:
        yield
    except ImportError as error:
        raise VlaError(f"{what} needs more packages ({error}); pip install 'vla_ros[train]'") from error


def show_numbers(title: str, values: dict[str, Any]) -> None:
    """A small table of names and values."""
    table = Table(title=escape(title), title_justify='left', show_header=False, box=None)
    for key, value in values.items():
        table.add_row(f'[dim]{escape(key)}[/dim]', escape(str(value)))
    console.print(table)


def write_json(path: Path | None, content: Any) -> None:
    """Write numbers to a file, if there is one to write."""
    if path is None:
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + '\n', encoding='utf-8')
    except OSError as error:
        raise VlaError(f'{path} could not be written: {error.strerror}') from error
