"""What the local servers share: how they are told to behave, what they record, how they fail."""

import http.server
import json
import os
import socket
import struct
import sys
import threading
import time


# For which Apple answers 403 to who logs in well.
AGREEMENT = "FORBIDDEN.REQUIRED_AGREEMENTS_MISSING_OR_EXPIRED"


class State:
    """The folder through which a test talks to its server: `behaviour.json` says what to do, and
    `requests.jsonl` what was asked."""

    def __init__(self, folder):
        self.folder = folder
        self.lock = threading.RLock()
        self.generation = None
        self.used = []

    def behaviour(self):
        with open(os.path.join(self.folder, "behaviour.json"), encoding="utf-8") as file:
            behaviour = json.load(file)
        with self.lock:
            if behaviour["generation"] != self.generation:
                self.generation = behaviour["generation"]
                self.used = [0] * len(behaviour["trouble"])
        return behaviour

    def trouble(self, what):
        """The trouble that this request is to run into. Each entry counts down its `times`; one
        without `times` never ends."""
        behaviour = self.behaviour()
        with self.lock:
            for index, entry in enumerate(behaviour["trouble"]):
                if entry["at"] not in (what, "any"):
                    continue
                if entry["times"] is None or self.used[index] < entry["times"]:
                    self.used[index] += 1
                    return entry["what"]
        return None

    def record(self, **fields):
        fields["time"] = time.time()
        line = json.dumps(fields) + "\n"
        with self.lock, open(os.path.join(self.folder, "requests.jsonl"), "a", encoding="utf-8") as file:
            file.write(line)


class Handler(http.server.BaseHTTPRequestHandler):
    """One request; `state` is set by `serve`."""

    protocol_version = "HTTP/1.1"
    state = None

    def log_message(self, *_):
        pass

    def body(self):
        """The request's body, however it is framed."""
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            return unchunk(self.rfile)
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def answer(self, status, body=b"", kind="application/json", **headers):
        if not isinstance(body, bytes):
            body = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def run_into(self, what):
        """Whether the request ran into trouble, and was answered or left alone accordingly."""
        trouble = self.state.trouble(what)
        if trouble is None:
            return False
        self.state.record(what=what, trouble=trouble)
        self.close_connection = True
        if trouble == "reset":
            # With a linger time of 0, closing sends RST. Past the socket, which would say goodbye.
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            os.close(self.connection.detach())
        elif trouble == "drop":
            pass
        elif trouble == "hang":
            # Longer than any test waits; ends with the server.
            time.sleep(3600)
        elif trouble == "garbage":
            self.answer(200, b"<html><body>Welcome to the hotel's network</body></html>", "text/html")
        elif trouble == "empty":
            self.answer(200, b"", "application/timestamp-reply")
        elif trouble == "429":
            self.answer(429, {"errors": [{"status": "429", "title": "slow down"}]}, Retry_After="1")
        else:
            code = {"401": "NOT_AUTHORIZED", "404": "NOT_FOUND", "403": AGREEMENT}.get(trouble, "UNEXPECTED_ERROR")
            title = "A required agreement is missing or has expired." if code == AGREEMENT else code
            self.answer(int(trouble), {"errors": [{"status": trouble, "code": code, "title": title}]})
        return True


def unchunk(file):
    body = b""
    while True:
        size = int(file.readline().split(b";")[0], 16)
        body += file.read(size)
        file.readline()
        if size == 0:
            return body


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        """Clients that give up are no news."""


def serve(handler, folder):
    """Serves on a free port of the loopback device, says which, and ends with its parent: that
    holds the other end of standard input."""
    handler.state = State(folder)
    server = Server(("127.0.0.1", 0), handler)

    def until_closed():
        sys.stdin.buffer.read()
        os._exit(0)

    threading.Thread(target=until_closed, daemon=True).start()
    print(server.server_address[1], flush=True)
    server.serve_forever()
