"""What the action node has heard last: joints, a thought, tokens; and whether the joints come by its own clock."""

from __future__ import annotations

from vla_ros.action.guard import Circumstances, GuardSettings
from vla_ros.action.joint_history import JointHistory
from vla_ros.types import NANOSECONDS, JointSample, Thought


class Heard:
    """Not thread-safe.

    Attributes:
        joints: of the last seconds.
        thought: the newest, or None.
        tokens: the stamp (ns) of the newest, or None.
    """

    def __init__(self) -> None:
        self.joints = JointHistory()
        self.thought: Thought | None = None
        self.tokens: int | None = None
        self._clocks_agree = False

    @property
    def joints_by_our_clock(self) -> JointSample | None:
        """The newest joints, if their stamp was near to our clock when they came; they may have become old since."""
        return self.joints.newest if self._clocks_agree else None

    def add_joints(self, sample: JointSample, now: int, settings: GuardSettings) -> None:
        """Joints that came at the time ``now`` (ns); the same ones again say nothing of the clock.

        Near is what may be under way, or what our own clock may be late by on a busy machine.
        """
        newest = self.joints.newest
        if newest is None or sample.stamp != newest.stamp:
            forward = newest is None or sample.stamp > newest.stamp
            near = abs(now - sample.stamp) / NANOSECONDS <= settings.max_joint_state_age
            self._clocks_agree = forward and near
        self.joints.add(sample)

    def distrust_the_clock(self) -> None:
        """Our clock, or that of the joints, jumped."""
        self._clocks_agree = False

    def stamps(self) -> dict[str, int | None]:
        """The stamps of what was heard last."""
        newest = self.joints.newest
        return {
            'tokens': self.tokens,
            'thought': None if self.thought is None else self.thought.stamp,
            'joint state': None if newest is None else newest.stamp,
        }

    def forget(self) -> None:
        """Believe nothing that was heard before."""
        self.joints.clear()
        self.thought = self.tokens = None
        self._clocks_agree = False

    def circumstances(
        self, now: int, *, enabled: bool, stopped: bool, observation: int | None
    ) -> Circumstances:
        """What holds at the time ``now`` (ns) for a plan that is made from an observation with this stamp."""
        return Circumstances(
            now=now,
            enabled=enabled,
            stopped=stopped,
            holds_still=self.thought is not None and self.thought.holds_still,
            observation=observation,
            thought=None if self.thought is None else self.thought.stamp,
            joints=self.joints.newest,
        )
