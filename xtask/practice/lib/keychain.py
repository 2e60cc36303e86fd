"""Keychains, as folders: shared by the stand-ins for security and codesign.

state.json        a hash of the password, until when it is unlocked, the timeout, the partition list
<sha1>.pem        key, certificate and chain of an identity, unencrypted: these keys are for practice"""

import hashlib
import json
import os
import ssl
import time

import practice

SEARCH_LIST = "search-list.json"


def find(name):
    """A keychain's folder. Names without a slash lie where the user's keychains do."""
    place = name if "/" in name else os.path.join(practice.path("Keychains"), name)
    for candidate in (place, place + "-db"):
        if os.path.isdir(candidate):
            return candidate
    return None


def new(name):
    place = name if "/" in name else os.path.join(practice.path("Keychains"), name)
    return place if place.endswith("-db") else place + "-db"


def load(folder):
    return json.loads(practice.read(os.path.join(folder, "state.json")))


def save(folder, state):
    with open(os.path.join(folder, "state.json"), "w", encoding="utf-8") as file:
        json.dump(state, file)


def digest(password):
    return hashlib.sha256(password.encode()).hexdigest()


def is_unlocked(folder):
    until = load(folder)["unlocked"]
    return until is None or until > time.time()


def unlock(state):
    timeout = state["timeout"]
    state["unlocked"] = None if timeout is None else time.time() + timeout


def search_list():
    name = practice.path(SEARCH_LIST)
    return json.loads(practice.read(name)) if os.path.exists(name) else []


def set_search_list(folders):
    with open(practice.path(SEARCH_LIST), "w", encoding="utf-8") as file:
        json.dump(folders, file)


def blocks(pem, kind):
    """The blocks of a PEM file of this kind, in order."""
    end = f"-----END {kind}-----"
    parts = pem.split(f"-----BEGIN {kind}-----")[1:]
    return [f"-----BEGIN {kind}-----{it.split(end)[0]}{end}\n" for it in parts]


def identities(folder):
    """SHA-1, common name and file of each identity."""
    for name in sorted(os.listdir(folder)):
        if name.endswith(".pem"):
            file = os.path.join(folder, name)
            leaf = blocks(practice.read(file, "r"), "CERTIFICATE")[0]
            subject = practice.run("openssl", "x509", "-noout", "-subject", "-nameopt", "multiline", stdin=leaf)
            names = [it.split("=", 1)[1].strip() for it in subject.stdout.splitlines() if "commonName" in it]
            sha1 = hashlib.sha1(ssl.PEM_cert_to_DER_cert(leaf)).hexdigest().upper()
            yield sha1, names[-1] if names else "", file


def is_valid(file):
    """Whether the certificate is valid now, and for signing code."""
    leaf = blocks(practice.read(file, "r"), "CERTIFICATE")[0]
    date = practice.run("openssl", "x509", "-noout", "-checkend", "0", stdin=leaf)
    purpose = practice.run("openssl", "x509", "-noout", "-text", stdin=leaf)
    return date.returncode == 0 and "Code Signing" in purpose.stdout
