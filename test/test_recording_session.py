"""What becomes of live topics in a recording: frames at even times, with joints and commands of their own moment."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip('rclpy')  # the folder of nodes is nothing without it

from vla_ros.dataset.recording import RecordedFrame
from vla_ros.nodes.frame_grid import FrameGrid
from vla_ros.nodes.recording_session import RecordingSession, SessionSettings
from vla_ros.types import NANOSECONDS, JointSample, JointTrajectory

FPS = 10
SETTINGS = SessionSettings(('pan', 'lift'), ('front',), FPS, idle=1.0)
SECOND = NANOSECONDS
START = 100 * SECOND


class Kept:
    """A sink that keeps everything."""

    def __init__(self) -> None:
        self.episodes: list[list[RecordedFrame]] = []
        self.dropped: list[list[RecordedFrame]] = []
        self.now: list[RecordedFrame] = []

    def frame(self, frame: RecordedFrame) -> None:
        self.now.append(frame)

    def end(self) -> None:
        self.episodes.append(self.now)
        self.now = []

    def drop(self) -> None:
        self.dropped.append(self.now)
        self.now = []


class Robot:
    """Moves at a given speed, is looked at by a camera, and tells a session of both."""

    def __init__(self, settings: SessionSettings = SETTINGS) -> None:
        self.kept = Kept()
        self.session = RecordingSession(settings, self.kept)
        self.now, self.position = START, 0.0
        self.joints()

    def joints(self) -> None:
        at = np.array([self.position, 0.0])
        self.session.on_joints(JointSample(self.now, at, np.zeros(2)))

    def run(self, seconds: float, speed: float = 0.0, picture_every: int | None = 5) -> None:
        """Steps of 20 ms, a picture every so many of them, 10 ms before the joints."""
        for step in range(round(seconds / 0.02)):
            self.now += SECOND // 50
            if picture_every and step % picture_every == 0:
                stamp = self.now - SECOND // 100
                shade = np.full((2, 2, 3), (stamp // 1_000_000) % 251, np.uint8)
                self.session.on_picture('front', stamp, lambda shade=shade: shade)
            self.position += 0.02 * speed
            self.joints()

    def plan(self, *positions: float, names: tuple[str, ...] = ('lift', 'pan')) -> None:
        """A plan that has the joint pan, the second of its joints, at these places, one a second."""
        count = len(positions)
        rows = np.stack([np.zeros(count), np.array(positions)], 1)
        times = np.arange(count, dtype=float)
        self.session.on_plan(JointTrajectory(names, times, rows, np.zeros_like(rows), np.zeros_like(rows)), 0)


def test_given_an_order_when_the_arm_moves_and_rests_then_one_episode_has_the_words() -> None:
    robot = Robot()
    robot.session.on_words(' touch  the cube ')
    robot.run(2.0, speed=0.5)
    robot.run(2.0)
    (episode,) = robot.kept.episodes
    assert {frame.task for frame in episode} == {'touch the cube'}
    assert [frame.timestamp for frame in episode] == pytest.approx(np.arange(len(episode)) / FPS)
    # It moved for 2 s and was at rest for 1 s.
    assert len(episode) == pytest.approx(30, abs=2)
    assert robot.session.counts['frames'] == len(episode)


def test_states_are_those_of_the_pictures_stamps() -> None:
    robot = Robot()
    robot.session.on_words('go')
    robot.run(2.0, speed=0.5)
    robot.session.on_words('')
    (episode,) = robot.kept.episodes
    for before, after in pairwise(episode):
        assert after.state[0] - before.state[0] == pytest.approx(0.5 / FPS, abs=1e-9)
    # The first picture is stamped 10 ms after the order, when the arm was half of a step of 20 ms on its way.
    assert episode[0].state[0] == pytest.approx(0.005, abs=1e-9)


def test_actions_are_where_the_plan_wants_the_joints_to_be_a_frame_later() -> None:
    robot = Robot()
    robot.session.on_words('go')
    robot.run(0.5, speed=0.1)
    planned = robot.now
    robot.plan(1.0, 2.0, 2.0)
    robot.run(1.5, speed=0.1)
    robot.session.finish()
    (episode,) = robot.kept.episodes
    first = START + SECOND // 100
    for number, frame in enumerate(episode):
        moment = first + SECOND // 100 + number * SECOND // FPS
        if moment < planned:
            np.testing.assert_allclose(frame.action, frame.state)  # nothing was commanded
        else:
            assert 1.0 <= frame.action[0] <= 2.0
            assert frame.action[1] == 0.0
    assert episode[-1].action[0] == 2.0


def test_given_a_task_and_no_words_when_a_plan_moves_the_arm_then_an_episode_begins() -> None:
    robot = Robot(SessionSettings(('pan', 'lift'), ('front',), FPS, task='tidy up', idle=0.5))
    robot.run(1.0, speed=0.5)  # pushed about by hand
    assert robot.kept.now == []
    robot.run(1.0)
    robot.plan(robot.position)
    robot.run(0.2)
    assert robot.kept.now == []  # it stays where it is
    robot.plan(robot.position + 1.0)
    robot.run(1.0, speed=1.0)
    robot.run(1.0)
    (episode,) = robot.kept.episodes
    assert {frame.task for frame in episode} == {'tidy up'}


def test_given_a_task_when_somebody_says_stop_then_the_brake_is_no_episode() -> None:
    robot = Robot(SessionSettings(('pan', 'lift'), ('front',), FPS, task='tidy up'))
    robot.session.on_words('touch it')
    robot.run(1.0, speed=0.5)
    robot.session.on_words('')
    robot.plan(robot.position + 0.1)
    robot.run(0.5, speed=0.2)
    assert [episode[0].task for episode in robot.kept.episodes] == ['touch it']
    assert robot.kept.now == []


def test_given_a_new_order_while_one_is_followed_then_there_are_two_episodes() -> None:
    robot = Robot()
    robot.session.on_words('one')
    robot.run(1.0, speed=0.5)
    robot.session.on_words('two')
    robot.run(1.0, speed=0.5)
    robot.session.finish()
    assert [episode[0].task for episode in robot.kept.episodes] == ['one', 'two']


def test_given_an_order_that_nothing_came_of_then_it_is_dropped_and_counted() -> None:
    robot = Robot()
    robot.session.on_words('touch what is not there')
    robot.run(3.0)
    assert robot.kept.episodes == []
    assert len(robot.kept.dropped) == 1
    assert robot.session.counts['still'] == 1


def test_given_pictures_that_are_missing_for_a_moment_then_the_last_one_stands_for_them_and_is_counted() -> (
    None
):
    robot = Robot()
    robot.session.on_words('go')
    robot.run(1.0, speed=0.5)
    robot.run(0.3, speed=0.5, picture_every=None)
    robot.run(1.0, speed=0.5)
    robot.session.finish()
    (episode,) = robot.kept.episodes
    assert robot.session.counts['repeated'] == 3
    steps = [after.state[0] - before.state[0] for before, after in pairwise(episode)]
    np.testing.assert_allclose(steps, 0.05, atol=0.006)


def test_given_pictures_that_stay_away_then_the_episode_is_cut_there() -> None:
    robot = Robot()
    robot.session.on_words('go')
    robot.run(1.0, speed=0.5)
    robot.run(0.8, speed=0.5, picture_every=None)
    robot.run(1.0, speed=0.5)
    assert robot.session.counts['cut'] == 1
    assert len(robot.kept.episodes) == 1
    assert robot.kept.now == []


def test_given_a_clock_that_goes_back_then_the_episode_is_cut_and_the_next_one_is_whole() -> None:
    robot = Robot()
    robot.session.on_words('go')
    robot.run(1.0, speed=0.5)
    robot.now = SECOND
    robot.joints()
    assert robot.session.counts['cut'] == 1
    robot.session.on_words('again')
    robot.run(1.0, speed=0.5)
    robot.session.finish()
    assert len(robot.kept.episodes) == 2


def test_given_a_plan_for_another_arm_then_it_is_refused_and_counted() -> None:
    robot = Robot()
    robot.plan(1.0, names=('a', 'b'))
    assert robot.session.counts['plan without joint pan'] == 1


@given(st.lists(st.integers(1, 120), min_size=1, max_size=60))
def test_whatever_the_pictures_times_are_there_is_one_frame_a_period(gaps: list[int]) -> None:
    grid: FrameGrid[int] = FrameGrid(FPS)
    stamps = np.cumsum(gaps) * 1_000_000
    frames = [frame for number, stamp in enumerate(stamps.tolist()) for frame in grid.add(stamp, number)]
    period = SECOND / FPS
    for number, frame in enumerate(frames):
        assert abs(frame.moment - stamps[0] - number * period) <= period / 2 + 1
    assert frames[0].pictures == 0
    assert len(frames) - grid.repeated + grid.spare == len(gaps)
    seen = [frame.pictures for frame in frames]
    assert seen == sorted(seen)
