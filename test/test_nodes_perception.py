"""Perception over real DDS: camera images become tokens, and what cannot be read is counted, never fatal."""

from __future__ import annotations

import array
from collections.abc import Sequence

import cv2
import numpy as np
import pytest

pytest.importorskip('rclpy')

from lifecycle_msgs.srv import ChangeState
from node_graph import Ear, Graph, eventually, hops_of, hops_told, refusals, write_bundle
from rcl_interfaces.msg import Parameter as ParameterMessage
from rcl_interfaces.msg import ParameterValue
from rcl_interfaces.srv import SetParameters
from sensor_msgs.msg import CompressedImage, Image

from vla_ros.bundle import Bundle
from vla_ros.nodes import qos
from vla_ros.nodes.image_messages import (
    camera_info_message,
    image_from_message,
    image_message,
    matrix_from_message,
)
from vla_ros.nodes.messages import nanoseconds, time_message
from vla_ros.nodes.perception import PerceptionNode
from vla_ros.types import NANOSECONDS, CameraModel, Frame, VisualTokens

CAMERAS = ('front', 'wrist')
MILLISECOND = NANOSECONDS // 1000


class MeanEncoder:
    """Two tokens a camera: the mean colour, scaled to 0..1, twice."""

    def __init__(self, bundle: Bundle, provider: str, *, allow_fallback: bool) -> None:
        self.providers = ('CPUExecutionProvider',)

    def encode(self, frames: Sequence[Frame]) -> VisualTokens:
        means = [frame.image.reshape(-1, 3).mean(axis=0) / 255 for frame in frames]
        return VisualTokens(min(f.stamp for f in frames), np.repeat(means, 2, axis=0).astype(np.float32))


def start(graph: Graph, bundle: str, **parameters: object) -> tuple[PerceptionNode, Ear]:
    tokens = graph.ear(Image, 'perception/tokens', qos.STREAM_IN)
    # One colour is easy to find again in the tokens; that such pictures are refused is a test of its own.
    settings = {'bundle': bundle, 'rate': 200.0, 'min_contrast': 0.0, **parameters}
    return graph.active(lambda **o: PerceptionNode(MeanEncoder, **o), **settings), tokens


def show(graph: Graph, camera: str, colour: tuple[int, int, int], stamp: int, padding: int = 0) -> None:
    image = np.full((12, 16, 3), colour, np.uint8)
    message = image_message(image, stamp, f'{camera}_optical')
    if padding:
        padded = np.pad(image.reshape(12, -1), ((0, 0), (0, padding)), constant_values=255)
        message.step, message.data = padded.shape[1], array.array('B', padded.tobytes())
    graph.say(message, f'camera/{camera}/image_raw', qos.CAMERA)


def test_frames_of_all_cameras_become_one_token_matrix_with_the_oldest_stamp(graph, bundle) -> None:
    _, tokens = start(graph, bundle)
    front_seen = graph.ear(Image, 'perception/front/image', qos.STREAM_IN)
    now = graph.now()

    show(graph, 'front', (255, 0, 51), now, padding=7)
    show(graph, 'wrist', (0, 102, 0), now - 5 * MILLISECOND)

    message = tokens.wait()
    assert nanoseconds(message.header.stamp) == now - 5 * MILLISECOND
    expected = [[1.0, 0.0, 0.2]] * 2 + [[0.0, 0.4, 0.0]] * 2
    np.testing.assert_allclose(matrix_from_message(message), expected, atol=1e-6)
    seen = front_seen.wait()
    assert seen.header.frame_id == 'front_optical'
    np.testing.assert_array_equal(image_from_message(seen), np.full((6, 8, 3), (255, 0, 51)))


def test_a_picture_that_shows_nothing_is_refused(graph, bundle) -> None:
    node, tokens = start(graph, bundle, min_contrast=3.0)
    show(graph, 'front', (0, 0, 0), graph.now())
    show(graph, 'wrist', (0, 0, 0), graph.now())
    assert eventually(lambda: refusals(node).get('bad_image'))
    assert tokens.messages == []
    assert 'front: the picture shows nothing: its contrast is 0.0' in node.health.report().summary


