"""Pictures of success: a chart of all tasks, and a film of one trial."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip('mujoco')
pytest.importorskip('av')


import av
from PIL import Image
from test_evaluation_closed_loop import brain, impossible

from vla_ros.evaluation.trial import REFUSAL_TIME, run_trial
from vla_ros.types import Verdict, VlaError
from vla_ros.viz.success_chart import draw_success
from vla_ros.viz.trial_film import HEIGHT, RATE, WIDTH, film_trial

RESULT = {'episodes': 10, 'failures': {'missed_grasp': 2}}
RESULTS = {
    'touch': {**RESULT, 'successes': 10, 'success_rate': 1.0, 'ci95': [0.7, 1.0], 'failures': {}},
    'put': {**RESULT, 'successes': 5, 'success_rate': 0.5, 'ci95': [0.2, 0.8]},
}


def test_given_results_when_drawn_then_a_bar_is_as_long_as_the_success(tmp_path: Path) -> None:
    draw_success(RESULTS, tmp_path / 'success.png')

    image = np.asarray(Image.open(tmp_path / 'success.png').convert('RGB')).astype(int)
    blue = image[..., 2] - image[..., 0] > 60  # the bars, which let a little of the background through
    (short, _), (long, _) = sorted(Counter(n for n in blue.sum(1).tolist() if n > 50).most_common(2))
    assert long / short == pytest.approx(2.0, rel=0.1)


def test_given_a_folder_that_cannot_be_made_when_drawn_then_it_is_said(tmp_path: Path) -> None:
    (tmp_path / 'file').write_text('')

    with pytest.raises(VlaError, match='could not be written'):
        draw_success(RESULTS, tmp_path / 'file' / 'success.png')


def test_given_a_trial_when_filmed_then_it_goes_as_it_went_and_the_film_is_as_long(tmp_path: Path) -> None:
    episode = impossible()
    mind = brain(episode, Verdict.REFUSED, move=False)

    outcome = film_trial(episode, mind, None, tmp_path / 'trial.mp4')

    plain = run_trial(episode, brain(episode, Verdict.REFUSED, move=False))
    assert (outcome.failure, outcome.seconds, outcome.farthest) == (
        plain.failure,
        plain.seconds,
        plain.farthest,
    )
    with av.open(str(tmp_path / 'trial.mp4')) as film:
        frames = [frame.to_ndarray(format='rgb24') for frame in film.decode(video=0)]
    assert frames[0].shape == (HEIGHT, WIDTH, 3)
    assert len(frames) == pytest.approx(REFUSAL_TIME * RATE, abs=2)
