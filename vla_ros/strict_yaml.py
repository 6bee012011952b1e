"""YAML from strangers: small, without aliases, without doubled keys, and nothing but plain values.

A few lines of aliases to aliases grow to gigabytes when somebody walks through them, and of two values for one key
a reader sees the first while a loader takes the last. Neither belongs into a file that says what a robot runs.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from vla_ros.types import VlaError

Content = TypeVar('Content', bound=BaseModel)

DEEPEST = 50  # brackets in each other; for deeper ones PyYAML takes the square of their number in time


class _StrictLoader(yaml.SafeLoader):
    """PyYAML's safe loader without aliases and doubled keys."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        event = self.peek_event()
        if isinstance(event, yaml.AliasEvent):
            raise yaml.YAMLError(f'expected no aliases, found *{event.anchor}')
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        entries = node.value if isinstance(node, yaml.MappingNode) else ()
        seen = set()
        for key, _ in entries:
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    raise yaml.YAMLError(f'expected each key once, found {key.value[:40]!r} twice')
                seen.add(key.value)
        return super().construct_mapping(node, deep)


class _PlainDumper(yaml.SafeDumper):
    """PyYAML's safe dumper, which writes out what is there twice instead of an alias."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def read_yaml(path: Path, largest: int) -> Any:
    """What a file of at most ``largest`` bytes says, in plain values.

    Raises:
        VlaError: it cannot be read, is too large, or is not such YAML.
    """
    try:
        with path.open('rb') as file:
            content = file.read(largest + 1)  # the size that the file system tells may not be true
    except OSError as error:
        raise VlaError(f'{path} cannot be read: {error.strerror}') from error
    if len(content) > largest:
        raise VlaError(f'{path}: expected at most {largest} bytes, found more')
    try:
        text = content.decode('utf-8')
        _require_shallow(text)
        return yaml.load(text, _StrictLoader)
    except RecursionError as error:
        raise VlaError(f'{path} is not YAML that is read here: it is nested too deeply') from error
    except Exception as error:  # on odd tags PyYAML raises whatever it stumbles over
        raise VlaError(f'{path} is not YAML that is read here: {_first_line(error)}') from error


def read_typed(path: Path, largest: int, schema: type[Content]) -> Content:
    """What a file of at most ``largest`` bytes says, as a value of the schema.

    Raises:
        VlaError: as ``read_yaml``, or a key is missing, unknown or wrong; the first one is named.
    """
    content = read_yaml(path, largest)
    try:
        return schema.model_validate(content)
    except ValidationError as error:
        problem = error.errors(include_input=False)[0]
        key = '.'.join(str(part) for part in problem['loc'])
        where = f'{path}: {key}' if key else str(path)
        raise VlaError(f'{where}: {problem["msg"].removeprefix("Value error, ")}') from error


def write_yaml(path: Path, content: Any) -> None:
    """Write plain values so that ``read_yaml`` reads them, keys in the given order."""
    text = yaml.dump(
        content, Dumper=_PlainDumper, sort_keys=False, default_flow_style=None, width=110, allow_unicode=True
    )
    path.write_text(text, encoding='utf-8')


def _require_shallow(text: str) -> None:
    """Count brackets wherever they stand, in quotes as well: no honest page has so many that nobody closes."""
    depth = 0
    for character in text:
        depth += (character in '[{') - (character in ']}')
        if depth > DEEPEST:
            raise yaml.YAMLError(f'it is nested too deeply: expected at most {DEEPEST} open brackets')


def _first_line(error: Exception) -> str:
    lines = str(error).splitlines()
    return lines[0][:200] if lines else type(error).__name__