def test_frames_too_far_apart_wait_for_a_closer_partner(graph, bundle) -> None:
    _, tokens = start(graph, bundle, slop=0.01)
    now = graph.now()
    show(graph, 'front', (1, 1, 1), now - 100 * MILLISECOND)
    show(graph, 'wrist', (2, 2, 2), now)
    show(graph, 'front', (3, 3, 3), now)
    message = tokens.wait()
    assert nanoseconds(message.header.stamp) == now
    assert matrix_from_message(message)[0, 0] == pytest.approx(3 / 255)


@pytest.mark.parametrize(
    ('message', 'reason'),
    [
        (Image(height=4, width=4, step=12, encoding='plaid8', data=array.array('B', bytes(48))), 'bad_image'),
        (Image(height=4, width=4, step=12, encoding='rgb8', data=array.array('B', bytes(40))), 'bad_image'),
        (Image(height=4, width=4, step=5, encoding='rgb8', data=array.array('B', bytes(48))), 'bad_image'),
        (Image(encoding='rgb8'), 'bad_image'),
    ],
    ids=['unknown encoding', 'too little data', 'step too small', 'no pixels'],
)
def test_an_image_that_cannot_be_read_is_a_counted_refusal_and_the_node_goes_on(
    graph, bundle, message, reason
) -> None:
    node, tokens = start(graph, bundle)
    now = graph.now()
    message.header.stamp = time_message(now)
    graph.say(message, 'camera/front/image_raw', qos.CAMERA)
    show(graph, 'wrist', (0, 0, 0), now)
    assert eventually(lambda: refusals(node) == {reason: 1})
    assert tokens.messages == []

    now = graph.now()
    for camera in CAMERAS:
        show(graph, camera, (9, 9, 9), now)
    assert nanoseconds(tokens.wait().header.stamp) == now


@pytest.mark.parametrize(('offset', 'reason'), [(-600, 'stale_frame'), (900, 'future_frame')])
def test_a_frame_that_is_too_old_or_from_the_future_is_never_used(graph, bundle, offset, reason) -> None:
    node, tokens = start(graph, bundle, max_frame_age=0.5)
    stamp = graph.now() + offset * MILLISECOND
    for camera in CAMERAS:
        show(graph, camera, (1, 1, 1), stamp)
    assert eventually(lambda: refusals(node) == {reason: 2})
    assert tokens.messages == []


def test_compressed_images_are_decoded(graph, bundle) -> None:
    _, tokens = start(graph, bundle, image_transport='compressed')
    now = graph.now()
    for camera, colour in zip(CAMERAS, ((255, 0, 0), (0, 0, 255)), strict=True):
        data = cv2.imencode('.png', np.full((12, 16, 3), colour[::-1], np.uint8))[1].tobytes()
        message = CompressedImage(format='png', data=array.array('B', data))
        message.header.stamp = time_message(now)
        graph.say(message, f'camera/{camera}/image_raw/compressed', qos.CAMERA)
    np.testing.assert_allclose(
        matrix_from_message(tokens.wait()), [[1, 0, 0], [1, 0, 0], [0, 0, 1], [0, 0, 1]], atol=1e-6
    )


def test_with_a_calibration_the_model_sees_the_rectified_image(graph, bundle) -> None:
    node, _ = start(graph, bundle)
    seen = graph.ear(Image, 'perception/front/image', qos.STREAM_IN)
    matrix = np.array([[8.0, 0, 7.5], [0, 8.0, 5.5], [0, 0, 1]])
    # Strong pincushion: rectified, the image shrinks and its border turns black.
    lens = CameraModel(16, 12, matrix, (0.9, 0.0, 0.0, 0.0, 0.0))
    graph.say(camera_info_message(lens, graph.now(), 'front'), 'camera/front/camera_info', qos.CAMERA)
    assert eventually(lambda: 'front' in node._rectifiers)
    now = graph.now()
    for camera in CAMERAS:
        show(graph, camera, (200, 200, 200), now)
    image = image_from_message(seen.wait())
    assert image[0, 0].tolist() == [0, 0, 0]
    assert image[3, 4].tolist() == [200, 200, 200]


