#!/usr/bin/env python3
"""Apple's notary, the store that it is given files through, and the desk that hands out tickets:
`notary.py <state folder> <PKI folder>`.

One port serves all: as HTTPS proxy it answers in the name of Apple's hosts, with certificates of
the practice PKI; as plain HTTP server it is the S3 store, and the notary for the xcrun stand-in."""

import base64
import hashlib
import io
import json
import os
import socketserver
import ssl
import subprocess
import sys
import tempfile
import time
import uuid

import common

KEY_ID = "PRACTICE42"
ISSUER = "0c0ffee0-1234-4567-89ab-practice0000"
SUBMISSIONS = "/notary/v2/submissions"
LOG_HOST = "notary-log.practice.test"


def decode(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def der_signature(raw):
    """Of the two numbers side by side that JSON Web Tokens have."""

    def integer(data):
        data = data.lstrip(b"\0") or b"\0"
        data = b"\0" + data if data[0] & 0x80 else data
        return bytes([2, len(data)]) + data

    body = integer(raw[:32]) + integer(raw[32:])
    return bytes([0x30, len(body)]) + body


class Notary(common.Handler):
    pki = None
    context = None
    public_key = None
    submissions = {}
    host = None

    # How it is reached.

    def do_CONNECT(self):
        if self.run_into("connect"):
            return
        self.send_response_only(200, "Connection established")
        self.end_headers()
        self.host = self.path.split(":")[0]
        self.connection = self.context.wrap_socket(self.connection, server_side=True)
        self.rfile = self.connection.makefile("rb", -1)
        self.wfile = socketserver._SocketWriter(self.connection)
        self.close_connection = False

    def finish(self):
        try:
            super().finish()
        finally:
            if isinstance(self.connection, ssl.SSLSocket):
                self.connection.close()

    def trusted(self):
        """Whether the request comes with a token that the practice key signed."""
        try:
            word, text = self.headers["Authorization"].split()
            signed, _, signature = text.rpartition(".")
            header, claims = (json.loads(decode(it)) for it in signed.split("."))
            assert word == "Bearer" and header["alg"] == "ES256" and header["kid"] == KEY_ID
            assert claims["iss"] == ISSUER and claims["aud"] == "appstoreconnect-v1"
            assert claims["exp"] > time.time() and claims["exp"] - claims["iat"] <= 20 * 60
            with tempfile.NamedTemporaryFile() as file:
                file.write(der_signature(decode(signature)))
                file.flush()
                command = ["openssl", "dgst", "-sha256", "-verify", self.public_key, "-signature"]
                done = subprocess.run(command + [file.name], input=signed.encode(), capture_output=True)
                assert done.returncode == 0
        except (AssertionError, KeyError, ValueError, AttributeError, TypeError):
            self.state.record(what="unauthorized")
            title = "Authentication credentials are missing or invalid."
            self.answer(401, {"errors": [{"status": "401", "code": "NOT_AUTHORIZED", "title": title}]})
            return False
        return True

    def not_found(self):
        title = "There is no resource of this kind with this ID."
        self.answer(404, {"errors": [{"status": "404", "code": "NOT_FOUND", "title": title}]})

    # What is asked.

    def do_POST(self):
        body = self.body()
        if self.path == SUBMISSIONS:
            if not self.run_into("submit") and self.trusted():
                self.submit(json.loads(body))
        elif self.path.endswith("/records/lookup"):
            if not self.run_into("ticket"):
                self.tickets(json.loads(body))
        else:
            self.not_found()

    def do_PUT(self):
        body = self.body()
        if self.run_into("upload"):
            return
        if "aws-chunked" in self.headers.get("Content-Encoding", ""):
            body = common.unchunk(io.BytesIO(body))
        object_id = self.path.split("?")[0].split("/")[-1]
        submission = self.submissions.get(object_id)
        if submission is None:
            return self.answer(403, b"<Error><Code>AccessDenied</Code></Error>", "application/xml")
        submission["uploaded"] = hashlib.sha256(body).hexdigest()
        self.state.record(what="upload", id=object_id, sha256=submission["uploaded"], size=len(body))
        if self.run_into("uploaded"):
            return
        self.answer(200, b"", "application/xml", ETag='"0"')

    def do_GET(self):
        if self.path.startswith("/log/"):
            return None if self.run_into("log") else self.log(self.path[5:])
        rest = self.path[len(SUBMISSIONS) :].strip("/").split("/")
        if not self.path.startswith(SUBMISSIONS):
            return self.not_found()
        if rest == [""]:
            if not self.run_into("list") and self.trusted():
                self.state.record(what="list")
                self.answer(200, {"data": [self.shown(it) for it in self.submissions], "meta": {}})
        elif rest[1:] == ["logs"]:
            if not self.run_into("logs") and self.trusted():
                self.log_url(rest[0])
        elif not self.run_into("status") and self.trusted():
            self.status(rest[0])

    def submit(self, asked):
        name, sha256 = asked["submissionName"], asked["sha256"]
        new = str(uuid.uuid4())
        now = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime())
        self.submissions[new] = {"name": name, "sha256": sha256, "created": now, "polls": 0, "uploaded": None}
        self.state.record(what="submit", id=new, name=name, sha256=sha256)
        if self.run_into("submitted"):
            return
        attributes = {
            "awsAccessKeyId": "PRACTICEACCESSKEYID",
            "awsSecretAccessKey": "practice/secret/access/key",
            "awsSessionToken": "practice-session-token",
            "bucket": "practice-bucket",
            "object": new,
        }
        self.answer(200, {"data": {"attributes": attributes, "id": new, "type": "newSubmissions"}, "meta": {}})

    def verdict(self, submission):
        behaviour = self.state.behaviour()
        if submission["uploaded"] is None or submission["polls"] <= behaviour["polls"]:
            return "In Progress"
        if submission["uploaded"] != submission["sha256"]:
            return "Invalid"
        return behaviour["verdict"]

    def shown(self, name):
        submission = self.submissions[name]
        attributes = {"createdDate": submission["created"], "name": submission["name"]}
        attributes["status"] = self.verdict(submission)
        return {"attributes": attributes, "id": name, "type": "submissions"}

    def status(self, name):
        if name not in self.submissions:
            return self.not_found()
        self.submissions[name]["polls"] += 1
        shown = self.shown(name)
        self.state.record(what="status", id=name, status=shown["attributes"]["status"])
        self.answer(200, {"data": shown, "meta": {}})

    def log_url(self, name):
        if name not in self.submissions or self.verdict(self.submissions[name]) == "In Progress":
            return self.not_found()
        secure = isinstance(self.connection, ssl.SSLSocket)
        start = f"https://{LOG_HOST}" if secure else "http://" + self.headers["Host"]
        data = {"attributes": {"developerLogUrl": f"{start}/log/{name}"}, "id": name, "type": "submissionsLog"}
        self.answer(200, {"data": data, "meta": {}})

    def log(self, name):
        submission = self.submissions.get(name)
        if submission is None:
            return self.not_found()
        verdict = self.verdict(submission)
        issues = self.state.behaviour()["issues"] if verdict != "Accepted" else None
        good = verdict == "Accepted"
        self.state.record(what="log", id=name)
        self.answer(200, {
            "logFormatVersion": 1,
            "jobId": name,
            "status": verdict,
            "statusSummary": "Ready for distribution" if good else "Archive contains critical validation errors",
            "statusCode": 0 if good else 4000,
            "archiveFilename": submission["name"],
            "uploadDate": submission["created"],
            "sha256": submission["sha256"],
            "ticketContents": None,
            "issues": issues,
        })  # fmt: skip

    def tickets(self, asked):
        accepted = any(self.verdict(it) == "Accepted" for it in self.submissions.values())
        kind = self.state.behaviour()["ticket"] if accepted else "missing"
        names = [it["recordName"] for it in asked["records"]]
        self.state.record(what="ticket", names=names, found=kind)
        self.answer(200, {"records": [record(it, kind) for it in names]})


