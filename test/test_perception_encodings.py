"""The bytes of an image message are read where they lie, whatever the padding, and never beyond their end."""

from __future__ import annotations

import array

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vla_ros.perception.encodings import LARGEST_SIDE, LAYOUTS, to_rgb8, view, without_padding
from vla_ros.types import VlaError


def packed(pixels: np.ndarray, padding: int) -> tuple[array.array, int]:
    """The image as a driver sends it, each row followed by ``padding`` bytes of rubbish; and its step."""
    rows = np.ascontiguousarray(pixels).view(np.uint8).reshape(pixels.shape[0], -1)
    rubbish = np.full((pixels.shape[0], padding), 0xA5, np.uint8)
    data = np.concatenate([rows, rubbish], axis=1)
    return array.array('B', data.tobytes()), data.shape[1]


@st.composite
def images(draw: st.DrawFn) -> tuple[str, np.ndarray]:
    encoding = draw(st.sampled_from(sorted(LAYOUTS)))
    height, width = draw(st.integers(1, 9)), draw(st.integers(1, 9))
    layout = LAYOUTS[encoding]
    shape = (height, width) if layout.channels == 1 else (height, width, layout.channels)
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    return encoding, random.integers(0, 255, shape).astype(layout.item)


@settings(deadline=None)
@given(images(), st.integers(0, 70), st.booleans())
def test_a_view_shows_the_pixels_whatever_the_padding_and_byte_order(image, padding, big) -> None:
    encoding, pixels = image
    data, step = packed(pixels.astype(pixels.dtype.newbyteorder('>' if big else '<')), padding)

    seen = view(data, pixels.shape[0], pixels.shape[1], step, encoding, big)

    np.testing.assert_array_equal(seen, pixels)


def test_a_view_copies_nothing_and_cannot_be_written_to() -> None:
    data = array.array('B', bytes(4 * 16))
    seen = view(data, 4, 4, 16, 'rgb8')
    data[0] = 7
    assert seen[0, 0, 0] == 7
    with pytest.raises(ValueError, match='read-only'):
        seen[0, 0, 0] = 1


def test_the_last_row_may_lack_its_padding() -> None:
    seen = view(bytes(range(16 + 12)), 2, 4, 16, 'rgb8')
    assert seen[1, 3].tolist() == [25, 26, 27]


@pytest.mark.parametrize(
    ('height', 'width', 'step', 'size', 'says'),
    [
        (2, 4, 12, 23, 'expected 24 bytes'),
        (2, 4, 12, 25, 'expected 24 bytes'),
        (2, 4, 11, 24, 'at least 12 bytes'),
        (0, 4, 12, 0, 'found 4x0'),
        (2, 0, 12, 24, 'found 0x2'),
        (LARGEST_SIDE + 1, 1, 3, 24, 'pixels a side'),
        (2, 4, 2**40, 24, 'image step'),
    ],
)
def test_a_wrong_size_is_refused_with_what_was_expected(height, width, step, size, says) -> None:
    with pytest.raises(VlaError, match=says):
        view(bytes(size), height, width, step, 'rgb8')


@settings(deadline=None)
@given(
    st.integers(-1, 40),
    st.integers(-1, 40),
    st.integers(-1, 200),
    st.integers(0, 4000),
    st.sampled_from(sorted(LAYOUTS)),
)
def test_no_header_makes_a_view_look_beyond_its_data(height, width, step, size, encoding) -> None:
    data = bytes(size)
    try:
        seen = view(data, height, width, step, encoding)
    except VlaError:
        return
    end = (height - 1) * seen.strides[0] + width * LAYOUTS[encoding].pixel_bytes
    assert end <= size


def test_an_unknown_encoding_is_refused_by_name() -> None:
    with pytest.raises(VlaError, match="found 'plaid8'"):
        view(bytes(12), 2, 2, 6, 'plaid8')


RGB = np.array([[[250, 20, 30], [1, 2, 3]], [[9, 8, 7], [60, 50, 40]]], np.uint8)


@pytest.mark.parametrize(
    ('encoding', 'stored'),
    [
        ('rgb8', RGB),
        ('bgr8', RGB[..., ::-1]),
        ('rgba8', np.dstack([RGB, np.full((2, 2), 99, np.uint8)])),
        ('bgra8', np.dstack([RGB[..., ::-1], np.full((2, 2), 99, np.uint8)])),
    ],
)
def test_colours_come_out_in_the_order_red_green_blue(encoding, stored) -> None:
    data, step = packed(stored, padding=5)
    rgb = to_rgb8(view(data, 2, 2, step, encoding), encoding)
    np.testing.assert_array_equal(rgb, RGB)
    # OpenCV must be able to read such a view, reversed and padded as it is.
    np.testing.assert_array_equal(cv2.resize(rgb, (4, 4), interpolation=cv2.INTER_NEAREST)[::2, ::2], RGB)


@pytest.mark.parametrize(
    ('encoding', 'item', 'white'), [('mono8', 'u1', 255), ('8UC1', 'u1', 255), ('mono16', 'u2', 65535)]
)
def test_grey_becomes_three_equal_channels(encoding, item, white) -> None:
    data, step = packed(np.array([[0, white]], item), padding=2)
    rgb = to_rgb8(view(data, 1, 2, step, encoding), encoding)
    assert rgb.tolist() == [[[0, 0, 0], [255, 255, 255]]]
    assert cv2.resize(rgb, (2, 1)).tolist() == rgb.tolist()


@pytest.mark.parametrize('encoding', ['8UC3', '16UC1', '32FC1'])
def test_an_image_without_known_colours_is_refused_rather_than_guessed(encoding) -> None:
    layout = LAYOUTS[encoding]
    pixels = view(bytes(4 * layout.pixel_bytes), 2, 2, 2 * layout.pixel_bytes, encoding)
    with pytest.raises(VlaError, match='set the driver to rgb8'):
        to_rgb8(pixels, encoding)


def test_padding_is_cut_off_each_row() -> None:
    assert without_padding(b'abc..def..', height=2, step=5, row=3) == b'abcdef'
