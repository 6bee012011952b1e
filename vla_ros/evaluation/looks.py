"""What a model sees, thinks and feels along the way of the scripted expert, and what the expert would do from there.

The arm goes where the expert leads it, whatever the model would do: so several policies can be asked the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from vla_ros.evaluation.brain import Brain
from vla_ros.evaluation.closed_loop import CAMERA_SIZES, Timing
from vla_ros.evaluation.episodes import Episode
from vla_ros.reasoning.progress import Progress
from vla_ros.sim.cameras import Camera
from vla_ros.sim.expert import PERIOD, Expert
from vla_ros.sim.foresight import Foresight
from vla_ros.sim.model import JOINT_NAMES
from vla_ros.sim.poses import world_of
from vla_ros.sim.tasks import Referee
from vla_ros.sim.world import World
from vla_ros.types import NANOSECONDS, DoubleArray, Frame, JointSample, Thought, VisualTokens

LOOK_EVERY = round(Timing.replanning / PERIOD)
THINK_EVERY = 3 * LOOK_EVERY
"""Steps of the expert from one look, and from one thought, to the next: about as in closed loop."""


@dataclass(frozen=True)
class Look:
    """One moment.

    Attributes:
        course: looks with the same number follow each other, ``LOOK_EVERY`` steps apart, on one way.
        tokens, joints: what is seen and measured; thought: the newest, which has rows.
        expert: (steps, J) rad, absolute targets of the expert, ``PERIOD`` apart.
    """

    course: int
    tokens: VisualTokens
    thought: Thought
    joints: JointSample
    expert: DoubleArray


def looks_of(episode: Episode, brain: Brain, steps: int, course: int) -> Iterator[Look]:
    """The looks of one episode at which the model knows what to do; those of its first order alone.

    Args:
        steps: of the expert's chunks.
        course: number of the first way; where the model does not know, the way ends, and the next has another number.
    """
    world = world_of(episode.seed, episode.layout, away=episode.away)
    task = episode.tasks[0]
    expert, foresight, referee = Expert(world, task), Foresight(world, task), Referee(world, task)
    eyes = [Camera(world.model, name, *CAMERA_SIZES[name], scene=world.scene) for name in brain.cameras]
    progress, step = Progress(), 0
    thought = Thought(0, np.zeros((0, 1), np.float32))
    while not referee.done:
        if step % LOOK_EVERY == 0:
            joints = _joints(world, step)
            frames = [Frame(camera.name, joints.stamp, camera.render(world.data)) for camera in eyes]
            tokens = brain.encode(frames)
            if step % THINK_EVERY == 0:
                thought = _think(brain, episode.instruction, tokens, joints, progress)
            if thought.holds_still:
                course += 1
            else:
                yield Look(course, tokens, thought, joints, foresight.targets(steps))
        world.follow(expert.action(), PERIOD)
        referee.update()
        step += 1


def _joints(world: World, step: int) -> JointSample:
    measured = world.joints()
    return JointSample(round(step * PERIOD * NANOSECONDS), measured.positions, measured.velocities)


def _think(
    brain: Brain, instruction: str, tokens: VisualTokens, joints: JointSample, progress: Progress
) -> Thought:
    """One thought, told of the hand and of the thoughts before if the model wants to know."""
    if brain.hand is None:
        return brain.reasoner.think(tokens, instruction)[1]
    position = float(joints.positions[JOINT_NAMES.index(brain.hand.joint)])
    decision, thought = brain.reasoner.think(
        tokens, instruction, None, progress.situation(brain.hand, position)
    )
    progress.note(decision)
    return thought
