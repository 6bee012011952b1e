"""A bundle's manifest as a person reads it."""

from __future__ import annotations

from collections.abc import Mapping

from rich.markup import escape
from rich.table import Table

from vla_ros.bundle import Bundle

START = 'start'


def manifest_table(bundle: Bundle) -> Table:
    """One row a fact; sizes of files included."""
    manifest = bundle.manifest
    table = Table(title=f'{manifest.name}  ({bundle.folder})', title_justify='left', show_header=False)
    table.add_column(style='dim')
    table.add_column(overflow='fold')
    rows: list[tuple[str, object]] = [('licence', manifest.licence)]
    rows += [
        (f'camera {camera.name}', f'{camera.width}x{camera.height} pixels, {camera.tokens} tokens')
        for camera in manifest.cameras
    ]
    chunk, reasoning, robot = manifest.chunk, manifest.reasoning, manifest.robot
    rows += [
        ('visual tokens', f'{manifest.tokens.rows} x {manifest.tokens.width}'),
        ('thought', f'at most {manifest.thought.rows} x {manifest.thought.width}'),
        (
            'reasoning',
            f'{reasoning.layers} layers, {reasoning.heads} heads, looks at {", ".join(reasoning.cameras)}',
        ),
        ('places', f'{reasoning.location_bins} bins a side of camera {reasoning.location_camera}'),
        ('robot', f'{robot.name}: {", ".join(robot.joints)} ({robot.units})'),
        (
            'chunk',
            f'{chunk.horizon} steps of {chunk.dt:g} s, {chunk.representation}, clean prefix up to {chunk.prefix}',
        ),
        ('flow', f'{manifest.flow.steps} Euler steps, time as in {manifest.flow.convention}'),
    ]
    rows.append(('precision', ', '.join(f'{graph} {kind}' for graph, kind in manifest.precision)))
    words = manifest.action_tokens
    if words is not None:
        rows.append(
            (
                'action tokens',
                f'generation 1: {words.bins} bins a joint, {words.chunk.horizon} steps of {words.chunk.dt:g} s, '
                f'{words.chunk.representation}, clean prefix up to {words.chunk.prefix}',
            )
        )
    rows.append(('generations', '1 and 2' if words is not None else '2'))
    for key, file in manifest.files.items():
        path = bundle.folder / file.path
        size = f'{path.stat().st_size / 2**20:.1f} MiB' if path.is_file() else 'missing'
        rows.append((f'file {key}', f'{file.path}, {size}, SHA-256 {file.sha256[:12]}...'))
    rows += flat('metric', manifest.metrics)
    for key, value in manifest.provenance.items():
        about = f'made by {_words(key)}'
        rows += flat(about, value) if isinstance(value, Mapping) else [(about, _text(value))]
    for key, value in rows:
        table.add_row(key, escape(str(value)))
    return table


def flat(name: str, values: Mapping[str, object]) -> list[tuple[str, str]]:
    """Values in each other as rows of a name and a text; plain values that belong together stand in one row.

    What a training started from is left out: that is the whole tale again, and stands in the manifest.
    """
    together = ', '.join(
        f'{_words(key)} {_text(value)}'
        for key, value in values.items()
        if not isinstance(value, Mapping) and key != START
    )
    rows = [(name, together)] if together else []
    for key, value in values.items():
        if isinstance(value, Mapping) and key != START:
            rows += flat(f'{name} {_words(key)}', value)
    return rows


def _words(key: str) -> str:
    return key.replace('_', ' ')


def _text(value: object) -> str:
    if isinstance(value, (list, tuple)):
        return ', '.join(map(_text, value))
    return f'{value:.4g}' if isinstance(value, float) else str(value)
