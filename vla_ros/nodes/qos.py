"""Quality of service by purpose: publishers promise much, subscribers ask little, so strangers connect."""

from __future__ import annotations

from rclpy.duration import Duration
from rclpy.qos import DurabilityPolicy, HistoryPolicy, LivelinessPolicy, QoSProfile, ReliabilityPolicy


def _profile(
    depth: int,
    reliability: ReliabilityPolicy = ReliabilityPolicy.RELIABLE,
    durability: DurabilityPolicy = DurabilityPolicy.VOLATILE,
) -> QoSProfile:
    return QoSProfile(
        depth=depth, history=HistoryPolicy.KEEP_LAST, reliability=reliability, durability=durability
    )


# Camera images, as drivers send them: a lost frame is better than a late one.
CAMERA = _profile(1, ReliabilityPolicy.BEST_EFFORT)
# Joint states as heard: best effort hears every publisher; some depth, as they come faster than tokens.
JOINT_STATES_IN = _profile(20, ReliabilityPolicy.BEST_EFFORT)
JOINT_STATES_OUT = _profile(10)
# What perception makes of the cameras: sent reliably for viewers and bags, heard newest-only by the model.
STREAM_OUT = _profile(1)
STREAM_IN = _profile(1, ReliabilityPolicy.BEST_EFFORT)
# A thought may mean "hold still", so it must not be lost.
THOUGHT = _profile(1)
# Instruction and decision: whoever comes later still learns the last one.
LATCHED = _profile(1, ReliabilityPolicy.RELIABLE, DurabilityPolicy.TRANSIENT_LOCAL)
TRACE = _profile(20)
# A joint_trajectory_controller subscribes with system defaults: reliable. An old plan is worth nothing.
COMMAND = _profile(1)
CLOCK = _profile(1)
SCORE = _profile(10)
DIAGNOSTICS = _profile(10)
# A bag that is played: whoever wants every message gets it.
PLAYED = _profile(50)


def life(lease: float) -> QoSProfile:
    """Of a sign of life that is given, or expected, at least every ``lease`` seconds."""
    return QoSProfile(
        depth=1,
        liveliness=LivelinessPolicy.AUTOMATIC,
        liveliness_lease_duration=Duration(seconds=lease),
    )
