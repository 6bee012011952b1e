"""Decisions for people's eyes: an annotated image and a text marker. Drawn only while somebody looks."""

from __future__ import annotations

import threading
from collections import deque

from sensor_msgs.msg import Image
from std_msgs.msg import ColorRGBA
from visualization_msgs.msg import Marker, MarkerArray

from vla_ros.nodes import qos
from vla_ros.nodes.image_messages import image_from_message, image_message
from vla_ros.nodes.lifecycle import VlaNode
from vla_ros.nodes.messages import nanoseconds, time_message
from vla_ros.reasoning.overlay import COLOURS, overlay
from vla_ros.types import NANOSECONDS, Decision, ImageArray, VlaError

KEPT = 40
"""Images that are kept until a decision about one of them is made: some seconds."""
PATIENCE, NEAR = 0.3, 0.5
"""Seconds: for the image of a moment to come after its tokens, and that it may be newer than the oldest of them."""
TEXT_HEIGHT, TEXT_SIZE = 0.45, 0.03
"""Metres above the robot's base, and of the letters."""


class Illustration:
    """``reasoning/image`` and ``reasoning/markers`` of a node that decides about the images of ``camera``."""

    def __init__(self, node: VlaNode, camera: str, frame: str) -> None:
        self._frame = frame
        self._camera = camera
        self._seen: deque[Image] = deque(maxlen=KEPT)
        self._came = threading.Condition()
        self._images = node.speak(Image, 'reasoning/image', qos.STREAM_OUT)
        self._markers = node.speak(MarkerArray, 'reasoning/markers', qos.STREAM_OUT)
        node.listen(Image, f'perception/{camera}/image', self._on_image, qos.STREAM_IN, 'bad_image')

    def image_at(self, stamp: int) -> ImageArray:
        """What the camera saw at the stamp (ns) of some tokens, (h, w, 3) rgb8; not to be called in a callback.

        Raises:
            VlaError: no such image came, or it cannot be read.
        """

        def found() -> Image | None:
            # Tokens carry the stamp of the oldest camera frame in them; this camera's may be a little newer.
            ages = {nanoseconds(m.header.stamp) - stamp: m for m in self._seen}
            return min(((a, m) for a, m in ages.items() if 0 <= a <= NEAR * NANOSECONDS), default=(0, None))[
                1
            ]

        with self._came:
            self._came.wait_for(lambda: found() is not None, PATIENCE)
            message = found()
        if message is None:
            raise VlaError(
                f'perception/{self._camera}/image: expected the image that the tokens are of, found none'
            )
        return image_from_message(message)

    def _on_image(self, message: Image) -> None:
        with self._came:
            self._seen.append(message)
            self._came.notify_all()

    def show(self, decision: Decision, stamp: int) -> None:
        """Draw a decision about what was seen at ``stamp`` (ns)."""
        if self._markers.get_subscription_count():
            self._markers.publish(MarkerArray(markers=[self._text(decision, stamp)]))
        if not self._images.get_subscription_count():
            return
        # Tokens carry the stamp of the oldest camera frame in them; this camera's may be a little newer.
        seen = min(list(self._seen), key=lambda m: abs(nanoseconds(m.header.stamp) - stamp), default=None)
        if seen is not None:
            picture = overlay(image_from_message(seen), decision)
            self._images.publish(image_message(picture, nanoseconds(seen.header.stamp), seen.header.frame_id))

    def _text(self, decision: Decision, stamp: int) -> Marker:
        red, green, blue = (value / 255 for value in COLOURS[decision.verdict])
        marker = Marker(ns='decision', type=Marker.TEXT_VIEW_FACING, action=Marker.ADD)
        marker.header.frame_id = self._frame
        marker.header.stamp = time_message(stamp)
        marker.pose.position.z = TEXT_HEIGHT
        marker.pose.orientation.w = 1.0
        marker.scale.z = TEXT_SIZE
        marker.color = ColorRGBA(r=red, g=green, b=blue, a=1.0)
        marker.text = f'{decision.instruction}\n{decision.verdict.value}: {decision.subtask}'
        return marker
