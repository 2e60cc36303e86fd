"""Lays out a wine that runs programs of 32 and of 64 bits, without the system's i386 and without a screen.

    python3 wine.py FOLDER

Debian's packages are for one kind of bits each, and wine 8 draws no window of the other. Wine 10 does: of
Debian 13's packages those for 64 bits, with the libraries for Windows of the one for 32. They are unpacked
here, not installed; Debian 12's C library is too old for them, so theirs comes along. What only games and
browsers want is left out, and debug information is stripped: 340 MB instead of 1400.

In FOLDER are afterwards `bin/wine`, which runs it, and `prefix`, a fresh Windows of the user `somebody` to
be copied, whose windows are drawn by nobody.
"""

import fnmatch
import io
import os
import pathlib
import shutil
import subprocess
import sys
import tarfile
import tempfile

SUITE = "trixie"
PACKAGES = ["wine64:amd64", "libwine:amd64", "libwine:i386", "libc6:amd64", "libz-mingw-w64:amd64"]
# Packages hold links to anywhere, which Python's later versions doubt; its earlier ones know no filters.
LINKS = {"filter": "fully_trusted"} if hasattr(tarfile, "fully_trusted_filter") else {}
KEYS = "/usr/share/keyrings/debian-archive-keyring.gpg"
LEFT_OUT = """mshtml* wined3d* winedbg* light.msstyles opengl32* d2d1* jscript* vbscript* dwrite* d3d* msvcp*
    msvcr[0-9]* xact* xaudio* x3daudio* xapofx* dx* quartz* mf*.dll wmp*.dll msxml*.dll evr.dll concrt*""".split()
LIBRARIES = "lib/x86_64-linux-gnu"


def mirror():
    """Where this machine has its Debian packages from."""
    wanted = ["--format", "$(ORIGIN) $(RELEASE) $(REPO_URI)", "Created-By: Packages"]
    listed = subprocess.run(["apt-get", "indextargets", *wanted], check=True, capture_output=True, text=True)
    for line in listed.stdout.splitlines():
        origin, release, uri = line.split(" ", 2)
        if origin == "Debian" and "-security" not in release:
            return uri
    sys.exit("apt has no Debian mirror here, run `apt-get update` first: without one there is no wine for 32 bits")


def download(folder):
    """Has apt fetch and check the packages, with lists of its own: those of the machine stay as they are."""
    for needed in ("lists/partial", "cache/archives/partial"):
        (folder / needed).mkdir(parents=True)
    (folder / "sources.list").write_text(f"deb [signed-by={KEYS}] {mirror()} {SUITE} main\n")
    options = [
        f"Dir::State::lists={folder}/lists",
        f"Dir::Etc::sourcelist={folder}/sources.list",
        "Dir::Etc::sourceparts=/dev/null",
        f"Dir::Cache={folder}/cache",
        "APT::Sandbox::User=",
        "APT::Architectures::=amd64",
        "APT::Architectures::=i386",
        "Acquire::Languages=none",
        "Acquire::Retries=3",
    ]
    apt = ["apt-get", "--quiet", *(word for it in options for word in ("-o", it))]
    subprocess.run([*apt, "update"], check=True, cwd=folder)
    subprocess.run([*apt, "download", *PACKAGES], check=True, cwd=folder)
    return sorted(folder.glob("*.deb"))


def unpack(package, folder):
    """What is below `usr`."""
    data = subprocess.run(["dpkg-deb", "--fsys-tarfile", str(package)], check=True, stdout=subprocess.PIPE).stdout
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        for member in archive:
            name = member.name.removeprefix("./usr/")
            base = os.path.basename(name)
            if name.startswith(("lib/", "x86_64-w64", "i686-w64", "share/wine/")) and not any(
                fnmatch.fnmatch(base, it) for it in LEFT_OUT
            ):
                member.name = name
                archive.extract(member, folder, **LINKS)


def lay_out(folder):
    with tempfile.TemporaryDirectory() as fetched:
        for package in download(pathlib.Path(fetched)):
            unpack(package, folder / "libc" if package.name.startswith("libc6_") else folder)
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
