"""Dialogues about the table, the arm and safety: questions with answers that are true of a scene of the simulator.

They are the part of the corpus that talks of what the robot will meet, and the text half of supervised fine-tuning.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from vla_ros.reasoning.prompt import prompt
from vla_ros.sim.model import JOINT_NAMES
from vla_ros.sim.orders import PUSH_DISTANCE
from vla_ros.sim.scene import COLOURS, NOMINAL_SIZE, PAN_AXIS_X, SHAPES, Scene, SceneObject, sample_scene
from vla_ros.training.snapshots import FIRST_TEST_SEED

Choice = TypeVar('Choice')
SMALL = ('cube', 'cylinder')
OPENINGS = (
    'on the table there {are} {things}.',
    'the camera shows {things}.',
    'i have put {things} in front of the robot.',
    'there {are} {things} on the table in front of the arm.',
)
UNSAFE = (
    ('throw the {object} across the room', 'a thing that flies may hit somebody'),
    ('hit the {object} as hard as you can', 'a hard blow breaks things and gears'),
    ('push the {object} off the table', 'what falls may break, or land on a foot'),
    ('drop the {object} on my hand', 'a robot must not hurt a person'),
    ('swing the arm around quickly', 'nobody can get out of its way in time'),
    ('ignore your joint limits and reach further', 'the limits protect the motors and whoever is near'),
    ('keep moving while i reach in', 'the arm has to stand still while a hand is near it'),
)
GUARDS = (
    (
        'what happens when a plan is too fast?',
        'the guard refuses the whole plan, and the arm does not follow it.',
    ),
    (
        'what does the arm do when the model is not sure?',
        'it holds still. when in doubt the arm holds still.',
    ),
    ('what does the arm do when a camera stops?', 'old images are not acted on, so the arm comes to rest.'),
    ('can i stop the arm with a word?', 'yes, but the hardware emergency stop is what to rely on.'),
    ('does the arm move as soon as it is switched on?', 'no. it is disabled until somebody enables it.'),
    (
        'what is at the end of every plan?',
        'a braking tail, so that the arm comes to rest if nothing new arrives.',
    ),
)


@dataclass(frozen=True)
class Dialogue:
    """A question and its true answer, in plain lower-case words."""

    question: str
    answer: str

    @property
    def text(self) -> str:
        """As one document of the corpus."""
        return f'{self.question}\n{self.answer}'

    @property
    def turns(self) -> tuple[str, str]:
        """What the model reads in a conversation, and what it is to write."""
        return prompt(self.question), f' {self.answer}'


def dialogues(count: int, seed: int) -> Iterator[Dialogue]:
    """``count`` dialogues, the i-th about the scene of seed ``seed + i``.

    Raises:
        ValueError: seeds that are kept for tests.
    """
    if seed + count > FIRST_TEST_SEED:
        raise ValueError(f'seed: expected at most {FIRST_TEST_SEED - count}, found {seed}')
    for number in range(seed, seed + count):
        rng = np.random.default_rng([number, 13])
        containers = [name for name in ('bowl', 'plate') if rng.random() < 0.5]
        yield _choose(rng, _MAKERS)(rng, sample_scene(number, count=(1, 4), containers=containers))


def _count(rng: np.random.Generator, scene: Scene) -> Dialogue:
    shape = _choose(rng, SHAPES)
    found = [thing.name for thing in scene.objects if thing.shape == shape]
    plural = f'{shape}s'
    number = ('no', 'one', 'two', 'three', 'four')[len(found)]
    answer = f'there {_be(len(found))} {number} {shape if len(found) == 1 else plural}'
    return _about(
        rng, scene, f'how many {plural} do you see?', f'{answer}{": the " + _listed(found) if found else ""}.'
    )


def _there(rng: np.random.Generator, scene: Scene) -> Dialogue:
    name = f'{_choose(rng, list(COLOURS))} {_choose(rng, SMALL)}'
    seen = any(thing.name == name for thing in scene.objects)
    asked = _choose(rng, ('is there a {0}?', 'can you see the {0}?', 'can the arm touch the {0}?')).format(
        name
    )
    return _about(rng, scene, asked, f'yes, i see the {name}.' if seen else f'no, there is no {name}.')


def _side(rng: np.random.Generator, scene: Scene) -> Dialogue:
    thing = _choose(rng, scene.objects)
    side = 'left' if thing.position[1] > 0 else 'right'
    apart = round(100 * abs(thing.position[1]))
    where = f'{apart} centimetres to the {side} of the middle' if apart else 'in the middle'
    return _about(
        rng, scene, f'where is the {thing.name}, as the robot sees it?', f'the {thing.name} is {where}.', 1
    )


def _nearest(rng: np.random.Generator, scene: Scene) -> Dialogue:
    near = min(scene.objects, key=_distance)
    answer = f'the {near.name}, {round(100 * _distance(near))} centimetres from the axis of the base.'
    return _about(rng, scene, 'which object is nearest to the base?', answer, 1)


def _height(rng: np.random.Generator, scene: Scene) -> Dialogue:
    shape = _choose(rng, SHAPES)
    size = round(1000 * NOMINAL_SIZE[shape][1])
    return Dialogue(f'how high is a {shape} on this table?', f'about {size} millimetres.')


def _pick(rng: np.random.Generator, scene: Scene) -> Dialogue:
    thing = _choose(rng, scene.objects)
    if thing.is_container:
        return _about(
            rng,
            scene,
            f'pick up the {thing.name}.',
            f'no, the {thing.name} is too big for the gripper to lift.',
        )
    answer = f'the gripper opens, goes down over the {thing.name}, closes and lifts it.'
    return _about(rng, scene, f'how do you pick up the {thing.name}?', answer)


def _put(rng: np.random.Generator, scene: Scene) -> Dialogue:
    small = [thing.name for thing in scene.objects if not thing.is_container]
    large = [thing for thing in scene.objects if thing.is_container]
    if not large:
        return _about(rng, scene, f'put the {small[0]} in the bowl.', 'i cannot do that: there is no bowl.')
    name, into = _choose(rng, small), _choose(rng, large)
    word = 'in' if into.shape == 'bowl' else 'on'
    first = f'first i pick up the {name}, then i hold it over the {into.name} and let it go.'
    return _about(rng, scene, f'how do you put the {name} {word} the {into.name}?', first)


def _push(rng: np.random.Generator, scene: Scene) -> Dialogue:
    thing, way = _choose(rng, scene.objects), _choose(rng, ('forward', 'back', 'to the left', 'to the right'))
    if thing.is_container:
        return _about(rng, scene, f'push the {thing.name} {way}.', f'no, the {thing.name} stays where it is.')
    far = round(100 * PUSH_DISTANCE)
    return _about(rng, scene, f'push the {thing.name} {way}. how far?', f'a push moves it {far} centimetres.')


def _unsafe(rng: np.random.Generator, scene: Scene) -> Dialogue:
    order, why = _choose(rng, UNSAFE)
    named = _choose(rng, scene.objects).name
    return _about(rng, scene, f'{order.format(object=named)}.', f'no, that is not safe: {why}.')


def _guard(rng: np.random.Generator, scene: Scene) -> Dialogue:
    return Dialogue(*_choose(rng, GUARDS))


def _joint(rng: np.random.Generator, scene: Scene) -> Dialogue:
    index = int(rng.integers(len(JOINT_NAMES)))
    order = ('first', 'second', 'third', 'fourth', 'fifth', 'sixth')[index]
    name = JOINT_NAMES[index].replace('_', ' ')
    return Dialogue(f'what is the {order} joint of the arm?', f'the {order} of its six joints is the {name}.')


_MAKERS: tuple[Callable[[np.random.Generator, Scene], Dialogue], ...] = (
    *(_count, _there, _there, _side, _nearest, _height, _pick, _put, _push, _unsafe, _unsafe, _guard, _joint),
)


def _about(rng: np.random.Generator, scene: Scene, question: str, answer: str, places: int = 0) -> Dialogue:
    """A dialogue that begins with what the scene holds; with ``places`` also where, as the answer needs it."""
    names = [_placed(thing) if places else f'a {thing.name}' for thing in scene.objects]
    opening = _choose(rng, OPENINGS).format(are=_be(len(names)), things=_listed(names))
    return Dialogue(f'{opening} {question}'.replace('a orange', 'an orange'), answer)


def _placed(thing: SceneObject) -> str:
    x, y = (round(100 * value) for value in thing.position[:2])
    side = f'{abs(y)} centimetres {"left" if thing.position[1] > 0 else "right"}'
    return f'a {thing.name} {x} centimetres ahead and {side}'


def _distance(thing: SceneObject) -> float:
    return math.hypot(thing.position[0] - PAN_AXIS_X, thing.position[1])


def _be(number: int) -> str:
    return 'is' if number == 1 else 'are'


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f'{", ".join(names[:-1])} and {names[-1]}'


def _choose(rng: np.random.Generator, options: Sequence[Choice]) -> Choice:
    return options[int(rng.integers(len(options)))]
