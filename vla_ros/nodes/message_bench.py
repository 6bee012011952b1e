"""What it costs to put a picture into a message and to get it out again, by each way that rclpy has."""

from __future__ import annotations

import array

import numpy as np
from sensor_msgs.msg import Image

from vla_ros.bench.figures import Contender, interleaved, ratio, timed
from vla_ros.bench.section import Request, Section
from vla_ros.nodes.image_messages import image_from_message, image_message

SIZE = (480, 640, 3)
OURS, BYTES, ARRAY, COPIED = 'memoryview', 'bytes', 'array', 'copied'


def message_section(request: Request) -> Section:
    """What a picture costs between a message and an array.

    Measured, with 640 x 480 rgb8:

    fill_vs_bytes, fill_vs_array: how many times as long filling a message takes through ``bytes``, or through a new
        ``array.array``, as through a ``memoryview`` of the picture, which the nodes do.
    read_vs_copy: how many times as long copying the pixels of a message takes as looking at them where they are.
    """
    image = np.random.default_rng(0).integers(0, 256, SIZE, np.uint8)
    message = image_message(image, 1)

    def fill(data: object) -> Image:
        return Image(height=SIZE[0], width=SIZE[1], encoding='rgb8', step=3 * SIZE[1], data=data)

    def read_copied() -> object:
        return np.array(message.data, np.uint8).reshape(SIZE)

    contenders: dict[str, Contender] = {
        OURS: timed(lambda: image_message(image, 1)),
        BYTES: timed(lambda: fill(image.tobytes())),
        ARRAY: timed(lambda: fill(array.array('B', image.tobytes()))),
        'view': timed(lambda: image_from_message(message)),
        COPIED: timed(read_copied),
    }
    runs = interleaved(contenders, request.effort)
    section = Section()
    section.figures['fill_vs_bytes'] = ratio(runs, BYTES, OURS)
    section.figures['fill_vs_array'] = ratio(runs, ARRAY, OURS)
    section.figures['read_vs_copy'] = ratio(runs, COPIED, 'view')
    return section
