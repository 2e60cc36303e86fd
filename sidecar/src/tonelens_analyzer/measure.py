"""From samples to what the window draws: numbers, an outline and a spectrogram."""

import binascii
import math
from array import array
from typing import Any

from tonelens_analyzer.audio import Sound
from tonelens_analyzer.spectrum import hann, power_pairs

OUTLINE_POINTS = 600
COLUMNS = 256
ROWS = 128
FLOOR_DB = -90.0
LOWEST_HZ = 40.0

_COLUMN_WINDOW = 1024
_TONE_WINDOW = 8192
_TONE_PLACES = 6


def measure(sound: Sound) -> dict[str, Any]:
    """Everything the host gets to know about a sound."""
    samples = sound.samples
    peak = max(max(samples), -min(samples))
    rms = root_mean_square(samples)
    return {
        "name": sound.name,
        "duration": len(samples) / sound.sample_rate,
        "sampleRate": sound.sample_rate,
        "channels": sound.channels,
        "peakDb": decibels(peak * peak),
        "rmsDb": decibels(rms * rms),
        "dominantHz": dominant(samples, sound.sample_rate),
        "outline": outline(samples),
        "spectrogram": spectrogram(samples, sound.sample_rate),
    }


def root_mean_square(samples: array) -> float:
    """The level of the whole sound."""
    # `hypot` of many numbers is the root of their sum of squares, at C speed; in
    # pieces, because every argument becomes an object of its own.
    starts = range(0, len(samples), 65536)
    pieces = [math.hypot(*samples[start : start + 65536]) for start in starts]
    return math.hypot(*pieces) / math.sqrt(len(samples))


def decibels(power: float) -> float:
    """Power in dB, never below the floor, so that silence stays a number."""
    if power <= 0:
        return FLOOR_DB
    return max(FLOOR_DB, 10 * math.log10(power))


def outline(samples: array) -> list[list[float]]:
    """Lowest and highest sample of each stretch of the sound."""
    points = min(OUTLINE_POINTS, len(samples))
    edges = [len(samples) * k // points for k in range(points + 1)]
    stretches = (samples[a:b] for a, b in zip(edges, edges[1:]))
    return [[round(min(s), 4), round(max(s), 4)] for s in stretches]


def dominant(samples: array, sample_rate: int) -> float | None:
    """The strongest frequency over a few evenly spread places, None for silence."""
    spectra = power_pairs(_windows(samples, _TONE_WINDOW, _TONE_PLACES), hann(_TONE_WINDOW))
    total = [sum(column) for column in zip(*spectra)]
    best = max(range(1, len(total) - 1), key=total.__getitem__)
    if total[best] < 1e-12:
        return None
    return (best + _peak_offset(*total[best - 1 : best + 2])) * sample_rate / _TONE_WINDOW


def _peak_offset(left: float, middle: float, right: float) -> float:
    # A parabola through the logarithms finds the top between two bins.
    a, b, c = (math.log(max(power, 1e-30)) for power in (left, middle, right))
    bend = a - 2 * b + c
    return 0.0 if bend == 0 else max(-0.5, min(0.5, (a - c) / (2 * bend)))


def spectrogram(samples: array, sample_rate: int) -> dict[str, Any]:
    """Levels from 0 to 255, column by column, lowest frequency first, as base64."""
    highest = sample_rate / 2
    lowest = min(LOWEST_HZ, highest / 2)
    rows = _row_positions(lowest, highest, sample_rate)
    levels = bytearray()
    for power in power_pairs(_windows(samples, _COLUMN_WINDOW, COLUMNS), hann(_COLUMN_WINDOW)):
        for low, high, share in rows:
            value = power[low] * (1 - share) + power[low + 1] * share
            if high > low + 1:
                value = max(power[low:high])
            levels.append(round(255 * (1 - decibels(value) / FLOOR_DB)))
    return {
        "columns": COLUMNS,
        "rows": ROWS,
        "lowestHz": lowest,
        "highestHz": highest,
        "floorDb": FLOOR_DB,
        "levels": binascii.b2a_base64(levels, newline=False).decode(),
    }


def _row_positions(
    lowest: float, highest: float, sample_rate: int
) -> list[tuple[int, int, float]]:
    # Rows are spaced like notes. A low one lies between two bins and shares them; a
    # high one spans several and shows the strongest, or a thin line would be dotted.
    last = _COLUMN_WINDOW // 2 - 1
    step = (highest / lowest) ** (1 / (ROWS - 1))
    rows = []
    for row in range(ROWS):
        position = min(lowest * step**row * _COLUMN_WINDOW / sample_rate, last - 1e-6)
        rows.append((int(position), math.ceil(position * step), position % 1))
    return rows


def _windows(samples: array, size: int, count: int) -> list[array]:
    spare = max(0, len(samples) - size)
    starts = [spare * k // max(1, count - 1) for k in range(count)]
    silence = array("f", bytes(4 * max(0, size - len(samples))))
    return [samples[start : start + size] + silence for start in starts]
