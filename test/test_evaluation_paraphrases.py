"""Orders by hand: what the file says, and the scenes in which it can be done."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip('mujoco')

from vla_ros.evaluation.paraphrases import Paraphrase, list_paraphrased, load_paraphrases
from vla_ros.reasoning.subtask import is_container
from vla_ros.sim.feasibility import is_feasible
from vla_ros.types import VlaError

OURS = Path(__file__).parent / 'data' / 'paraphrases.yaml'
DEVELOPMENT_SEED = 900_000


def test_there_are_two_hundred_sentences_none_twice() -> None:
    found = load_paraphrases(OURS)

    said = [one.say.lower() for one in found]
    assert len(said) >= 200
    assert len(set(said)) == len(said)


def test_given_a_sentence_when_it_is_listed_then_its_scene_has_all_it_is_about_and_it_can_be_done() -> None:
    sentences = load_paraphrases(OURS)[::7]

    for one, episode in zip(sentences, list_paraphrased(sentences, DEVELOPMENT_SEED), strict=True):
        scene = episode.scene()
        names = [thing.name for thing in scene.objects]
        assert {episode.wanted, *one.also} <= set(names)
        assert is_feasible(scene, episode.tasks[0])
        assert episode.instruction == one.say
        if is_container(one.step.target):
            assert [n for n in names if n.endswith(one.step.target)] == [episode.steps[0].target]


@pytest.mark.parametrize(
    ('content', 'says'),
    [
        ('touch: [tap it]', 'expected a list'),
        ('- {say: tap it}', 'first'),
        ('- {say: tap it, first: tap red cube}', "found 'tap red cube'"),
        ('- {say: tap it, first: touch red cube, then: home}', 'then'),
    ],
)
def test_given_a_file_that_is_none_when_read_then_it_says_which_entry(
    tmp_path: Path, content: str, says: str
) -> None:
    (tmp_path / 'said.yaml').write_text(content, encoding='utf-8')

    with pytest.raises(VlaError, match=says):
        load_paraphrases(tmp_path / 'said.yaml')


def test_given_an_object_that_no_scene_has_when_listed_then_it_is_said() -> None:
    with pytest.raises(VlaError, match='pink cube'):
        list_paraphrased([Paraphrase(say='tap it', first='touch pink cube')], DEVELOPMENT_SEED)
