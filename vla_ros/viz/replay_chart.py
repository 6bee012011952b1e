"""A replay as a picture: each joint as it was to go and as it went, how far apart, and what was decided when."""

from __future__ import annotations

from pathlib import Path

import matplotlib

matplotlib.use('Agg')  # no display; must come before pyplot

import numpy as np
from matplotlib import pyplot
from matplotlib.axes import Axes

from vla_ros.evaluation.replay.course import Course
from vla_ros.evaluation.replay.faults import Fault
from vla_ros.evaluation.replay.outcome import Outcome
from vla_ros.evaluation.replay.verdict import Verdict
from vla_ros.viz.colours import ACCENT, AMBER, BACKGROUND, EDGE, GREEN, MUTED, RED, TEXT, shade
from vla_ros.viz.figure_file import save_figure

DPI = 100
VERDICTS = {'go': GREEN, 'unsure': AMBER, 'refused': RED}


def draw_replay(path: Path, verdict: Verdict, outcome: Outcome, faults: tuple[Fault, ...] = ()) -> None:
    """Write a PNG.

    Raises:
        VlaError: it could not be written.
    """
    joints = len(verdict.replayed.joints)
    figure, axes = pyplot.subplots(
        joints + 2,
        1,
        figsize=(13, 1.35 * (joints + 2)),
        dpi=DPI,
        sharex=True,
        layout='constrained',
        height_ratios=[*[1.0] * joints, 1.0, 0.7],
    )
    figure.set_facecolor(shade(BACKGROUND))
    for index, name in enumerate(verdict.replayed.joints):
        _draw_joint(axes[index], name, index, verdict)
    _draw_error(axes[joints], verdict)
    _draw_decisions(axes[joints + 1], verdict)
    for one in axes:
        _dress(one)
        for fault in faults:
            one.axvspan(fault.begins, fault.ends, color=shade(RED), alpha=0.18, linewidth=0)
        for brake in outcome.brakes:
            one.axvline(brake.at, color=shade(AMBER), linewidth=0.8, linestyle=(0, (2, 3)))
        for at, words in verdict.replayed.instructions:
            if words.strip():
                one.axvline(at, color=shade(MUTED), linewidth=0.8)
    axes[-1].set_xlabel('s', color=shade(MUTED))
    axes[0].legend(
        loc='lower right', bbox_to_anchor=(1.0, 1.0), ncols=2, frameon=False, labelcolor=shade(TEXT)
    )
    save_figure(figure, path)


def _draw_joint(axes: Axes, name: str, index: int, verdict: Verdict) -> None:
    if verdict.reference is not None:
        reference = verdict.reference
        axes.plot(
            reference.times,
            reference.positions[:, index],
            color=shade(TEXT),
            linewidth=2.2,
            alpha=0.55,
            label=verdict.against,
        )
    axes.plot(
        verdict.replayed.times,
        verdict.replayed.positions[:, index],
        color=shade(ACCENT),
        linewidth=1.2,
        label='replayed',
    )
    axes.set_ylabel(f'{name}\nrad', color=shade(TEXT), fontsize=8)


def _draw_error(axes: Axes, verdict: Verdict) -> None:
    if verdict.comparison is not None and len(verdict.comparison.error):
        error = np.nan_to_num(verdict.comparison.error).max(axis=1)
        times = verdict.replayed.times[: len(error)]
        axes.fill_between(times, error, color=shade(AMBER), alpha=0.7, linewidth=0)
        for at in verdict.comparison.false_holds:
            axes.plot([at], [0.0], '^', color=shade(RED), markersize=7, clip_on=False)
    axes.set_ylabel('largest\nerror [rad]', color=shade(TEXT), fontsize=8)


def _draw_decisions(axes: Axes, verdict: Verdict) -> None:
    rows: list[tuple[str, Course]] = [('replayed', verdict.replayed)]
    if verdict.reference is not None:
        rows.insert(0, (verdict.against, verdict.reference))
    for row, (_, course) in enumerate(rows):
        for decided in course.decisions:
            axes.plot(
                [decided.at], [-row], '|', color=shade(VERDICTS[decided.verdict]), markersize=12, mew=2.5
            )
    axes.set_yticks([-row for row in range(len(rows))], [name for name, _ in rows])
    axes.set_ylim(-len(rows) + 0.4, 0.6)


def _dress(axes: Axes) -> None:
    axes.set_facecolor(shade(BACKGROUND))
    axes.tick_params(colors=shade(MUTED), labelsize=8)
    axes.grid(color=shade(EDGE), linewidth=0.5)
    for spine in axes.spines.values():
        spine.set_color(shade(EDGE))
