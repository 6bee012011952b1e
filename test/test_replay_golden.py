"""Comparing a replay with a golden result or with the recording: what differs, and in which numbers."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from replay_bags import GO, Swing, make_model, stream, write_bag

from vla_ros.bundle import sha256
from vla_ros.evaluation.recording import Recording, Timeline
from vla_ros.evaluation.replay.comparison import compare
from vla_ros.evaluation.replay.course import Course, Decided
from vla_ros.evaluation.replay.faults import Fault
from vla_ros.evaluation.replay.golden import golden_of, read_golden, require_same_part, write_golden
from vla_ros.evaluation.replay.lockstep import lockstep
from vla_ros.evaluation.replay.rest import rest_after
from vla_ros.evaluation.replay.run import Selection
from vla_ros.evaluation.replay.timing import ReplayTiming
from vla_ros.evaluation.replay.verdict import Tolerance, judge
from vla_ros.paths import bundle_directory
from vla_ros.types import NANOSECONDS, JointTrajectory, VlaError


def course(positions, *decided: Decided, words: str = GO) -> Course:
    rows = np.array(positions, float)[:, None]
    return Course(('pan',), rows, decided, ((0.0, words),))


def golden(outcome, reason='first'):
    return golden_of(outcome, make_model(), Selection(), ReplayTiming(), reason)


@pytest.fixture(scope='module')
def outcome():
    return lockstep(stream(3.0), make_model())


def test_the_same_run_is_the_same_before_and_after_it_was_written_to_a_file(outcome, tmp_path: Path) -> None:
    write_golden(tmp_path / 'g.json', golden(outcome))

    verdict = judge(outcome, read_golden(tmp_path / 'g.json'))

    assert (verdict.against, verdict.same, verdict.differences) == ('golden', True, ())
    assert verdict.comparison.largest < 1e-6
    assert verdict.comparison.agreement == 1.0


def test_another_policy_differs_to_the_last_bit_and_passes_within_a_tolerance(outcome) -> None:
    other = lockstep(stream(3.0), make_model(Swing(0.4001)))

    strict, kind = judge(other, golden(outcome)), judge(other, golden(outcome), Tolerance(mean=0.01))

    assert strict.same is False
    assert 'the trajectories are not those' in strict.differences[0]
    assert (kind.same, kind.differences) == (True, ())
    assert judge(other, golden(outcome), Tolerance(mean=1e-9)).same is False


def test_a_golden_file_keeps_why_it_changed(outcome, tmp_path: Path) -> None:
    other = lockstep(stream(3.0), make_model(Swing(0.5)))
    first = golden(outcome)

    second = golden_of(other, make_model(), Selection(), ReplayTiming(), ' faster now ', before=first)
    write_golden(tmp_path / 'g.json', second)

    assert [entry['reason'] for entry in read_golden(tmp_path / 'g.json').history] == ['first', 'faster now']
    with pytest.raises(VlaError, match='expected why'):
        golden(outcome, reason='  ')


def test_a_golden_file_of_another_part_is_refused(outcome) -> None:
    shorter = lockstep(stream(2.0), make_model())

    with pytest.raises(VlaError, match='another part'):
        require_same_part(golden(outcome), shorter, Path('g.json'))
    with pytest.raises(VlaError, match='another part'):
        require_same_part(golden(outcome), replace(outcome, clock=7), Path('g.json'))
    require_same_part(golden(outcome), outcome, Path('g.json'))


@pytest.mark.parametrize(
    'content', ['', '[]', '{"format": 99, "step": 0.05}', '{"format": 1, "step": 0.05}', '{']
)
def test_what_is_no_golden_file_is_one_sentence(content: str, tmp_path: Path) -> None:
    (tmp_path / 'g.json').write_text(content)

    with pytest.raises(VlaError, match='g.json'):
        read_golden(tmp_path / 'g.json')
    with pytest.raises(VlaError, match='is missing; make it with --update'):
        read_golden(tmp_path / 'none.json')


def test_without_golden_file_the_recording_is_what_counts_and_without_that_nothing(outcome) -> None:
    recorded = replace(outcome, recorded=outcome.replayed)
    slower = replace(outcome, recorded=lockstep(stream(3.0), make_model(Swing(-1.0))).replayed)

    assert (judge(recorded, None).against, judge(recorded, None).same) == ('recorded', True)
    assert judge(slower, None).same is False
    assert 'mean joint error' in judge(slower, None).differences[0]
    assert (judge(outcome, None).against, judge(outcome, None).same) == ('nothing', None)


def test_joint_error_is_of_commanded_positions_where_both_command() -> None:
    nothing = float('nan')

    found = compare(course([nothing, 0.0, 0.1, 0.2]), course([0.5, 0.0, 0.2, 0.5]))

    assert (found.mean, found.largest) == (pytest.approx((0.0 + 0.1 + 0.3) / 3), pytest.approx(0.3))
    assert found.by_joint == {'pan': pytest.approx(0.4 / 3)}


def test_a_false_hold_is_rest_for_a_fifth_of_a_second_while_the_reference_moves() -> None:
    moving = [0.01 * k for k in range(40)]
    held = [*moving[:10], *[moving[10]] * 10, *moving[20:]]
    hesitant = [*moving[:10], *[moving[10]] * 3, *moving[13:]]

    assert compare(course(moving), course(held)).false_holds == (0.5,)
    assert compare(course(moving), course(held)).false_hold_share == pytest.approx(9 / 39, abs=0.03)
    assert compare(course(moving), course(hesitant)).false_holds == ()
    assert compare(course(held), course(moving)).false_hold_share == 0.0


@pytest.mark.parametrize(('late', 'holds'), [(0.4, ()), (1.0, (0.0,))])
def test_a_first_motion_that_comes_a_little_later_is_no_false_hold(
    late: float, holds: tuple[float, ...]
) -> None:
    moving = [0.01 * k for k in range(60)]
    steps = round(late / 0.05)

    found = compare(course(moving), course([0.0] * steps + moving[:-steps]))

    assert found.false_holds == holds
    assert (found.false_hold_share > 0) == bool(holds)


def test_decisions_agree_by_time_and_a_changed_end_is_told() -> None:
    still = [0.0] * 41  # 2 s
    go, no = Decided(0.5, GO, 'go', 'touch red cube'), Decided(1.5, GO, 'refused', 'there is no red cube')

    found = compare(course(still, go), course(still, go, no))

    assert found.agreement == pytest.approx(20 / 31)
    (changed,) = found.changed
    assert (changed.reference, changed.replayed) == ('go touch red cube', 'refused there is no red cube')
    assert compare(course(still, go), course(still, go)).changed == ()
    assert compare(course(still, go), course(still)).changed[0].replayed == 'nothing'


def test_rest_is_counted_from_the_fault_to_the_last_motion() -> None:
    times = np.array([0.0, 0.5, 1.0])
    rows = np.array([[0.0], [0.5], [0.5]])
    plan = JointTrajectory(('pan',), times, rows, 0 * rows, 0 * rows)
    run = Recording(
        joint_names=('pan',),
        joints=Timeline((0.0,), (np.zeros(1),)),
        plans=Timeline((1.0, 4.0), (plan, replace(plan, positions=rows + 0.5))),
    )

    rest = rest_after(run, Fault('camera_gap', 1.2, 2.0), 6.0)
    late = rest_after(run, Fault('camera_gap', 2.0, 1.0), 6.0)
    never = rest_after(run, Fault('camera_gap', 1.2, 0.1), 6.0)

    assert (rest.moved, rest.seconds_to_rest) == (True, pytest.approx(0.3, abs=0.011))
    assert rest.seconds_to_motion == pytest.approx(0.8, abs=0.011)
    assert (late.moved, late.seconds_to_rest) == (False, 0.0)
    assert never.seconds_to_rest is None


@pytest.fixture(scope='module')
def tabletop_bag(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A second and a half of the reference model's robot at rest before a table with a green cube."""
    from sensor_msgs.msg import JointState
    from std_msgs.msg import String

    from vla_ros.nodes.image_messages import image_message
    from vla_ros.nodes.joint_messages import joints_message
    from vla_ros.sim.cameras import FRONT_SIZE, WRIST_SIZE, Camera
    from vla_ros.sim.model import JOINT_NAMES
    from vla_ros.sim.scene import sample_scene
    from vla_ros.sim.world import World
    from vla_ros.types import JointSample

    world = World(sample_scene(1_000_000))
    sizes = {'front': FRONT_SIZE, 'wrist': WRIST_SIZE}
    seen = {
        name: Camera(world.model, name, *size, scene=world.scene).render(world.data)
        for name, size in sizes.items()
    }
    at_rest = JointSample(0, world.joints().positions, np.zeros(len(JOINT_NAMES)))
    began = 1_000 * NANOSECONDS
    messages = [('/instruction', began, String(data='touch the green cube'))]
    for k in range(75):
        at = began + k * 20_000_000
        state: JointState = joints_message(JOINT_NAMES, replace(at_rest, stamp=at))
        messages.append(('/joint_states', at, state))
        if k % 5 == 0:
            messages += [
                (f'/camera/{name}/image_raw', at, image_message(im, at)) for name, im in seen.items()
            ]
    return write_bag(tmp_path_factory.mktemp('tabletop') / 'bag', messages)


