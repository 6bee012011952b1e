"""Messages become values and values messages without loss; what cannot be right is refused in a sentence."""

from __future__ import annotations

import array
import math

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip('rclpy')

from diagnostic_msgs.msg import DiagnosticStatus
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, JointState

from vla_ros.nodes.image_messages import (
    camera_info_message,
    camera_model_from_message,
    image_from_compressed,
    image_from_message,
    image_message,
    matrix_from_message,
    matrix_message,
)
from vla_ros.nodes.joint_messages import joints_from_message, joints_message, trajectory_message
from vla_ros.nodes.messages import decision_message, nanoseconds, time_message
from vla_ros.types import NANOSECONDS, CameraModel, Decision, JointSample, JointTrajectory, Verdict, VlaError

RANDOM = np.random.default_rng(0)


def raw(pixels: np.ndarray, encoding: str, padding: int = 0) -> Image:
    rows = np.ascontiguousarray(pixels).view(np.uint8).reshape(pixels.shape[0], -1)
    padded = np.pad(rows, ((0, 0), (0, padding)), constant_values=0xA5)
    return Image(
        height=pixels.shape[0],
        width=pixels.shape[1],
        step=padded.shape[1],
        encoding=encoding,
        data=array.array('B', padded.tobytes()),
    )


def sized(height: int, width: int, step: int, encoding: str, size: int) -> Image:
    return Image(height=height, width=width, step=step, encoding=encoding, data=array.array('B', bytes(size)))


@settings(deadline=None)
@given(st.integers(0, 2**31 * NANOSECONDS - 1))
def test_a_stamp_survives_the_round_trip_to_the_nanosecond(stamp: int) -> None:
    assert nanoseconds(time_message(stamp)) == stamp


@settings(deadline=None)
@given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 40))
def test_an_rgb8_image_survives_whatever_the_padding(height: int, width: int, padding: int) -> None:
    image = RANDOM.integers(0, 255, (height, width, 3), dtype=np.uint8)
    np.testing.assert_array_equal(image_from_message(raw(image, 'rgb8', padding)), image)
    sent = image_message(image, 5)
    assert (sent.height, sent.width, sent.step) == (height, width, 3 * width)
    np.testing.assert_array_equal(image_from_message(sent), image)


def test_the_common_encodings_are_read_where_they_lie() -> None:
    message = raw(np.zeros((4, 4, 3), np.uint8), 'bgr8', padding=4)
    image = image_from_message(message)
    message.data[2] = 9
    assert image[0, 0].tolist() == [9, 0, 0]


def test_a_cropped_view_is_sent_as_it_looks() -> None:
    image = RANDOM.integers(0, 255, (8, 8, 3), dtype=np.uint8)
    np.testing.assert_array_equal(image_from_message(image_message(image[2:6, ::2], 0)), image[2:6, ::2])


@pytest.mark.parametrize('padding', [0, 6])
def test_a_bayer_image_goes_through_cv_bridge_without_its_padding(padding: int) -> None:
    pytest.importorskip('cv_bridge')
    colour = np.zeros((8, 10, 3), np.uint8)
    colour[...] = (200, 100, 50)
    mosaic = np.zeros((8, 10), np.uint8)
    mosaic[0::2, 0::2] = 200
    mosaic[0::2, 1::2] = mosaic[1::2, 0::2] = 100
    mosaic[1::2, 1::2] = 50
    seen = image_from_message(raw(mosaic, 'bayer_rggb8', padding))
    np.testing.assert_array_equal(seen, colour)


@pytest.mark.parametrize(
    ('message', 'says'),
    [
        (raw(np.zeros((4, 4, 3), np.uint8), 'plaid8'), "encoding 'plaid8'"),
        (raw(np.zeros((4, 4), np.uint8), ''), "encoding ''"),
        (raw(np.zeros((4, 4), np.float32), '32FC1'), 'set the driver to rgb8'),
        (sized(4, 4, 12, 'rgb8', 47), 'expected 48 bytes'),
        (sized(4, 4, 3, 'rgb8', 48), 'at least 12'),
        (sized(2**32 - 1, 2**32 - 1, 2**32 - 1, 'rgb8', 0), 'pixels a side'),
        (sized(4, 4, 4, 'bayer_rggb8', 9), 'bayer_rggb8'),
        (sized(4, 4, 8, 'bayer_rggb8', 9), 'bayer_rggb8'),
        (sized(2**31, 2**31, 2**31, 'bayer_rggb8', 0), 'bayer_rggb8'),
    ],
)
def test_an_image_that_cannot_be_read_is_refused_in_one_sentence(message: Image, says: str) -> None:
    with pytest.raises(VlaError, match=says) as refusal:
        image_from_message(message)
    assert '\n' not in str(refusal.value)


