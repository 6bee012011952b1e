"""How smooth the arm moves, by the way its policy's chunks are sent: one simulated task, watched at every step."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vla_ros.action.limits import JointLimits
from vla_ros.evaluation.expert_policy import ExpertPolicy
from vla_ros.evaluation.senders import STEP, Planned, make_sender
from vla_ros.sim.controller_settings import JAZZY, ControllerSettings
from vla_ros.sim.joint_trajectory_controller import JointTrajectoryController
from vla_ros.sim.model import JOINT_NAMES, TIME_STEP
from vla_ros.sim.scene import sample_scene
from vla_ros.sim.tasks import Referee, Task
from vla_ros.sim.trajectory_message import TrajectoryMessage
from vla_ros.sim.world import World
from vla_ros.types import NANOSECONDS, ActionChunk, DoubleArray, JointSample

PHYSICS = round(TIME_STEP * NANOSECONDS)
REPLANNING = 4 * STEP  # ns from one look to the next
TRANSPORT = 2 * PHYSICS  # ns from sending a message to the controller, at least
BRAKING = 9 * STEP  # ns from one brake to the next, if there are any
PAUSE = 6 * STEP  # ns after a brake without a look
WINDOW = STEP // PHYSICS  # physics steps over which a velocity is taken
AT_REST = 0.002  # rad in a window, below which a motion has no direction


@dataclass(frozen=True)
class Run:
    """One task.

    Attributes:
        commands, positions: (S, J) rad, what the controller commanded and where the joints were, at every physics step
            until the gripper touched something: what contact does to an arm is not the sender's doing.
        boundaries: indices of the first command of each new chunk.
        seconds: until the task was done, or given up.
        success: it was done.
        refused: plans that the guard refused.
        brakes: indices of the first command of each brake.
    """

    commands: DoubleArray
    positions: DoubleArray
    boundaries: tuple[int, ...]
    seconds: float
    success: bool
    refused: int
    brakes: tuple[int, ...] = ()


@dataclass(frozen=True)
class Smoothness:
    """Of one run.

    Attributes:
        boundary_jump: rad, the mean over boundaries of how far the command departs from going straight on (L2).
        boundary_cosine: the mean over boundaries of the cosine between the velocities of the arm's command in the
            policy's steps before and after; 1 is straight on, -1 turns back. NaN if the arm never moved at one.
        largest_jump, largest_brake_jump: rad, the largest of any joint at any boundary and at any brake, NaN without.
        second_difference: rad, the mean of |c[t + 1] - 2 c[t] + c[t - 1]| of the commands at physics steps.
        peak_jerk: rad/s^3, the largest third difference of the measured positions of any joint.
        peak_command_jerk: the same of the commands.
    """

    boundary_jump: float
    boundary_cosine: float
    largest_jump: float
    largest_brake_jump: float
    second_difference: float
    peak_jerk: float
    peak_command_jerk: float


def run(
    road: str,
    seed: int,
    delay: float,
    limits: JointLimits,
    jitter: float = 0.0,
    braking: bool = False,
    settings: ControllerSettings = JAZZY,
) -> Run:
    """Touch an object of the scene of a seed.

    Args:
        road: see ``vla_ros.evaluation.senders``.
        delay: seconds from a look to its answer.
        jitter: seconds that messages come later at most than ``TRANSPORT`` says, each by its own, never out of order.
        braking: brake now and then, where the road knows how, and go on.
        settings: of the controller.
    """
    world = World(sample_scene(seed), np.random.default_rng([seed, 11]))
    objects = world.scene.objects
    task = Task('touch', objects[seed % len(objects)].name)
    policy, referee = ExpertPolicy(world, task, seed), Referee(world, task)
    sender = make_sender(road, policy, limits)
    controller = JointTrajectoryController(JOINT_NAMES, settings, update_period_ns=PHYSICS)
    thinking: tuple[int, ActionChunk] | None = None
    on_the_way: list[tuple[int, TrajectoryMessage, list[int] | None]] = []
    commands: list[DoubleArray] = []
    positions: list[DoubleArray] = []
    boundaries: list[int] = []
    brakes: list[int] = []
    lateness = np.random.default_rng([seed, 13])
    touched = fresh = False
    now, next_look, next_brake = 0, 0, BRAKING

    def send(message: TrajectoryMessage | None, marks: list[int] | None) -> None:
        if message is not None:
            late = round(lateness.uniform(0.0, jitter) * NANOSECONDS)
            before = on_the_way[-1][0] if on_the_way else 0
            on_the_way.append((max(now + TRANSPORT + late, before), message, marks))

    while not referee.done:
        measured = world.joints()
        joints = JointSample(now, measured.positions, measured.velocities)
        for _ in range(2):  # an answer, a look, and without delay the answer to that
            if thinking is not None and now >= thinking[0]:
                message = sender.answer(thinking[1], now, joints)
                thinking, fresh = None, True
                send(message, boundaries)
            if now >= next_look and thinking is None:
                thinking = now + round(delay * NANOSECONDS), sender.look(policy, now, joints)
                next_look = now + REPLANNING
        if now % STEP == 0:
            message = sender.tick(now)
            send(message, boundaries if fresh else None)
            fresh = fresh and message is None
        if braking and now >= next_brake:
            send(sender.brake(now, joints), brakes)
            thinking, next_look, next_brake = None, now + PAUSE, now + BRAKING
        while on_the_way and on_the_way[0][0] <= now:
            _, message, marks = on_the_way.pop(0)
            controller.accept(message, now)
            if marks is not None and not touched:
                marks.append(len(commands))
        command, _ = controller.sample(now, measured.positions, measured.velocities)
        world.step(command)
        referee.update()
        now += PHYSICS
        touched = touched or bool(world.contacts())
        if not touched:
            commands.append(command)
            positions.append(world.joints().positions)
    refused = sender.refused if isinstance(sender, Planned) else 0
    return Run(
        np.array(commands),
        np.array(positions),
        tuple(boundaries),
        referee.elapsed,
        referee.success,
        refused,
        tuple(brakes),
    )


def measure(result: Run) -> Smoothness:
    """The numbers of a run."""
    commands, jumps, cosines = result.commands, [], []
    for k in result.boundaries:
        if not WINDOW < k < len(commands) - WINDOW:
            continue
        jumps.append(np.linalg.norm(commands[k] - 2 * commands[k - 1] + commands[k - 2]))
        before = commands[k - 1] - commands[k - 1 - WINDOW]
        after = commands[k - 1 + WINDOW] - commands[k - 1]
        lengths = np.linalg.norm(before), np.linalg.norm(after)
        if min(lengths) > AT_REST:
            cosines.append(float(before @ after / (lengths[0] * lengths[1])))
    return Smoothness(
        boundary_jump=float(np.mean(jumps)) if jumps else 0.0,
        boundary_cosine=float(np.mean(cosines)) if cosines else float('nan'),
        largest_jump=_largest_jump(commands, result.boundaries),
        largest_brake_jump=_largest_jump(commands, result.brakes),
        second_difference=float(np.abs(np.diff(commands, 2, axis=0)).mean()),
        peak_jerk=_peak_jerk(result.positions),
        peak_command_jerk=_peak_jerk(commands),
    )


def _largest_jump(commands: DoubleArray, places: tuple[int, ...]) -> float:
    """Of any joint at any of these places, from going straight on; NaN without a place."""
    inside = np.array([k for k in places if 2 <= k < len(commands)], int)
    jumps = commands[inside] - 2 * commands[inside - 1] + commands[inside - 2]
    return float(np.abs(jumps).max(initial=0.0)) if len(inside) else float('nan')


def _peak_jerk(positions: DoubleArray) -> float:
    return float(np.abs(np.diff(positions, 3, axis=0)).max()) / TIME_STEP**3
