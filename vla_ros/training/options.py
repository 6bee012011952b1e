"""What the commands of training share: options, the folder of the stages, and how results are shown."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich import print_json

Out = Annotated[Path, typer.Option(help='where the stages keep their work')]
Workers = Annotated[int, typer.Option(min=1, help='processes that simulate')]
Steps = Annotated[int, typer.Option(min=1, help='optimiser steps')]
Batch = Annotated[int, typer.Option(min=1, help='samples a step')]
Rate = Annotated[float, typer.Option(min=0.0, help='peak learning rate')]
Count = Annotated[int, typer.Option(min=1, help='how many for training')]
Test = Annotated[int, typer.Option(min=1, help='how many for testing, from seeds of their own')]

WORK = Path('out/train')


def show(content: Any) -> None:
    """Numbers as JSON, in colours where there is a terminal."""
    print_json(data=content)
