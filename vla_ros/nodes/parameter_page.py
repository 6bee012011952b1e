"""The page of parameters and refusals, docs/parameters.md, from the tables that the nodes themselves use.

``python -m vla_ros.nodes.parameter_page docs/parameters.md`` writes it; without a path it goes to the terminal.
"""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import yaml

from vla_ros.action.refusal import GuardReason
from vla_ros.graph import ALL_NODES, PARAMETERS_FILE
from vla_ros.nodes.lifecycle import COMMON_SETTINGS
from vla_ros.nodes.parameters import Setting
from vla_ros.paths import config_file
from vla_ros.viz.markdown import markdown_table

TITLE = f"""# Parameters and refusals

Made by `python -m vla_ros.nodes.parameter_page docs/parameters.md` from the tables that the nodes declare their
parameters from. Do not edit it.

*default* is what a node has without a parameter file; *{PARAMETERS_FILE}* is what
[config/{PARAMETERS_FILE}](../config/{PARAMETERS_FILE}), which the launch files and `vla_ros run` load, says instead,
or else empty. A *live* parameter may be set while the node runs, and acts at once; a *read-only* one is given at the
start. Every node has `use_sim_time`, too.
"""
REFUSALS = """## Refusals of the guard

The guard accepts a plan whole or refuses it whole. Each refusal is counted on `/diagnostics` of the node `action` as
`refused <reason>`. The first three are no faults: they are counted without a warning, and only for a plan that was
under way. So look at `enabled`, `stopped` and `thought age [s]` there first.
"""
COLUMNS = ('name', 'type', 'default', PARAMETERS_FILE, 'range or choices', 'unit', 'change', 'meaning')
TYPES = {bool: 'bool', int: 'int', float: 'float', str: 'string', list: 'list of float'}
LARGE = 2**20  # from here on powers of two are shown as such


def node_settings() -> dict[str, tuple[Setting, ...]]:
    """The parameters of each node, in the order of declaration."""
    return {node.name: (*COMMON_SETTINGS, *import_module(node.module).SETTINGS) for node in ALL_NODES}


def file_values() -> dict[str, dict[str, Any]]:
    """What the parameter file that comes along says, by node."""
    content = yaml.safe_load(config_file(PARAMETERS_FILE).read_text(encoding='utf-8'))
    return {name.rsplit('/', 1)[-1]: dict(entry['ros__parameters']) for name, entry in content.items()}


def page() -> str:
    """All of docs/parameters.md."""
    said = file_values()
    parts = [TITLE]
    for node in ALL_NODES:
        rows = [row(setting, said.get(node.name, {})) for setting in node_settings()[node.name]]
        parts.append(f'## {node.name}\n\n{sentence(node.description)}\n\n{markdown_table(COLUMNS, rows)}\n')
    reasons = [(f'`{reason.value}`', reason.meaning, reason.remedy) for reason in GuardReason]
    parts.append(f'{REFUSALS}\n{markdown_table(("reason", "meaning", "what to do"), reasons)}\n')
    return '\n'.join(parts)


def incomplete(setting: Setting) -> list[str]:
    """What a person would miss in the description of a parameter; empty if it is complete.

    A number has a finite range and a unit, '1' if it counts or compares; a text has choices or says in words what it
    may be.
    """
    values = setting.default if isinstance(setting.default, list) else [setting.default]
    numbers = [v for v in values if isinstance(v, (int, float)) and not isinstance(v, bool)]
    numeric = bool(values) and len(numbers) == len(values)
    bounds = [bound for bound in (setting.minimum, setting.maximum) if bound is not None]
    found = []
    if not re.fullmatch('[a-z][a-z0-9_]*', setting.name):
        found.append('name: expected words in lower case with underscores')
    if not re.fullmatch(r'[A-Z\'].*\.', setting.description):
        found.append('description: expected a sentence')
    if not values:
        found.append('default: expected at least one value')
    if not numeric:
        found += ['range: expected none, since it is no number'] if bounds else []
        found += ['unit: expected none, since it is no number'] if setting.unit else []
    elif len(bounds) < 2 or not all(map(math.isfinite, bounds)) or bounds[0] >= bounds[1]:
        found.append('range: expected two finite numbers, the smaller one first')
    elif isinstance(setting.default, int) and not all(float(bound).is_integer() for bound in bounds):
        found.append('range: expected whole numbers, as the parameter is one')
    elif any(not bounds[0] <= number <= bounds[1] for number in numbers):
        found.append('default: expected a value in the range')
    if numeric and not setting.unit:
        found.append("unit: expected one, or '1'")
    if setting.choices and setting.default not in setting.choices:
        found.append('default: expected one of the choices')
    return found


def sentence(words: str) -> str:
    """With a capital and a full stop."""
    return f'{words[0].upper()}{words[1:]}.'


def row(setting: Setting, said: Mapping[str, Any]) -> tuple[str, ...]:
    """One line of a node's table."""
    other = setting.name in said and said[setting.name] != setting.default
    return (
        f'`{setting.name}`',
        TYPES[type(setting.default)],
        code(setting.default),
        code(said[setting.name]) if other else '',
        allowed(setting),
        setting.unit,
        'live' if setting.live else 'read-only',
        setting.description,
    )


def allowed(setting: Setting) -> str:
    """What values a parameter may have; '' if its type says it all."""
    if setting.choices:
        return ', '.join(code(choice) for choice in setting.choices)
    if setting.minimum is None or setting.maximum is None:
        return ''
    return f'{number(setting.minimum)} to {number(setting.maximum)}'


def number(value: float) -> str:
    """A bound in short."""
    if isinstance(value, int) and value >= LARGE and value & (value - 1) == 0:
        return f'2^{value.bit_length() - 1}'
    return f'{value:g}' if value < LARGE else str(value)


def code(value: object) -> str:
    """A value as a parameter file has it."""
    if isinstance(value, bool):
        return f'`{str(value).lower()}`'
    return f"`'{value}'`" if value == '' else f'`{value}`'


def main(arguments: Sequence[str]) -> None:
    """Write the page to the file named, or to the terminal."""
    if arguments:
        Path(arguments[0]).write_text(page(), encoding='utf-8')
    else:
        print(page(), end='')


if __name__ == '__main__':
    main(sys.argv[1:])
