# SPDX-License-Identifier: GPL-3.0-or-later
"""The account that the server runs as: PostgreSQL does not run as root."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

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
