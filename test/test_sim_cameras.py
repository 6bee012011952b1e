"""Ray-cast cameras: what they see is where their calibration says it is."""

from __future__ import annotations

import dataclasses
import math
import os
import subprocess
import sys

import numpy as np
import pytest

from vla_ros.sim.cameras import Camera, pinhole
from vla_ros.sim.looks import Light
from vla_ros.sim.model import FRONT_VIEW, REST_POSE
from vla_ros.sim.scene import Scene, sample_scene
from vla_ros.sim.world import World
from vla_ros.types import VlaError

FRONT, WRIST = ('front', 256, 256), ('wrist', 128, 128)


def camera(world: World, view: tuple[str, int, int], **options: object) -> Camera:
    return Camera(world.model, *view, scene=world.scene, **options)  # type: ignore[arg-type]


def wave(world: World, steps: int) -> None:
    for _ in range(steps):
        world.follow(np.array(REST_POSE) + np.array([0.4, 0.5, 0.0, 0.2, 0.3, -0.4]))


def test_intrinsics_follow_the_field_of_view() -> None:
    model = pinhole(320, 240, 42.0)
    focal = 120 / math.tan(math.radians(21))
    # Pixel centres stand at integers: the optical axis meets the middle of the image between two of them.
    assert model.matrix == pytest.approx(np.array([[focal, 0, 159.5], [0, focal, 119.5], [0, 0, 1]]))
    assert (model.width, model.height, model.model) == (320, 240, 'plumb_bob')
    assert not any(model.distortion)


def test_the_front_camera_looks_at_its_target_without_jitter() -> None:
    world = World(sample_scene(0, randomise=0.0))
    pixels, depth = camera(world, FRONT).project(world.data, [FRONT_VIEW[1]])
    assert pixels[0] == pytest.approx([127.5, 127.5], abs=1e-6)
    assert depth[0] == pytest.approx(math.dist(FRONT_VIEW[0], FRONT_VIEW[1]))


@pytest.mark.parametrize('view', [FRONT, WRIST, ('beauty', 160, 120)])
def test_a_projected_point_is_seen_at_its_pixel(view: tuple[str, int, int]) -> None:
    """Given a point that a pixel's ray meets, when it is projected, then it is that pixel."""
    world = World(sample_scene(2))
    eye = camera(world, view)
    position, rotation = eye.pose(world.data)
    inverse = np.linalg.inv(eye.model.matrix)
    for u, v in ((0, 0), (17, 90), (100, 31), (eye.model.width - 1, eye.model.height - 1)):
        point = position + 0.3 * (rotation @ (inverse @ [u, v, 1.0]))
        pixels, depth = eye.project(world.data, [point])
        assert pixels[0] == pytest.approx([u, v], abs=1e-6)
        assert depth[0] == pytest.approx(0.3)


@pytest.mark.parametrize('seed', range(6))
def test_an_object_appears_where_its_centre_is_projected(seed: int) -> None:
    """Given each object painted in a colour of its own, when seen from the front, then its pixels centre on it."""
    scene = painted(sample_scene(seed))
    world = World(scene)
    eye = camera(world, FRONT)
    image = eye.render(world.data).astype(int)
    pixels, _ = eye.project(world.data, [world.object_position(thing.name) for thing in scene.objects])
    for index, expected in enumerate(pixels):
        v, u = np.nonzero(shows(image, index))
        assert len(u) >= 150
        assert [u.mean(), v.mean()] == pytest.approx(expected.tolist(), abs=2.5)


def paint(index: int) -> tuple[float, float, float, float]:
    """No green at all, which nothing else in a scene lacks, and a share of blue of its own."""
    return (0.9, 0.0, 0.2 + 0.2 * index, 1.0)


def shows(image: np.ndarray, index: int) -> np.ndarray:
    red, green, blue = np.moveaxis(image, 2, 0)
    return (green == 0) & (red > 100) & (np.abs(blue / np.maximum(red, 1) - paint(index)[2] / 0.9) < 0.05)


def painted(scene: Scene) -> Scene:
    """The scene with distinct flat colours and light from everywhere."""
    objects = tuple(dataclasses.replace(thing, rgba=paint(i)) for i, thing in enumerate(scene.objects))
    dark = Light((0.0, 0.0, 1.0), (0.0, 0.0, 0.0))
    return dataclasses.replace(scene, objects=objects, lights=(dark,), ambient=(1.0, 1.0, 1.0))


