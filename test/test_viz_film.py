"""A film of a bag, drawn by processes of its own."""

from __future__ import annotations

import array
from pathlib import Path

import numpy as np
import pytest
from rclpy.serialization import serialize_message
from sensor_msgs.msg import Image, JointState
from std_msgs.msg import String

from vla_ros.nodes.recorder import Recorder, channels
from vla_ros.sim.model import JOINT_NAMES, REST_POSE
from vla_ros.sim.scene import sample_scene
from vla_ros.sim.world import World
from vla_ros.types import NANOSECONDS
from vla_ros.viz.film import LEAD, Script, make_film
from vla_ros.viz.frame import BEAUTY, FRONT, SIZE

SEED = 1_000_000
SECONDS = 2.0


def write_bag(folder: Path) -> None:
    """Two seconds: a camera that gets brighter, an arm at rest, and an instruction after one second."""
    recorder = Recorder(folder)
    connections = {
        c.topic: recorder.connect(f'/{c.topic}', c) for c in channels(['front']) if c.topic[0] != '/'
    }
    for step in range(21):
        now = round(step * SECONDS / 20 * NANOSECONDS)
        image = Image(height=8, width=8, step=24, encoding='rgb8', data=array.array('B', [10 * step] * 192))
        joints = JointState(name=list(JOINT_NAMES), position=list(REST_POSE))
        recorder.add(connections['camera/front/image_raw'], now, serialize_message(image))
        recorder.add(connections['joint_states'], now, serialize_message(joints))
        if step == 10:
            recorder.add(connections['instruction'], now, serialize_message(String(data='touch it')))
    recorder.close()


@pytest.mark.slow
def test_a_film_of_a_bag_shows_what_the_camera_saw_when_it_saw_it(tmp_path: Path) -> None:
    av = pytest.importorskip('av')
    scene = sample_scene(SEED)
    write_bag(tmp_path / 'bag')
    np.savez(tmp_path / 'states.npz', times=[0.0], qpos=[World(scene).data.qpos])
    script = Script(tmp_path / 'bag', tmp_path / 'states.npz', scene, 128, rate=10, shadows=False)
    told: list[tuple[int, int]] = []

    frames = make_film(tmp_path / 'x.mp4', script, on_frame=lambda *done: told.append(done))

    with av.open(str(tmp_path / 'x.mp4')) as film:
        decoded = [frame.to_ndarray(format='rgb24') for frame in film.decode(video=0)]
    assert told == [(i + 1, frames) for i in range(frames)]
    assert len(decoded) == frames == round((SECONDS - 1.0 + LEAD) * 10)
    assert decoded[0].shape == (SIZE[1], SIZE[0], 3)
    left, top, right, bottom = FRONT
    seen = [int(image[top + 50 : bottom - 50, left + 50 : right - 50].mean()) for image in decoded]
    assert seen == pytest.approx([10 * (4 + i) for i in range(frames)], abs=12)
    outside = decoded[0][BEAUTY[1] : BEAUTY[3], BEAUTY[0] : BEAUTY[2]]
    assert outside.std() > 20
