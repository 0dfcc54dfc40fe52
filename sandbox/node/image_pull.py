# SPDX-License-Identifier: GPL-3.0-or-later
"""Pull a container's image, report why it failed, and try again as the kubelet does."""

from __future__ import annotations

import asyncio
import typing as t

from sandbox.node import backoff, images, status

Object = dict[str, t.Any]

# How long ErrImagePull is shown before ImagePullBackOff, at most.
ERROR_SHOWN_SECONDS = 0.5


class Registry(t.Protocol):
    def pull(self, image: images.Image, *, main: bool) -> str:
        """Empty when the image could be had, else why not."""

    def was_present(self, image: images.Image) -> bool:
        """Whether it was on the node before."""


class StatusReporter(t.Protocol):
    """Takes the container's state and the pod's events."""

    def show(self, state: Object) -> None: ...

    def event(self, kind: str, reason: str, message: str) -> None: ...


async def ensure_image(
    reference: str, registry: Registry, reporter: StatusReporter, *, main: bool
) -> images.Image:
    """Returns once the image is there; a reference that cannot name one is waited on for ever."""
    try:
        image = images.parse_image(reference)
    except images.InvalidImageError as exc:
        reporter.show(status.waiting("InvalidImageName", str(exc)))
        reporter.event("Warning", "InspectFailed", str(exc))
        await asyncio.Event().wait()
        raise
    failures = 0
    while why := registry.pull(image, main=main):
        failures += 1
        await _report_pull_failure(image, why, failures, reporter)
    words = (
        f'Container image "{reference}" already present on machine'
        if registry.was_present(image)
        else f'Successfully pulled image "{reference}"'
    )
    reporter.event("Normal", "Pulled", words)
    return image


async def _report_pull_failure(
    image: images.Image, why: str, failures: int, reporter: StatusReporter
) -> None:
    """ErrImagePull at the try, ImagePullBackOff until the next."""
    name = image.reference
    reporter.event("Normal", "Pulling", f'Pulling image "{name}"')
    reporter.show(status.waiting("ErrImagePull", why))
    reporter.event("Warning", "Failed", f'Failed to pull image "{name}": {why}')
    reporter.event("Warning", "Failed", "Error: ErrImagePull")
    delay = backoff.pull_delay(failures)
    await asyncio.sleep(min(ERROR_SHOWN_SECONDS, delay / 2))
    back_off = f'Back-off pulling image "{name}"'
    reporter.show(status.waiting("ImagePullBackOff", f"{back_off}: ErrImagePull: {why}"))
    reporter.event("Normal", "BackOff", back_off)
    reporter.event("Warning", "Failed", "Error: ImagePullBackOff")
    await asyncio.sleep(delay)