@pytest.mark.parametrize('seed', [0, 1, 2])
def test_the_cached_background_changes_no_pixel(seed: int) -> None:
    """Given a front camera that drew an earlier moment, when the arm moves, then pixels equal a full cast."""
    world = World(sample_scene(seed))
    eye = camera(world, FRONT)
    for _ in range(3):
        quick = eye.render(world.data)
        assert np.array_equal(quick, eye.render_fully(world.data))
        wave(world, 6)
    assert not np.array_equal(quick, eye.render(world.data))


def test_an_image_given_away_does_not_change_later() -> None:
    world = World(sample_scene(0))
    eye = camera(world, FRONT)
    first = eye.render(world.data)
    kept = first.copy()
    first[:] = 0
    again = eye.render(world.data)
    assert np.array_equal(again, kept)


def test_the_same_scene_gives_the_same_pixels() -> None:
    def images() -> list[np.ndarray]:
        world = World(sample_scene(9))
        return [camera(world, view).render(world.data) for view in (FRONT, WRIST)]

    for first, second in zip(images(), images()):
        assert np.array_equal(first, second)


@pytest.mark.parametrize('view', [FRONT, WRIST])
def test_images_are_bytes_of_the_asked_size(view: tuple[str, int, int]) -> None:
    world = World(sample_scene(0))
    image = camera(world, view).render(world.data)
    assert image.shape == (view[2], view[1], 3)
    assert image.dtype == np.uint8
    assert image.std() > 10


def test_the_wrist_camera_moves_with_the_arm_and_sees_the_fingertips() -> None:
    world = World(sample_scene(0))
    eye = camera(world, WRIST)
    before, (start, _) = eye.render(world.data), eye.pose(world.data)
    pixels, depth = eye.project(world.data, [world.gripper_tip()])
    assert ((pixels > 0) & (pixels < 127)).all()
    assert 0.03 < depth[0] < 0.12
    wave(world, 6)
    assert not np.array_equal(before, eye.render(world.data))
    assert np.linalg.norm(eye.pose(world.data)[0] - start) > 0.02


def test_a_shadow_only_darkens() -> None:
    world = World(sample_scene(0, randomise=0.0))
    plain = camera(world, ('beauty', 160, 120)).render(world.data).astype(int)
    shaded = camera(world, ('beauty', 160, 120), shadows=True).render(world.data).astype(int)
    assert (shaded <= plain).all()
    assert 0.01 < (shaded.sum(axis=2) < plain.sum(axis=2) - 20).mean() < 0.5


def test_more_samples_smooth_edges_without_shifting_the_image() -> None:
    world = World(sample_scene(0, randomise=0.0))
    rough = camera(world, ('front', 128, 128)).render(world.data).astype(float)
    smooth = camera(world, ('front', 128, 128), samples=2).render(world.data).astype(float)
    assert smooth.shape == rough.shape
    unshifted = np.abs(smooth - rough).mean()
    assert unshifted < np.abs(smooth[:, 1:] - rough[:, :-1]).mean()
    assert unshifted < np.abs(smooth[:, :-1] - rough[:, 1:]).mean()


def test_an_unknown_camera_is_refused_with_the_names_that_exist() -> None:
    world = World(sample_scene(0))
    with pytest.raises(VlaError, match="front.*found 'ceiling'"):
        camera(world, ('ceiling', 64, 64))


def test_without_opengl_the_gl_camera_says_so_in_one_sentence() -> None:
    program = (
        'from vla_ros.sim.gl_camera import GlCamera; from vla_ros.sim.scene import sample_scene; '
        'from vla_ros.sim.world import World; from vla_ros.types import VlaError\n'
        'world = World(sample_scene(0))\n'
        'try:\n    GlCamera(world.model, "front", 32, 32).render(world.data)\n'
        'except VlaError as error:\n    print(error)\n'
    )
    environment = {**os.environ, 'MUJOCO_GL': 'glfw', 'PYTHONPATH': os.pathsep.join(sys.path)}
    environment.pop('DISPLAY', None)
    environment.pop('WAYLAND_DISPLAY', None)
    done = subprocess.run(
        [sys.executable, '-c', program], env=environment, capture_output=True, text=True, timeout=120
    )
    assert 'OpenGL is not available' in done.stdout
    assert len(done.stdout.splitlines()) == 1
