"""Each parameter of the action node is live and acts, or is read-only and refuses: none is silently ignored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip('rclpy')

from node_graph import JOINTS, Graph, write_bundle
from rclpy.parameter import Parameter
from steady_action import Steady

from vla_ros.bundle import load_bundle
from vla_ros.nodes.action import ActionNode
from vla_ros.nodes.action_settings import SETTINGS, planner_settings, values_in_force

LIVE = {
    'replan_rate': 3.0,
    'max_token_age': 0.4,
    'max_thought_age': 2.0,
    'max_joint_state_age': 0.3,
    'max_unseen_motion': 0.2,
    'seed': 5,
    'dry_run': True,
    'stamp_plans': False,
    'transport_lead': 0.02,
    'smoothing': 0.1,
    'ensemble_decay': 0.2,
    'picture_slop': 0.05,
}
ELSEWHERE = {'replan_rate', 'dry_run', 'max_unseen_motion', 'picture_slop'}
"""Live, but no matter of planning: the node reads them at every message (see test_nodes_action and its like)."""


def action(graph: Graph, folder: Path, **parameters: Any) -> Any:
    bundle = write_bundle(folder / 'tiny')
    settings = {'bundle': str(bundle), 'limits_file': str(bundle / 'joint_limits.yaml'), **parameters}
    return graph.add(lambda **o: ActionNode(lambda *_, **__: Steady(), **o), autostart=False, **settings)


def test_the_live_parameters_are_those_of_this_test() -> None:
    assert {setting.name for setting in SETTINGS if setting.live} == set(LIVE)


def test_each_live_parameter_changes_what_is_planned_and_every_other_refuses(graph, tmp_path) -> None:
    node = action(graph, tmp_path, stitching='ensemble')
    manifest = load_bundle(tmp_path / 'tiny').manifest
    in_force = values_in_force(node, manifest)
    for setting in SETTINGS:
        before = planner_settings(node, manifest, in_force)
        value = LIVE.get(setting.name, node.setting(setting.name))
        (result,) = node.set_parameters([Parameter(setting.name, value=value)])
        assert result.successful is setting.live, setting.name
        if setting.live:
            assert node.setting(setting.name) == value
        changes = planner_settings(node, manifest, in_force) != before
        assert changes is (setting.live and setting.name not in ELSEWHERE), setting.name


def test_a_prefix_for_a_bundle_without_prefixes_is_refused_loudly(graph, tmp_path) -> None:
    node = action(graph, tmp_path, stitching='prefix')
    assert node.trigger_configure().name == 'FAILURE'
    report = node.health.report()
    assert report.level == 2
    assert "stitching: 'prefix' needs a bundle" in report.summary


def test_by_default_a_bundle_without_prefixes_is_stitched_by_ramp(graph, tmp_path) -> None:
    node = action(graph, tmp_path)
    manifest = load_bundle(tmp_path / 'tiny').manifest
    assert planner_settings(node, manifest, values_in_force(node, manifest)).stitching.name == 'ramp'


def test_when_it_becomes_active_the_log_says_what_limits_are_in_force_and_what_is_missing(
    graph, tmp_path, monkeypatch
) -> None:
    said: list[str] = []

    class Logger:
        def __getattr__(self, _: str) -> Any:
            return lambda text, *_, **__: said.append(str(text))

    node = action(graph, tmp_path)
    monkeypatch.setattr(type(node), 'get_logger', lambda _: Logger())
    node.trigger_configure()
    assert any('no workspace' in sentence for sentence in said)
    node.trigger_activate()
    for name in JOINTS:
        assert f'limits: {name}: -1.5 to 1.5 rad, 2 rad/s, 12 rad/s^2, 150 rad/s^3' in said
    monkeypatch.undo()
    assert np.isfinite(node._planner.limits.max_jerk).all()
