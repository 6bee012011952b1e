"""What a covered lens sends has no contrast; a picture of anything has."""

from __future__ import annotations

import numpy as np
import pytest

from vla_ros.perception.blank import LEAST_CONTRAST as LEAST
from vla_ros.perception.blank import contrast, require_contrast
from vla_ros.sim.cameras import FRONT_SIZE, WRIST_SIZE, Camera
from vla_ros.sim.scene import sample_scene
from vla_ros.sim.world import World
from vla_ros.types import VlaError


@pytest.mark.parametrize('level', [0, 17, 255])
@pytest.mark.parametrize('tint', [(1, 1, 1), (1, 0.5, 0.2)])
def test_given_one_colour_with_the_noise_of_a_sensor_then_there_is_none(level: int, tint: tuple) -> None:
    noise = np.random.default_rng(0).normal(0.0, 1.5, (48, 64, 3))
    image = np.clip(level * np.array(tint) + noise, 0, 255).astype(np.uint8)

    assert contrast(image) < LEAST


@pytest.mark.parametrize(('name', 'size'), [('front', FRONT_SIZE), ('wrist', WRIST_SIZE)])
def test_given_the_table_then_there_is_much(name: str, size: tuple[int, int]) -> None:
    world = World(sample_scene(1_000_000))

    assert contrast(Camera(world.model, name, *size, scene=world.scene).render(world.data)) > 5 * LEAST


def test_given_an_image_of_a_few_pixels_then_it_is_a_number_all_the_same() -> None:
    assert contrast(np.zeros((1, 2, 3), np.uint8)) == 0.0


@pytest.mark.parametrize(
    ('level', 'least', 'refused'), [(0, LEAST, True), (0, 0.0, False), (40, LEAST, False)]
)
def test_given_a_picture_then_it_is_refused_if_it_has_too_little(
    level: int, least: float, refused: bool
) -> None:
    image = np.zeros((8, 8, 3), np.uint8)
    image[:4] = level

    if refused:
        with pytest.raises(VlaError, match='shows nothing'):
            require_contrast(image, least)
    else:
        require_contrast(image, least)
