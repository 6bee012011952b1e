"""The action node's parameters mean the same to a node and to offline evaluation."""

from __future__ import annotations

from pathlib import Path

import pytest

from vla_ros.action.planner import PlannerSettings
from vla_ros.action.settings import GUARD_JUMP, action_parameters, planner_settings
from vla_ros.bundle import load_bundle
from vla_ros.manifest import ChunkSpec, Manifest
from vla_ros.paths import bundle_directory, config_file
from vla_ros.types import VlaError


@pytest.fixture(scope='module')
def manifest() -> Manifest:
    return load_bundle(bundle_directory('tabletop')).manifest


def test_given_no_parameters_then_every_step_has_its_own_defaults(manifest: Manifest) -> None:
    settings, defaults = planner_settings({}, manifest), PlannerSettings()
    assert settings.seed == defaults.seed
    assert settings.shape.smoothing == defaults.shape.smoothing
    assert settings.shape.dt == manifest.chunk.dt
    assert settings.stitch.transport_lead == defaults.stitch.transport_lead
    assert settings.guard.max_thought_age == defaults.guard.max_thought_age


def test_given_a_policy_with_chunks_of_its_own_then_their_prefix_counts_and_plans_keep_their_steps(
    manifest: Manifest,
) -> None:
    chunk = ChunkSpec(horizon=8, dt=2 * manifest.chunk.dt, representation='relative', prefix=0)
    settings = planner_settings({}, manifest, chunk)
    assert manifest.chunk.prefix > 0 and settings.stitching.name == 'ramp'
    assert settings.shape.dt == manifest.chunk.dt


def test_given_one_start_jump_then_each_joint_has_it_and_the_guard_allows_a_little_more(
    manifest: Manifest,
) -> None:
    settings = planner_settings({'start_jump': [0.5]}, manifest)
    joints = len(manifest.robot.joints)
    assert settings.stitch.start_jump == (0.5,) * joints
    assert settings.guard.start_jump == pytest.approx((0.5 + GUARD_JUMP,) * joints)


def test_given_a_start_jump_for_another_robot_then_it_is_refused(manifest: Manifest) -> None:
    with pytest.raises(VlaError, match="'start_jump': expected 1 or 6 values, found 2"):
        planner_settings({'start_jump': [0.1, 0.2]}, manifest)


def test_the_parameters_that_come_along_are_read_for_the_action_node() -> None:
    found = action_parameters(config_file('vla.params.yaml'))
    assert found['bundle'] == 'tabletop'
    assert found['replan_rate'] == 5.0


@pytest.mark.parametrize('name', ['action', '/action', '/**/action', '/left_arm/action'])
def test_a_node_is_found_in_whatever_namespace(tmp_path: Path, name: str) -> None:
    file = tmp_path / 'parameters.yaml'
    file.write_text(f'{name}:\n  ros__parameters: {{seed: 3}}\n', encoding='utf-8')
    assert action_parameters(file) == {'seed': 3}


@pytest.mark.parametrize('text', ['', '[1, 2]', 'perception: {ros__parameters: {}}', '{'])
def test_a_file_without_an_action_node_is_refused_with_its_name(tmp_path: Path, text: str) -> None:
    file = tmp_path / 'parameters.yaml'
    file.write_text(text, encoding='utf-8')
    with pytest.raises(VlaError, match=r'parameters\.yaml'):
        action_parameters(file)
