"""A cache that stays where it is: one buffer a layer, read and written in place, on the device that computes."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from vla_ros.fixed_run import zeros_for
from vla_ros.manifest import ReasoningSpec
from vla_ros.runtime import device_of
from vla_ros.types import FloatArray, IndexArray, VlaError


class SharedCache:
    """The graph of ``vla_ros.training.shared_cache``: its inputs ``key_i`` are the same memory as ``new_key_i``.

    Raises:
        VlaError: the buffers are not of the manifest's size.
    """

    INPUTS = frozenset({'visual', 'ids', 'past', 'answers'})  # and two a layer
    verifies = True
    answer = 'tokens'
    """The output that says what comes next: the most likely token. 'logits' are there, too, for experiments."""

    def __init__(self, session: Any, spec: ReasoningSpec) -> None:
        from onnxruntime import OrtValue

        self._session, self._binding = session, session.io_binding()
        self._past, self._answers = np.zeros((), np.int32), np.zeros(1, np.int64)
        for output in (self.answer, 'hidden'):
            self._binding.bind_output(output)
        device = device_of(session)
        wanted = {value.name: value for value in session.get_inputs()}
        expected = [1, spec.heads, spec.context + 1, spec.head_width]
        for name in (f'{part}_{layer}' for layer in range(spec.layers) for part in ('key', 'value')):
            found = wanted[name].shape if name in wanted else None
            if found != expected:
                raise VlaError(f'language.onnx, {name}: expected shape {expected}, found {found}')
            buffer = OrtValue.ortvalue_from_numpy(zeros_for(wanted[name]), device, 0)
            self._binding.bind_ortvalue_input(name, buffer)
            self._binding.bind_ortvalue_output(f'new_{name}', buffer)

    def read(
        self, visual: FloatArray, ids: npt.NDArray[np.int64], past: int, answers: int
    ) -> tuple[IndexArray, FloatArray]:
        """See ``Decoder.read``."""
        self._past[()], self._answers[0] = past, answers
        values = {'visual': visual, 'ids': ids, 'past': self._past, 'answers': self._answers}
        for name, value in values.items():
            self._binding.bind_cpu_input(name, value)
        # Their sizes are others each time.
        self._binding.bind_output(self.answer)
        self._binding.bind_output('hidden')
        self._session.run_with_iobinding(self._binding)
        said, hidden = (value.numpy() for value in self._binding.get_outputs()[:2])
        return said, hidden
