"""Rectified images show straight lines straight; cameras without distortion cost nothing."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from vla_ros.perception.rectify import Rectifier
from vla_ros.types import CameraModel, VlaError

MATRIX = np.array([[90.0, 0.0, 79.5], [0.0, 90.0, 59.5], [0.0, 0.0, 1.0]])


def camera(distortion: tuple[float, ...] = (), model: str = 'plumb_bob') -> CameraModel:
    return CameraModel(160, 120, MATRIX, distortion, model)


@pytest.mark.parametrize(
    ('model', 'distortion'),
    [
        ('plumb_bob', (-0.2, 0.05, 0.001, -0.002, 0.0)),
        ('rational_polynomial', (-0.2, 0.05, 0.001, -0.002, 0.0, 0.1, 0.0, 0.0)),
        ('equidistant', (-0.05, 0.01, 0.0, 0.0)),
    ],
)
def test_a_dot_seen_through_the_lens_lands_where_a_pinhole_would_see_it(model, distortion) -> None:
    ray = np.array([[[0.45, -0.3, 1.0]]])
    project = cv2.fisheye.projectPoints if model == 'equidistant' else cv2.projectPoints
    raw = project(ray, np.zeros(3), np.zeros(3), MATRIX, np.array(distortion))[0].ravel()
    expected = (MATRIX @ ray.ravel())[:2]
    image = np.zeros((120, 160, 3), np.uint8)
    cv2.circle(image, tuple(round(v * 256) for v in raw), 3 * 256, (255, 255, 255), -1, cv2.LINE_AA, 8)

    seen = Rectifier(camera(distortion, model)).rectify(image)[..., 0].astype(float)

    rows, columns = np.mgrid[:120, :160]
    centre = np.array([(columns * seen).sum(), (rows * seen).sum()]) / seen.sum()
    assert np.linalg.norm(raw - expected) > 1.0, 'the lens must move the dot for this test to say anything'
    np.testing.assert_allclose(centre, expected, atol=0.25)


@pytest.mark.parametrize('distortion', [(), (0.0, 0.0, 0.0, 0.0, 0.0)])
def test_without_distortion_the_very_same_array_comes_back(distortion) -> None:
    image = np.zeros((120, 160, 3), np.uint8)
    assert Rectifier(camera(distortion)).rectify(image) is image


def test_an_image_of_another_size_than_calibrated_is_refused() -> None:
    with pytest.raises(VlaError, match='expected 160x120 as in camera_info, found 64x48'):
        Rectifier(camera()).rectify(np.zeros((48, 64, 3), np.uint8))


@pytest.mark.parametrize(
    ('model', 'says'),
    [
        (camera((0.1,) * 4, 'kannala'), "found 'kannala'"),
        (camera((0.1,) * 3), 'found 3'),
        (camera((float('nan'), 0, 0, 0, 0)), 'finite'),
        (CameraModel(160, 120, MATRIX * np.nan), 'camera_info k'),
        (CameraModel(160, 120, np.zeros((3, 3))), 'positive focal lengths'),
        (CameraModel(10**6, 120, MATRIX), 'expected sides'),
    ],
)
def test_a_calibration_that_cannot_be_is_refused(model, says) -> None:
    with pytest.raises(VlaError, match=says):
        Rectifier(model)


def test_maps_are_kept_for_the_same_calibration_and_not_for_another() -> None:
    rectifier = Rectifier(camera((-0.2, 0.0, 0.0, 0.0, 0.0)))
    assert rectifier.is_for(camera((-0.2, 0.0, 0.0, 0.0, 0.0)))
    assert not rectifier.is_for(camera((-0.3, 0.0, 0.0, 0.0, 0.0)))
    assert not rectifier.is_for(CameraModel(160, 120, MATRIX * 2, (-0.2, 0.0, 0.0, 0.0, 0.0)))
