"""A graph whose inputs and outputs have one size each, run without making anything new: buffers are bound once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from vla_ros.runtime import device_of
from vla_ros.types import VlaError

TYPES: Mapping[str, Any] = {
    'tensor(float)': np.float32,
    'tensor(float16)': np.float16,
    'tensor(int64)': np.int64,
    'tensor(int32)': np.int32,
    'tensor(uint8)': np.uint8,
    'tensor(bool)': np.bool_,
}


class FixedRun:
    """Write into ``inputs``, call, and read what comes back. One caller at a time.

    On a CPU the arrays of ``inputs`` are the memory that the graph reads. Beside a GPU they are copied into buffers
    that stay there, and only the outputs come back.

    Args:
        session: an ``onnxruntime.InferenceSession``.
        device: where the buffers are, as ONNX Runtime names it; where the session computes if None.
        staged: keep the buffers apart from ``inputs`` whatever the device is.

    Raises:
        VlaError: a size is not fixed, or of a type that no bundle has.
    """

    def __init__(self, session: Any, device: str | None = None, *, staged: bool | None = None) -> None:
        from onnxruntime import OrtValue

        device = device_of(session) if device is None else device
        self._session, self._binding = session, session.io_binding()
        self._staged = device != 'cpu' if staged is None else staged
        self.inputs = {value.name: zeros_for(value) for value in session.get_inputs()}
        self._results = [zeros_for(value) for value in session.get_outputs()]

        def buffer(host: npt.NDArray[Any]) -> Any:
            # A value on the CPU lives in the very memory of the array that it is made of.
            return OrtValue.ortvalue_from_numpy(host.copy() if self._staged else host, device, 0)

        self._read = {name: buffer(host) for name, host in self.inputs.items()}
        self._written = [buffer(host) for host in self._results]
        for name, value in self._read.items():
            self._binding.bind_ortvalue_input(name, value)
        for output, value in zip(session.get_outputs(), self._written, strict=True):
            self._binding.bind_ortvalue_output(output.name, value)

    def __call__(self) -> list[npt.NDArray[Any]]:
        """The outputs, in the graph's order. They are overwritten by the next call: copy what is to be kept."""
        if self._staged:
            for name, value in self._read.items():
                value.update_inplace(self.inputs[name])
        self._session.run_with_iobinding(self._binding)
        return [value.numpy() for value in self._written] if self._staged else self._results


def zeros_for(value: Any) -> npt.NDArray[Any]:
    """An array for an input or output of a graph, of its size and type; VlaError as of ``FixedRun``."""
    kind = TYPES.get(value.type)
    if kind is None or not all(isinstance(size, int) for size in value.shape):
        raise VlaError(
            f'{value.name}: expected one of {sorted(TYPES)} of a fixed size, found {value.type} of {value.shape}'
        )
    return np.zeros(value.shape, kind)
