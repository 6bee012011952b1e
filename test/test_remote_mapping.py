"""What a policy's numbers mean: exact there and back, and refused where they mean nothing for our joints."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from served_policy import HORIZON, TARGETS, policy_content, policy_file, theirs, tiny_manifest

from vla_ros.action.remote.errors import ServerError
from vla_ros.action.remote.mapping import joint_targets, state_vector
from vla_ros.action.remote.policy_file import PolicyFile, load_policy_file, require_mappable
from vla_ros.bundle import load_bundle
from vla_ros.paths import bundle_directory, share_directory
from vla_ros.types import VlaError

NAMES = ('a', 'b', 'c')
numbers = st.floats(-3, 3, allow_nan=False)
angles = st.builds(dict, unit=st.sampled_from(['rad', 'deg']), sign=st.sampled_from([1, -1]), zero=numbers)
lines = st.builds(
    lambda theirs, span, rad, width: {
        'unit': 'line',
        'first': {'theirs': theirs, 'rad': rad},
        'second': {'theirs': theirs + span, 'rad': rad + width},
    },
    numbers,
    st.floats(0.1, 100),
    numbers,
    st.floats(0.1, 3) | st.floats(-3, -0.1),
)


@st.composite
def policies(draw: st.DrawFn) -> PolicyFile:
    """Three joints in any order, in one or two matrices, with numbers between that are nobody's."""
    columns = [{**draw(angles | lines), 'joint': name} for name in draw(st.permutations(NAMES))]
    cut = draw(st.integers(1, 3))
    groups = [columns[:cut], columns[cut:]] if cut < 3 else [columns]
    for group in groups:
        group.insert(draw(st.integers(0, len(group))), {'ignored': True})
    representation = st.sampled_from(['absolute', 'relative', 'delta'])
    actions = [
        {'key': str(key), 'space': 'joint', 'representation': draw(representation), 'columns': group}
        for key, group in enumerate(groups)
    ]
    state = [{'key': 'state', 'columns': columns}]
    state[0]['columns'] = [column for column in columns if 'joint' in column]
    return PolicyFile.model_validate(policy_content(horizon=4, actions=actions, state=state))


def answer_of(file: PolicyFile, targets: np.ndarray, measured: np.ndarray) -> dict[str, np.ndarray]:
    """The answer that means ``targets``, by the definitions of the schema, one number at a time."""
    answer = {}
    for actions in file.actions:
        matrix = np.full((len(targets), len(actions.columns)), 999.0)
        for k, column in enumerate(actions.columns):
            if column.ignored:
                continue
            j = NAMES.index(column.joint)
            for i in range(len(targets)):
                to = targets[i, j]
                if column.unit == 'line':
                    per_rad = (column.second.theirs - column.first.theirs) / (
                        column.second.rad - column.first.rad
                    )
                    absolute = column.first.theirs + per_rad * (to - column.first.rad)
                else:
                    per_rad = column.sign * (180 / np.pi if column.unit == 'deg' else 1)
                    absolute = per_rad * (to - column.zero)
                before = measured[j] if i == 0 else targets[i - 1, j]
                matrix[i, k] = {
                    'absolute': absolute,
                    'relative': per_rad * (to - measured[j]),
                    'delta': per_rad * (to - before),
                }[actions.representation]
        answer[actions.key] = matrix
    return answer


@given(policies(), st.lists(numbers, min_size=15, max_size=15))
def test_given_an_answer_made_of_targets_when_it_is_read_then_the_targets_come_back(
    file: PolicyFile, values: list[float]
) -> None:
    measured, targets = np.array(values[:3]), np.array(values[3:]).reshape(4, 3)

    found = joint_targets(file, NAMES, measured, answer_of(file, targets, measured))

    np.testing.assert_allclose(found, targets, atol=1e-9)


@given(policies(), st.lists(numbers, min_size=3, max_size=3))
def test_given_a_state_when_it_is_held_as_an_absolute_action_then_the_arm_stays_where_it_is(
    file: PolicyFile, values: list[float]
) -> None:
    positions = np.array(values)
    vector = state_vector(file.state[0].columns, NAMES, positions)

    for number, column in zip(vector, file.state[0].columns, strict=True):
        slope, offset = column.line
        there = offset + slope * float(number)
        scale = max(1.0, abs(float(number)) * abs(slope))
        assert abs(there - positions[NAMES.index(column.joint)]) < 1e-5 * scale


def test_degrees_a_reversed_joint_and_a_gripper_by_hand(tmp_path: Path) -> None:
    file = policy_file(tmp_path)

    state = state_vector(file.state[0].columns, ('pan', 'lift'), np.array([0.0, 0.5 - np.pi / 2]))
    found = joint_targets(file, ('pan', 'lift'), np.zeros(2), {'actions': theirs(TARGETS)})

    np.testing.assert_allclose(state, [90.0, 0.5], rtol=1e-6)
    np.testing.assert_allclose(found, TARGETS, atol=1e-12)


