"""Pictures and numbers of an imported GR00T, as Isaac-GR00T prepares them for the model and reads them from it."""

from __future__ import annotations

import numpy as np
import pytest

from vla_ros.action.groot import numbers
from vla_ros.action.groot.model import ActionSpec, PicturesSpec, ScaleSpec, StateSpec
from vla_ros.action.groot.pictures import as_seen, patches

CAMERAS, SIDE, PATCH, FRAMES = ('front', 'wrist'), 16, 4, 2
PICTURES = PicturesSpec(
    keys=CAMERAS,
    side=SIDE,
    crop=1.0,
    patch=PATCH,
    merge=2,
    frames=FRAMES,
    mean=(0.0,) * 3,
    std=(1 / 255,) * 3,
)


def test_a_picture_becomes_square_by_black_bars_and_keeps_its_middle() -> None:
    wide = np.full((10, 16, 3), 200, np.uint8)
    seen = as_seen(wide, PICTURES)
    assert seen.shape == (SIDE, SIDE, 3)
    assert (seen[3:13] == 200).all()
    assert (seen[:3] == 0).all()
    assert (seen[13:] == 0).all()
    tall = np.zeros((SIDE, SIDE, 3), np.uint8)
    tall[4:12, 4:12] = 255
    assert (as_seen(tall, PICTURES.model_copy(update={'crop': 0.5})) == 255).all()


def test_patches_go_by_tokens_of_two_by_two_and_each_by_channel_frame_row_and_column() -> None:
    row, column = np.divmod(np.arange(SIDE * SIDE), SIDE)
    picture = np.stack([row, column, row], axis=-1).reshape(SIDE, SIDE, 3).astype(np.uint8)
    cut = patches([picture], PICTURES).reshape(-1, 3, FRAMES, PATCH, PATCH)
    corners = [tuple(patch[:2, 0, 0, 0].round().astype(int)) for patch in cut]
    assert corners[:6] == [(0, 0), (0, 4), (4, 0), (4, 4), (0, 8), (0, 12)]
    np.testing.assert_array_equal(cut[:, :, 0], cut[:, :, 1])
    np.testing.assert_allclose(cut[0, 0, 0], np.arange(PATCH)[:, None].repeat(PATCH, 1), atol=1e-5)


def bounds(low: float, high: float) -> ScaleSpec:
    return ScaleSpec(kind='bounds', first=((low,),), second=((high,),))


@pytest.mark.parametrize(
    ('scale', 'clip', 'number', 'wanted'),
    [
        (bounds(0.0, 10.0), True, 7.5, [0.5]),
        (bounds(0.0, 10.0), True, 15.0, [1.0]),
        (bounds(0.0, 10.0), False, 15.0, [2.0]),
        (bounds(3.0, 3.0), False, 5.0, [0.0]),
        (ScaleSpec(kind='deviation', first=((2.0,),), second=((4.0,),)), True, 10.0, [2.0]),
        (ScaleSpec(kind='deviation', first=((2.0,),), second=((0.0,),)), True, 10.0, [10.0]),
        (ScaleSpec(kind='circle', first=(), second=()), True, np.pi / 2, [1.0, 0.0]),
    ],
)
def test_a_state_is_normalised_as_the_checkpoint_says_and_filled_up(
    scale: ScaleSpec, clip: bool, number: float, wanted: list[float]
) -> None:
    part = StateSpec(key='x', width=1, scale=scale)
    found = numbers.state_vector({'x': np.array([number], np.float32)}, [part], 4, clip=clip)
    np.testing.assert_allclose(found, [*wanted, *[0.0] * (4 - len(wanted))], atol=1e-6)


@pytest.mark.parametrize(
    ('scale', 'number', 'wanted'),
    [
        (bounds(0.0, 10.0), 0.5, 7.5),
        (bounds(0.0, 10.0), 3.0, 10.0),
        (bounds(3.0, 3.0), 0.7, 3.0),
        (ScaleSpec(kind='deviation', first=((2.0,),), second=((4.0,),)), 3.0, 14.0),
        (ScaleSpec(kind='deviation', first=((2.0,),), second=((0.0,),)), 3.0, 3.0),
    ],
)
def test_actions_are_led_back_and_added_to_the_state_where_they_are_relative(
    scale: ScaleSpec, number: float, wanted: float
) -> None:
    part = ActionSpec(key='x', width=1, representation='absolute', added_to=None, scale=scale)
    state = {'y': np.array([100.0], np.float32)}
    for added_to, more in ((None, 0.0), ('y', 100.0)):
        parts = [part.model_copy(update={'added_to': added_to})]
        found = numbers.action_parts(np.full((2, 5), number, np.float32), state, parts)
        np.testing.assert_allclose(found['x'], [[wanted + more]] * 2, rtol=1e-6)
