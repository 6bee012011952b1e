"""TensorRT's engines: kept, and announced where there are none."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from vla_ros.engine_cache import engine_folder, tensorrt_options
from vla_ros.types import VlaError

MODEL, DIGEST = Path('action.onnx'), 64 * 'a'


def test_a_first_build_is_announced_and_a_second_start_is_not(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    folder = Path(tensorrt_options(MODEL, DIGEST, tmp_path)['trt_engine_cache_path'])
    assert 'building a TensorRT engine for action.onnx' in caplog.text
    assert str(folder) in caplog.text
    caplog.clear()
    (folder / 'a.engine').touch()

    tensorrt_options(MODEL, DIGEST, tmp_path)

    assert caplog.text == ''


def test_another_model_has_engines_of_its_own(tmp_path: Path) -> None:
    folders = {
        tensorrt_options(MODEL, digest, tmp_path)['trt_engine_cache_path'] for digest in (DIGEST, 64 * 'b')
    }
    assert len(folders) == 2


def test_a_folder_that_cannot_be_made_is_an_error_that_says_what_to_set(tmp_path: Path) -> None:
    (tmp_path / 'file').touch()
    with pytest.raises(VlaError, match='VLA_ROS_ENGINES'):
        tensorrt_options(MODEL, DIGEST, tmp_path / 'file')


def test_engines_are_kept_in_the_cache_of_the_user_or_where_the_environment_says() -> None:
    assert engine_folder({'HOME': '/home/a'}) == Path('/home/a/.cache/vla_ros/tensorrt')
    assert engine_folder({'HOME': '/home/a', 'XDG_CACHE_HOME': '/c'}) == Path('/c/vla_ros/tensorrt')
    assert engine_folder({'VLA_ROS_ENGINES': '/e', 'XDG_CACHE_HOME': '/c'}) == Path('/e')
