#!/usr/bin/env python3
"""An RFC 3161 timestamp server: `timestamps.py <state folder> <PKI folder>`.

`openssl cms` signs; the rest is built here, since `openssl ts` cannot lie about time."""

import calendar
import os
import subprocess
import sys
import tempfile
import time

import common


def der(tag, *parts):
    body = b"".join(parts)
    size = len(body)
    if size < 128:
        return bytes([tag, size]) + body
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + body


def elements(data):
    """The elements of a DER string: their tag, their content, and both with the length."""
    at = 0
    while at < len(data):
        start, tag, size = at, data[at], data[at + 1]
        at += 2
        if size & 0x80:
            count = size & 0x7F
            size = int.from_bytes(data[at : at + count], "big")
            at += count
        yield tag, data[at : at + size], data[start : at + size]
        at += size


def integer(value):
    return der(2, value.to_bytes(value.bit_length() // 8 + 1, "big"))


POLICY = der(6, bytes([0x2A, 0x03, 0x04, 0x01]))  # 1.2.3.4.1, that of OpenSSL's example
TST_INFO = "1.2.840.113549.1.9.16.1.4"


class Request:
    def __init__(self, data):
        (tag, body, _), *rest = elements(data)
        if tag != 0x30 or rest:
            raise ValueError("no timestamp request")
        _version, (_, _, self.imprint), *rest = elements(body)
        self.nonce = b""
        self.wants_certificates = False
        self.policy = POLICY
        for tag, content, whole in rest:
            if tag == 2:
                self.nonce = whole
            elif tag == 1:
                self.wants_certificates = content != b"\0"
            elif tag == 6:
                self.policy = whole


def token(request, behaviour, pki):
    seconds = time.time() + behaviour["offset"]
    text = time.strftime("%Y%m%d%H%M%SZ", time.gmtime(seconds)).encode()
    imprint, nonce = request.imprint, request.nonce
    if behaviour["other_imprint"]:
        imprint = imprint[:-1] + bytes([imprint[-1] ^ 1])
    if behaviour["other_nonce"]:
        nonce = integer(calendar.timegm(time.gmtime()))
    serial = integer(int.from_bytes(os.urandom(8), "big"))
    info = der(0x30, integer(1), request.policy, imprint, serial, der(0x18, text), nonce)
    signer = os.path.join(pki, behaviour["signer"])
    command = ["openssl", "cms", "-sign", "-binary", "-nodetach", "-nosmimecap", "-cades"]
    command += ["-md", "sha256", "-econtent_type", TST_INFO, "-outform", "DER"]
    command += ["-signer", signer + ".pem", "-inkey", signer + ".key"]
    if not request.wants_certificates:
        command.append("-nocerts")
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "info")
        with open(path, "wb") as file:
            file.write(info)
        return subprocess.run(command + ["-in", path], stdout=subprocess.PIPE, check=True).stdout


class Timestamps(common.Handler):
    pki = None

    def do_POST(self):
        body = self.body()
        if self.run_into("timestamp"):
            return
        behaviour = self.state.behaviour()
        if behaviour["rejects"]:
            # PKIStatusInfo: rejection, with the text that servers send when they are overloaded.
            text = der(0x30, der(0x0C, b"the request was rejected"))
            reply = der(0x30, der(0x30, integer(2), text))
        else:
            reply = der(0x30, der(0x30, integer(0)), token(Request(body), behaviour, self.pki))
        self.state.record(what="timestamp", path=self.path)
        self.answer(200, reply, "application/timestamp-reply")


if __name__ == "__main__":
    Timestamps.pki = sys.argv[2]
    common.serve(Timestamps, sys.argv[1])
