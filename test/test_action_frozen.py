"""A camera whose picture never changes is found out by an arm that moves, and believed again when it changes."""

from __future__ import annotations

import numpy as np

from vla_ros.action.frozen import FrozenCameras

FARTHEST = 0.1
STILL, MOVED = np.zeros(2), np.array([0.0, 0.2])


def shown(front: float, wrist: float) -> dict[str, np.ndarray]:
    return {'front': np.full((2, 3), front), 'wrist': np.full((1, 3), wrist)}


def test_given_pictures_that_change_then_no_camera_is_frozen_however_far_the_arm_moves() -> None:
    cameras = FrozenCameras()
    assert [cameras.look(shown(i, -i), np.full(2, i), FARTHEST) for i in range(5)] == [''] * 5


def test_given_one_picture_that_stays_while_the_arm_moves_then_that_camera_is_named() -> None:
    cameras = FrozenCameras()
    assert cameras.look(shown(1, 1), STILL, FARTHEST) == ''
    assert cameras.look(shown(1, 2), MOVED / 3, FARTHEST) == ''
    assert cameras.look(shown(1, 3), MOVED, FARTHEST) == 'front'
    assert cameras.look(shown(1, 3), MOVED, FARTHEST) == 'front', 'also when the arm has come to rest'


def test_given_a_frozen_camera_that_shows_something_else_then_it_is_believed_again() -> None:
    cameras = FrozenCameras()
    cameras.look(shown(1, 1), STILL, FARTHEST)
    assert cameras.look(shown(1, 2), MOVED, FARTHEST) == 'front'
    assert cameras.look(shown(9, 2), MOVED, FARTHEST) == ''


def test_given_an_arm_at_rest_then_the_same_picture_is_right() -> None:
    cameras = FrozenCameras()
    assert {cameras.look(shown(1, 1), STILL, FARTHEST) for _ in range(9)} == {''}


def test_given_no_bound_then_every_picture_is_believed() -> None:
    cameras = FrozenCameras()
    cameras.look(shown(1, 1), STILL, 0.0)
    assert cameras.look(shown(1, 1), MOVED, 0.0) == ''
