"""Tables for the pages."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def markdown_table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown, without the end of its last line."""
    lines = [heads, ['---'] * len(heads), *rows]
    return '\n'.join(f'| {" | ".join(cell.replace("|", chr(92) + "|") for cell in line)} |' for line in lines)


def code_first(row: Sequence[str]) -> tuple[str, ...]:
    """A row whose first cell is a name in code."""
    return (f'`{row[0]}`', *row[1:])
