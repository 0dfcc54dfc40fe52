# SPDX-License-Identifier: GPL-3.0-or-later
"""Image references, what the registry has, and how the node pulls.

A pull that failed is told and tried again by the kubelet's rules, at a tenth of its time.
"""

from __future__ import annotations

import asyncio
import re
import typing as t
from dataclasses import dataclass

from sandbox.node import status
from sandbox.services import PLATFORM

if t.TYPE_CHECKING:
    from sandbox.node.container import Container
    from sandbox.node.node import Node

BASE = 1.0
LONGEST = 30.0
FORGOTTEN_AFTER = 60.0


def restart_delay(crashes: int) -> float:
    """Seconds before the next start after so many crashes in a row (at least one)."""
    return 0.0 if crashes <= 1 else min(LONGEST, BASE * 2.0 ** min(crashes - 2, 16))


def pull_delay(failures: int) -> float:
    """Seconds before the next pull after so many failures in a row (at least one)."""
    return min(LONGEST, BASE * 2.0 ** min(failures - 1, 16))


def words(delay: float) -> str:
    """A duration as Go prints it: `10s`, `1m20s`."""
    minutes, rest = divmod(int(delay), 60)
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"


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
    def of_platform(self) -> bool:
        """Whether its program is one of ours; of any other image a stand-in runs."""
        return self.repository.rpartition("/")[0].rpartition("/")[2] == PLATFORM

    @property
    def names(self) -> list[str]:
        """The repository, and what is left of it without its first folders."""
        parts = self.repository.split("/")
        return ["/".join(parts[at:]) for at in range(len(parts))]

    @property
    def version(self) -> str:
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
    """Whether a registry has it, with this tag or with any; every host and every folder mirrors what there is."""
    return any(f"{name}:{image.version}" in registry or name in registry for name in image.names)


def not_found_message(image: Image) -> str:
    name = image.canonical
    return (
        f'rpc error: code = NotFound desc = failed to pull and unpack image "{name}": '
        f'failed to resolve reference "{name}": {name}: not found'
    )


def unavailable_message(image: Image) -> str:
    name = image.canonical
    return (
        f'rpc error: code = Unavailable desc = failed to pull and unpack image "{name}": failed to '
        f'resolve reference "{name}": unexpected status from HEAD request to '
        f"https://registry-1.docker.io/v2/{image.repository}/manifests/{image.tag}: "
        "503 Service Unavailable"
    )


def refused_message(image: Image) -> str:
    name = image.canonical
    return (
        f'failed to pull and unpack image "{name}": failed to resolve reference "{name}": failed to '
        "authorize: failed to fetch oauth token: unexpected status from GET request to "
        "https://auth.docker.io/token: 401 Unauthorized"
    )


# How long ErrImagePull is shown before ImagePullBackOff, at most.
ERROR_SHOWN_SECONDS = 0.5


async def ensure_image(reference: str, node: Node, reporter: Container, *, main: bool) -> Image:
    """Returns once the image is there; a reference that cannot name one is waited on for ever."""
    try:
        image = parse_image(reference)
    except InvalidImageError as exc:
        reporter.show(status.waiting("InvalidImageName", str(exc)))
        reporter.event("Warning", "InspectFailed", str(exc))
        await asyncio.Event().wait()
        raise
    failures = 0
    while why := node.pull(image, reporter.pod, main=main):
        failures += 1
        await _report_pull_failure(image, why, failures, reporter)
    words = (
        f'Container image "{reference}" already present on machine'
        if node.was_present(image)
        else f'Successfully pulled image "{reference}"'
    )
    reporter.event("Normal", "Pulled", words)
    return image


async def _report_pull_failure(image: Image, why: str, failures: int, reporter: Container) -> None:
    """ErrImagePull at the try, ImagePullBackOff until the next."""
    name = image.reference
    reporter.event("Normal", "Pulling", f'Pulling image "{name}"')
    reporter.show(status.waiting("ErrImagePull", why))
    reporter.event("Warning", "Failed", f'Failed to pull image "{name}": {why}')
    reporter.event("Warning", "Failed", "Error: ErrImagePull")
    delay = pull_delay(failures)
    await asyncio.sleep(min(ERROR_SHOWN_SECONDS, delay / 2))
    back_off = f'Back-off pulling image "{name}"'
    reporter.show(status.waiting("ImagePullBackOff", f"{back_off}: ErrImagePull: {why}"))
    reporter.event("Normal", "BackOff", back_off)
    reporter.event("Warning", "Failed", "Error: ImagePullBackOff")
    await asyncio.sleep(delay)