def test_a_png_is_decoded_to_rgb() -> None:
    image = RANDOM.integers(0, 255, (6, 5, 3), dtype=np.uint8)
    data = cv2.imencode('.png', image[..., ::-1])[1]
    message = CompressedImage(format='rgb8; png compressed', data=array.array('B', data.tobytes()))
    seen = image_from_compressed(message)
    np.testing.assert_array_equal(seen, image)


@pytest.mark.parametrize('data', [b'', b'not a picture', b'\x89PNG\r\n\x1a\n' + bytes(40)])
def test_a_file_that_is_no_picture_is_refused(data: bytes) -> None:
    with pytest.raises(VlaError, match='compressed image'):
        image_from_compressed(CompressedImage(format='jpeg', data=array.array('B', data)))


@settings(deadline=None)
@given(st.integers(0, 9), st.integers(1, 9))
def test_a_matrix_survives_also_without_rows(rows: int, columns: int) -> None:
    matrix = RANDOM.normal(size=(rows, columns)).astype(np.float32)
    sent = matrix_message(matrix, 7)
    assert (sent.encoding, sent.step, nanoseconds(sent.header.stamp)) == ('32FC1', 4 * columns, 7)
    np.testing.assert_array_equal(matrix_from_message(sent), matrix)


@pytest.mark.parametrize(
    ('message', 'says'),
    [
        (raw(np.full((2, 2), np.nan, np.float32), '32FC1'), 'finite'),
        (raw(np.full((2, 2), np.inf, np.float32), '32FC1'), 'finite'),
        (raw(np.zeros((2, 2), np.uint8), 'mono8'), 'expected 32FC1'),
        (Image(height=0, width=0, encoding='32FC1'), 'matrix width'),
        (Image(height=9, width=9, step=36, encoding='32FC1'), 'found 0'),
    ],
)
def test_a_matrix_that_is_none_is_refused(message: Image, says: str) -> None:
    with pytest.raises(VlaError, match=says):
        matrix_from_message(message)


def test_a_calibration_survives_the_round_trip() -> None:
    matrix = np.array([[50.0, 0, 31.5], [0, 50, 23.5], [0, 0, 1]])
    model = CameraModel(64, 48, matrix, (0.1, 0.2, 0.0, 0.0, 0.3))
    seen = camera_model_from_message(camera_info_message(model, 3, 'front'))
    assert seen is not None
    np.testing.assert_array_equal(seen.matrix, model.matrix)
    assert (seen.width, seen.height, seen.distortion, seen.model) == (64, 48, model.distortion, 'plumb_bob')


def test_binning_and_crop_are_worked_into_the_calibration() -> None:
    message = CameraInfo(width=640, height=480, binning_x=2, binning_y=2, distortion_model='plumb_bob')
    message.k = np.array([500.0, 0, 320, 0, 500, 240, 0, 0, 1])
    message.roi.x_offset, message.roi.y_offset, message.roi.width, message.roi.height = 40, 20, 400, 300
    seen = camera_model_from_message(message)
    assert seen is not None
    assert (seen.width, seen.height) == (200, 150)
    np.testing.assert_allclose(seen.matrix, [[250, 0, 140], [0, 250, 110], [0, 0, 1]])


def test_an_uncalibrated_camera_has_no_model() -> None:
    assert camera_model_from_message(CameraInfo(width=640, height=480)) is None


NAMES = ('pan', 'lift', 'grip')


def joint_state(names: list[str], position: list[float], velocity: list[float] | None = None) -> JointState:
    message = JointState(name=names, position=array.array('d', position))
    message.velocity = array.array('d', velocity or [])
    message.header.stamp = time_message(42)
    return message


