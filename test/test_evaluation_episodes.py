"""The list of trials and the words they are given in."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from vla_ros.evaluation.chosen import PAIRS
from vla_ros.evaluation.episodes import (
    FIRST_HELD_OUT_SEED,
    TASKS,
    TO_REFUSE,
    chosen_tasks,
    list_episodes,
)
from vla_ros.evaluation.expert_trial import run_expert_trial
from vla_ros.evaluation.segments import Ending
from vla_ros.evaluation.story import IMPOSSIBLE, make_story
from vla_ros.evaluation.wordings import HELD_OUT, load_wordings, say, templates_of
from vla_ros.sim.feasibility import why_infeasible
from vla_ros.sim.tasks import Task
from vla_ros.types import VlaError

WORDINGS = load_wordings(HELD_OUT)


def names(seed: int) -> set[str]:
    return {thing.name for thing in list_episodes('touch', 1, seed, WORDINGS)[0].scene().objects}


def test_the_same_seed_gives_the_same_list_and_another_seed_another_one() -> None:
    first, again = (list_episodes('touch', 30, FIRST_HELD_OUT_SEED, WORDINGS) for _ in range(2))

    assert first == again
    assert first != list_episodes('touch', 30, FIRST_HELD_OUT_SEED + 1000, WORDINGS)


def test_episode_i_plays_in_the_scene_of_seed_plus_i_and_names_an_object_that_is_there() -> None:
    for index, episode in enumerate(list_episodes('touch', 20, FIRST_HELD_OUT_SEED + 500, WORDINGS)):
        assert episode.seed == FIRST_HELD_OUT_SEED + 500 + index
        assert episode.wanted in names(episode.seed)
        assert episode.wanted in episode.instruction


def test_wordings_take_turns_so_that_each_is_asked_equally_often() -> None:
    templates = WORDINGS['touch']
    episodes = list_episodes('touch', 3 * len(templates), FIRST_HELD_OUT_SEED, WORDINGS)

    asked = Counter(e.instruction.replace(e.wanted, '{object}') for e in episodes)

    assert asked == dict.fromkeys(templates, 3)


def test_an_object_that_is_missing_is_missing_and_half_of_them_are_hard() -> None:
    episodes = list_episodes('no_such_object', 40, FIRST_HELD_OUT_SEED, WORDINGS)

    for episode in episodes:
        present = names(episode.seed)
        colour, shape = episode.wanted.split()
        both = any(colour in name for name in present) and any(shape in name for name in present)
        assert episode.wanted not in present
        assert episode.hard == both
    assert 18 <= sum(episode.hard for episode in episodes) <= 21


@pytest.mark.parametrize(
    ('task', 'count', 'seed', 'says'),
    [
        ('juggle', 1, 1_000_000, "task: expected one of .*, found 'juggle'"),
        ('touch', 0, 1_000_000, 'episodes: expected at least 1'),
        ('touch', 1, -1, 'seed: expected at least 0'),
    ],
)
def test_what_makes_no_sense_is_refused(task: str, count: int, seed: int, says: str) -> None:
    with pytest.raises(VlaError, match=says):
        list_episodes(task, count, seed, WORDINGS)


def test_a_task_without_sentences_of_its_own_borrows_those_of_touch() -> None:
    assert templates_of({'touch': ('tap {object}',)}, 'no_such_object') == ('tap {object}',)
    assert templates_of({'touch': ('a',), 'no_such_object': ('b',)}, 'no_such_object') == ('b',)


@pytest.mark.parametrize(
    ('content', 'says'),
    [
        ('touch: [}', 'is not YAML'),
        ('- touch', 'expected a mapping'),
        ('touch: tap it', 'expected a list of sentences'),
        ('touch: ["tap {thing}"]', 'expected {direction} or .* or {object}'),
        ('touch: ["tap {object"]', 'is not a template'),
        ('touch: ["tap {0}"]', 'expected {direction} or .* or {object}'),
        ('{}', 'expected a mapping'),
    ],
)
def test_a_wordings_file_that_cannot_be_meant_is_refused_in_one_sentence(
    tmp_path: Path, content: str, says: str
) -> None:
    path = tmp_path / 'wordings.yaml'
    path.write_text(content)

    with pytest.raises(VlaError, match=says) as caught:
        load_wordings(path)

    assert str(path) in str(caught.value)
    assert '\n' not in str(caught.value)


def test_the_words_name_object_and_target() -> None:
    assert (
        say('put the {object} on the {target}', 'red cube', 'blue plate')
        == 'put the red cube on the blue plate'
    )


def test_the_story_asks_for_three_objects_that_are_there_and_one_that_is_not() -> None:
    for seed in range(1_000_000, 1_000_020):
        story = make_story(seed)
        present = {thing.name for thing in story.scene().objects}
        endings = [order.expected for order in story.orders]

        assert [order.wanted in present for order in story.orders] == [e is Ending.DONE for e in endings]
        assert endings.count(Ending.REFUSED) == 1 and endings[IMPOSSIBLE] is Ending.REFUSED


def test_a_story_of_a_negative_seed_is_refused() -> None:
    with pytest.raises(VlaError, match='seed'):
        make_story(-1)


DEV = load_wordings(Path(__file__).parent / 'data' / 'dev_wordings.yaml')
POSSIBLE = [task for task in TASKS if task not in TO_REFUSE]
SEED = 900_000


def test_there_are_sentences_by_hand_for_every_task() -> None:
    assert sum(len(lines) for lines in DEV.values()) >= 100
    for task in TASKS:
        assert list_episodes(task, 1, SEED, DEV)


@pytest.mark.parametrize('task', POSSIBLE)
def test_a_task_that_is_to_be_done_can_be_done_in_its_scene_and_names_what_it_is_about(task: str) -> None:
    for episode in list_episodes(task, 12, SEED, DEV):
        assert why_infeasible(episode.scene(), episode.tasks[0]) == ''
        named = [name for t in episode.tasks for name in (t.object, t.target) if name]
        assert all(name in episode.instruction for name in named)
        assert '{' not in episode.instruction


def test_what_is_out_of_reach_is_there_and_out_of_reach() -> None:
    for episode in list_episodes('out_of_reach', 10, SEED, DEV):
        assert 'out of reach' in why_infeasible(episode.scene(), Task('touch', episode.wanted))
        assert episode.wanted in episode.instruction


@pytest.mark.parametrize('task', list(TO_REFUSE))
def test_there_is_nothing_to_judge_where_the_words_must_be_refused(task: str) -> None:
    assert all(episode.tasks == () and episode.impossible for episode in list_episodes(task, 4, SEED, DEV))


def test_orders_of_two_steps_take_turns_by_the_kinds_of_their_steps() -> None:
    episodes = list_episodes('two_step', 2 * len(PAIRS), SEED, DEV)
    assert Counter(tuple(t.kind for t in e.tasks) for e in episodes) == dict.fromkeys(PAIRS, 2)
    with pytest.raises(VlaError, match='put then home'):
        list_episodes('two_step', 1, SEED, WORDINGS if 'put then home' not in WORDINGS else {})


def test_all_stands_for_every_task() -> None:
    assert chosen_tasks('all') == TASKS
    assert chosen_tasks('push') == ('push',)
    with pytest.raises(VlaError, match='juggle'):
        chosen_tasks('juggle')


@pytest.mark.parametrize('task', ['touch', 'push', 'two_step', 'unsafe'])
def test_the_expert_in_the_place_of_the_model_does_what_is_right(task: str) -> None:
    (episode,) = list_episodes(task, 1, SEED, DEV)
    outcome = run_expert_trial(episode)
    assert (outcome.success, outcome.failure) == (True, '')
    assert outcome.steps_done == len(episode.tasks)
    assert outcome.right_reason == episode.impossible
