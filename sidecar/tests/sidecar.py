"""The sidecar as a child process, spoken to the way the host does."""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

SOURCE = Path(__file__).parent.parent / "src"


def command() -> list[str]:
    """The program under test; TONELENS_SIDECAR points the same tests at a frozen one."""
    frozen = os.environ.get("TONELENS_SIDECAR")
    return shlex.split(frozen) if frozen else [sys.executable, "-m", "tonelens_analyzer"]


class Sidecar:
    """Ends with the `with` block, whatever the test did."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            command(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(SOURCE)},
        )

    def __enter__(self) -> "Sidecar":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.stdin.close()
        self.process.stdout.close()
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            # Only as a last resort: a killed one-file program leaves its folder behind.
            self.process.kill()
            self.process.wait()

    def line(self) -> str:
        return self.process.stdout.readline().rstrip("\n")

    def until_ready(self) -> "Sidecar":
        assert self.line().startswith("BOOT ")
        assert self.line() == "READY"
        return self

    def send(self, text: str) -> None:
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()

    def ask(self, method: str, **params: object) -> dict:
        self.send(json.dumps({"id": 7, "method": method, "params": params}))
        answer = json.loads(self.line())
        assert answer.pop("id") == 7
        return answer

    def rest(self) -> list[str]:
        lines = self.process.stdout.read().splitlines()
        assert self.process.wait(timeout=10) == 0
        return lines
