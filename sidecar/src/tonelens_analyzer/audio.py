"""Where sound comes from: a decoded file or a generated sweep."""

import math
import os
from array import array
from dataclasses import dataclass

import miniaudio

from tonelens_analyzer.wire import Refused

# Decoded samples are held in memory: half an hour at 48 kHz is about 350 MB.
LONGEST_SECONDS = 30 * 60


@dataclass(frozen=True)
class Sound:
    """One channel of samples between -1 and 1, and what the file said of itself."""

    name: str
    samples: array
    sample_rate: int
    channels: int


def load(path: str) -> Sound:
    """Decodes WAV, FLAC, MP3 or Ogg Vorbis and mixes it down to one channel."""
    name = os.path.basename(path)
    try:
        with open(path, "rb"):
            pass
    except OSError as error:
        raise Refused(f"{name}: {error.strerror or error}") from error
    try:
        info = miniaudio.get_file_info(path)
        if info.duration > LONGEST_SECONDS:
            raise Refused(f"{name}: longer than {LONGEST_SECONDS // 60} minutes")
        decoded = miniaudio.decode_file(
            path,
            output_format=miniaudio.SampleFormat.FLOAT32,
            nchannels=1,
            sample_rate=info.sample_rate,
        )
    except miniaudio.MiniaudioError as error:
        raise Refused(f"{name}: not a WAV, FLAC, MP3 or Ogg Vorbis file") from error
    if not decoded.samples:
        raise Refused(f"{name}: no samples in it")
    return Sound(name, decoded.samples, info.sample_rate, info.nchannels)


def chirp(seconds: float = 4.0, sample_rate: int = 32_000) -> Sound:
    """A sweep over five octaves with two overtones, swelling and fading in pulses."""
    low, octaves = 110.0, 5.0
    growth = octaves * math.log(2) / seconds
    samples = array("f", bytes(4 * int(seconds * sample_rate)))
    for index in range(len(samples)):
        time = index / sample_rate
        phase = 2 * math.pi * low * (math.exp(growth * time) - 1) / growth
        tone = math.sin(phase) + 0.35 * math.sin(2 * phase) + 0.15 * math.sin(3 * phase)
        swell = math.sin(math.pi * time / seconds) ** 0.7
        pulse = 0.7 - 0.3 * math.cos(2 * math.pi * 2 * time)
        samples[index] = 0.6 * tone * swell * pulse
    return Sound("Generated sweep, 110 Hz to 3.5 kHz", samples, sample_rate, 1)
