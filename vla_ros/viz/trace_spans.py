"""The chain of thought in pieces of one look each: tags dimmed, places in short, the verdict in colour."""

from __future__ import annotations

import re
from dataclasses import dataclass

from vla_ros.viz.colours import ACCENT, AMBER, FAINT, GREEN, RED, TEXT, Colour

_PIECES = re.compile(
    r'<loc_(\d+)>(?:\s*<loc_(\d+)>)?|<[^<>]*>|\bgo:|\brefuse:|\bhold:|'
    r'it is not there\.?|\bis not there\.?|\btoo far\.?|[^\s<]+|<|\s+'
)


@dataclass(frozen=True)
class Span:
    """A few characters of one look."""

    text: str
    colour: Colour
    bold: bool = False


def spans(trace: str) -> list[Span]:
    """A trace, finished or not, in pieces of one look each; white space is a piece of its own."""
    found = []
    for match in _PIECES.finditer(trace):
        piece = match.group(0)
        if match.group(1) is not None:
            # The second number may still have to be written.
            row = f'{int(match.group(2))}›' if match.group(2) is not None else ''
            found.append(Span(f'‹{int(match.group(1))},{row}', ACCENT))
        elif piece.startswith('<') and len(piece) > 1:
            found.append(Span(piece, FAINT))
        elif piece == 'go:':
            found.append(Span(piece, GREEN, bold=True))
        elif piece == 'refuse:':
            found.append(Span(piece, RED, bold=True))
        elif piece.startswith(('it is not', 'is not', 'too far', 'hold:')):
            found.append(Span(piece, AMBER))
        else:
            found.append(Span(' ' if piece.isspace() else piece, TEXT))
    return found
