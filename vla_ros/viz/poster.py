"""One picture of a whole run: a column for each instruction, the joints and the latencies below."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from vla_ros.evaluation.recording import Recording
from vla_ros.evaluation.segments import Ending, Segment, segments
from vla_ros.reasoning import trace as traces
from vla_ros.types import Decision, ImageArray, VlaError
from vla_ros.viz.charts import joint_overview, latency_chart
from vla_ros.viz.colours import AMBER, BACKGROUND, GREEN, MUTED, RED, Colour
from vla_ros.viz.frame import caption
from vla_ros.viz.outside_view import OutsideView
from vla_ros.viz.overlay import draw_sightings, draw_target, enlarge
from vla_ros.viz.style import panel, paste, pill, width_of, write
from vla_ros.viz.trace_text import draw_trace

COLUMN, GAP, MARGIN = 456, 24, 24
OUTSIDE = (COLUMN, 342)
FRONT = 300
SMALL = COLUMN - 12 - FRONT
HEADER, TRACE, CHARTS = 84, 168, 320
BADGES: dict[Ending, tuple[str, Colour]] = {
    Ending.DONE: ('DONE', GREEN),
    Ending.REFUSED: ('REFUSED', RED),
    Ending.FAILED: ('FAILED', RED),
    Ending.UNFINISHED: ('UNFINISHED', AMBER),
}


@dataclass(frozen=True)
class Facts:
    """What the poster says beside the pictures.

    Attributes:
        title, subtitle: of the whole.
        latencies: samples in ms by name, for histograms.
        percentiles: (p50, p99) in ms of latencies known only so.
    """

    title: str
    subtitle: str
    latencies: Mapping[str, Sequence[float]] = field(default_factory=dict)
    percentiles: Mapping[str, tuple[float, float]] = field(default_factory=dict)


def make_poster(
    path: Path, recording: Recording, outside: OutsideView | None, location_bins: int, facts: Facts
) -> None:
    """Draw the poster of a run into a PNG file.

    Raises:
        VlaError: the run has no instruction.
    """
    cut = segments(recording)
    if not cut:
        raise VlaError('a poster needs a run with at least one instruction')
    width = 2 * MARGIN + len(cut) * COLUMN + (len(cut) - 1) * GAP
    column_height = 92 + OUTSIDE[1] + 12 + FRONT + 12 + TRACE
    height = HEADER + column_height + GAP + CHARTS + MARGIN
    canvas = Image.new('RGB', (width, height), BACKGROUND)
    draw = ImageDraw.Draw(canvas)
    write(draw, (MARGIN, 42), facts.title, name='bold', size=34, anchor='lm')
    write(draw, (width - MARGIN, 42), facts.subtitle, size=20, colour=MUTED, anchor='rm')
    widest = max(
        (f'“{segment.instruction}”' for segment in cut), key=lambda words: width_of(words, 'bold', 20)
    )
    size = next((size for size in (26, 24, 22, 20, 18, 16) if width_of(widest, 'bold', size) <= COLUMN), 14)
    for index, segment in enumerate(cut):
        left = MARGIN + index * (COLUMN + GAP)
        _draw_column(canvas, draw, (left, HEADER), recording, segment, outside, location_bins, size)
    _draw_charts(canvas, draw, HEADER + column_height + GAP, recording, cut, facts)
    path.parent.mkdir(parents=True, exist_ok=True)
    canvas.save(path, optimize=True)


def _draw_column(
    canvas: Image.Image,
    draw: ImageDraw.ImageDraw,
    corner: tuple[int, int],
    recording: Recording,
    segment: Segment,
    outside: OutsideView | None,
    bins: int,
    size: int,
) -> None:
    left, top = corner
    text, colour = BADGES[segment.ending]
    pill_left = pill(draw, left + COLUMN, top + 20, text, colour, size=17)
    heading = f'{segment.number}   {segment.ended - segment.begins:.1f} s'
    write(draw, (left, top + 20), heading, name='bold', size=20, colour=MUTED, anchor='lm')
    assert pill_left > left
    write(draw, (left, top + 64), f'“{segment.instruction}”', name='bold', size=size, anchor='lm')
    y = top + 92
    box = (left, y, left + OUTSIDE[0], y + OUTSIDE[1])
    if outside is None:
        panel(draw, box)
    else:
        paste(canvas, enlarge(outside.at(segment.ended), *OUTSIDE), box)
    caption(draw, box, 'refused: the arm stays' if segment.ending is Ending.REFUSED else 'at the end')
    y += OUTSIDE[1] + 12
    answer = _first_answer(recording, segment)
    right = left + COLUMN - SMALL
    for image, place, size, label in (
        (
            _with_thought(recording, segment, answer, bins),
            (left, y),
            FRONT,
            'camera/front, as first understood',
        ),
        (_view(recording, 'wrist', segment.begins, SMALL), (right, y), SMALL, 'wrist, before'),
        (_view(recording, 'wrist', segment.ended, SMALL), (right, y + FRONT - SMALL), SMALL, 'wrist, after'),
    ):
        box = (*place, place[0] + size, place[1] + size)
        if image is None:
            panel(draw, box)
        else:
            paste(canvas, image, box)
        caption(draw, box, label)
    y += FRONT + 12
    panel(draw, (left, y, left + COLUMN, y + TRACE))
    trace = segment.decision.trace if segment.decision is not None else ''
    draw_trace(draw, (left + 14, y + 12, left + COLUMN - 12, y + TRACE - 6), trace, size=16)


def _first_answer(recording: Recording, segment: Segment) -> tuple[float, Decision] | None:
    for time, decision in recording.decisions.between(segment.begins, segment.ends):
        if decision.trace and decision.instruction == segment.instruction:
            return time, decision
    return None


def _with_thought(
    recording: Recording, segment: Segment, answer: tuple[float, Decision] | None, bins: int
) -> ImageArray | None:
    image = _view(recording, 'front', answer[0] if answer else segment.begins, FRONT)
    if image is None or answer is None:
        return image
    decision = answer[1]
    draw_sightings(image, traces.sightings(decision.trace, bins))
    if decision.target is not None:
        draw_target(image, decision.target)
    return image


def _view(recording: Recording, camera: str, time: float, size: int) -> ImageArray | None:
    line = recording.cameras.get(camera)
    image = line.at(time) if line is not None else None
    return None if image is None else np.array(enlarge(image, size, size))


def _draw_charts(
    canvas: Image.Image,
    draw: ImageDraw.ImageDraw,
    top: int,
    recording: Recording,
    cut: Sequence[Segment],
    facts: Facts,
) -> None:
    right = canvas.width - MARGIN
    latency_width = min(620, canvas.width // 3) if facts.latencies or facts.percentiles else 0
    joints_right = right - (latency_width + GAP if latency_width else 0)
    boxes = [((MARGIN, top, joints_right, top + CHARTS), 'joints: measured in colour, commanded in white')]
    if latency_width:
        boxes.append(((right - latency_width, top, right, top + CHARTS), 'latencies'))
    for box, title in boxes:
        panel(draw, box, title)
    inner = 28
    if len(recording.joints):
        box, _ = boxes[0]
        image = joint_overview(recording, cut, box[2] - box[0] - 16, CHARTS - inner - 8)
        canvas.paste(Image.fromarray(image), (box[0] + 8, top + inner))
    if latency_width:
        box, _ = boxes[1]
        image = latency_chart(facts.latencies, facts.percentiles, latency_width - 16, CHARTS - inner - 8)
        canvas.paste(Image.fromarray(image), (box[0] + 8, top + inner))
