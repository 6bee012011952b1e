"""Frames, film and poster of a run that is made up, so that every pixel's reason is known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from vla_ros.evaluation.recording import Recording, Timeline
from vla_ros.evaluation.segments import segments
from vla_ros.reasoning.trace import Request, Sighting, read, write
from vla_ros.sim.model import JOINT_NAMES, REST_POSE
from vla_ros.sim.scene import sample_scene
from vla_ros.sim.world import World
from vla_ros.types import JointTrajectory, Subtask, VlaError
from vla_ros.viz.colours import AMBER, GREEN, JOINT_COLOURS, RED
from vla_ros.viz.film import LEAD, TRAIL, Script, affordable, frame_times
from vla_ros.viz.frame import BEAUTY, FRONT, JOINTS, SIZE, WRIST, FrameMaker, badge
from vla_ros.viz.joint_chart import JointWindow, draw_joints, ranges_of
from vla_ros.viz.outside_view import OutsideView, StateLog, load_state_log, smooth_edges
from vla_ros.viz.poster import Facts, make_poster
from vla_ros.viz.video import write_video

BINS = 128
SCENE = [Sighting('red cube', 0.25, 0.5), Sighting('blue cylinder', 0.75, 0.5)]
WORDS = ('touch the red cube', 'touch the green cube')


def line(*events):
    return Timeline(tuple(t for t, _ in events), tuple(v for _, v in events))


@pytest.fixture(scope='module')
def recording() -> Recording:
    """Two orders: at 1 s one that is decided at 2 s and done at 4 s, at 6 s one that is refused at 7 s."""
    rest = np.array(REST_POSE)
    traces = [
        write(SCENE, Request((Subtask('touch', wanted),)), BINS) for wanted in ('red cube', 'green cube')
    ]
    decisions = [read(trace, words, BINS, 'front') for trace, words in zip(traces, WORDS)]
    front, wrist = np.full((64, 64, 3), 90, np.uint8), np.full((32, 32, 3), 60, np.uint8)
    times = np.arange(0.0, 9.0, 0.1)
    goal = rest + np.linspace(0, 0.4, 11)[:, None]
    plan = JointTrajectory(JOINT_NAMES, np.linspace(0, 1, 11), goal, 0 * goal, 0 * goal)
    ticks = Timeline(tuple(times), (None,) * len(times))
    return Recording(
        instructions=line((1.0, WORDS[0]), (6.0, WORDS[1])),
        traces=line((1.5, traces[0][:30]), (2.0, traces[0]), (7.0, traces[1])),
        decisions=line((2.0, decisions[0]), (7.0, decisions[1])),
        cameras={'front': line(*((t, front) for t in times)), 'wrist': line(*((t, wrist) for t in times))},
        joint_names=JOINT_NAMES,
        joints=line(*((t, rest + 0.4 * np.clip(t - 2.1, 0, 1)) for t in times)),
        plans=line((2.1, plan)),
        scores=line((4.0, {'success': 'true'})),
        arrivals={'camera/front/image_raw': ticks, 'instruction': line((1.0, None), (6.0, None))},
    )


def region(image: np.ndarray, box: tuple[int, int, int, int]) -> np.ndarray:
    return image[box[1] : box[3], box[0] : box[2]]


def has(image: np.ndarray, colour: tuple[int, int, int]) -> bool:
    return bool((image.reshape(-1, 3) == colour).all(axis=1).any())


def test_a_frame_has_the_size_of_the_film_at_any_time(recording: Recording) -> None:
    maker = FrameMaker(recording, BINS)

    for time in (-5.0, 0.0, 1.2, 3.0, 6.5, 8.9, 99.0):
        assert maker.frame(time).shape == (SIZE[1], SIZE[0], 3)


def test_the_target_is_drawn_into_the_front_view_once_it_is_decided_and_where_it_is(
    recording: Recording,
) -> None:
    maker = FrameMaker(recording, BINS)
    before, after = region(maker.frame(1.6), FRONT), region(maker.frame(2.5), FRONT)

    assert not has(before, GREEN)
    x = np.argwhere((after == GREEN).all(axis=2))[:, 1]
    assert x.mean() == pytest.approx(0.25 * (FRONT[2] - FRONT[0]), abs=5)


def test_a_refusal_draws_no_target(recording: Recording) -> None:
    assert not has(region(FrameMaker(recording, BINS).frame(7.5), FRONT), GREEN)


def test_the_outside_view_fills_its_place(recording: Recording) -> None:
    outside = np.full((300, 400, 3), 200, np.uint8)

    shown = region(FrameMaker(recording, BINS).frame(3.0, outside), BEAUTY)

    assert (shown[50:300, 50:500] == 200).all()
    assert (region(FrameMaker(recording, BINS).frame(3.0), WRIST)[20:200, 20:200] == 60).all()


@pytest.mark.parametrize(
    ('time', 'expected'),
    [(1.5, ('THINKING', AMBER)), (2.5, ('GO', GREEN)), (4.5, ('DONE', GREEN)), (7.5, ('REFUSED', RED))],
)
def test_the_badge_tells_how_things_stand(
    recording: Recording, time: float, expected: tuple[str, tuple[int, int, int]]
) -> None:
    maker = FrameMaker(recording, BINS)
    segment = maker.segment(time)
    assert segment is not None

    assert badge(segment, maker.decision(time), time) == expected
    assert has(maker.frame(time)[:80, 1000:], expected[1])


def test_a_decision_about_the_order_before_does_not_count_for_the_next(recording: Recording) -> None:
    assert FrameMaker(recording, BINS).decision(6.5) is None


def test_the_joint_charts_show_measured_commanded_and_what_is_ahead(recording: Recording) -> None:
    maker = FrameMaker(recording, BINS)

    still, moving = region(maker.frame(1.5), JOINTS), region(maker.frame(2.6), JOINTS)

    assert all(has(moving, colour) for colour in JOINT_COLOURS)
    assert (still != moving).any()


def test_a_line_is_drawn_at_the_height_of_its_value() -> None:
    from PIL import Image

    canvas = Image.new('RGB', (200, 100))
    times = np.linspace(-1.0, 1.0, 101)
    values = np.full((101, 1), 0.25)
    nothing = np.full((101, 1), np.nan)
    draw_joints(canvas, (0, 0, 200, 100), JointWindow(('j',), times, values, nothing, np.array([[0.0, 1.0]])))

    image = np.asarray(canvas)
    plot = image[16:, :70]
    rows = np.argwhere((plot == JOINT_COLOURS[0]).all(axis=2))[:, 0]
    height = 100 - 16 - 4
    assert rows.mean() == pytest.approx(height - 3 - 0.25 * (height - 6), abs=1.5)


def test_ranges_hold_everything_and_are_never_tiny() -> None:
    rows = np.array([[0.0, 0.3], [2.0, 0.31], [np.nan, 0.3]])

    (low, high), (low_still, high_still) = ranges_of(rows)

    assert low < 0 and high > 2
    assert high_still - low_still == pytest.approx(0.5)


def test_a_video_decodes_to_as_many_frames_as_went_in_and_looks_the_same(tmp_path: Path) -> None:
    av = pytest.importorskip('av')
    frames = [np.full((64, 96, 3), 20 * i, np.uint8) for i in range(11)]

    assert write_video(tmp_path / 'a' / 'x.mp4', iter(frames), 10) == 11

    with av.open(str(tmp_path / 'a' / 'x.mp4')) as container:
        stream = container.streams.video[0]
        decoded = [frame.to_ndarray(format='rgb24') for frame in container.decode(stream)]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ('h264', 'yuv420p')
        assert float(stream.average_rate) == 10
        assert float(stream.duration * stream.time_base) == pytest.approx(1.1)
    assert len(decoded) == 11
    assert all(abs(int(d.mean()) - 20 * i) <= 3 for i, d in enumerate(decoded))


@pytest.mark.parametrize(
    ('frames', 'says'),
    [
        ([], 'at least one frame'),
        ([np.zeros((63, 64, 3), np.uint8)], 'even size'),
        (
            [np.zeros((64, 64, 3), np.uint8), np.zeros((32, 64, 3), np.uint8)],
            'frame 1: expected the even size',
        ),
    ],
)
def test_frames_that_make_no_video_are_refused(tmp_path: Path, frames: list[np.ndarray], says: str) -> None:
    with pytest.raises(VlaError, match=says):
        write_video(tmp_path / 'x.mp4', frames, 10)


def test_the_outside_view_shows_the_logged_state_and_draws_the_same_state_once(tmp_path: Path) -> None:
    scene = sample_scene(1_000_000)
    world = World(scene)
    start = world.data.qpos.copy()
    world.set_joints(np.array(REST_POSE) + 0.5)
    np.savez(tmp_path / 'log.npz', times=[0.0, 1.0, 2.0], qpos=[start, start, world.data.qpos])
    view = OutsideView(scene, load_state_log(tmp_path / 'log.npz'), 80, 60)

    first, same, moved = (view.at(time) for time in (0.0, 1.5, 2.0))

    assert first.shape == (60, 80, 3)
    assert same is first
    assert (moved != first).any()


def test_hard_edges_are_smoothed_and_everything_else_is_left_as_it_is() -> None:
    image = np.full((20, 20, 3), 40, np.uint8)
    image[:, 10:] = 200
    image[:, 16:] += 5  # a shade, no edge

    smooth = smooth_edges(image)

    assert (smooth[:, :8] == 40).all() and (smooth[:, 12:16] == 200).all() and (smooth[:, 16:] == 205).all()
    assert np.abs(np.diff(smooth[5, :, 0].astype(int))).max() < 120


def test_the_logs_of_later_episodes_are_one_with_the_first_in_the_order_of_time(tmp_path: Path) -> None:
    for name, begins in (('log', 0.0), ('log_2', 20.0), ('log_1', 10.0), ('log_10', 30.0)):
        np.savez(tmp_path / f'{name}.npz', times=[begins, begins + 1], qpos=np.full((2, 3), begins))

    log = load_state_log(tmp_path / 'log.npz')

    assert log.times.tolist() == [0, 1, 10, 11, 20, 21, 30, 31]
    assert [log.at(time)[0] for time in (-1.0, 5.0, 20.0, 99.0)] == [0, 0, 20, 30]


def test_logs_of_different_scenes_are_not_one(tmp_path: Path) -> None:
    for name, coordinates in (('log', 3), ('log_1', 4)):
        np.savez(tmp_path / f'{name}.npz', times=[0.0], qpos=np.zeros((1, coordinates)))

    with pytest.raises(VlaError, match='episodes of one scene'):
        load_state_log(tmp_path / 'log.npz')


def test_a_state_log_of_another_scene_is_refused() -> None:
    scene = sample_scene(1_000_000)

    with pytest.raises(VlaError, match='coordinates for this scene'):
        OutsideView(scene, StateLog(np.zeros(1), np.zeros((1, 3))), 80, 60)


@pytest.mark.parametrize('content', [None, b'no npz'])
def test_a_state_log_that_is_none_is_refused_by_name(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / 'log.npz'
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(VlaError, match=r'log\.npz: expected a state log'):
        load_state_log(path)


def test_a_poster_has_a_column_for_each_order(recording: Recording, tmp_path: Path) -> None:
    from PIL import Image

    facts = Facts(
        'title', 'subtitle', {'camera to tokens': [10.0, 20.0]}, {'camera to trajectory': (30.0, 40.0)}
    )
    make_poster(tmp_path / 'poster.png', recording, None, BINS, facts)

    image = np.asarray(Image.open(tmp_path / 'poster.png'))
    half = image.shape[1] // 2
    assert len(segments(recording)) == 2
    assert has(image[84:130, :half], GREEN) and not has(image[84:130, :half], RED)
    assert has(image[84:130, half:], RED) and not has(image[84:130, half:], GREEN)


def test_a_poster_of_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(VlaError, match='at least one instruction'):
        make_poster(tmp_path / 'poster.png', Recording(), None, BINS, Facts('', ''))


def test_a_film_that_would_take_too_long_does_without_shadows(
    recording: Recording, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr('vla_ros.viz.film.read_bag', lambda _: recording)
    scene = sample_scene(1_000_000)
    start = World(scene).data.qpos.copy()
    np.savez(tmp_path / 'log.npz', times=[0.0, 1.0], qpos=[start, start + 0.1])
    script = Script(tmp_path, tmp_path / 'log.npz', scene, BINS)

    assert affordable(script, 2, seconds=1e6) is script
    assert affordable(script, 2, seconds=1e-6).shadows is False
    assert affordable(replace(script, state_log=None), 2, seconds=1e-6).shadows is True


def test_a_film_begins_before_the_first_order_and_ends_after_the_last_outcome(
    recording: Recording, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr('vla_ros.viz.film.read_bag', lambda _: recording)
    times = frame_times(Script(tmp_path, None, sample_scene(1_000_000), BINS, rate=10))

    assert times[0] == pytest.approx(1.0 - LEAD)
    assert times[-1] == pytest.approx(7.0 + TRAIL, abs=0.11)
    assert np.diff(times) == pytest.approx(0.1)
