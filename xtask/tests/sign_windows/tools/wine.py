"""Lays out a wine that runs programs of 32 and of 64 bits, without the system's i386 and without a screen.

    python3 wine.py FOLDER

Debian's packages are for one kind of bits each, and wine 8 draws no window of the other. Wine 10 does: of
Debian 13's packages those for 64 bits, with the libraries for Windows of the one for 32. They are unpacked
here, not installed; Debian 12's C library is too old for them, so theirs comes along. What only games and
browsers want is left out, and debug information is stripped: 160 MB instead of 1400.

In FOLDER are afterwards `bin/wine`, which runs it, and `prefix`, a fresh Windows of the user `somebody` to
be copied, whose windows are drawn by nobody.
"""

import fnmatch
import hashlib
import io
import os
import pathlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
import urllib.request

# What a point release replaces is kept by the second.
POOLS = (
)
PACKAGES = {
    "w/wine/wine64_10.0~repack-6_amd64.deb": "4cdf8319d873c13210815c1aac18859a56ea21b0b2d35a3388dab881464ed488",
    "w/wine/libwine_10.0~repack-6_amd64.deb": "702c99d2fbaef2a4966667e0cdabd477ed1754c1b3b5d4476606eaf5fd6e1444",
    "w/wine/libwine_10.0~repack-6_i386.deb": "fef4802a6553a17eaa40003333a86fc697440d1d21c5824f2dbd1c444f01527b",
    "g/glibc/libc6_2.41-12_amd64.deb": "6cff801097cd0eb2126b60e533f37afdc78456efacdf2bfae62877f00c795d0b",
    "libz/libz-mingw-w64/libz-mingw-w64_1.2.13+dfsg-1_all.deb": "b9e73ca486bc2aa66da86b5724220d2dd7c8299636b1df74c3414757a2170615",
}
LEFT_OUT = """mshtml* wined3d* winedbg* light.msstyles opengl32* d2d1* jscript* vbscript* dwrite* d3d* msvcp*
    msvcr[0-9]* xact* xaudio* x3daudio* xapofx* dx* quartz* mf*.dll wmp*.dll msxml*.dll evr.dll concrt*""".split()
LIBRARIES = "lib/x86_64-linux-gnu"


def download(package):
    reasons = []
    for pool in POOLS:
        try:
            with urllib.request.urlopen(pool + package, timeout=300) as answer:
                data = answer.read()
        except OSError as error:
            reasons.append(f"{pool}{package}: {error}")
            continue
        if hashlib.sha256(data).hexdigest() == PACKAGES[package]:
            return data
        reasons.append(f"{pool}{package} is not what it was")
    sys.exit("\n".join(reasons))


def unpack(package, folder):
    """A .deb is an ar(1) archive of two tar archives: what is below `usr`."""
    data = download(package)
    at = 8
    while not data[at:].startswith(b"data.tar"):
        size = int(data[at + 48 : at + 58])
        at += 60 + size + size % 2
    size = int(data[at + 48 : at + 58])
    with tarfile.open(fileobj=io.BytesIO(data[at + 60 : at + 60 + size])) as archive:
        for member in archive:
            name = member.name.removeprefix("./usr/")
            base = os.path.basename(name)
            if name.startswith(("lib/", "x86_64-w64", "i686-w64", "share/wine/")) and not any(
                fnmatch.fnmatch(base, it) for it in LEFT_OUT
            ):
                member.name = name
                archive.extract(member, folder, filter="fully_trusted")


def lay_out(folder):
    for package in PACKAGES:
        print(package, flush=True)
        unpack(package, folder / "libc" if "libc6" in package else folder)
    wine = folder / LIBRARIES / "wine"
    # The folder for both kinds of bits is the one beside `x86_64-unix`.
    shutil.rmtree(wine / "i386-windows", ignore_errors=True)
    (folder / "lib/i386-linux-gnu/wine/i386-windows").rename(wine / "i386-windows")
    shutil.rmtree(folder / "lib/i386-linux-gnu")
    for bits, arch in (("x86_64", "x86_64"), ("i386", "i686")):
        files = [str(it) for it in (wine / f"{bits}-windows").iterdir() if it.is_file()]
        images = [it for it in files if open(it, "rb").read(2) == b"MZ"]
        subprocess.run(["x86_64-w64-mingw32-strip", *images], check=True, stderr=subprocess.DEVNULL)
        zlib = wine / f"{bits}-windows/zlib1.dll"
        zlib.unlink(missing_ok=True)
        shutil.copy(folder / f"{arch}-w64-mingw32/lib/zlib1.dll", zlib)
    loader(folder)


def loader(folder):
    """Wine and its server with a C library that is new enough, from the folder in which they will be."""
    programs, libc = folder / "lib/wine", folder / "libc" / LIBRARIES
    for name, new in (("wine64", "wine"), ("wineserver64", "wineserver")):
        (programs / new).unlink(missing_ok=True)
        (programs / name).rename(programs / new)
        interpreter = ["--set-interpreter", str(libc / "ld-linux-x86-64.so.2")]
        subprocess.run(["patchelf", *interpreter, "--set-rpath", str(libc), str(programs / new)], check=True)
    script = folder / "bin/wine"
    script.parent.mkdir(exist_ok=True)
    script.write_text(
        f"""#!/bin/sh
export WINELOADER='{programs}/wine' WINESERVER='{programs}/wineserver'
exec "$WINELOADER" "$@"
"""
    )
    script.chmod(0o755)


def prefix(folder):
    """A Windows in which somebody has logged on, and whose windows nobody draws."""
    made = folder / "prefix"
    for bits, name in (("x86_64", "system32"), ("i386", "syswow64")):
        system = made / "drive_c/windows" / name
        system.mkdir(parents=True)
        shutil.copy(folder / LIBRARIES / f"wine/{bits}-windows/zlib1.dll", system)
    with tempfile.TemporaryDirectory() as home:
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": home,
            "USER": "somebody",
            "WINEPREFIX": str(made),
            "WINEDEBUG": "-all",
            "WINEDLLOVERRIDES": "mscoree,mshtml,winemenubuilder.exe=",
        }
        drivers = ["reg", "add", r"HKCU\Software\Wine\Drivers", "/v", "Graphics", "/d", "null", "/f"]
        for words in (["wineboot", "-i"], drivers, ["wineboot", "-k"]):
            subprocess.run([str(folder / "bin/wine"), *words], check=True, env=environment)
        server = [str(folder / "lib/wine/wineserver"), "-w"]
        subprocess.run(server, check=True, env=environment)
    # They would lead to the home of whoever made it.
    for link in (made / "drive_c/users").rglob("*"):
        if link.is_symlink():
            link.unlink()
            link.mkdir()


def main():
    wanted = pathlib.Path(sys.argv[1]).absolute()
    shutil.rmtree(wanted, ignore_errors=True)
    wanted.mkdir(parents=True)
    lay_out(wanted)
    prefix(wanted)
    (wanted / "complete").touch()


main()