def record(name, kind):
    if kind == "missing":
        return {"recordName": name, "reason": "Record not found", "serverErrorCode": "NOT_FOUND"}
    cdhash = bytes.fromhex(name.split("/")[-1])
    if kind == "other":
        cdhash = bytes([cdhash[0] ^ 1]) + cdhash[1:]
    ticket = b"s8ch\x01\0\0\0practice\x02" + cdhash
    event = {"timestamp": int(time.time() * 1000), "userRecordName": "_practice", "deviceID": "1"}
    return {
        "recordName": name,
        "created": event,
        "modified": event,
        "deleted": False,
        "fields": {"signedTicket": {"type": "BYTES", "value": base64.b64encode(ticket).decode()}},
        "recordChangeTag": "practice",
        "recordType": "DeveloperIDTicket",
    }


if __name__ == "__main__":
    Notary.pki = sys.argv[2]
    Notary.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    Notary.context.load_cert_chain(os.path.join(Notary.pki, "tls.pem"), os.path.join(Notary.pki, "tls.key"))
    Notary.public_key = os.path.join(sys.argv[1], "notary.pub")
    private = os.path.join(Notary.pki, f"AuthKey_{KEY_ID}.p8")
    subprocess.run(["openssl", "pkey", "-in", private, "-pubout", "-out", Notary.public_key], check=True)
    common.serve(Notary, sys.argv[1])
