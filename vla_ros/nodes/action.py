"""Action: tokens, thought and joints to trajectories that a stock controller executes safely."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.duration import Duration
from sensor_msgs.msg import Image, JointState
from trajectory_msgs.msg import JointTrajectory

from vla_ros.action.frozen import FrozenCameras, frozen_sentence
from vla_ros.action.generations import chunk_of, open_policy
from vla_ros.action.guard import GuardReason, GuardSettings, Refusal
from vla_ros.action.limits import absurdities, load_limits
from vla_ros.action.motion import Distrust, Motion
from vla_ros.action.planner import Planner, PlannerSettings, Policy
from vla_ros.action.remote.errors import ServerError
from vla_ros.action.remote.policy import RemotePolicy
from vla_ros.action.stitch import ExecutingPlan
from vla_ros.diagnostics import LIMITS_TASK, Level, Report
from vla_ros.nodes import qos
from vla_ros.nodes.action_settings import SETTINGS, planner_settings, values_in_force
from vla_ros.nodes.bond import Life
from vla_ros.nodes.clock_jumps import on_jump
from vla_ros.nodes.image_messages import matrix_from_message
from vla_ros.nodes.joint_messages import joints_from_message
from vla_ros.nodes.lifecycle import VlaNode
from vla_ros.nodes.limits_messages import limits_message
from vla_ros.nodes.main import run
from vla_ros.nodes.messages import nanoseconds
from vla_ros.nodes.model import open_bundle, require_made_with, tell_providers
from vla_ros.nodes.policy_backend import Eyes, open_remote
from vla_ros.nodes.switches import open_switches
from vla_ros.nodes.timed_planning import TimedPlanning
from vla_ros.nodes.topic_status import Acceptable
from vla_ros.nodes.worker import LatestWorker
from vla_ros.perception.rate_gate import RateGate
from vla_ros.types import Pictures, Sight, Thought, VisualTokens, VlaError, require_shape

WATCH_PERIOD = 0.05  # seconds
QUIET = (GuardReason.HOLD, GuardReason.NOT_ENABLED, GuardReason.STOPPED)  # nothing to warn of


class ActionNode(VlaNode):
    """``perception/tokens``, ``reasoning/thought`` and ``joint_states`` to ``joint_trajectory``.

    A policy on a server has pictures and the words of decisions instead of tokens: ``vla_ros.nodes.policy_backend``.
    """

    def __init__(self, make_policy: Callable[..., Policy] = open_policy, **options: Any) -> None:
        super().__init__('action', SETTINGS, peers=('perception', 'reasoning'), **options)
        self._make_policy = make_policy
        self._motion = Motion(self.now, self._send, self._tell_brake)
        self._worker: LatestWorker[tuple[Sight, int]] | None = None
        self._remote: RemotePolicy | None = None
        self._clock_jumped = threading.Event()
        open_switches(self, self._motion)
        self.create_timer(WATCH_PERIOD, self._watch, clock=self.steady_clock)
        self._jump = on_jump(self, self._clock_jumped.set)

    def set_up(self) -> None:
        """Load model and limits, run the model once, open the topics."""
        bundle = open_bundle(self)
        self._remote = open_remote(self, bundle.manifest)
        generation, self._manifest = self.setting('generation'), bundle.manifest
        if self._remote is None:
            self._chunk = chunk_of(bundle.manifest, generation)
        else:
            self._chunk = self._remote.chunk
            self._manifest = bundle.manifest.model_copy(update={'chunk': self._chunk})
        self._names = bundle.manifest.robot.joints
        self._cameras = {camera.name: bundle.rows_of((camera.name,)) for camera in bundle.manifest.cameras}
        self._in_force = values_in_force(self, bundle.manifest)
        limits = load_limits(self._in_force['limits_file'], self._names)
        for sentence in absurdities(limits):
            self.get_logger().warning(sentence)
        fallback = self.setting('allow_provider_fallback')
        policy = self._remote or self._make_policy(
            bundle, self.setting('provider'), allow_fallback=fallback, generation=generation
        )
        policy.warm_up()
        tell_providers(self, policy.providers, local=self._remote is None)
        self._trajectories = self.speak(JointTrajectory, 'joint_trajectory', qos.COMMAND)
        self._dry_runs = self.speak(JointTrajectory, 'action/dry_run', qos.COMMAND)
        self._limits = self.speak(DiagnosticArray, 'action/limits', qos.LATCHED)
        hops = ('tokens to action', 'thought to action')
        if self._remote is None:
            self._eyes, self._seen = None, 'tokens'
            self.listen(Image, 'perception/tokens', self._on_tokens, qos.STREAM_IN, 'bad_tokens', hop=hops[0])
        else:
            self._eyes, self._seen = Eyes(self, self._manifest, self._remote, self._on_pictures), 'pictures'
        self.listen(Image, 'reasoning/thought', self._on_thought, qos.THOUGHT, 'bad_thought', hop=hops[1])
        self.listen(JointState, 'joint_states', self._on_joints, qos.JOINT_STATES_IN, 'bad_joint_states')
        self._timed = TimedPlanning(policy, self.hops, self._seen)
        self._planner = Planner(self._timed, self._chunk, limits, self._planner_settings())

    def start(self) -> None:
        """Begin with nothing seen and nothing planned; say what limits are in force."""
        for sentence in self._planner.limits.describe():
            self.get_logger().info(f'limits: {sentence}')
        self._limits.publish(limits_message(self._planner.limits, self.now()))
        self._gate = RateGate(self.setting('replan_rate'))
        self._clock_jumped.clear()
        self._frozen = FrozenCameras()
        if self._eyes is not None:
            self._eyes.begin()
        self._motion.begin(self._planner, self.setting('start_enabled'))
        self._worker = LatestWorker('action', self._replan, self._on_worker_error)

    def wind_down(self) -> None:
        """Bring the arm to rest first, and see to it that the controller has heard."""
        self._motion.end()
        self._trajectories.wait_for_all_acked(Duration(seconds=1.0))
        if self._worker is not None:
            self._worker.stop()
            self._worker = None

    def tear_down(self) -> None:
        """Give the model's memory back, or leave the server."""
        vars(self).pop('_planner', None)
        vars(self).pop('_timed', None)
        if self._remote is not None:
            self._remote.close()

    def on_peer(self, name: str, life: Life) -> None:
        """Brake at once when a peer is lost, and do not act on its last words."""
        if not (life.is_lost and self.is_active):
            return
        self._hold_for_peers()
        self.refuse('peer_lost', f'{name} {life.value}')
        if name == 'reasoning':
            width = self._manifest.thought.width
            self._motion.hear_thought(Thought(self.now(), np.zeros((0, width), np.float32)))

    def observe(self) -> None:
        """Show the switches, what is executed and how old the inputs are."""
        self.health.note('enabled', self._motion.enabled)
        self.health.note('stopped', self._motion.stopped)
        self.health.note('moving', self._motion.is_moving)
        self.health.note('dry run', self.setting('dry_run'))
        if self.is_active:
            self.health.note('generation', self.setting('generation') if self._remote is None else 'served')
            self.health.note('stitching', self._planner.settings.stitching.name)
            if self._eyes is not None:
                self._eyes.observe()
        for name, stamp in self._motion.stamps().items():
            self.note_age(name, stamp)
        if self.is_active and self.bond.lost:
            self.refuse('peer_lost', self.bond.lost)  # for as long as it lasts

    def expect(self) -> None:
        """Tokens and joint states so often that none gets too old before the next."""
        slack = GuardSettings.clock_slack
        for stream, parameter in ((self._seen, 'max_token_age'), ('joint states', 'max_joint_state_age')):
            longest = self.setting(parameter)
            self.health.expect(stream, Acceptable(slowest=1 / longest, oldest=longest, newest=slack))

    def tasks(self) -> dict[str, Report]:
        """The limits in force, one value a joint, and what else the robot's file decided."""
        if not self.is_active:
            return {}
        jumps = np.broadcast_to(self._planner.settings.stitch.start_jump, len(self._names)).tolist()
        in_force = {'limits_file': self._in_force['limits_file'], 'start_jump': str(jumps)}
        sentences = dict(sentence.split(': ', 1) for sentence in self._planner.limits.describe())
        return {LIMITS_TASK: Report(Level.OK, 'in force', {**in_force, **sentences})}

    def _on_tokens(self, message: Image) -> None:
        rows = matrix_from_message(message)
        require_shape('tokens', rows, (self._manifest.tokens.rows, self._manifest.tokens.width))
        require_made_with('tokens', message, self._manifest)
        tokens = VisualTokens(nanoseconds(message.header.stamp), rows)
        self._see(tokens, {camera: rows[own] for camera, own in self._cameras.items()})

    def _on_pictures(self, pictures: Pictures) -> None:
        self._see(pictures, dict(zip(self._cameras, pictures.images, strict=True)))

    def _see(self, sight: Sight, pictures: Mapping[str, npt.NDArray[Any]]) -> None:
        """Plan with what is seen, if it is time; ``pictures`` is the same by camera."""
        heard = self.hops.mark()
        self.health.tick(self._seen, self.age(sight.stamp))
        if self._shows_the_past(sight.stamp, pictures):
            return
        if not self._motion.hear_tokens(sight.stamp):
            self._gate.reset()
            self.refuse('clock_went_back', f'{self._seen} went back in time; disarmed')
        self._gate.rate = self.setting('replan_rate')
        if self._motion.wants_plans and self._gate.admits(sight.stamp) and self._worker is not None:
            self._worker.submit((sight, heard))

    def _shows_the_past(self, stamp: int, pictures: Mapping[str, npt.NDArray[Any]]) -> bool:
        """Whether a camera is frozen; the arm is at rest or brakes then."""
        joints = self._motion.joints_at(stamp)
        farthest = self.setting('max_unseen_motion')
        camera = '' if joints is None else self._frozen.look(pictures, joints.positions, farthest)
        if camera:
            self._motion.hold(frozen_sentence(camera))
            self.refuse('frozen_camera', frozen_sentence(camera))
        return bool(camera)

    def _on_thought(self, message: Image) -> None:
        rows = matrix_from_message(message)
        require_shape('thought', rows, (None, self._manifest.thought.width))
        require_made_with('thought', message, self._manifest)
        if len(rows) > self._manifest.thought.rows:
            raise VlaError(f'thought: expected at most {self._manifest.thought.rows} rows, found {len(rows)}')
        self.health.tick('thoughts')
        if self._remote is not None and not len(rows):
            self._remote.forget_words()
        thought = Thought(nanoseconds(message.header.stamp), rows)
        self._motion.hear_thought(thought)
        self._timed.hear_thought(thought)

    def _on_joints(self, message: JointState) -> None:
        if message.name and not set(self._names) & set(message.name):
            return  # of another part of the robot
        sample = joints_from_message(message, self._names)
        self.health.tick('joint states', self.age(sample.stamp))
        distrust = self._motion.hear_joints(sample)
        if distrust is Distrust.WENT_BACK:
            self.refuse('clock_went_back', 'joint states went back in time; disarmed')
        elif distrust is Distrust.JUMPED:
            self.refuse('joints_jumped', 'joint states jumped further than joints can; disarmed')

    def _watch(self) -> None:
        if not self.is_active:
            return
        if self._clock_jumped.is_set() or self._motion.clock_went_back:
            self._clock_jumped.clear()
            self._motion.lose_time()
            self.refuse('clock_went_back', 'the clock jumped; disarmed')
        if self.setting('dry_run'):
            self._motion.hold('dry run')
        refusal = self._motion.watch(self._planner_settings())
        if refusal is not None:
            self._count(refusal)

    def _hold_for_peers(self) -> bool:
        """Whether a peer is lost; the arm is at rest or brakes then."""
        lost = self.bond.lost
        if lost:
            self._motion.hold(lost)
        return bool(lost)

    def _planner_settings(self) -> PlannerSettings:
        return planner_settings(self, self._manifest, self._in_force, self._chunk)

    def _replan(self, seen: tuple[Sight, int]) -> None:
        """In the worker: one plan, from tokens, which came with the mark when they were heard, to the controller."""
        tokens, heard = seen
        if self._hold_for_peers():
            self.refuse('peer_lost', self.bond.lost)
            return
        begun = self._timed.begin(heard)
        settings = self._planner_settings()
        result = self._motion.plan(tokens, settings, self._send_dry if self.setting('dry_run') else None)
        self._hold_for_peers()  # one may have died while the model was thinking
        if isinstance(result, Refusal):
            self._count(result)
        elif result is not None:
            self.hops.since('planning', begun)
            self.hops.since_stamp('camera to trajectory', tokens.stamp)

    def _send(self, plan: ExecutingPlan) -> None:
        self._timed.send(self._trajectories, plan)
        self.health.tick('trajectories')

    def _send_dry(self, plan: ExecutingPlan) -> None:
        self._timed.send(self._dry_runs, plan)
        self.health.tick('dry-run trajectories')

    def _tell_brake(self, why: str) -> None:
        self.get_logger().info(f'braking: {why}')
        self.health.note('last brake', why)

    def _count(self, refusal: Refusal) -> None:
        if refusal.reason in QUIET:
            self.health.count(refusal.reason.value)
        else:
            self.refuse(refusal.reason.value, refusal.sentence)

    def _on_worker_error(self, error: Exception) -> None:
        if isinstance(error, VlaError):
            self.refuse('policy_server' if isinstance(error, ServerError) else 'bad_plan', error)
        else:
            self.fail(error)


def main() -> int:
    """Entry point of the executable ``action``."""
    return run([ActionNode])


if __name__ == '__main__':
    raise SystemExit(main())