def test_one_changed_weight_of_the_reference_model_is_caught(tabletop_bag: Path, tmp_path: Path) -> None:
    onnx = pytest.importorskip('onnx')
    from onnx import numpy_helper

    from vla_ros.evaluation.replay.model import load_model
    from vla_ros.evaluation.replay.session import Session

    folder = tmp_path / 'changed'
    shutil.copytree(bundle_directory('tabletop'), folder)
    graph = onnx.load(folder / 'action.onnx')
    weights = next(
        one
        for one in graph.graph.initializer
        if len(one.dims) == 2 and numpy_helper.to_array(one).dtype == 'f4'
    )
    values = numpy_helper.to_array(weights).copy()
    values[0, 0] += 0.01
    weights.CopyFrom(numpy_helper.from_array(values, weights.name))
    onnx.save(graph, folder / 'action.onnx')
    manifest = yaml.safe_load((folder / 'manifest.yaml').read_text())
    manifest['files']['action']['sha256'] = sha256(folder / 'action.onnx')
    (folder / 'manifest.yaml').write_text(yaml.safe_dump(manifest))

    session = Session(tabletop_bag, load_model(bundle_directory('tabletop')), golden_file=tmp_path / 'g.json')
    assert len(session.run().replayed.plans) > 2
    session.judge(may_be_new=True)
    session.update('first')
    assert session.judge().same is True
    changed = Session(tabletop_bag, load_model(folder), golden_file=tmp_path / 'g.json')
    changed.run()

    assert changed.judge().same is False
    assert 'trajectories are not those' in changed.verdict.differences[0]
    assert json.loads(json.dumps(changed.report()))['joint_error']['largest'] > 0.0
