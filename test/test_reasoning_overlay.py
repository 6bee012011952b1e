"""The annotated image shows the target where it is and the words that led to it."""

from __future__ import annotations

import numpy as np
import pytest

from vla_ros.reasoning.overlay import COLOURS, HEIGHT, overlay
from vla_ros.types import Decision, Verdict


@pytest.mark.parametrize('target', [(0.25, 0.25), (0.5, 0.4), (0.9, 0.1)])
def test_the_target_is_marked_where_it_is(target: tuple[float, float]) -> None:
    image = np.full((64, 64, 3), 128, np.uint8)
    decision = Decision(Verdict.GO, 'touch red cube', 'touch it', '', target, 'front')
    picture = overlay(image, decision).astype(int)
    rows, columns = np.nonzero(np.abs(picture[: HEIGHT // 2] - COLOURS[Verdict.GO]).sum(-1) < 30)
    assert abs((columns.min() + columns.max()) / 2 - target[0] * HEIGHT) <= 25
    assert abs(np.median(rows) - target[1] * HEIGHT) <= 2


def test_a_refusal_marks_nothing_and_leaves_the_image_alone() -> None:
    image = np.full((64, 64, 3), 128, np.uint8)
    decision = Decision(Verdict.REFUSED, 'there is no red cube', 'touch it', '<think> i see nothing.</think>')
    picture = overlay(image, decision)
    assert (picture[: HEIGHT // 2] == 128).all()
    assert (picture[HEIGHT // 2 :] != 128).any()
    assert (image == 128).all()
