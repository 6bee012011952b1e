"""Cameras that send noise, each frame with its number: how many of them arrive is what the bench asks."""

from __future__ import annotations

import argparse
import time

import numpy as np
from rclpy.context import Context
from rclpy.node import Node
from sensor_msgs.msg import Image

from vla_ros.nodes import qos
from vla_ros.nodes.image_messages import image_message
from vla_ros.nodes.joining import join_graph

SIZE = (480, 640, 3)
PATIENCE = 30.0
"""Seconds to wait for somebody who listens."""


def main() -> None:
    """Entry point; the names of the cameras are arguments."""
    parser = argparse.ArgumentParser()
    parser.add_argument('--rate', type=float, default=30.0, help='frames a second of each camera')
    parser.add_argument('--frames', type=int, required=True, help='of each camera')
    parser.add_argument('cameras', nargs='+')
    wanted = parser.parse_args()
    context = Context()
    join_graph(context=context)
    node = Node('frame_source', context=context)
    topics = [node.create_publisher(Image, f'camera/{name}/image_raw', qos.CAMERA) for name in wanted.cameras]
    until = time.monotonic() + PATIENCE
    while any(topic.get_subscription_count() == 0 for topic in topics) and time.monotonic() < until:
        time.sleep(0.05)
    picture = np.random.default_rng(0).integers(0, 256, SIZE, np.uint8)
    begun = time.monotonic()
    for number in range(wanted.frames):
        time.sleep(max(0.0, begun + number / wanted.rate - time.monotonic()))
        for name, topic in zip(wanted.cameras, topics):
            topic.publish(image_message(picture, number, name))
    time.sleep(1.0)  # the last ones are still on their way
    node.destroy_node()
    context.try_shutdown()


if __name__ == '__main__':
    main()
