"""Renew a tool's package-lock.json from its package.json: `python -m tests.interop.lock supabase`.

The lock pins versions and checksums and names no registry, so that it installs from whichever one a machine uses.
"""

import json
import os
import sys
import tempfile
import typing as t
from pathlib import Path

from tests.interop.toolchain import npm

NOT_NEEDED = ("engines", "funding", "license")
"""What packages say of themselves and `npm ci` does not ask for."""


def main(names: list[str]) -> None:
    for name in names:
        renew(Path(__file__).parent / name)


def renew(folder: Path) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        (place / "package.json").write_text((folder / "package.json").read_text())
        npm(
            "install", "--package-lock-only", "--omit-lockfile-registry-resolved", "--no-audit",
            cwd=place, environment=os.environ,
        )  # fmt: skip
        lock = json.loads((place / "package-lock.json").read_text())
    for package in lock["packages"].values():
        for name in NOT_NEEDED:
            package.pop(name, None)
    (folder / "package-lock.json").write_text(a_package_a_line(lock))


def a_package_a_line(lock: dict[str, t.Any]) -> str:
    """As JSON: a change of one package is a change of one line."""
    head = json.dumps({**lock, "packages": {}}, indent=2).removesuffix("{}\n}")
    packages = [
        f"    {json.dumps(name)}: {json.dumps(of)}" for name, of in lock["packages"].items()
    ]
    return f"{head}{{\n{',\n'.join(packages)}\n  }}\n}}\n"


if __name__ == "__main__":
    main(sys.argv[1:])
