"""Progress of an evaluation in the terminal: a bar where there is one, plain lines elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from vla_ros.evaluation.trial import Outcome

PLAIN_EVERY = 10  # trials between two lines where there is no terminal


@contextmanager
def trial_progress(console: Console, title: str, total: int) -> Iterator[Callable[[Outcome], None]]:
    """A function to call with each outcome, showing how many of how many went well."""
    done = successes = 0
    if not console.is_terminal:

        def tell(outcome: Outcome) -> None:
            nonlocal done, successes
            done, successes = done + 1, successes + outcome.success
            if done % PLAIN_EVERY == 0 or done == total:
                console.print(
                    f'{title}: {successes} of {done} succeeded, {total - done} to go', highlight=False
                )

        yield tell
        return
    columns = (
        TextColumn('{task.description}'),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task(title, total=total)

        def advance(outcome: Outcome) -> None:
            nonlocal done, successes
            done, successes = done + 1, successes + outcome.success
            progress.update(bar, advance=1, description=f'{title}: {successes}/{done} succeeded')

        yield advance
