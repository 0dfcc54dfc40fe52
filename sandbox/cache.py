# SPDX-License-Identifier: GPL-3.0-or-later
"""Folders that are costly to make and the same in every run: made once, whole or not at all.

Among them programs of Debian packages, unpacked: nothing is installed and no root is needed.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import typing as t
from pathlib import Path

from sandbox.errors import SandboxError


def cached(cache: Path, name: str, make: t.Callable[[Path], None]) -> Path:
    """The folder `cache/name`; when it is missing `make` fills it. Other processes wait meanwhile."""
    made = cache / name
    if made.is_dir():
        return made
    cache.mkdir(mode=0o755, parents=True, exist_ok=True)
    with (cache / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.is_dir():
            partial = cache / f"{name}.partial"
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir(mode=0o755)
            make(partial)
            partial.replace(made)
    return made


DOWNLOAD_WITHIN = 120.0


def unpack(cache: Path, package: str, *, dependencies: bool = False) -> Path:
    """The folder that holds what `package` would install under /, with the packages it needs that are not installed."""
    cure = f"install it (apt-get install {package}) or put its program on PATH"
    for program in ("apt-get", "dpkg-deb"):
        if shutil.which(program) is None:
            raise SandboxError(
                f"There is no {package} on PATH, and no {program} to fetch it: {cure}."
            )

    def make(folder: Path) -> None:
        packages = _needed(package, folder) if dependencies else [package]
        for archive in _download(packages, folder, cure):
            status, last = _run(["dpkg-deb", "-x", str(archive), str(folder)], folder)
            if status != 0:
                raise SandboxError(f"{archive} could not be unpacked into {folder}: {last}.")
            archive.unlink()

    return cached(cache, f"debian-{package}", make)


def libraries(root: Path) -> str:
    """The value of LD_LIBRARY_PATH with which an unpacked program finds what was unpacked with it."""
    folders = sorted({str(library.parent) for library in (root / "usr/lib").rglob("*.so*")})
    return os.pathsep.join(folders)


def _needed(package: str, folder: Path) -> list[str]:
    """The package after what it needs and this machine lacks. apt's rehearsal changes nothing and needs no root."""
    rehearsal = [*_apt(folder), "install", "--simulate", "--no-install-recommends", package]
    done = subprocess.run(
        rehearsal, cwd=folder, capture_output=True, text=True, check=False, timeout=DOWNLOAD_WITHIN
    )
    packages = [line.split()[1] for line in done.stdout.splitlines() if line.startswith("Inst ")]
    return [*(name for name in packages if name != package), package]


def _download(packages: t.Sequence[str], folder: Path, cure: str) -> list[Path]:
    """By the system's package lists or, where these are missing or old, by our own."""
    lists = folder / "lists"
    own = _options(lists)
    attempts = (
        [[*_apt(folder), "download", *packages]],
        [["apt-get", *own, "update"], ["apt-get", *own, "download", *packages]],
    )
    last = ""
    for commands in attempts:
        for command in commands:
            status, last = _run(command, folder)
            if status != 0:
                break
        archives = sorted(folder.glob("*.deb"))
        if len(archives) == len(packages):
            shutil.rmtree(lists, ignore_errors=True)
            return archives
    raise SandboxError(f"Debian's package {packages[-1]} cannot be had ({last}): {cure}.")


def _apt(folder: Path) -> list[str]:
    """With what it makes of the system's lists, which images of containers have it throw away, kept beside `folder`."""
    return ["apt-get", "-o", f"Dir::Cache::pkgcache={folder.parent / 'apt.pkgcache'}"]


def _options(lists: Path) -> list[str]:
    for folder in ("state/lists/partial", "cache/archives/partial"):
        (lists / folder).mkdir(parents=True, exist_ok=True)
    settings = {
        "Dir::State": lists / "state",
        "Dir::State::lists": lists / "state/lists",
        "Dir::State::status": "/var/lib/dpkg/status",
        "Dir::Cache": lists / "cache",
        "APT::Sandbox::User": "",
    }
    return [word for name, value in settings.items() for word in ("-o", f"{name}={value}")]


def _run(argv: t.Sequence[str], folder: Path) -> tuple[int, str]:
    """The exit status and the last thing it said."""
    try:
        answer = subprocess.run(
            argv,
            cwd=folder,
            env={**os.environ, "LC_ALL": "C.UTF-8"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=DOWNLOAD_WITHIN,
        )
    except subprocess.TimeoutExpired:
        return 1, f"{argv[0]} took longer than {DOWNLOAD_WITHIN:.0f} s"
    return answer.returncode, answer.stdout.strip().rpartition("\n")[2]
