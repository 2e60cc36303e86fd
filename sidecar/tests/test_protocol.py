import json
import os
import signal
import subprocess
import sys
import wave

import pytest
from sidecar import SOURCE, Sidecar, command

from tonelens_analyzer import __version__

posix = pytest.mark.skipif(sys.platform == "win32", reason="signals end processes there")


def test_announces_itself_then_says_ready_once():
    with Sidecar() as sidecar:
        assert sidecar.line() == f"BOOT sidecar=tonelens-analyzer version={__version__}"
        assert sidecar.line() == "READY"
        sidecar.process.stdin.close()
        assert sidecar.rest() == ["SHUTDOWN reason=stdin-eof"]


def test_input_that_ends_at_once_still_gets_a_whole_conversation():
    ran = subprocess.run(
        command(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
    )
    assert ran.stdout.splitlines()[1:] == ["READY", "SHUTDOWN reason=stdin-eof"]
    assert (ran.returncode, ran.stderr) == (0, "")


@posix
@pytest.mark.parametrize("attempt", range(5))
def test_a_signal_right_after_ready_ends_it(attempt):
    with Sidecar() as sidecar:
        sidecar.until_ready()
        sidecar.process.send_signal(signal.SIGTERM)
        # A one-file program may hand SIGTERM to its child as SIGINT.
        [line] = sidecar.rest()
        assert line in ("SHUTDOWN reason=sigterm", "SHUTDOWN reason=sigint")


def test_shutdown_is_answered_before_it_happens():
    with Sidecar() as sidecar:
        assert sidecar.until_ready().ask("shutdown") == {"result": {}}
        assert sidecar.rest() == ["SHUTDOWN reason=request"]


def test_a_host_that_stops_reading_is_no_crash():
    with Sidecar() as sidecar:
        sidecar.until_ready().process.stdout.close()
        sidecar.send('{"id":1,"method":"ping"}')
        sidecar.process.stdin.close()
        assert sidecar.process.wait(timeout=10) == 0


def test_version():
    ran = subprocess.run(
        [*command(), "--version"],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
    )
    assert ran.stdout == f"tonelens-analyzer {__version__}\n"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("garbage", "not a request: "),
        ("[1]", "a request is a JSON object"),
        ('{"id":1,"method":"sing"}', "unknown method: sing"),
        ('{"id":1,"method":"analyze"}', "analyze needs a path"),
        ('{"id":1,"method":"analyze","params":[]}', "analyze needs a path"),
        ('{"id":1,"method":"analyze","params":[1]}', "params must be a JSON object"),
    ],
)
def test_a_bad_request_gets_an_error_and_the_next_one_an_answer(line, message):
    with Sidecar() as sidecar:
        sidecar.until_ready().send(line)
        assert json.loads(sidecar.line())["error"]["message"].startswith(message)
        assert sidecar.ask("ping") == {"result": {}}


def test_a_file_that_is_missing_or_not_audio(tmp_path):
    text = tmp_path / "notes.wav"
    text.write_text("not a sound\n" * 100)
    empty = tmp_path / "empty.wav"
    with wave.open(str(empty), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
    with Sidecar() as sidecar:
        sidecar.until_ready()
        for path, message in [
            (tmp_path / "no.wav", "no.wav: No such file or directory"),
            (tmp_path, f"{tmp_path.name}: Is a directory"),
            (text, "notes.wav: not a WAV, FLAC, MP3 or Ogg Vorbis file"),
            (empty, "empty.wav: no samples in it"),
        ]:
            assert sidecar.ask("analyze", path=str(path)) == {"error": {"message": message}}
        assert sidecar.ask("ping") == {"result": {}}


def test_the_sample_has_everything_the_window_draws():
    with Sidecar() as sidecar:
        result = sidecar.until_ready().ask("sample")["result"]
    assert result["duration"] == 4.0
    assert -6 < result["peakDb"] <= 0
    assert 110 < result["dominantHz"] < 3600
    assert len(result["outline"]) == 600
    assert len(result["spectrogram"]["levels"]) == -(-256 * 128 // 3) * 4
