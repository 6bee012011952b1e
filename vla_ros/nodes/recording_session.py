"""When an episode of a recording begins and ends, and what a frame of it is. No ROS in here, and no files.

An episode is one order: it begins with an instruction, or with a plan that moves the arm while it is known what is to
be done, and ends with the next instruction, an empty one, or when the arm has been still for a while. One in which
nothing moved shows nothing, and is dropped. The clock is that of the joint states.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from vla_ros.action.joint_history import JointHistory
from vla_ros.action.stitch import ExecutingPlan, planned_state
from vla_ros.dataset.recording import RecordedFrame
from vla_ros.nodes.frame_grid import Due, FrameGrid
from vla_ros.perception.synchronise import Synchroniser
from vla_ros.types import NANOSECONDS, DoubleArray, ImageArray, JointSample, JointTrajectory, VlaError

MOVED = 0.01
"""rad that a joint is away from where it was before it counts as moved."""
LONGEST_GAP = NANOSECONDS // 2
"""Nanoseconds without pictures, or without joints, after which an episode is cut: what came then is another story."""
PLANS = 20
"""Plans that are remembered."""

Picture = Callable[[], ImageArray]
"""A picture that is not decoded yet."""


class Sink(Protocol):
    """Where frames go."""

    def frame(self, frame: RecordedFrame) -> None:
        """Another frame of the episode that is under way."""
        ...

    def end(self) -> None:
        """The episode is over, and good."""
        ...

    def drop(self) -> None:
        """The episode is over, and to be forgotten."""
        ...


@dataclass(frozen=True)
class SessionSettings:
    """What is recorded.

    Attributes:
        fps: frames a second. task: what is done as long as no instruction says otherwise.
        idle: seconds at rest that end an episode. slop: seconds between the cameras' pictures of a frame at most.
    """

    joints: tuple[str, ...]
    cameras: tuple[str, ...]
    fps: int
    task: str = ''
    idle: float = 2.0
    slop: float = 0.03


class _Episode:
    """The episode that is under way.

    Attributes:
        waiting: frames for whose moments the joints are not known yet.
        still, since: where the joints were when they last moved, and when that was (ns).
        moved: since the episode began. frames: given to the sink. seen: stamp (ns) of the newest pictures.
    """

    def __init__(self, fps: int, newest: JointSample | None) -> None:
        self.grid: FrameGrid[tuple[Picture, ...]] = FrameGrid(fps)
        self.waiting: list[Due[tuple[Picture, ...]]] = []
        self.still = None if newest is None else newest.positions
        self.since = 0 if newest is None else newest.stamp
        self.seen: int | None = None
        self.moved, self.frames = False, 0
        self._decoded: tuple[tuple[Picture, ...], list[ImageArray]] | None = None

    def feel(self, sample: JointSample) -> None:
        """Look whether the joints have moved."""
        if self.still is None or np.abs(sample.positions - self.still).max() > MOVED:
            self.moved = self.moved or self.still is not None
            self.still, self.since = sample.positions, sample.stamp

    def decoded(self, pictures: tuple[Picture, ...]) -> list[ImageArray]:
        """What pictures show; those that stand for several frames are decoded once."""
        if self._decoded is None or self._decoded[0] is not pictures:
            self._decoded = (pictures, [picture() for picture in pictures])
        return self._decoded[1]


class RecordingSession:
    """Hears the robot, and gives the frames of episodes to a sink. Not thread-safe.

    Attributes:
        counts: 'episodes' and 'frames' that were kept, 'still' and 'cut' episodes, 'repeated' frames, and what was
            refused, by reason.
    """

    def __init__(self, settings: SessionSettings, sink: Sink) -> None:
        self.counts: Counter[str] = Counter()
        self._settings, self._sink = settings, sink
        self._joints = JointHistory()
        self._words: str | None = None
        self._plans: list[tuple[int, ExecutingPlan]] = []
        self._synchroniser: Synchroniser[tuple[int, Picture]] = Synchroniser(
            settings.cameras, round(settings.slop * NANOSECONDS)
        )
        self._episode: _Episode | None = None

    @property
    def task(self) -> str:
        """What is to be done now, '' for nothing. Whoever says stop does not mean the task of the settings."""
        return self._settings.task if self._words is None else self._words

    def on_words(self, text: str) -> None:
        """A person gave an order; an empty one means stop."""
        self.finish()
        self._words = ' '.join(text.split())
        if self._words:
            self._begin()

    def on_plan(self, trajectory: JointTrajectory, stamp: int) -> None:
        """The arm is sent a plan; ``stamp`` (ns) is that of its message, 0 for on arrival."""
        newest = self._joints.newest
        if newest is None:
            return
        missing = [name for name in self._settings.joints if name not in trajectory.joint_names]
        if missing:
            self.counts[f'plan without joint {missing[0]}'] += 1
            return
        plan = ExecutingPlan(trajectory, stamp or newest.stamp)
        self._plans = [*self._plans[1 - PLANS :], (newest.stamp, plan)]
        if self._episode is None and self.task:
            way = np.abs(trajectory.positions[:, self._order(plan)] - newest.positions)
            if way.max() > MOVED:
                self._begin()

    def on_joints(self, sample: JointSample) -> None:
        """Where the joints are measured, in the order of the settings."""
        newest = self._joints.newest
        if newest is not None and sample.stamp < newest.stamp - LONGEST_GAP:
            self._cut()
            self._joints.clear()
            self._synchroniser.reset()
            self._plans = []
        self._joints.add(sample)
        if self._episode is None:
            return
        self._episode.feel(sample)
        at_rest = sample.stamp - self._episode.since > self._settings.idle * NANOSECONDS
        self._write(self._episode, sample.stamp)
        if at_rest:
            self.finish()

    def on_picture(self, camera: str, stamp: int, picture: Picture) -> None:
        """A camera's picture, not decoded yet."""
        matched = self._synchroniser.add(camera, stamp, (stamp, picture))
        episode, newest = self._episode, self._joints.newest
        if matched is None or episode is None or newest is None:
            return
        seen = min(at for at, _ in matched)
        before = seen if episode.seen is None else episode.seen
        if seen < before:
            return
        if max(seen - before, seen - newest.stamp) > LONGEST_GAP:
            self._cut()
            return
        episode.seen = seen
        episode.waiting += episode.grid.add(seen, tuple(picture for _, picture in matched))
        self._write(episode, newest.stamp)

    def finish(self) -> None:
        """The episode that is under way is over."""
        episode, self._episode = self._episode, None
        if episode is None:
            return
        self.counts['repeated'] += episode.grid.repeated
        if episode.moved and episode.frames:
            self.counts['episodes'] += 1
            self.counts['frames'] += episode.frames
            self._sink.end()
        else:
            self.counts['still'] += 1
            self._sink.drop()

    def _begin(self) -> None:
        self._episode = _Episode(self._settings.fps, self._joints.newest)

    def _cut(self) -> None:
        self.counts['cut'] += self._episode is not None
        self.finish()

    def _write(self, episode: _Episode, until: int) -> None:
        """Give on the frames of moments at which the joints are known."""
        while episode.waiting and episode.waiting[0].moment <= until:
            due = episode.waiting.pop(0)
            try:
                self._sink.frame(self._frame(episode, due))
            except VlaError as error:
                self.counts[str(error)] += 1
                self._cut()
                return
            episode.frames += 1

    def _frame(self, episode: _Episode, due: Due[tuple[Picture, ...]]) -> RecordedFrame:
        sample = self._joints.at(due.moment)
        assert sample is not None  # there are joints at least as new
        return RecordedFrame(
            dict(zip(self._settings.cameras, episode.decoded(due.pictures))),
            sample.positions,
            self._command(due.moment, sample.positions),
            episode.frames / self._settings.fps,
            self.task,
        )

    def _command(self, moment: int, measured: DoubleArray) -> DoubleArray:
        """Where the plan that was in force wanted the joints to be a frame later; without a plan, where they are."""
        in_force = [plan for came, plan in self._plans if came <= moment]
        if not in_force:
            return measured
        plan = in_force[-1]
        due = moment + NANOSECONDS // self._settings.fps
        return planned_state(plan, due).positions[self._order(plan)]

    def _order(self, plan: ExecutingPlan) -> list[int]:
        return [plan.trajectory.joint_names.index(name) for name in self._settings.joints]
