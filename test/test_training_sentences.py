"""The words that training can say, and that no held-out sentence is among them."""

from __future__ import annotations

import re

import numpy as np
import pytest

pytest.importorskip('torch')
pytest.importorskip('mujoco')


from test_training_data import TOUCH_RED

from vla_ros.evaluation.wordings import held_out_wordings
from vla_ros.reasoning.trace import OTHER_REQUESTS, Request, Sighting
from vla_ros.sim.cameras import FRONT_SIZE, Camera
from vla_ros.sim.scene import sample_scene
from vla_ros.sim.world import World
from vla_ros.training.labels import KINDS, truth_of
from vla_ros.training.requests import DONE, draw_request, drawn_kind, shares_from
from vla_ros.training.scenes import put_into_hand
from vla_ros.training.wordings import parts, sentence, templates
from vla_ros.types import Subtask, VlaError


def test_training_sentences_name_their_object_in_words_that_are_known() -> None:
    rng = np.random.default_rng(0)
    names = parts()['names']
    for _ in range(300):
        text = sentence(rng, TOUCH_RED)
        assert any(word in text for word in names['red'])
        assert any(word in text for word in names['cube'])
        assert '{' not in text
    with pytest.raises(VlaError, match='expected one of'):
        templates('juggle')


def test_training_sentences_name_target_and_direction() -> None:
    rng = np.random.default_rng(0)
    bowls, left = parts()['names']['bowl'], parts()['directions']['left']
    for _ in range(200):
        put = sentence(rng, Request((Subtask('put', 'red cube', 'blue bowl'),)), present=['blue bowl'])
        push = sentence(rng, Request((Subtask('push', 'red cube', 'left'),)))
        both = sentence(rng, Request((Subtask('put', 'red cube', 'green plate'), Subtask('home'))))
        assert any(word in put for word in bowls)
        assert any(words in push for words in left)
        assert not any('{' in text for text in (put, push, both))


@pytest.mark.parametrize('other', list(OTHER_REQUESTS))
def test_there_are_words_for_everything_that_is_not_to_be_done(other: str) -> None:
    rng = np.random.default_rng(0)
    texts = {sentence(rng, Request(other=other), 'red cube', ['red cube', 'blue bowl']) for _ in range(50)}
    assert len(texts) > 40
    assert not any('{' in text for text in texts)


def test_every_request_that_is_drawn_to_be_possible_names_what_is_there() -> None:
    rng = np.random.default_rng(0)
    seen = [
        Sighting('red cube', 0.1, 0.1),
        Sighting('blue cube', 0.5, 0.5, False),
        Sighting('red bowl', 0.9, 0.9),
    ]
    for _ in range(300):
        request = draw_request(rng, drawn_kind(rng, DONE), seen, possible=True)
        for step in request.steps[:1]:
            touched = ('red bowl',) if step.kind in ('touch', 'point') else ()
            assert step.object in ('', 'red cube', *touched)
            assert step.kind != 'put' or step.target == 'red bowl'


def test_shares_are_words_and_numbers() -> None:
    assert shares_from(['put=2', 'touch=1']) == {'put': 2.0, 'touch': 1.0}
    assert shares_from(None) is DONE
    for words in (['juggle=1'], ['put'], ['put=-1'], ['put=nan'], ['put=0']):
        with pytest.raises(VlaError, match='share: expected'):
            shares_from(words)


def test_an_object_in_the_hand_is_between_the_jaws_and_one_beyond_is_out_of_reach() -> None:
    rng = np.random.default_rng(0)
    scene = sample_scene(800_001, count=(2, 2), beyond=1)
    world, name, far = World(scene), scene.objects[0].name, scene.objects[-1].name
    put_into_hand(rng, world, name)
    camera = Camera(world.model, 'front', *FRONT_SIZE, scene=scene)
    truth = truth_of(world, camera, holding=name)
    assert world.held() <= {name}
    assert float(np.linalg.norm(world.object_position(name) - world.gripper_tip())) < 0.03
    assert truth.holding(0) == name
    assert {s.name for s in truth.sightings(0) if not s.within_reach} <= {far}
    assert not truth.reach[0, KINDS.index(far)]


def _bare(text: str) -> str:
    """The words alone: no article before the object, no punctuation, no capitals."""
    letters = re.sub(r'[^a-z{} ]', '', text.lower())
    for field in ('object', 'target'):
        letters = letters.replace(f'the {{{field}}}', f'{{{field}}}')
    return ' '.join(letters.split())


def _can_be_made(template: str, action: str) -> bool:
    """Whether a training verb in a training frame, with words before and after or without, gives this sentence."""
    cores = {_bare(core) for core in (*templates(action), *parts()['sentences'].get(action, ()))}
    before = [_bare(words) for words in ('', *parts()['before'])]
    after = [_bare(words) for words in ('', *parts()['after'])]
    text = _bare(template)
    middles = [text.removeprefix(b).strip() for b in before if text.startswith(b)]
    return any(m.removesuffix(a).strip() in cores for m in middles for a in after if m.endswith(a))


def test_the_judge_of_held_out_sentences_knows_what_training_can_say() -> None:
    assert _can_be_made('Please, could you touch the {object} for me?', 'touch')
    assert _can_be_made('the {object} must be tapped', 'touch')
    assert not _can_be_made('caress the {object}', 'touch')


def test_no_held_out_sentence_can_be_made_of_the_training_parts() -> None:
    kinds = {'unsafe': ('throw', 'hit', 'edge', 'person'), 'nonsense': ('job', 'unknown')}
    for task, lines in held_out_wordings().items():
        for kind in kinds.get(task, (task,)):
            if kind in parts()['verbs']:
                # Only how many: who writes training words does not want to see them.
                assert sum(_can_be_made(line, kind) for line in lines) == 0, task


def test_every_verb_goes_through_the_same_frames() -> None:
    frames = {kind: len(found) for kind, found in parts()['frames'].items()}
    for action, verbs in parts()['verbs'].items():
        expected = sum(
            frames['order']
            + frames['gerund'] * bool(gerund)
            + frames['pronoun'] * ('{}' in order)
            + frames['passive'] * bool(participle)
            for order, gerund, participle in verbs
        )
        assert len(templates(action)) == expected
        about = sum('{object}' in line for line in templates(action))
        assert about == (0 if action in ('home', 'stop') else expected) or action in OTHER_REQUESTS
