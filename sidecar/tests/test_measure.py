import binascii
import math
import wave
from array import array

import pytest

from tonelens_analyzer import audio, measure
from tonelens_analyzer.audio import Sound
from tonelens_analyzer.spectrum import fft


def sine(hertz, seconds=1.0, sample_rate=44_100, amplitude=0.5):
    count = int(seconds * sample_rate)
    turn = 2 * math.pi * hertz / sample_rate
    return array("f", (amplitude * math.sin(turn * k) for k in range(count)))


def sound(samples, sample_rate=44_100):
    return Sound("test", samples, sample_rate, 1)


def write_wav(path, samples, sample_rate=44_100, channels=2):
    with wave.open(str(path), "wb") as file:
        file.setparams((channels, 2, sample_rate, 0, "NONE", ""))
        wide = array("h", (round(32767 * s) for s in samples for _ in range(channels)))
        file.writeframes(wide.tobytes())


def test_a_concert_pitch_in_a_stereo_file(tmp_path):
    path = tmp_path / "concert pitch ♪.wav"
    write_wav(path, sine(440))
    result = measure.measure(audio.load(str(path)))
    assert result["name"] == path.name
    assert result["duration"] == pytest.approx(1.0)
    assert (result["sampleRate"], result["channels"]) == (44_100, 2)
    assert result["dominantHz"] == pytest.approx(440, abs=0.5)
    assert result["peakDb"] == pytest.approx(-6.02, abs=0.05)
    assert result["rmsDb"] == pytest.approx(-9.03, abs=0.05)


@pytest.mark.parametrize("hertz", [60, 1000, 3333, 12_000])
def test_the_brightest_row_is_the_tone(hertz):
    picture = measure.spectrogram(sine(hertz), 44_100)
    levels = binascii.a2b_base64(picture["levels"])
    column = levels[100 * picture["rows"] :][: picture["rows"]]
    row = column.index(max(column))
    span = picture["highestHz"] / picture["lowestHz"]
    found = picture["lowestHz"] * span ** (row / (picture["rows"] - 1))
    assert found == pytest.approx(hertz, rel=0.06, abs=30)


def test_silence_has_a_level_but_no_frequency():
    result = measure.measure(sound(array("f", bytes(4 * 8000))))
    assert result["dominantHz"] is None
    assert result["peakDb"] == result["rmsDb"] == -90
    assert set(binascii.a2b_base64(result["spectrogram"]["levels"])) == {0}


def test_a_single_sample_is_enough():
    result = measure.measure(sound(array("f", [0.25])))
    assert result["outline"] == [[0.25, 0.25]]


def test_the_outline_keeps_a_click():
    samples = array("f", bytes(4 * 100_000))
    samples[54_321] = -1.0
    lows = [low for low, _ in measure.outline(samples)]
    assert lows.count(-1.0) == 1 and len(lows) == 600


def test_the_transform_agrees_with_its_definition():
    values = [complex(k % 3, k % 5) for k in range(16)]
    turn = -2j * math.pi / 16
    slow = [sum(v * math.e ** (turn * k * n) for n, v in enumerate(values)) for k in range(16)]
    assert fft(values) == pytest.approx(slow)
