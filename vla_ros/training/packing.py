"""Documents packed into rows of one length, so that no step is spent on padding.

Each document begins and ends with the boundary token. Rows are cut from the stream of all of them, and a document that
is cut goes on in the next row. Positions begin anew with each document and each row: by that ``transformers`` knows
where documents begin (``find_packed_sequence_indices``), and no token attends to another document.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset
from transformers import PreTrainedTokenizerFast

from vla_ros.training.tokenizer import BOUNDARY
from vla_ros.types import IndexArray

IGNORED = -100
BATCH = 2000
"""Documents that are tokenised at a time."""


@dataclass(frozen=True)
class Packed:
    """R rows of L tokens.

    Attributes:
        ids: (R, L) tokens.
        positions: (R, L), 0 where a document begins or a row cuts it.
    """

    ids: IndexArray
    positions: IndexArray

    @property
    def labels(self) -> IndexArray:
        """(R, L) what each token is to be told by those before it; IGNORED where a document begins."""
        return np.where(self.positions == 0, IGNORED, self.ids)


def token_stream(texts: Sequence[str], tokenizer: PreTrainedTokenizerFast) -> IndexArray:
    """All tokens of the documents in a row, each document between two boundary tokens."""
    boundary = tokenizer.convert_tokens_to_ids(BOUNDARY)
    pieces: list[int] = []
    for start in range(0, len(texts), BATCH):
        for ids in tokenizer(list(texts[start : start + BATCH]))['input_ids']:
            pieces += [boundary, *ids, boundary]
    return np.array(pieces, np.int64)


def pack(stream: IndexArray, length: int, boundary: int) -> Packed:
    """Rows of ``length`` tokens; what does not fill the last row is dropped.

    A boundary token that follows another begins a document.
    """
    rows = len(stream) // length
    first = np.zeros(len(stream), bool)
    ends = stream == boundary
    # They come in pairs, an end and a beginning; the first of all is a beginning.
    first[np.flatnonzero(ends)[::2]] = True
    ids, begins = stream[: rows * length].reshape(rows, length), first[: rows * length].reshape(rows, length)
    begins = begins.copy()
    begins[:, 0] = True
    columns = np.arange(length)
    starts = np.maximum.accumulate(np.where(begins, columns, 0), axis=1)
    return Packed(ids, columns - starts)


class PackedText(Dataset[dict[str, Tensor]]):
    """Rows for ``CausalTrainer``; with several parts, rows are drawn from each by its share."""

    def __init__(self, parts: Sequence[Packed], shares: Sequence[float] = (1.0,)) -> None:
        self._parts = [
            (torch.from_numpy(p.ids), torch.from_numpy(p.positions), torch.from_numpy(p.labels))
            for p in parts
        ]
        self._shares = torch.tensor(shares, dtype=torch.float64)

    def __len__(self) -> int:
        return sum(len(ids) for ids, _, _ in self._parts)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        if len(self._parts) > 1:
            part = int(torch.multinomial(self._shares, 1))
            index = int(torch.randint(len(self._parts[part][0]), (1,)))
        else:
            part = 0
        ids, positions, labels = (column[index] for column in self._parts[part])
        return {'ids': ids, 'positions': positions, 'labels': labels}


def lengths(positions: IndexArray) -> Iterable[int]:
    """Lengths of the pieces of documents in rows (R, L) of positions."""
    for row in positions:
        begins = [*np.flatnonzero(row == 0), len(row)]
        yield from np.diff(begins).tolist()
