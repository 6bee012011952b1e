"""A trial as a film: both cameras, the order, and what was made of it. Played again, it goes as it went."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from vla_ros.evaluation.brain import Brain
from vla_ros.evaluation.closed_loop import ClosedLoop, Timing
from vla_ros.evaluation.episodes import Episode
from vla_ros.evaluation.trial import Outcome, watch
from vla_ros.sim.cameras import Camera
from vla_ros.sim.poses import world_of
from vla_ros.sim.world import World
from vla_ros.types import NANOSECONDS, ImageArray
from vla_ros.viz.colours import ACCENT, BACKGROUND, GREEN, MUTED, RED, TEXT
from vla_ros.viz.style import paste, shortened, write
from vla_ros.viz.video import write_video

RATE = 20  # frames a second
FRONT, WRIST = (640, 480), (480, 360)
WIDTH, HEIGHT, MARGIN = FRONT[0] + WRIST[0] + 48, FRONT[1] + 112, 16


class FilmedLoop(ClosedLoop):
    """The model in charge of a world, with both cameras running.

    Attributes:
        shots: what was seen, each with the words of the decision in force.
    """

    def __init__(self, world: World, brain: Brain, instruction: str, timing: Timing | None) -> None:
        super().__init__(world, brain, instruction, timing)
        self.shots: list[tuple[ImageArray, ImageArray, str]] = []
        self._film = [
            Camera(world.model, 'front', *FRONT, scene=world.scene),
            Camera(world.model, 'wrist', *WRIST, scene=world.scene),
        ]
        self._filmed = world

    def step(self) -> None:
        """As of every loop; now and then a picture is taken."""
        super().step()
        if self.now >= len(self.shots) * NANOSECONDS // RATE:
            front, wrist = (camera.render(self._filmed.data) for camera in self._film)
            decision = self.decisions[-1][1] if self.decisions else None
            said = '...' if decision is None else f'{decision.verdict.value}: {decision.subtask}'
            self.shots.append((front, wrist, said))


def film_trial(episode: Episode, brain: Brain, timing: Timing | None, path: Path) -> Outcome:
    """Play the episode and write the film of it; the outcome is that of ``run_trial``.

    Raises:
        VlaError: no video can be written.
    """
    world = world_of(episode.seed, episode.layout, away=episode.away)
    loop = FilmedLoop(world, brain, episode.instruction, timing)
    outcome = watch(episode, world, loop, time.perf_counter())
    write_video(path, (_frame(*shot, outcome) for shot in loop.shots), RATE)
    return outcome


def _frame(front: ImageArray, wrist: ImageArray, said: str, outcome: Outcome) -> ImageArray:
    canvas = Image.new('RGB', (WIDTH, HEIGHT), BACKGROUND)
    draw = ImageDraw.Draw(canvas)
    episode, room = outcome.episode, WIDTH - 2 * MARGIN
    title = shortened(f'"{episode.instruction}"', 'bold', 22, room - 240)
    write(draw, (MARGIN, 18), title, name='bold', size=22, colour=TEXT)
    ended = outcome.failure.replace('_', ' ') or 'done'
    end_colour = RED if outcome.failure else GREEN
    write(draw, (WIDTH - MARGIN, 18), ended, name='bold', size=22, colour=end_colour, anchor='ra')
    write(draw, (MARGIN, 54), shortened(said, 'mono', 17, room), name='mono', size=17, colour=ACCENT)
    left = MARGIN + FRONT[0] + MARGIN
    paste(canvas, front, (MARGIN, 92, MARGIN + FRONT[0], 92 + FRONT[1]))
    paste(canvas, wrist, (left, 92, left + WRIST[0], 92 + WRIST[1]))
    place = f'{episode.task}, scene {episode.seed}'
    write(draw, (left, 92 + WRIST[1] + 14), place, size=16, colour=MUTED)
    return np.asarray(canvas)
