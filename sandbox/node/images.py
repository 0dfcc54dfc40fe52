# SPDX-License-Identifier: GPL-3.0-or-later
"""Image references, what the registry has, and how an image behaves by its tag."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

# Tags with these endings exist beside each version and behave so; `nopull` is the one that does not exist.
BEHAVIOURS = ("crash", "unready", "unhealthy", "slow", "oom")

_NAME = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_HOST = r"[a-zA-Z0-9.-]+(?::[0-9]+)?"
_REFERENCE = re.compile(
    rf"(?P<repository>(?:{_HOST}/)?{_NAME}(?:/{_NAME})*)"
    r"(?::(?P<tag>\w[\w.-]{0,127}))?(?P<digest>@sha256:[0-9a-f]{64})?",
    re.ASCII,
)


class InvalidImageError(ValueError):
    """The reference could not name an image anywhere; the words are the kubelet's."""


@dataclass(frozen=True)
class Image:
    reference: str
    repository: str
    tag: str
    behaviour: str = ""

    @property
    def service(self) -> str:
        return self.repository.rpartition("/")[2]

    @property
    def version(self) -> str:
        """The tag without the ending that says how it behaves."""
        return self.tag.removesuffix(f"-{self.behaviour}") if self.behaviour else self.tag

    @property
    def canonical(self) -> str:
        """With the registry's host, as container runtimes spell it."""
        first = self.repository.partition("/")[0]
        hosted = "/" in self.repository and ("." in first or ":" in first or first == "localhost")
        return f"{self.repository if hosted else f'docker.io/{self.repository}'}:{self.tag}"


def parse_image(reference: str) -> Image:
    matched = _REFERENCE.fullmatch(reference)
    if matched is None:
        raise InvalidImageError(
            f'Failed to apply default image tag "{reference}": couldn\'t parse image name '
            f'"{reference}": invalid reference format'
        )
    tag = matched["tag"] or "latest"
    ending = tag.rpartition("-")[2]
    behaviour = ending if ending in BEHAVIOURS and "-" in tag else ""
    return Image(reference, matched["repository"], tag, behaviour)


def in_registry(image: Image, registry: t.Collection[str]) -> bool:
    """Whether a registry has it; every host and every folder mirrors what there is."""
    parts = image.repository.split("/")
    names = ("/".join(parts[at:]) for at in range(len(parts)))
    return any(f"{name}:{image.version}" in registry for name in names)


def not_found_message(image: Image) -> str:
    """What the runtime says of an image that its registry does not have."""
    name = image.canonical
    return (
        f'rpc error: code = NotFound desc = failed to pull and unpack image "{name}": '
        f'failed to resolve reference "{name}": {name}: not found'
    )


def unavailable_message(image: Image) -> str:
    """What the runtime says when the registry answers, but not now."""
    name = image.canonical
    return (
        f'rpc error: code = Unavailable desc = failed to pull and unpack image "{name}": failed to '
        f'resolve reference "{name}": unexpected status from HEAD request to '
        f"https://registry-1.docker.io/v2/{image.repository}/manifests/{image.tag}: "
        "503 Service Unavailable"
    )


def refused_message(image: Image) -> str:
    """What the runtime says when the registry does not know who asks."""
    name = image.canonical
    return (
        f'failed to pull and unpack image "{name}": failed to resolve reference "{name}": failed to '
        "authorize: failed to fetch oauth token: unexpected status from GET request to "
        "https://auth.docker.io/token: 401 Unauthorized"
    )
