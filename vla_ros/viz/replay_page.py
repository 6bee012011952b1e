"""A replay as a page that stands alone: numbers, refusals, decisions that changed, and the picture inside."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

from vla_ros.evaluation.replay.faults import Fault
from vla_ros.evaluation.replay.outcome import Outcome
from vla_ros.evaluation.replay.report import summary
from vla_ros.evaluation.replay.verdict import Verdict
from vla_ros.types import VlaError
from vla_ros.viz.replay_chart import draw_replay

PAGE, PICTURE = 'report.html', 'replay.png'
STYLE = """
body { background: #0d1117; color: #e6edf3; font: 15px/1.5 system-ui, sans-serif; margin: 2em auto; max-width: 1100px }
table { border-collapse: collapse; margin: 0.6em 0 1.6em } td, th { border-bottom: 1px solid #30363d;
padding: 0.25em 1em 0.25em 0; text-align: left; vertical-align: top } th { color: #7d8590; font-weight: normal }
img { max-width: 100% } .same { color: #3fb950 } .differs { color: #f85149 } code { color: #7d8590 }
"""


def write_page(out: Path, result: dict[str, Any], verdict: Verdict, outcome: Outcome) -> Path:
    """Write picture and page into a folder; returns the page.

    Raises:
        VlaError: they could not be written.
    """
    faults = tuple(Fault(f['kind'], f['begins'], f['seconds']) for f in result['faults'])
    draw_replay(out / PICTURE, verdict, outcome, faults)
    try:
        (out / PAGE).write_text(page(result, (out / PICTURE).read_bytes()), encoding='utf-8')
    except OSError as error:
        raise VlaError(f'{out / PAGE} could not be written: {error.strerror}') from error
    return out / PAGE


def page(result: dict[str, Any], picture: bytes) -> str:
    """The HTML; whatever comes from a bag is escaped."""
    kind, words = {
        True: ('same', 'the same'),
        False: ('differs', 'it differs'),
        None: ('', 'nothing to compare with'),
    }[result['same']]
    image = base64.b64encode(picture).decode()
    refusals = [
        (node, reason, count)
        for node, counts in result['refusals'].items()
        for reason, count in counts.items()
    ]
    sections = [
        f'<h1>{escape(Path(result["bag"]).name)}: <span class="{kind}">{words}</span></h1>',
        _table((), list(summary(result).items())),
        f'<img alt="joints, error and decisions over time" src="data:image/png;base64,{image}">',
        _section(
            'Decisions that changed',
            ('at [s]', 'instruction', 'before', 'now'),
            [
                (change['at'], change['instruction'], change['reference'], change['replayed'])
                for change in result['decision_changes']
            ],
        ),
        _section('Refusals', ('node', 'reason', 'count'), refusals),
        _section('Brakes', ('at [s]', 'why'), [(brake['at'], brake['why']) for brake in result['brakes']]),
        _section(
            'Faults',
            ('kind', 'at [s]', 'for [s]', 'to rest [s]', 'to motion [s]'),
            [
                (f['kind'], f['begins'], f['seconds'], f['seconds_to_rest'], f['seconds_to_motion'])
                for f in result['faults']
            ],
        ),
        _section(
            'Latencies [ms]',
            ('of', 'p50', 'p99', 'count'),
            [(name, *spread.values()) for name, spread in result['latencies_ms'].items()],
        ),
        _section(
            'Golden result',
            ('reason', 'trajectories'),
            [
                (entry['reason'], entry['trajectories_sha256'][:16])
                for entry in result.get('golden', {}).get('history', ())
            ],
        ),
        _section(
            'Run', (), [(key, result[key]) for key in ('mode', 'model', 'selection', 'timing', 'machine')]
        ),
    ]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>vla_ros replay</title>'
        f'<style>{STYLE}</style></head><body>{"".join(sections)}</body></html>\n'
    )


def _section(title: str, head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    return f'<h2>{escape(title)}</h2>{_table(head, rows)}' if rows else ''


def _table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    top = f'<tr>{"".join(f"<th>{escape(cell)}</th>" for cell in head)}</tr>' if head else ''
    body = ''.join(f'<tr>{"".join(f"<td>{escape(_text(cell))}</td>" for cell in row)}</tr>' for row in rows)
    return f'<table>{top}{body}</table>'


def _text(cell: Any) -> str:
    if isinstance(cell, dict):
        return ', '.join(f'{key} {value}' for key, value in cell.items())
    return '' if cell is None else str(cell)
