# SPDX-License-Identifier: GPL-3.0-or-later
"""Getting a container's image, or telling why not and trying again, as the kubelet does."""

from __future__ import annotations

import asyncio
import typing as t

from sandbox.node import backoff, images, status

Object = dict[str, t.Any]

# How long ErrImagePull is shown before ImagePullBackOff, at most.
SHOWN = 0.5


class Registry(t.Protocol):
    def pull(self, image: images.Image, *, main: bool) -> str:
        """Empty when the image could be had, else why not."""

    def was_present(self, image: images.Image) -> bool:
        """Whether it was on the node before."""


class Teller(t.Protocol):
    """Where progress is told: the container's state and the pod's events."""

    def show(self, state: Object) -> None: ...

    def event(self, kind: str, reason: str, message: str) -> None: ...


async def pulled_image(
    reference: str, registry: Registry, teller: Teller, *, main: bool
) -> images.Image:
    """Returns once the image is there; a reference that cannot name one is waited on for ever."""
    try:
        image = images.parse_image(reference)
    except images.InvalidImageError as exc:
        teller.show(status.waiting("InvalidImageName", str(exc)))
        teller.event("Warning", "InspectFailed", str(exc))
        await asyncio.Event().wait()
        raise
    failures = 0
    while why := registry.pull(image, main=main):
        failures += 1
        await _tell_not_pulled(image, why, failures, teller)
    words = (
        f'Container image "{reference}" already present on machine'
        if registry.was_present(image)
        else f'Successfully pulled image "{reference}"'
    )
    teller.event("Normal", "Pulled", words)
    return image


async def _tell_not_pulled(image: images.Image, why: str, failures: int, teller: Teller) -> None:
    """ErrImagePull at the try, ImagePullBackOff until the next."""
    name = image.reference
    teller.event("Normal", "Pulling", f'Pulling image "{name}"')
    teller.show(status.waiting("ErrImagePull", why))
    teller.event("Warning", "Failed", f'Failed to pull image "{name}": {why}')
    teller.event("Warning", "Failed", "Error: ErrImagePull")
    delay = backoff.pull_delay(failures)
    await asyncio.sleep(min(SHOWN, delay / 2))
    back_off = f'Back-off pulling image "{name}"'
    teller.show(status.waiting("ImagePullBackOff", f"{back_off}: ErrImagePull: {why}"))
    teller.event("Normal", "BackOff", back_off)
    teller.event("Warning", "Failed", "Error: ImagePullBackOff")
    await asyncio.sleep(delay)
