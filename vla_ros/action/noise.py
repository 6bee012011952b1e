"""The flow's noise, a pure function of stamp and seed: the same bag gives the same motion, on every machine.

numpy promises the stream of its Philox bit generator, but not of the normal numbers that it makes of it; and
logarithms differ in the last bit between mathematics libraries. So the bits are Philox, and the rest is
Wichura's algorithm AS 241 (PPND7, relative error about 1e-7, Applied Statistics 37, 1988) with nothing but
additions, multiplications, divisions and square roots, which IEEE 754 rounds alike everywhere.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from vla_ros.types import DoubleArray, FloatArray

_WORD = (1 << 64) - 1
_LOGARITHM_OF_TWO = 0.6931471805599453
_ROOT_OF_TWO = 1.4142135623730951

# Numerators and denominators of AS 241, highest power first.
_CENTRE = (
    (59.109374720, 159.29113202, 50.434271938, 3.3871327179),
    (67.187563600, 78.757757664, 17.895169469, 1.0),
)
_TAIL = ((0.17023821103, 1.3067284816, 2.7568153900, 1.4234372777), (0.12021132975, 0.73700164250, 1.0))
_FAR = ((0.017337203997, 0.42868294337, 3.0812263860, 6.6579051150), (0.012258202635, 0.24197894225, 1.0))


def noise(stamp_ns: int, seed: int, shape: Sequence[int]) -> FloatArray:
    """Standard normal numbers of a shape, float32, bit for bit the same for the same stamp and seed."""
    count = math.prod(shape)
    key = np.array([stamp_ns & _WORD, seed & _WORD], dtype=np.uint64)
    raw = np.asarray(np.random.Philox(key=key).random_raw(count), dtype=np.uint64)
    # 53 random bits in the middle of their interval: never 0, never 1.
    uniform = ((raw >> np.uint64(11)).astype(float) + 0.5) * 2.0**-53
    return _normal_quantile(uniform).astype(np.float32).reshape(tuple(shape))


def _normal_quantile(probability: DoubleArray) -> DoubleArray:
    q = probability - 0.5
    centre = q * _ratio(_CENTRE, 0.180625 - q * q)
    r = np.sqrt(-_logarithm(np.minimum(probability, 1.0 - probability)))
    tail = np.where(r <= 5.0, _ratio(_TAIL, r - 1.6), _ratio(_FAR, r - 5.0))
    return np.where(np.abs(q) <= 0.425, centre, np.where(q < 0.0, -tail, tail))


def _ratio(polynomials: tuple[tuple[float, ...], tuple[float, ...]], x: DoubleArray) -> DoubleArray:
    numerator, denominator = (_polynomial(coefficients, x) for coefficients in polynomials)
    return numerator / denominator


def _polynomial(coefficients: tuple[float, ...], x: DoubleArray) -> DoubleArray:
    value = np.zeros_like(x)
    for coefficient in coefficients:
        value = value * x + coefficient
    return value


def _logarithm(x: DoubleArray) -> DoubleArray:
    """Natural logarithm: ln 2 times the binary exponent, plus 2 artanh((m - 1) / (m + 1)) as a series."""
    mantissa, exponent = np.frexp(x)  # mantissa in 0.5..1
    z = (mantissa * _ROOT_OF_TWO - 1.0) / (mantissa * _ROOT_OF_TWO + 1.0)  # |z| < 0.18: 11 terms reach 1e-17
    series = _polynomial(tuple(1.0 / (2 * k + 1) for k in reversed(range(11))), z * z)
    return (exponent - 0.5) * _LOGARITHM_OF_TWO + 2.0 * z * series
