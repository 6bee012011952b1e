"""A manifest as rows that a person reads: nothing is shown as the inside of a program."""

from __future__ import annotations

from vla_ros.viz.manifest_table import flat

BEFORE = {'start': 'random weights', 'final_loss': 9.0}
METRICS = {
    'vision': {
        'start': BEFORE,
        'schedule': {'steps': 400, 'learning_rate': 0.0005},
        'final_loss': 1.0909458,
        'front': {'recall': 0.97},
    },
    'onnx_difference': 5.7e-06,
    'tasks': ['touch', 'pick'],
}


def test_values_in_each_other_become_rows_and_those_that_belong_together_one_row() -> None:
    assert flat('metric', METRICS) == [
        ('metric', 'onnx difference 5.7e-06, tasks touch, pick'),
        ('metric vision', 'final loss 1.091'),
        ('metric vision schedule', 'steps 400, learning rate 0.0005'),
        ('metric vision front', 'recall 0.97'),
    ]


def test_what_a_training_started_from_is_left_to_the_manifest() -> None:
    shown = str(flat('metric', METRICS))

    assert 'random weights' not in shown and 'final loss 9' not in shown


def test_nothing_makes_no_row() -> None:
    assert flat('metric', {}) == []