def test_a_calibration_that_cannot_be_is_refused(graph, bundle) -> None:
    node, _ = start(graph, bundle)
    lens = CameraModel(16, 12, np.diag([np.nan, 8.0, 1.0]))
    graph.say(camera_info_message(lens, graph.now(), 'front'), 'camera/front/camera_info', qos.CAMERA)
    assert eventually(lambda: refusals(node) == {'bad_camera_info': 1})


def test_a_missing_bundle_leaves_the_node_up_unconfigured_and_saying_why(graph, tmp_path) -> None:
    node = graph.add(lambda **o: PerceptionNode(MeanEncoder, **o), bundle=str(tmp_path))
    message = graph.diagnostics.wait(lambda m: 'manifest.yaml is missing' in m.status[0].message)
    assert message.status[0].level == b'\x02'
    assert node._state_machine.current_state[1] == 'unconfigured'

    write_bundle(tmp_path)
    request = ChangeState.Request()
    request.transition.label = 'configure'
    assert graph.call(ChangeState, 'perception/change_state', request).success


def test_inactive_it_neither_hears_nor_speaks(graph, bundle) -> None:
    node, tokens = start(graph, bundle)
    request = ChangeState.Request()
    request.transition.label = 'deactivate'
    assert graph.call(ChangeState, 'perception/change_state', request).success
    for camera in CAMERAS:
        show(graph, camera, (1, 1, 1), graph.now() - 10 * NANOSECONDS)
    request.transition.label = 'activate'
    assert graph.call(ChangeState, 'perception/change_state', request).success
    now = graph.now()
    for camera in CAMERAS:
        show(graph, camera, (1, 1, 1), now)
    tokens.wait()
    assert refusals(node) == {}, 'what came while inactive must not even be looked at'


def set_parameter(graph: Graph, name: str, value: ParameterValue) -> tuple[bool, str]:
    request = SetParameters.Request(parameters=[ParameterMessage(name=name, value=value)])
    (result,) = graph.call(SetParameters, 'perception/set_parameters', request).results
    return result.successful, result.reason


@pytest.mark.parametrize(
    ('name', 'value', 'accepted'),
    [
        ('max_frame_age', ParameterValue(type=3, double_value=1.5), True),
        ('max_frame_age', ParameterValue(type=3, double_value=-1.0), False),
        ('max_frame_age', ParameterValue(type=3, double_value=float('nan')), False),
        ('max_frame_age', ParameterValue(type=4, string_value='long'), False),
        ('bundle', ParameterValue(type=4, string_value='elsewhere'), False),
        ('provider', ParameterValue(type=4, string_value='quantum'), False),
    ],
)
def test_parameters_are_live_within_their_range_or_read_only(graph, bundle, name, value, accepted) -> None:
    node, _ = start(graph, bundle)
    before = node.setting(name)
    successful, reason = set_parameter(graph, name, value)
    assert successful is accepted, reason
    assert (node.setting(name) == before) is not accepted


def test_diagnostics_tell_rates_latencies_and_providers(graph, bundle) -> None:
    _, tokens = start(graph, bundle, max_frame_age=60.0)
    begin = graph.now() - 100 * MILLISECOND
    for i in range(3):
        for camera in CAMERAS:
            show(graph, camera, (1, 1, 1), begin + i * 20 * MILLISECOND)
        tokens.wait(after=i)
    message = graph.diagnostics.wait(
        lambda m: any(v.key == 'encode count' and v.value == '3' for v in m.status[0].values)
    )
    values = {pair.key: pair.value for pair in message.status[0].values}
    assert message.status[0].name == 'perception: vla_ros'
    assert values['lifecycle'] == 'active'
    assert values['execution providers'] == 'CPUExecutionProvider'
    assert float(values['camera to tokens p99 [ms]']) >= float(values['camera to tokens p50 [ms]']) > 0
    assert float(values['tokens rate [Hz]']) > 0
    assert hops_told(values, 'perception') == hops_of('perception')
    assert values['camera to frame count'] == values['image to perception count'] == '6', 'frames'
    assert values['frame to encode count'] == '3', 'sets of frames'
    assert float(values['camera to frame p50 [ms]']) >= 60, 'frames came 100 to 60 ms after their stamps'
