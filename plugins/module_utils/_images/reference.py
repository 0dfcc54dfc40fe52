# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Image references and registries' challenges, as the OCI distribution specification spells them."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from .._errors import InputError

DEFAULT_HOST = "docker.io"
DEFAULT_API = "https://registry-1.docker.io"
_NAME = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REFERENCE = re.compile(
    rf"(?P<name>(?:[a-zA-Z0-9.-]+(?::[0-9]+)?/)?{_NAME}(?:/{_NAME})*)"
    r"(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)
DIGEST_SHOWN = len("sha256:0123456789ab")
_PARAMETER = re.compile(r'(?<![a-zA-Z_])([a-zA-Z_]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))')


def split_image(image: str) -> tuple[str, str, str]:
    """(name, tag, digest) of whatever stands in a pod template, "" for what it has not; a port is part of the name."""
    named, _at, digest = image.partition("@")
    path, slash, last = named.rpartition("/")
    name, _colon, tag = last.partition(":")
    return f"{path}{slash}{name}", tag, digest


def version_of(image: str) -> str:
    """How people know an image: its tag, else the beginning of its digest, "" without either."""
    _name, tag, digest = split_image(image)
    return tag or (f"{digest[:DIGEST_SHOWN]}…" if len(digest) > DIGEST_SHOWN else digest)


@dataclass(frozen=True)
class Reference:
    """`text` as it was given; `repository` without its host, as the registry's API names it."""

    text: str
    host: str
    repository: str
    tag: str
    digest: str

    @classmethod
    def parse(cls, text: str) -> Reference:
        matched = _REFERENCE.fullmatch(text)
        if matched is None:
            raise InputError(
                f"{text!r} names no image: it should look like registry.example.com/team/service:v2.0.0."
            )
        first, slash, rest = matched["name"].partition("/")
        hosted = bool(slash) and ("." in first or ":" in first or first == "localhost")
        host, repository = (first, rest) if hosted else (DEFAULT_HOST, matched["name"])
        if host == DEFAULT_HOST and "/" not in repository:
            repository = f"library/{repository}"
        digest = matched["digest"] or ""
        return cls(text, host, repository, matched["tag"] or ("" if digest else "latest"), digest)

    @property
    def api(self) -> str:
        """The base URL of the registry that the name itself tells."""
        return DEFAULT_API if self.host == DEFAULT_HOST else f"https://{self.host}"

    @property
    def asked(self) -> str:
        """What to ask the registry for: a digest is exact, a tag may have moved."""
        return self.digest or self.tag

    def pinned(self, digest: str) -> str:
        """The same image by its digest; the tag stays, for people to read."""
        return f"{self.text.partition('@')[0]}@{digest}"


@dataclass(frozen=True)
class Challenge:
    """What a registry wants before it answers: `scheme` in lower case, and its parameters."""

    scheme: str
    parameters: t.Mapping[str, str]

    @classmethod
    def parse(cls, header: str) -> Challenge:
        scheme, _space, rest = header.strip().partition(" ")
        found = {
            key.lower(): re.sub(r"\\(.)", r"\1", quoted) if quoted else bare
            for key, quoted, bare in _PARAMETER.findall(rest)
        }
        return cls(scheme.lower(), found)