@settings(deadline=None)
@given(st.permutations(['pan', 'lift', 'grip', 'wheel', 'mast']))
def test_joints_are_found_by_name_in_any_order_among_others(order: list[str]) -> None:
    value = {name: float(i) for i, name in enumerate(sorted(order))}
    seen = joints_from_message(
        joint_state(order, [value[n] for n in order], [10 * value[n] for n in order]), NAMES
    )
    assert seen.stamp == 42
    assert seen.positions.tolist() == [value[n] for n in NAMES]
    assert seen.velocities.tolist() == [10 * value[n] for n in NAMES]


@pytest.mark.parametrize('velocity', [[], [math.nan] * 3])
def test_hardware_that_measures_no_velocity_counts_as_still(velocity: list[float]) -> None:
    seen = joints_from_message(joint_state(list(NAMES), [1.0, 2.0, 3.0], velocity), NAMES)
    assert seen.velocities.tolist() == [0.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ('message', 'says'),
    [
        (joint_state(['pan', 'lift'], [0.0, 0.0]), "joint 'grip' once, found it 0"),
        (joint_state([*NAMES, 'pan'], [0.0] * 4), "joint 'pan' once, found it 2"),
        (joint_state(list(NAMES), [0.0, math.nan, 0.0]), "position of joint 'lift'"),
        (joint_state(list(NAMES), [0.0, math.inf, 0.0]), "position of joint 'lift'"),
        (joint_state(list(NAMES), [0.0] * 3, [0.0, math.nan, 0.0]), "velocity of joint 'lift'"),
        (joint_state(list(NAMES), [0.0] * 2), 'expected 3 positions'),
        (joint_state(list(NAMES), [0.0] * 3, [0.0]), 'found 3 and 1'),
        (JointState(), "joint 'pan' once, found it 0"),
    ],
)
def test_joint_states_that_cannot_be_trusted_are_refused(message: JointState, says: str) -> None:
    with pytest.raises(VlaError, match=says):
        joints_from_message(message, NAMES)


def test_joints_survive_the_round_trip() -> None:
    sample = JointSample(9, np.array([0.1, 0.2, 0.3]), np.array([1.0, 2.0, 3.0]))
    seen = joints_from_message(joints_message(NAMES, sample), NAMES)
    assert seen.stamp == 9
    np.testing.assert_array_equal(seen.positions, sample.positions)
    np.testing.assert_array_equal(seen.velocities, sample.velocities)


def test_a_plan_is_sent_whole_to_start_on_arrival() -> None:
    values = RANDOM.normal(size=(3, 4, 2))
    plan = JointTrajectory(('pan', 'lift'), np.array([0.05, 0.999999999, 12.25, 13.0]), *values)
    message = trajectory_message(plan)
    assert nanoseconds(message.header.stamp) == 0
    assert nanoseconds(trajectory_message(plan, 5_000_000_007).header.stamp) == 5_000_000_007
    assert message.joint_names == ['pan', 'lift']
    assert [(p.time_from_start.sec, p.time_from_start.nanosec) for p in message.points] == [
        (0, 50_000_000), (0, 999_999_999), (12, 250_000_000), (13, 0),
    ]  # fmt: skip
    for field, expected in zip(('positions', 'velocities', 'accelerations'), values, strict=True):
        np.testing.assert_array_equal([getattr(point, field) for point in message.points], expected)


@pytest.mark.parametrize(
    ('verdict', 'level'),
    [
        (Verdict.GO, DiagnosticStatus.OK),
        (Verdict.UNSURE, DiagnosticStatus.WARN),
        (Verdict.REFUSED, DiagnosticStatus.ERROR),
    ],
)
def test_a_decision_shows_its_verdict_as_level_and_its_subtask_as_message(verdict, level) -> None:
    decision = Decision(verdict, 'touch red cube', 'poke the red one', 'I see ...', (0.25, 0.5), 'front')
    message = decision_message(decision, 11, {'thinking [s]': '0.4'})
    (status,) = message.status
    values = {pair.key: pair.value for pair in status.values}
    assert (status.level, status.message, nanoseconds(message.header.stamp)) == (level, 'touch red cube', 11)
    assert values == {
        'instruction': 'poke the red one',
        'verdict': verdict.value,
        'trace': 'I see ...',
        'target_camera': 'front',
        'target_x': '0.2500',
        'target_y': '0.5000',
        'thinking [s]': '0.4',
    }
