"""One picture of a run at one moment: the robot, what its cameras see, what it thinks, how it moves."""

from __future__ import annotations

import math
from bisect import bisect_right

import numpy as np
from PIL import Image, ImageDraw

from vla_ros.evaluation.recording import Recording, commanded, measured, resets
from vla_ros.evaluation.segments import Ending, Segment, segments
from vla_ros.reasoning import trace as traces
from vla_ros.types import Decision, DoubleArray, ImageArray, Verdict
from vla_ros.viz.colours import AMBER, BACKGROUND, EDGE, FAINT, GREEN, MUTED, RED, TEXT, Colour
from vla_ros.viz.joint_chart import JointWindow, draw_joints, ranges_of
from vla_ros.viz.overlay import draw_sightings, draw_target, enlarge
from vla_ros.viz.style import Box, panel, paste, pill, shortened, width_of, write
from vla_ros.viz.trace_text import draw_trace

SIZE = (1280, 720)
BEAUTY: Box = (24, 84, 557, 484)
FRONT: Box = (569, 84, 969, 484)
WRIST: Box = (981, 84, 1256, 359)
RATES: Box = (981, 371, 1256, 484)
TRACE: Box = (24, 496, 636, 694)
JOINTS: Box = (648, 496, 1256, 694)

BEHIND, AHEAD, STEP = 6.0, 1.5, 0.02
"""Seconds of the past and of the plan that the joint charts show, and between two of their points."""

RATE_TOPICS = (
    ('front camera', 'camera/front/image_raw'),
    ('visual tokens', 'perception/tokens'),
    ('thoughts', 'reasoning/thought'),
    ('trajectories', 'joint_trajectory'),
)


