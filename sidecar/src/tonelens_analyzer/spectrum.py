"""A small fast Fourier transform in plain Python.

Enough for a few hundred short windows, and far cheaper to freeze than numpy.
"""

import cmath
import math
from collections.abc import Iterator, Sequence
from functools import lru_cache


@lru_cache(maxsize=None)
def hann(size: int) -> tuple[float, ...]:
    """A window that keeps a tone's energy near its own bin."""
    return tuple(0.5 - 0.5 * math.cos(2 * math.pi * k / size) for k in range(size))


@lru_cache(maxsize=None)
def _turns(size: int) -> tuple[complex, ...]:
    return tuple(cmath.exp(-2j * math.pi * k / size) for k in range(size // 2))


def fft(values: Sequence[complex]) -> list[complex]:
    """The discrete Fourier transform; the length is a power of two."""
    size = len(values)
    if size == 1:
        return list(values)
    if size == 2:
        return [values[0] + values[1], values[0] - values[1]]
    even = fft(values[::2])
    odd = [value * turn for value, turn in zip(fft(values[1::2]), _turns(size))]
    return [e + o for e, o in zip(even, odd)] + [e - o for e, o in zip(even, odd)]


def power_pairs(
    windows: Sequence[Sequence[float]], shape: Sequence[float]
) -> Iterator[list[float]]:
    """The power spectrum of each window; a full-scale sine peaks at 0.5.

    Two real windows travel as the two parts of one complex transform, which halves
    the work. The number of windows is even.
    """
    size = len(shape)
    scale = 2 / sum(shape)
    weights = [scale * weight for weight in shape]
    for first, second in zip(windows[::2], windows[1::2], strict=True):
        both = fft([complex(a, b) * w for a, b, w in zip(first, second, weights)])
        mirror = [both[-k].conjugate() for k in range(size // 2)]
        yield [abs(z + m) ** 2 / 8 for z, m in zip(both, mirror)]
        yield [abs(z - m) ** 2 / 8 for z, m in zip(both, mirror)]
