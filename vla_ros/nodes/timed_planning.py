"""The hops of a plan: waiting for it to be begun, the policy, shaping and guarding, and sending."""

from __future__ import annotations

from collections.abc import Sequence

from rclpy.publisher import Publisher

from vla_ros.action.planner import Policy
from vla_ros.action.stitch import ExecutingPlan
from vla_ros.nodes.hops import Hops
from vla_ros.nodes.joint_messages import trajectory_message
from vla_ros.types import ActionChunk, DoubleArray, FloatArray, JointSample, Sight, Thought


class TimedPlanning:
    """Stands in for a policy, to time it, and is told what comes before and after.

    Args:
        seen: what the policy is shown, in a word.
    """

    def __init__(self, policy: Policy, hops: Hops, seen: str) -> None:
        self._policy, self._hops, self._waiting = policy, hops, f'{seen} to planning'
        self._thought: int | None = None
        self._answered = hops.mark()

    @property
    def providers(self) -> Sequence[str]:
        """Execution providers in use."""
        return self._policy.providers

    def warm_up(self) -> None:
        """As the policy; not timed."""
        self._policy.warm_up()

    def act(
        self,
        tokens: Sight,
        thought: Thought,
        joints: JointSample,
        noise: FloatArray,
        prefix: DoubleArray | None = None,
    ) -> ActionChunk:
        """As the policy."""
        begun = self._hops.mark()
        chunk = self._policy.act(tokens, thought, joints, noise, prefix)
        self._answered = self._hops.since('inference', begun)
        return chunk

    def hear_thought(self, thought: Thought) -> None:
        """A thought waits now for the first plan with it, unless there can be none."""
        self._thought = None if thought.holds_still else self._hops.mark()

    def begin(self, heard: int) -> int:
        """A plan is begun with what was heard at a mark; the mark of now."""
        thought, self._thought = self._thought, None
        if thought is not None:
            self._hops.since('thought to planning', thought)
        return self._hops.since(self._waiting, heard)

    def send(self, topic: Publisher, plan: ExecutingPlan) -> None:
        """Publish a plan; one without chunks is a brake, which answers no policy."""
        shaped = self._hops.since('shaping', self._answered) if plan.chunks else self._hops.mark()
        topic.publish(trajectory_message(plan.trajectory, plan.stamp))
        self._hops.since('shaping to trajectory', shaped)
