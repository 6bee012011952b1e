"""What is drawn into camera images, and how the chain of thought is set."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from vla_ros.reasoning.trace import Request, Sighting, write
from vla_ros.types import Subtask
from vla_ros.viz.colours import GREEN, RED
from vla_ros.viz.overlay import TARGET_HALF_SIZE, draw_sightings, draw_target, enlarge
from vla_ros.viz.style import shortened, width_of
from vla_ros.viz.trace_spans import spans
from vla_ros.viz.trace_text import draw_trace, span_width, wrap

SIZE = 200
BINS = 128
SCENE = [Sighting('red cube', 0.2, 0.4), Sighting('blue cylinder', 0.7, 0.5)]


def grey() -> np.ndarray:
    return np.full((SIZE, SIZE, 3), 128, np.uint8)


def changed(image: np.ndarray) -> np.ndarray:
    """(N, 2) x and y of the pixels that are no longer grey."""
    return np.argwhere((image != 128).any(axis=2))[:, ::-1]


@pytest.mark.parametrize('target', [(0.5, 0.5), (0.3, 0.7), (0.8, 0.25)])
def test_the_target_is_drawn_around_the_place_asked_for(target: tuple[float, float]) -> None:
    image = grey()

    draw_target(image, target)

    places = changed(image)
    middle = (places.min(axis=0) + places.max(axis=0)) / 2
    assert middle == pytest.approx(np.array(target) * SIZE, abs=1.5)
    assert np.ptp(places, axis=0) == pytest.approx(2 * TARGET_HALF_SIZE * SIZE, abs=8)
    assert (image.reshape(-1, 3) == GREEN).all(axis=1).any()


def test_the_very_place_of_the_target_stays_visible() -> None:
    image = grey()

    draw_target(image, (0.5, 0.5))

    assert (image[SIZE // 2, SIZE // 2] == 128).all()


@given(st.tuples(st.floats(0, 1), st.floats(0, 1)))
def test_a_target_at_any_edge_stays_inside_the_image(target: tuple[float, float]) -> None:
    image = grey()

    draw_target(image, target)
    draw_sightings(image, [Sighting('yellow cylinder', *target)])

    assert image.shape == (SIZE, SIZE, 3)
    assert len(changed(image)) > 0


def test_each_object_that_is_seen_gets_its_mark_where_it_is() -> None:
    image = grey()

    draw_sightings(image, SCENE, RED)

    found = np.argwhere((image == RED).all(axis=2))[:, ::-1]
    for seen in SCENE:
        distance = np.linalg.norm(found - np.array([seen.x, seen.y]) * SIZE, axis=1)
        assert (distance < 8).sum() > 10
    assert np.minimum.reduce([abs(found[:, 0] - s.x * SIZE) for s in SCENE]).max() < 10


def test_an_image_is_enlarged_to_the_size_asked_for_and_stays_itself() -> None:
    image = np.zeros((8, 8, 3), np.uint8)
    image[:, 4:] = 255

    large = enlarge(image, 64, 32)

    assert large.shape == (32, 64, 3) and large.dtype == np.uint8
    assert (large[:, :24] < 20).all() and (large[:, 40:] > 235).all()


def text_of(trace: str) -> str:
    return ''.join(piece.text for piece in spans(trace))


def test_a_trace_is_shown_whole_with_its_places_short() -> None:
    trace = write(SCENE, Request((Subtask('touch', 'red cube'),)), BINS)

    shown = text_of(trace)

    assert 'red cube‹25,51›' in shown
    assert '<answer> go: touch red cube‹25,51›</answer>' in shown
    assert '<loc_' not in shown


def test_half_a_place_is_shown_as_far_as_it_is_written() -> None:
    assert text_of('red cube<loc_025>') == 'red cube‹25,'


def test_the_verdict_has_the_colour_of_its_meaning() -> None:
    go = {p.text: p for p in spans(write(SCENE, Request((Subtask('touch', 'red cube'),)), BINS))}
    refuse = {p.text: p for p in spans(write(SCENE, Request((Subtask('touch', 'red cylinder'),)), BINS))}

    assert (go['go:'].colour, go['go:'].bold) == (GREEN, True)
    assert (refuse['refuse:'].colour, refuse['refuse:'].bold) == (RED, True)


@given(st.text('ab <>/_123loc:;.go', max_size=80))
def test_no_character_of_any_trace_is_lost_but_for_white_space(trace: str) -> None:
    assume('<loc_' not in trace)
    assert ''.join(text_of(trace).split()) == ''.join(trace.split())


@given(st.integers(120, 900), st.integers(10, 24))
def test_wrapped_lines_are_as_narrow_as_asked_for_and_keep_the_order(width: int, size: int) -> None:
    pieces = spans(write(SCENE, Request((Subtask('touch', 'red cube'),)), BINS))

    lines = wrap(pieces, width, size)

    for line in lines:
        assert sum(span_width(p, size) for p in line) <= width
    kept = ''.join(p.text for line in lines for p in line if p.text != ' ')
    assert kept == ''.join(p.text for p in pieces if p.text != ' ')


def test_a_trace_that_does_not_fit_shows_its_end() -> None:
    long, short = (Image.new('RGB', (220, 60)) for _ in range(2))
    trace = write(SCENE, Request((Subtask('touch', 'red cube'),)), BINS)

    draw_trace(ImageDraw.Draw(long), (0, 0, 220, 60), trace, size=16)
    lines = wrap(spans(trace), 220, 16)
    tail = ''.join(p.text for line in lines[-2:] for p in line)

    assert len(lines) > 2
    assert tail.endswith('</answer>')
    draw_trace(ImageDraw.Draw(short), (0, 0, 220, 60), '', size=16)
    assert np.asarray(long).any() and not np.asarray(short).any()


@given(st.text('abc xyz', max_size=60), st.integers(30, 400))
def test_a_shortened_line_fits_and_only_then_is_cut(text: str, width: int) -> None:
    found = shortened(text, 'bold', 20, width)

    assert width_of(found, 'bold', 20) <= max(width, width_of('…', 'bold', 20))
    assert (found == text) == (width_of(text, 'bold', 20) <= width)