class FrameMaker:
    """Draws frames of one recording; what all frames share is worked out once."""

    def __init__(self, recording: Recording, location_bins: int, footer: str = '') -> None:
        self._recording = recording
        self._bins = location_bins
        self._footer = footer
        self._segments = segments(recording)
        self._times = np.arange(recording.begins, recording.ends + AHEAD, STEP)
        self._resets = resets(recording)
        self._commanded = commanded(recording, self._times.tolist())
        if len(recording.joints):
            self._measured: DoubleArray = measured(recording, self._times.tolist())
            self._ranges = ranges_of(self._measured, self._commanded)

    def frame(self, time: float, beauty: ImageArray | None = None) -> ImageArray:
        """The picture (720, 1280, 3) at ``time``, seconds; ``beauty`` is an outside view of the robot."""
        canvas = Image.new('RGB', SIZE, BACKGROUND)
        draw = ImageDraw.Draw(canvas)
        segment = self.segment(time)
        decision = self.decision(time)
        self._draw_header(draw, segment, decision, time)
        self._draw_views(canvas, draw, segment, decision, time, beauty)
        panel(draw, RATES, 'rates')
        self._draw_rates(draw, time)
        panel(draw, TRACE, 'chain of thought')
        self._draw_trace(draw, time, segment, decision)
        panel(draw, JOINTS, 'joints')
        legend = 'measured in colour · commanded in white · planned ahead dimmed'
        write(draw, (JOINTS[2] - 12, JOINTS[1] + 8), legend, size=11, colour=MUTED, anchor='ra')
        if len(self._recording.joints):
            left, top, right_edge, bottom = JOINTS
            draw_joints(canvas, (left + 12, top + 30, right_edge - 12, bottom - 6), self._window(time))
        write(draw, (24, 701), self._footer, size=11, colour=FAINT)
        clock = f'{max(0.0, time - self._recording.begins):5.1f} s'
        write(draw, (1256, 701), clock, name='mono', size=11, colour=FAINT, anchor='ra')
        return np.asarray(canvas)

    def segment(self, time: float) -> Segment | None:
        """The instruction that holds at ``time``."""
        index = bisect_right([s.begins for s in self._segments], time)
        return self._segments[index - 1] if index else None

    def decision(self, time: float) -> Decision | None:
        """The decision that holds at ``time``; None until there is one about the present instruction."""
        segment, decision = self.segment(time), self._recording.decisions.at(time)
        if segment is None or decision is None or decision.instruction != segment.instruction:
            return None
        return decision

    def _draw_header(
        self, draw: ImageDraw.ImageDraw, segment: Segment | None, decision: Decision | None, time: float
    ) -> None:
        if segment is None:
            write(draw, (24, 36), 'waiting for an instruction', size=26, colour=FAINT, anchor='lm')
            return
        label, colour = badge(segment, decision, time)
        left = pill(draw, SIZE[0] - 24, 42, label, colour)
        write(
            draw,
            (24, 14),
            f'INSTRUCTION {segment.number} OF {segment.total}',
            name='bold',
            size=12,
            colour=MUTED,
        )
        words = shortened(f'“{segment.instruction}”', 'bold', 28, left - 60)
        write(draw, (24, 54), words, name='bold', size=28, anchor='lm')

    def _draw_views(
        self,
        canvas: Image.Image,
        draw: ImageDraw.ImageDraw,
        segment: Segment | None,
        decision: Decision | None,
        time: float,
        beauty: ImageArray | None,
    ) -> None:
        for box, image, label in (
            (BEAUTY, beauty, 'outside view, drawn from the state log'),
            (FRONT, self._front_view(segment, decision, time), 'camera/front'),
            (WRIST, self._view('wrist', WRIST, time), 'camera/wrist'),
        ):
            if image is None:
                panel(draw, box)
            else:
                size = (box[2] - box[0], box[3] - box[1])
                paste(canvas, image if image.shape[1::-1] == size else enlarge(image, *size), box)
            caption(draw, box, label)

    def _front_view(
        self, segment: Segment | None, decision: Decision | None, time: float
    ) -> ImageArray | None:
        image = self._view('front', FRONT, time)
        if image is None or segment is None or decision is None:
            return image
        target = decision.target
        seen = traces.sightings(decision.trace, self._bins)
        draw_sightings(image, [s for s in seen if target is None or math.dist((s.x, s.y), target) > 0.03])
        if target is not None:
            draw_target(image, target)
        return image

    def _view(self, camera: str, box: Box, time: float) -> ImageArray | None:
        line = self._recording.cameras.get(camera)
        image = line.at(time) if line is not None else None
        return None if image is None else enlarge(image, box[2] - box[0], box[3] - box[1]).copy()

    def _draw_rates(self, draw: ImageDraw.ImageDraw, time: float) -> None:
        left, top, right, _ = RATES
        for row, (label, topic) in enumerate(RATE_TOPICS):
            line = self._recording.arrivals.get(topic)
            window = min(2.0, max(0.25, time - self._recording.begins))
            rate = line.rate(time, window) if line is not None else 0.0
            y = top + 30 + row * 19
            write(draw, (left + 12, y), label, size=13, colour=MUTED)
            write(draw, (right - 12, y), f'{rate:5.1f} Hz', name='mono', size=13, anchor='ra')

    def _draw_trace(
        self, draw: ImageDraw.ImageDraw, time: float, segment: Segment | None, decision: Decision | None
    ) -> None:
        text = self._recording.traces.at(time)
        if segment is None or text is None or self._recording.traces.since(time) > time - segment.begins:
            return
        left, top, right, bottom = TRACE
        writing = not text.rstrip().endswith(traces.END_ANSWER)
        # While a new thought is written over the last one, what it has not reached yet stays readable.
        before = decision.trace[len(text) :] if writing and decision is not None else ''
        draw_trace(draw, (left + 14, top + 32, right - 14, bottom - 36), text, writing=writing, before=before)
        if decision is not None:
            _, colour = badge(segment, decision, segment.begins)
            draw.line((left + 1, bottom - 34, right - 2, bottom - 34), fill=EDGE)
            draw.ellipse((left + 16, bottom - 21, left + 24, bottom - 13), fill=colour)
            write(draw, (left + 34, bottom - 17), decision.subtask, name='bold', size=14, anchor='lm')
            age = f'decided {self._recording.decisions.since(time):.1f} s ago'
            write(draw, (right - 14, bottom - 17), age, size=12, colour=MUTED, anchor='rm')

    def _window(self, time: float) -> JointWindow:
        now = int(np.searchsorted(self._times, time))
        rows = np.arange(now - round(BEHIND / STEP), now + round(AHEAD / STEP) + 1)
        inside = (rows >= 0) & (rows < len(self._times))
        safe = np.clip(rows, 0, len(self._times) - 1)
        target = np.where(inside[:, None], self._commanded[safe], np.nan)
        times = np.asarray((rows - now) * STEP, np.float64)
        target[rows >= now] = self._ahead(time, times[rows >= now])
        seen = np.where(inside[:, None], self._measured[safe], np.nan)
        return JointWindow(self._recording.joint_names, times, seen, target, self._ranges)

    def _ahead(self, time: float, seconds: DoubleArray) -> DoubleArray:
        """What the plan of now holds for the next seconds, also where a later plan will replace it."""
        plans = self._recording.plans
        index = bisect_right(plans.times, time)
        if not index or any(plans.times[index - 1] < after <= time for _, after in self._resets):
            return np.full((len(seconds), len(self._recording.joint_names)), np.nan)
        plan, age = plans.values[index - 1], time - plans.times[index - 1]
        return np.stack([np.interp(seconds + age, plan.times, column) for column in plan.positions.T], axis=1)


def badge(segment: Segment, decision: Decision | None, time: float) -> tuple[str, Colour]:
    """The word and the colour that say how things stand."""
    if time >= segment.ended and segment.ending is Ending.DONE:
        return 'DONE', GREEN
    if time >= segment.ended and segment.ending is Ending.FAILED:
        return 'FAILED', RED
    if decision is None:
        return 'THINKING', AMBER
    return {Verdict.GO: ('GO', GREEN), Verdict.REFUSED: ('REFUSED', RED), Verdict.UNSURE: ('UNSURE', AMBER)}[
        decision.verdict
    ]


def caption(draw: ImageDraw.ImageDraw, box: Box, text: str) -> None:
    """A small label in the lower left corner of a picture."""
    left, _, _, bottom = box
    wide = width_of(text, 'regular', 11)
    draw.rounded_rectangle((left + 8, bottom - 26, left + 20 + wide, bottom - 8), radius=5, fill=BACKGROUND)
    write(draw, (left + 14, bottom - 17), text, size=11, colour=TEXT, anchor='lm')
