"""The endurance run as lines, tables and a picture."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from test_evaluation_soak import log_of

from vla_ros.evaluation.soak import Hang, SoakLog, soak_report
from vla_ros.types import VlaError
from vla_ros.viz.soak_chart import draw_soak
from vla_ros.viz.soak_table import soak_progress, soak_table, state_line


def report(growth: float = 0.0) -> dict[str, Any]:
    log = log_of(2.0, growth)
    log.acts['asks for an object that is there'] = 7
    log.endings['go, plans came'] = 6
    log.hangs.append(Hang(31.4, 'asks', 'no decision about it came'))
    return soak_report(log, 2.0)


def printed(content: Any) -> str:
    out = io.StringIO()
    Console(file=out, width=200).print(content)
    return out.getvalue()


def test_the_line_of_state_says_how_far_it_is_and_what_was_seen() -> None:
    line = state_line(report(growth=0.05))

    assert line.startswith('2.0 of 2 min: 7 acts, 1 hang')
    assert 'action 210 (+5.0%)' in line
    assert 'camera to thought 100 / 100' in line


def test_the_table_names_every_promise_that_was_broken() -> None:
    text = printed(soak_table(report(growth=0.05)))

    assert '2 promises broken' in text
    assert 'no decision about it came' in text
    assert 'action: memory grew by 5.0%' in text
    assert '200.0 to 210.0' in text
    assert 'go, plans came' in text
    assert 'too short a run to judge latencies' in text


@pytest.mark.parametrize(('asked', 'says'), [(2.0, 'every promise kept'), (60.0, 'no promise broken so far')])
def test_a_run_that_was_cut_short_promises_nothing(asked: float, says: str) -> None:
    assert says in printed(soak_table(soak_report(log_of(2.0), asked)))


def test_given_no_terminal_then_there_are_lines_only_when_there_is_news() -> None:
    out = io.StringIO()
    with soak_progress(Console(file=out), 120.0) as show:
        show(1.0, '')
        show(60.0, 'half of it')

    assert out.getvalue() == 'half of it\n'


def test_the_chart_is_a_picture_of_the_report(tmp_path: Path) -> None:
    seen = report()
    seen['slices'][3].update(memory_mib={'action': None}, real_time_factor=None)

    draw_soak(seen, tmp_path / 'images' / 'soak.png')

    assert (tmp_path / 'images' / 'soak.png').read_bytes().startswith(b'\x89PNG\r\n\x1a\n')


def test_given_a_run_without_anything_to_draw_then_a_sentence_says_so(tmp_path: Path) -> None:
    with pytest.raises(VlaError, match='slices'):
        draw_soak(soak_report(SoakLog(), 2.0), tmp_path / 'soak.png')
