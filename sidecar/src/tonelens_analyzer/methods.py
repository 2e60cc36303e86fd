"""What a host can ask for. Importing this loads the decoder."""

from typing import Any

from tonelens_analyzer import audio, measure
from tonelens_analyzer.wire import Refused


def ping(_params: dict[str, Any]) -> dict[str, Any]:
    return {}


def analyze(params: dict[str, Any]) -> dict[str, Any]:
    path = params.get("path")
    if not isinstance(path, str) or not path:
        raise Refused("analyze needs a path")
    return measure.measure(audio.load(path))


def sample(_params: dict[str, Any]) -> dict[str, Any]:
    return measure.measure(audio.chirp())


METHODS = {"ping": ping, "analyze": analyze, "sample": sample}
