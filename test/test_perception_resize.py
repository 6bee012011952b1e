"""What is published as the model's view is what the model sees."""

from __future__ import annotations

import numpy as np
import pytest

from vla_ros.manifest import CameraSpec
from vla_ros.perception.encoder import normalise
from vla_ros.perception.resize import resize

CAMERA = CameraSpec(name='front', width=16, height=12, mean=(0.5, 0.4, 0.3), std=(0.5, 0.6, 0.7), tokens=4)


@pytest.mark.parametrize('shape', [(12, 16), (48, 64), (37, 53), (6, 8)])
def test_an_image_is_brought_to_the_size_in_the_manifest(shape: tuple[int, int]) -> None:
    image = np.random.default_rng(0).integers(0, 255, (*shape, 3), dtype=np.uint8)
    seen = resize(image, CAMERA)
    assert (seen.shape, seen.dtype) == ((12, 16, 3), np.uint8)


def test_pixels_are_normalised_as_the_manifest_says() -> None:
    image = np.random.default_rng(0).integers(0, 255, (12, 16, 3), dtype=np.uint8)
    found = np.empty((3, 12, 16), np.float32)
    normalise(image, CAMERA, found)
    expected = (image / 255 - CAMERA.mean) / CAMERA.std
    np.testing.assert_allclose(found, expected.transpose(2, 0, 1), atol=1e-6)


def test_an_image_of_the_right_size_is_handed_on_as_it_is() -> None:
    image = np.zeros((12, 16, 3), np.uint8)
    assert resize(image, CAMERA) is image


def test_shrinking_keeps_the_place_of_a_dot_to_a_fraction_of_a_pixel() -> None:
    image = np.zeros((120, 160, 3), np.uint8)
    image[37:43, 104:116] = 255
    seen = resize(image, CAMERA)[..., 0].astype(float)
    rows, columns = np.mgrid[:12, :16]
    centre = np.array([(rows * seen).sum(), (columns * seen).sum()]) / seen.sum()
    # Pixel centres are at integers: 39.5 of 120 is (39.5 + 0.5) / 10 - 0.5 of 12.
    np.testing.assert_allclose(centre, [3.5, 10.5], atol=0.02)
