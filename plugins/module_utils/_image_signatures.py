# SPDX-License-Identifier: GPL-3.0-or-later
"""Signatures and provenance of images, which cosign verifies: https://docs.sigstore.dev/cosign/verifying/verify/."""

from __future__ import annotations

import json
import tempfile
import typing as t
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from ._child_process import find_program, run, whole_environment
from ._errors import InputError, UnreachableError, VerificationError
from ._http import basic
from ._images import AT_ONCE, DEFAULT_HOST, Reference, host_of
from ._redaction import redact
from ._threads import side_by_side

LINES = 5
"""Of what cosign said last, in a failure."""
UNSIGNED = (10, 12, 13)
"""Exit codes for an image without a signature, without one that fits, and for a signature without its certificate.

https://github.com/sigstore/cosign/blob/v2.5.0/cmd/cosign/errors/exit_codes.go
"""
_MISMATCH = (
    *("no matching attestations", "none of the attestations matched"),
    *("no matching signatures", "no signatures found"),
)
"""How cosign says so where its exit code is 1."""
_DOCKER_HUB = "https://index.docker.io/v1/"
"""By which name docker's configuration has the credentials of Docker Hub."""


@dataclass(frozen=True)
class SignatureCheck:
    """Options `signatures` and those of the registry, of the module images."""

    program: str
    public_key: str | None
    identity: str | None
    issuer: str | None
    ca_roots: str | None
    transparency_log: bool
    offline: bool
    provenance: str | None
    registry: str
    username: str
    password: str
    ca_cert: str | None
    timeout: float

    def __post_init__(self) -> None:
        if bool(self.public_key) == bool(self.identity and self.issuer):
            raise InputError(
                "Option 'signatures' says not whose signature counts: set 'public_key', or 'identity' and 'issuer'."
            )
        if urlsplit(self.registry).path.strip("/"):
            raise InputError(
                f"cosign reaches no registry below a path ({self.registry}): set 'registry' to its host alone, or "
                "leave 'signatures' out."
            )

    @classmethod
    def of(cls, options: t.Mapping[str, t.Any]) -> SignatureCheck | None:
        """Of the options of the module images; None without its option `signatures`."""
        if options["signatures"] is None:
            return None
        registry = {name: options[name] for name in ("registry", "username", "password", "ca_cert")}
        return cls(**options["signatures"], **registry)

    @property
    def signer(self) -> str:
        return self.public_key or f"{self.identity} of {self.issuer}"

    def verify_all(
        self, references: t.Sequence[Reference], digests: t.Mapping[str, str]
    ) -> dict[str, dict[str, str]]:
        """`signed_by` and, where it is asked for, `provenance`, by image. Raises for the first one without."""
        verified = side_by_side(
            lambda reference: self.verify(reference, digests[reference.text]),
            references,
            at_once=AT_ONCE,
        )
        texts = [reference.text for reference in references]
        return dict(zip(texts, verified, strict=True))

    def verify(self, reference: Reference, digest: str) -> dict[str, str]:
        """On any thread."""
        pinned = f"{self._name(reference)}@{digest}"
        payloads = self._run(["verify"], reference, pinned)
        if not any(_digest_of(payload) == digest for payload in payloads):
            raise VerificationError(
                f"cosign verified another image than {reference.text}@{digest}: do not release it; find out why."
            )
        if not self.provenance:
            return {"signed_by": self.signer}
        self._run(["verify-attestation", "--type", self.provenance], reference, pinned)
        return {"signed_by": self.signer, "provenance": self.provenance}

    def _name(self, reference: Reference) -> str:
        host = host_of(self.registry) or reference.host
        return f"{host}/{reference.repository}"

    def _run(self, command: t.Sequence[str], reference: Reference, pinned: str) -> list[t.Any]:
        """What cosign prints: a JSON list, or a JSON value in each line."""
        argv = [find_program(self.program, "signatures.program"), *command, *self._options, pinned]
        with self._credentials(reference) as environment:
            ended = run(argv, whole_environment(environment), timeout=self.timeout)
        if ended.rc == 0:
            return _payloads(ended.stdout)
        said = " ".join(redact(ended.stderr).splitlines()[-LINES:])
        if ended.rc in UNSIGNED or any(text in said for text in _MISMATCH):
            what = "provenance" if "verify-attestation" in command else "signature"
            raise VerificationError(
                f"{reference.text} has no {what} by {self.signer}: sign what CI built, or correct 'signatures'. "
                f"cosign says: {said}"
            )
        raise UnreachableError(
            f"Whether {reference.text} is signed is not known, for cosign ended with {ended.rc}: {said}"
        )

    @property
    def _options(self) -> list[str]:
        by_name = {
            "--key": self.public_key,
            "--certificate-identity": self.identity,
            "--certificate-oidc-issuer": self.issuer,
            "--ca-roots": self.ca_roots,
            "--registry-cacert": self.ca_cert,
        }
        switches = {
            "--offline": self.offline,
            "--private-infrastructure": not self.transparency_log,
            "--insecure-ignore-sct": not self.transparency_log and not self.public_key,
            "--allow-http-registry": self.registry.startswith("http://"),
        }
        values = [f"{name}={value}" for name, value in by_name.items() if value]
        return [*values, *(name for name, on in switches.items() if on)]

    @contextmanager
    def _credentials(self, reference: Reference) -> t.Iterator[dict[str, str]]:
        """The environment that gives them, so that they stand in no arguments. Without a name docker's own count."""
        if not self.username:
            yield {}
            return
        host = self._name(reference).partition("/")[0]
        server = _DOCKER_HUB if host == DEFAULT_HOST else host
        auth = basic(self.username, self.password).removeprefix("Basic ")
        with tempfile.TemporaryDirectory(suffix=".cosign") as folder:
            file = Path(folder) / "config.json"
            file.write_text(json.dumps({"auths": {server: {"auth": auth}}}), "utf-8")
            yield {"DOCKER_CONFIG": folder}


def _payloads(text: str) -> list[t.Any]:
    try:
        values = [json.loads(line) for line in text.splitlines() if line.strip()]
    except ValueError as exc:
        raise VerificationError(
            "cosign's output is not JSON: set 'signatures.program' to cosign 2."
        ) from exc
    return values[0] if len(values) == 1 and isinstance(values[0], list) else values


def _digest_of(payload: t.Any) -> str:
    """Of a simple signing payload, https://github.com/containers/image/blob/main/docs/containers-signature.5.md."""
    try:
        return str(payload["critical"]["image"]["docker-manifest-digest"])
    except (KeyError, TypeError):
        return ""
