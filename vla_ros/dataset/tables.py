"""The parquet files of a dataset: one row a frame, one row an episode, one row a task."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vla_ros.dataset.layout import ACTION, COUNTERS, STATE, replacing
from vla_ros.dataset.packages import parquet, pyarrow
from vla_ros.dataset.statistics import Statistics, as_plain
from vla_ros.types import DoubleArray, VlaError

TASK, TASK_INDEX = 'task', 'task_index'
UNNAMED = '__index_level_0__'
"""What some versions of LeRobot call the column of tasks."""


def frames_table(columns: Mapping[str, Any], joints: int) -> Any:
    """The rows of one episode, columns in the order and of the types that ``info.json`` says.

    Args:
        columns: STATE and ACTION (T, J), COUNTERS (T,).
    """
    pa = pyarrow()

    def vectors(values: Any) -> Any:
        flat = pa.array(np.asarray(values, np.float32).reshape(-1), pa.float32())
        return pa.FixedSizeListArray.from_arrays(flat, joints)

    arrays = {key: vectors(columns[key]) for key in (ACTION, STATE)}
    for key, dtype in COUNTERS.items():
        arrays[key] = pa.array(np.asarray(columns[key]).astype(dtype))
    return pa.table(arrays)


def episode_row(
    numbers: Mapping[str, int | float], tasks: Sequence[str], statistics: Mapping[str, Statistics]
) -> dict[str, Any]:
    """The row of an episode; statistics have a column each."""
    row: dict[str, Any] = {'episode_index': numbers['episode_index'], 'tasks': list(tasks), **numbers}
    for key, values in as_plain(statistics).items():
        row |= {f'stats/{key}/{name}': value for name, value in values.items()}
    return row


def append(path: Path, parts: Sequence[Any]) -> None:
    """Put tables behind the rows of a file, which is written anew beside the old one: no moment has half a file."""
    pq = parquet()
    with replacing(path) as unfinished, pq.ParquetWriter(unfinished, parts[0].schema) as writer:
        if path.is_file():
            with pq.ParquetFile(path) as old:
                for group in range(old.num_row_groups):
                    writer.write_table(old.read_row_group(group))
        for part in parts:
            writer.write_table(part)


def rows_table(rows: Sequence[Mapping[str, Any]]) -> Any:
    """Rows of episodes as a table."""
    return pyarrow().Table.from_pylist([dict(row) for row in rows])


def write_tasks(path: Path, tasks: Sequence[str]) -> None:
    """Tasks in the order of their numbers. The words are the index of a pandas table: so LeRobot looks for them."""
    pa = pyarrow()
    said = {
        'index_columns': [TASK],
        'column_indexes': [],
        'columns': [
            _pandas_column(TASK_INDEX, 'int64', 'int64'),
            _pandas_column(TASK, 'unicode', 'object'),
        ],
        'pandas_version': '2.0.0',
    }
    table = pa.table(
        {TASK_INDEX: pa.array(range(len(tasks)), pa.int64()), TASK: pa.array(tasks, pa.string())}
    )
    with replacing(path) as unfinished:
        parquet().write_table(table.replace_schema_metadata({'pandas': json.dumps(said)}), unfinished)


def read_tasks(path: Path) -> dict[int, str]:
    """The words of each task by its number.

    Raises:
        VlaError: no such file, or not one of tasks.
    """
    table = read_table(path)
    words = next((name for name in (TASK, UNNAMED) if name in table.column_names), None)
    if words is None or TASK_INDEX not in table.column_names:
        raise VlaError(f'{path}: expected columns {TASK} and {TASK_INDEX}, found {table.column_names[:20]}')
    return dict(zip(table[TASK_INDEX].to_pylist(), map(str, table[words].to_pylist())))


def read_table(path: Path, columns: Sequence[str] | None = None) -> Any:
    """A parquet file, or some of its columns.

    Raises:
        VlaError: no such file, not parquet, cut off, or without one of the columns.
    """
    pa, pq = pyarrow(), parquet()
    try:
        with pq.ParquetFile(path) as file:
            found = file.schema_arrow.names
            missing = [name for name in columns or () if name not in found]
            if missing:
                raise VlaError(f'{path}: expected column {missing[0]!r}, found {found[:20]}')
            return file.read(columns=list(columns) if columns is not None else None)
    except (OSError, pa.ArrowException) as error:
        raise VlaError(
            f'{path} is missing, no parquet file, or cut off: {str(error).splitlines()[0][:150]}'
        ) from error


def matrix(column: Any, width: int, where: str) -> DoubleArray:
    """A column of vectors as (rows, width); of single numbers if ``width`` is 1.

    Raises:
        VlaError: it has something else than so many floats a row.
    """
    types = pyarrow().types
    kind = column.type
    if width == 1 and types.is_floating(kind):
        return np.asarray(column.to_numpy(), np.float64)[:, None]
    lists = types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)
    if not lists or not types.is_floating(kind.value_type):
        raise VlaError(f'{where}: expected lists of {width} float32, found {kind}')
    values = np.asarray(column.combine_chunks().flatten().to_numpy(zero_copy_only=False), np.float64)
    if column.null_count or values.size != width * len(column):
        raise VlaError(
            f'{where}: expected {width} numbers in each of {len(column)} rows, found {values.size}'
        )
    return values.reshape(-1, width)


def _pandas_column(name: str, kind: str, numpy_kind: str) -> dict[str, Any]:
    return {'name': name, 'field_name': name, 'pandas_type': kind, 'numpy_type': numpy_kind, 'metadata': None}
