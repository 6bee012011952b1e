"""Stamps, decisions and diagnostics as messages. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue

from vla_ros.types import NANOSECONDS, Decision, Verdict

LEVELS = {
    Verdict.GO: DiagnosticStatus.OK,
    Verdict.UNSURE: DiagnosticStatus.WARN,
    Verdict.REFUSED: DiagnosticStatus.ERROR,
}


def nanoseconds(stamp: Time) -> int:
    """A header's stamp as an integer."""
    return int(stamp.sec) * NANOSECONDS + int(stamp.nanosec)


def time_message(stamp: int) -> Time:
    """Nanoseconds as a header's stamp."""
    return Time(sec=stamp // NANOSECONDS, nanosec=stamp % NANOSECONDS)


def decision_message(
    decision: Decision, stamp: int, values: Mapping[str, object] | None = None
) -> DiagnosticArray:
    """A decision for people and bags: level OK is go, WARN hold, ERROR refused; message is the subtask."""
    told: dict[str, object] = {
        'instruction': decision.instruction,
        'verdict': decision.verdict.value,
        'trace': decision.trace,
    }
    if decision.target is not None:
        told['target_camera'] = decision.target_camera
        told['target_x'], told['target_y'] = (f'{value:.4f}' for value in decision.target)
    if decision.second_target is not None:
        told['second_x'], told['second_y'] = (f'{value:.4f}' for value in decision.second_target)
    return diagnostics_message(
        'reasoning: decision', LEVELS[decision.verdict], decision.subtask, {**told, **(values or {})}, stamp
    )


def diagnostics_message(
    name: str, level: bytes, summary: str, values: Mapping[str, object], stamp: int, hardware_id: str = ''
) -> DiagnosticArray:
    """One status as an array of its own."""
    return diagnostics_array([diagnostic_status(name, level, summary, values, hardware_id)], stamp)


def diagnostic_status(
    name: str, level: bytes, summary: str, values: Mapping[str, object], hardware_id: str = ''
) -> DiagnosticStatus:
    """What one task says; ``name`` is 'node: task'."""
    pairs = [KeyValue(key=key, value=str(value)) for key, value in values.items()]
    return DiagnosticStatus(level=level, name=name, message=summary, hardware_id=hardware_id, values=pairs)


def diagnostics_array(statuses: Sequence[DiagnosticStatus], stamp: int) -> DiagnosticArray:
    """What several tasks of a node say at once, as /diagnostics wants it."""
    message = DiagnosticArray(status=list(statuses))
    message.header.stamp = time_message(stamp)
    return message
