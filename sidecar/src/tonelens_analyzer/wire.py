"""The conversation with the host: one JSON object a line over stdin and stdout.

The main thread sleeps in `os.read` on a pipe that both the stdin reader and the
interpreter's signal handler write to. Waiting on a queue instead can miss a signal
in a compiled program, which then never ends.
"""

import json
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO

Method = Callable[[dict[str, Any]], dict[str, Any]]

# Signal numbers start at 1, so 0 is free to mean "look at the lines".
_LINE = 0
_END_OF_INPUT = None


class Refused(Exception):
    """A request that cannot be answered; the text is meant for the user."""


class Wire:
    """Both directions of the conversation and the reasons for it to end."""

    def __init__(self, source: int, sink: BinaryIO) -> None:
        self._source = source
        self._sink = sink
        self._lines: deque[bytes | None] = deque()
        self._wake_read, self._wake_write = os.pipe()
        if sys.platform != "win32":
            # Windows has it from Python 3.12 on. There, what reads stdin waits at a full pipe.
            os.set_blocking(self._wake_write, False)

    @classmethod
    def open(cls) -> "Wire":
        """Listens on the process's own stdin and signals."""
        wire = cls(sys.stdin.fileno(), sys.stdout.buffer)
        signal.set_wakeup_fd(wire._wake_write, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            # The handler does nothing: the byte on the pipe is the message.
            signal.signal(number, lambda *_: None)
        threading.Thread(target=wire._read, name="stdin", daemon=True).start()
        return wire

    def say(self, line: str) -> None:
        """Writes one line; a host that is gone is noticed as end of input."""
        try:
            self._sink.write(line.encode() + b"\n")
            self._sink.flush()
        except (BrokenPipeError, ValueError):
            # Point stdout elsewhere, or the interpreter complains once more on exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)

    def serve(self, methods: Mapping[str, Method]) -> str:
        """Answers requests until something ends the conversation; returns what."""
        while True:
            for byte in os.read(self._wake_read, 512):
                if byte == signal.SIGTERM:
                    return "sigterm"
                if byte == signal.SIGINT:
                    return "sigint"
            reason = self._drain(methods)
            if reason:
                return reason

    def _drain(self, methods: Mapping[str, Method]) -> str | None:
        while self._lines:
            line = self._lines.popleft()
            if line is _END_OF_INPUT:
                return "stdin-eof"
            if not line.strip():
                continue
            answer, last = respond(line, methods)
            self.say(json.dumps(answer, separators=(",", ":")))
            if last:
                return "request"
        return None

    def _read(self) -> None:
        # Straight from the descriptor: a thread that sits in `sys.stdin` holds its
        # lock, and the interpreter aborts on it when the main thread leaves.
        rest = b""
        try:
            while chunk := os.read(self._source, 65536):
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    self._push(line)
        except OSError:
            pass
        self._push(_END_OF_INPUT)

    def _push(self, line: bytes | None) -> None:
        self._lines.append(line)
        try:
            os.write(self._wake_write, bytes([_LINE]))
        except BlockingIOError:
            # A full pipe already wakes the main thread, which then takes every line.
            pass


def respond(line: bytes, methods: Mapping[str, Method]) -> tuple[dict[str, Any], bool]:
    """The answer to one request line, and whether it was the last one."""
    ident = None
    try:
        request = json.loads(line)
        if not isinstance(request, dict):
            raise Refused("a request is a JSON object")
        ident = request.get("id")
        name = request.get("method")
        params = request.get("params") or {}
        if not isinstance(params, dict):
            raise Refused("params must be a JSON object")
        if name == "shutdown":
            return {"id": ident, "result": {}}, True
        if not isinstance(name, str) or name not in methods:
            raise Refused(f"unknown method: {name}")
        return {"id": ident, "result": methods[name](params)}, False
    except ValueError as error:
        message = f"not a request: {error}"
    except Refused as refused:
        message = str(refused)
    except Exception as error:  # one bad request must not end the conversation
        message = f"{type(error).__name__}: {error}"
        print(f"request {ident} failed: {message}", file=sys.stderr, flush=True)
    return {"id": ident, "error": {"message": message}}, False
