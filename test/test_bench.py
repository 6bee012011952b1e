"""The bench: contenders in turns, ratios of medians, a roofline that explains, peers that may be missing."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from vla_ros.bench.action import action_section
from vla_ros.bench.figures import QUICK, Effort, Figure, interleaved, ratio
from vla_ros.bench.peers import peer
from vla_ros.bench.published import MACHINES, published_check
from vla_ros.bench.report import bench_report, choose, peers_from
from vla_ros.bench.roofline import Machine, fit_machine, fit_roofline
from vla_ros.bench.section import Request, Section
from vla_ros.bench.work import Work, flow_products, work_of
from vla_ros.cli import app
from vla_ros.types import VlaError
from vla_ros.viz.bench_table import figures_of

BUNDLE = Path(__file__).parent.parent / 'models' / 'tabletop'
REQUEST = Request(BUNDLE, effort=QUICK)
MACHINE = Machine(flops=5e10, bandwidth=1e10)

works = st.builds(Work, st.floats(1e6, 1e10), st.floats(1e5, 1e9), st.floats(10, 1000))


def test_contenders_take_turns_and_what_warms_up_is_not_counted() -> None:
    order: list[str] = []
    a, b = itertools.count(1.0), itertools.count(10.0)

    def first() -> float:
        order.append('a')
        return next(a)

    def second() -> float:
        order.append('b')
        return next(b)

    runs = interleaved({'a': first, 'b': second}, Effort(runs=2, repeats=3, warm_up=1))

    assert ''.join(order) == 'ab' + 3 * 'ab' + 3 * 'ab'
    assert runs == [{'a': 3.0, 'b': 12.0}, {'a': 6.0, 'b': 15.0}]
    assert ratio(runs, 'b', 'a') == Figure(2.5, 3.25, 4.0)


@given(st.lists(works, min_size=2, max_size=8), st.floats(0.1, 1.0), st.floats(1e-7, 1e-4))
def test_the_roofline_that_times_were_made_of_explains_them(
    work: list[Work], efficiency: float, overhead: float
) -> None:
    times = [MACHINE.bound(one) / efficiency + one.operators * overhead for one in work]

    model = fit_roofline([(one, MACHINE, seconds) for one, seconds in zip(work, times)])

    assert [model.seconds(one, MACHINE) for one in work] == pytest.approx(times, rel=1e-3)


def test_the_machine_that_times_were_made_on_is_found() -> None:
    work = [Work(1e7, 1e6, 50), Work(1e9, 8e7, 200), Work(1e8, 5e8, 100), Work(1e10, 1e8, 300)]
    found = fit_machine([(one, MACHINE.bound(one) + 3e-6 * one.operators) for one in work])
    assert found.flops == pytest.approx(MACHINE.flops, rel=0.15)
    assert found.bandwidth == pytest.approx(MACHINE.bandwidth, rel=0.15)


def test_one_time_alone_explains_nothing() -> None:
    with pytest.raises(VlaError, match='expected at least 2'):
        fit_roofline([(Work(1, 1, 1), MACHINE, 1.0)])


def test_no_published_time_is_below_what_its_machine_could_do() -> None:
    check = published_check()
    assert set(check['machines']) == set(MACHINES)
    for row in check['machines'].values():
        assert row['published_ms'] > row['bound_ms']
    assert 1 <= check['largest_factor'] < 1.5
    assert 0 < check['efficiency'] <= 1


def test_the_work_of_twice_the_steps_is_twice_that_of_the_loop() -> None:
    sizes = {
        'width': 8,
        'heads': 2,
        'pairs': 2,
        'horizon': 3,
        'joints': 4,
        'tokens': 5,
        'token_width': 6,
        'thought_width': 7,
    }

    def flops(steps: int) -> float:
        return work_of(flow_products({**sizes, 'steps': steps}, 9), 0).flops

    once = 2 * (9 * 7 * 16 + 5 * 6 * 16)  # keys and values of thought and picture
    assert flops(4) - once == 2 * (flops(2) - once)


def test_a_peer_says_what_it_comes_to_and_how_long_it_takes() -> None:
    with peer('products', 'peer_limits', 'products', json.dumps([[4, 8, 16, 3]])) as found:
        assert found.answers == 3 * 2 * 4 * 8 * 16
        assert found() > 0
        assert found() > 0


def test_a_peer_that_cannot_be_had_says_why() -> None:
    with pytest.raises(VlaError, match='products: .*IndexError'), peer('products', 'peer_limits', 'products'):
        pass


def test_the_bench_itself_loads_no_peer() -> None:
    program = 'import sys, vla_ros.cli.bench_sections, vla_ros.bench.action, vla_ros.bench.growth; '
    program += 'print([name for name in ("torch", "transformers", "onnx") if name in sys.modules])'
    done = subprocess.run([sys.executable, '-c', program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == '[]'


def test_a_section_that_cannot_be_measured_ends_no_other_one() -> None:
    def fails(_: Request) -> Section:
        raise VlaError('there is no robot here')

    def needs_more(_: Request) -> Section:
        raise ImportError("No module named 'mujoco'")

    def works_well(_: Request) -> Section:
        return Section({'vs_peer': Figure(2.0, 3.0, 4.0)}, {'milliseconds': 1.5})

    report = bench_report(REQUEST, {'graph': fails, 'reasoning': needs_more, 'action': works_well})

    assert report['reasoning']['missing'] == ["not installed here: No module named 'mujoco'"]
    assert report['graph']['missing'] == ['there is no robot here']
    assert report['action']['vs_peer'] == 3.0
    assert report['action']['milliseconds'] == 1.5
    assert dict(figures_of(report)) == {'action.vs_peer': {'minimum': 2.0, 'median': 3.0, 'maximum': 4.0}}
    assert report['machine']['cores'] >= 1


def test_unknown_sections_and_peers_are_refused_by_name() -> None:
    sections = {'action': action_section}
    assert choose((), sections) == sections
    with pytest.raises(VlaError, match=r"section: expected one of \['action'\], found 'speed'"):
        choose(('speed',), sections)
    assert peers_from('torch, transformers') == ('torch', 'transformers')
    with pytest.raises(VlaError, match="--compare: .*found 'tensorflow'"):
        peers_from('torch,tensorflow')


@pytest.mark.slow
def test_the_command_measures_system_1_against_the_machine_and_writes_numbers_and_a_chart(
    tmp_path: Path,
) -> None:
    pytest.importorskip('matplotlib')
    numbers, chart = tmp_path / 'bench.json', tmp_path / 'bench.png'

    done = CliRunner().invoke(
        app,
        ['bench', 'action', '--quick', '--json', str(numbers), '--plot', str(chart)],
        env={'COLUMNS': '200'},
    )

    assert done.exit_code == 0, done.output
    section = json.loads(numbers.read_text())['action']
    assert np.isfinite(section['matmul_share']) and section['matmul_share'] > 0
    assert section['spread']['matmul_share']['minimum'] <= section['matmul_share']
    assert chart.stat().st_size > 1000
