"""Orders by hand, each a whole sentence about objects of its own, given in scenes where they lie on the table.

A list in YAML: what is said, what has to be done first in the words of a thought, and what else must be there:
``{say: 'red block, then the can', first: touch red cube, also: [blue cylinder]}``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from vla_ros.evaluation.episodes import LAYOUT_OF, Episode
from vla_ros.reasoning.subtask import CONTAINERS, from_words
from vla_ros.sim.feasibility import is_feasible
from vla_ros.sim.layouts import OBJECTS, laid_out
from vla_ros.sim.orders import Task
from vla_ros.sim.scene import Scene
from vla_ros.strict_yaml import read_yaml
from vla_ros.types import Subtask, VlaError
from vla_ros.validation import first_problem

LARGEST_FILE = 1_000_000  # bytes
SCENES = 2000
"""Scenes in which the objects of a sentence are looked for, before it is said that there is none."""


class Paraphrase(BaseModel):
    """One sentence."""

    model_config = ConfigDict(extra='forbid', frozen=True)
    say: str
    first: str
    also: tuple[str, ...] = ()

    @property
    def step(self) -> Subtask:
        """What has to be done first.

        Raises:
            VlaError: the words name no subtask.
        """
        step = from_words(self.first)
        if step is None:
            raise VlaError(
                f"{self.say!r}: expected 'first' in the words of a thought (touch red cube), found {self.first!r}"
            )
        return step


def load_paraphrases(path: Path) -> tuple[Paraphrase, ...]:
    """Read and check a file of sentences.

    Raises:
        VlaError: no file, no YAML, or an entry that is none.
    """
    if not path.is_file():
        raise VlaError(f'{path} is missing; paraphrases are a YAML list of {{say, first, also}}')
    content = read_yaml(path, LARGEST_FILE)
    if not isinstance(content, list) or not content:
        raise VlaError(f'{path}: expected a list of {{say, first, also}}, found {type(content).__name__}')
    found = []
    for number, entry in enumerate(content):
        try:
            found.append(Paraphrase.model_validate(entry))
        except ValidationError as error:
            raise VlaError(f'{path}: entry {number}: {first_problem(error, "sentence")}') from error
        _ = found[-1].step
    return tuple(found)


def list_paraphrased(paraphrases: Sequence[Paraphrase], seed: int) -> list[Episode]:
    """One order a sentence, each in the first scene from its own seed on where it can be done.

    Raises:
        VlaError: no scene has what a sentence is about.
    """
    return [_episode(said, number, seed + number) for number, said in enumerate(paraphrases)]


def _episode(said: Paraphrase, index: int, seed: int) -> Episode:
    step = said.step
    for number in range(seed, seed + SCENES):
        scene = laid_out(number, LAYOUT_OF.get(step.kind, OBJECTS))
        found = _in_scene(step, scene)
        names = {thing.name for thing in scene.objects}
        if found and names.issuperset({step.object, *said.also} - {''}) and _possible(found, scene):
            return Episode(index, number, step.kind, step.object, said.say, steps=(found,))
    raise VlaError(f'{said.say!r}: expected a scene with {step.object} {said.also}, found none of {SCENES}')


def _in_scene(step: Subtask, scene: Scene) -> Subtask | None:
    """The step with the bowl or plate by the name that it has there: the only one, if the words do not say which."""
    if step.target not in CONTAINERS:
        return step
    named = [thing.name for thing in scene.objects if thing.name.endswith(step.target)]
    return replace(step, target=named[0]) if len(named) == 1 else None


def _possible(step: Subtask, scene: Scene) -> bool:
    try:
        return is_feasible(scene, Task(step.kind, step.object or None, step.target or None))
    except VlaError:
        return False  # what it is about is not there
