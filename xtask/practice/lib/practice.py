"""What the stand-ins share. Each lies in `<folder>/bin`, and finds all else beside it:

settings.json     where the PKI, the real tools and the servers are
calls.jsonl       who was called with which arguments
violations.txt    what a caller must never do, such as a secret among the arguments
bad-<tool>.json   how the next calls go wrong, the first one first"""

import fcntl
import json
import os
import subprocess
import sys
import tempfile
import time

FOLDER = os.path.dirname(os.path.dirname(os.path.abspath(sys.argv[0])))
TOOL = os.path.basename(sys.argv[0])


def path(name):
    return os.path.join(FOLDER, name)


with open(path("settings.json"), encoding="utf-8") as settings_file:
    SETTINGS = json.load(settings_file)


def pki(name):
    return os.path.join(SETTINGS["pki"], name)


def append(name, line):
    with open(path(name), "a", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.write(line + "\n")


def violation(text):
    append("violations.txt", f"{TOOL}: {text}")


def fail(status, *lines):
    """Ends the program; what it says goes to standard error, as with the real ones."""
    sys.stdout.flush()
    for line in lines:
        print(line, file=sys.stderr)
    sys.stderr.flush()
    sys.exit(status)


def unknown(status, text):
    """Something that the real one does not document: the caller's mistake."""
    violation(f"not documented: {text}")
    fail(status, text)


def unplayed(status, text):
    """Something that the real one documents and this one cannot do: nobody is to believe it done."""
    violation(f"not played: {text}")
    fail(status, f"{TOOL} stand-in: {text} is not played")


def begin(arguments):
    """Notes the call; runs into the trouble that is due."""
    append("calls.jsonl", json.dumps({"tool": TOOL, "arguments": arguments, "time": time.time()}))
    for secret in SETTINGS["secrets"]:
        if any(secret in it for it in arguments):
            violation("a secret among the arguments")
    bad = next_bad_day()
    if bad is None:
        return
    if bad["how"] == "hang":
        hang()
    for stream in ("stdout", "stderr"):
        print(bad[stream], end="", file=getattr(sys, stream), flush=True)
    if bad["status"] is not None:
        sys.exit(bad["status"])


def hang():
    """For an hour, but not longer than whoever called: nothing is to be left behind by a test."""
    parent = os.getppid()
    for _ in range(18000):
        if os.getppid() != parent:
            break
        time.sleep(0.2)
    sys.exit(1)


def next_bad_day():
    name = path(f"bad-{TOOL}.json")
    if not os.path.exists(name):
        return None
    with open(name, "r+", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        days = json.load(file)
        first = days.pop(0) if days else None
        file.seek(0)
        file.truncate()
        json.dump(days, file)
    return first


def run(*command, stdin=None, env=None):
    """Runs a real tool. Nobody sees its output but the caller."""
    merged = {**os.environ, **(env or {})}
    return subprocess.run(
        command, input=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=merged, check=False
    )


def rcodesign(*arguments, env=None):
    if not SETTINGS["rcodesign"]:
        fail(72, f"{TOOL} stand-in: no rcodesign; `cargo xtask test --setup` installs it")
    return run(SETTINGS["rcodesign"], *arguments, env={"RUST_BACKTRACE": "0", **(env or {})})


def read(name, mode="rb"):
    with open(name, mode) as file:
        return file.read()


def private_file(text):
    """A file that only this user may read, gone when the program ends."""
    file = tempfile.NamedTemporaryFile("w")
    file.write(text)
    file.flush()
    return file