@pytest.mark.parametrize(
    ('answer', 'says'),
    [
        ({}, "expected 'actions', found []"),
        ({'actions': np.zeros((HORIZON - 1, 2))}, 'expected numbers (8, 2)'),
        ({'actions': np.zeros((HORIZON, 3))}, 'expected numbers (8, 2)'),
        ({'actions': np.zeros((1, HORIZON, 2))}, 'expected numbers (8, 2)'),
        ({'actions': np.zeros((HORIZON, 2), bool)}, 'expected numbers (8, 2), found bool'),
        ({'actions': np.full((HORIZON, 2), np.nan)}, 'expected finite numbers'),
        ({'actions': np.full((HORIZON, 2), np.inf, np.float32)}, 'expected finite numbers'),
    ],
)
def test_given_an_answer_that_is_none_when_it_is_read_then_it_is_refused(
    tmp_path: Path, answer: dict[str, np.ndarray], says: str
) -> None:
    with pytest.raises(ServerError) as refusal:
        joint_targets(policy_file(tmp_path), ('pan', 'lift'), np.zeros(2), answer)
    assert says in str(refusal.value)


def changed(**changes: Any) -> dict[str, Any]:
    return {'actions': [{**policy_content()['actions'][0], **changes}]}


PAN, LIFT = {'joint': 'pan'}, {'joint': 'lift'}


@pytest.mark.parametrize(
    ('changes', 'says'),
    [
        (changed(space='end_effector'), 'actions: expected space joint, found end_effector'),
        (changed(representation='velocity'), 'actions: expected positions, found velocities'),
        (changed(columns=[PAN]), "expected each joint of the bundle once, ['lift', 'pan'], found ['pan']"),
        (changed(columns=[PAN, LIFT, PAN]), "found ['lift', 'pan', 'pan']"),
        (changed(columns=[PAN, LIFT, {'joint': 'wing'}]), "found ['lift', 'pan', 'wing']"),
        (
            {'pictures': [{'key': 'x', 'camera': 'ear'}]},
            "expected a camera of the bundle, ['front', 'wrist']",
        ),
        ({'state': [{'key': 's', 'columns': [{'ignored': True}]}]}, 's: expected a joint, measured'),
        ({'state': [{'key': 's', 'columns': [{'joint': 'wing'}]}]}, 's: expected joints of the bundle'),
    ],
)
def test_given_what_cannot_be_mapped_when_it_is_opened_then_one_sentence_says_why(
    tmp_path: Path, changes: dict[str, Any], says: str
) -> None:
    with pytest.raises(VlaError) as refusal:
        require_mappable(policy_file(tmp_path, **changes), tiny_manifest())
    assert says in str(refusal.value)
    assert '\n' not in str(refusal.value)


@pytest.mark.parametrize(
    ('changes', 'says'),
    [
        ({'dt': 1.0}, 'expected horizon * dt of at most 5.0 s'),
        (changed(columns=[{'joint': 'pan', 'ignored': True}]), 'expected either joint or ignored'),
        (changed(columns=[{'joint': 'pan', 'unit': 'turns'}]), "'rad', 'deg' or 'line'"),
        (changed(columns=[{'joint': 'pan', 'unit': 'line'}]), 'expected first and second'),
        (changed(columns=[{'joint': 'pan', 'scale': 2}]), 'Extra inputs'),
        ({'prompt_key': 'state'}, 'expected keys of the question that differ'),
    ],
)
def test_given_a_file_that_is_not_of_the_schema_when_it_is_read_then_key_and_reason_are_said(
    tmp_path: Path, changes: dict[str, Any], says: str
) -> None:
    with pytest.raises(VlaError) as refusal:
        policy_file(tmp_path, **changes)
    assert says in str(refusal.value)


SHIPPED = sorted(path.stem for path in (share_directory() / 'config' / 'policies').glob('*.yaml'))


@pytest.mark.parametrize('name', SHIPPED)
def test_every_policy_that_ships_fits_the_bundle_that_ships(name: str) -> None:
    manifest = load_bundle(bundle_directory('tabletop')).manifest
    file = load_policy_file(name)
    require_mappable(file, manifest)

    positions = np.array([np.pi / 2, 0, 0, 0, 0, 1.74533])
    state = np.concatenate(
        [state_vector(state.columns, manifest.robot.joints, positions) for state in file.state]
    )
    np.testing.assert_allclose(state, [90, 0, 0, 0, 0, 100], atol=1e-4)


def test_policies_ship() -> None:
    assert {'so101_pi05', 'so101_groot'} <= set(SHIPPED)
