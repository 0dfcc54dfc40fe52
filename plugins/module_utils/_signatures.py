# SPDX-License-Identifier: GPL-3.0-or-later
"""SSH signatures by ssh-keygen, which has them since OpenSSH 8.1: https://man.openbsd.org/ssh-keygen#Y."""

from __future__ import annotations

import json
import os
import tempfile
import typing as t
from pathlib import Path

from ._child_process import Child, Ended, child, child_environment, find_program, run
from ._errors import InputError, VerificationError

NAMESPACE, REPORT = "release-sign-off", "release-report"
TIMEOUT = 30.0
PATTERN = frozenset("*?!")
"""What makes patterns of principals: https://man.openbsd.org/ssh-keygen#ALLOWED_SIGNERS and ssh_config(5)."""


def statement(kind: str, **said: t.Any) -> str:
    """What is signed: one line of JSON, so that no text can pretend to be another field."""
    return json.dumps({"kind": kind, **said}, sort_keys=True)


def sign(text: str, key: Path, namespace: str = NAMESPACE) -> str:
    """By a private key without a passphrase, or by that of a public key which an agent holds."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "text"
        file.write_text(text, "utf-8")
        ended = _keygen("sign", "-f", str(key), "-n", namespace, str(file))
        if ended.rc:
            raise InputError(
                f"ssh-keygen could not sign by {key} ({ended.stderr[-300:]}): name a key without a passphrase, or the "
                "public key of one that your agent holds."
            )
        return file.with_name("text.sig").read_text("utf-8")


def principal_of(text: str, signature: str, allowed: Path) -> str:
    """Who signed it, by the file of allowed signers. Raises VerificationError."""
    if not signature:
        raise VerificationError("it has no SSH signature")
    if not allowed.is_file():
        raise InputError(f"{allowed} is not there: correct release_identity.allowed_signers.")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "signature"
        file.write_text(signature, "utf-8")
        by = ("-f", str(allowed), "-s", str(file))
        found = _keygen("find-principals", *by)
        principals = found.stdout.split()
        if found.rc or not principals:
            raise VerificationError(f"its SSH signature is by nobody whom {allowed.name} has")
        principal = next((name for name in principals if not PATTERN & set(name)), None)
        if principal is None:
            raise VerificationError(
                f"{allowed.name} has the key of its SSH signature under {principals[0]}, which is no one person: name "
                "the owner of each key"
            )
        argv = _argv("verify", *by, "-I", principal, "-n", NAMESPACE)
        with child(argv, _environment(), timeout=TIMEOUT, write=_giving(text)) as verifying:
            if verifying.wait():
                raise VerificationError(
                    "its SSH signature is over another text, time, cluster or environment, or has expired: sign again"
                )
    return principal


def _giving(text: str) -> t.Callable[[Child], None]:
    def give(verifying: Child) -> None:
        verifying.give(text.encode())

    return give


def _keygen(*words: str) -> Ended:
    return run(_argv(*words), _environment(), timeout=TIMEOUT)


def _argv(*words: str) -> list[str]:
    return [find_program("ssh-keygen", "PATH"), "-Y", *words]


def _environment() -> dict[str, str]:
    """Nobody is asked for a passphrase."""
    agent = {name: os.environ[name] for name in ("SSH_AUTH_SOCK",) if name in os.environ}
    return child_environment({**agent, "SSH_ASKPASS_REQUIRE": "never"})
