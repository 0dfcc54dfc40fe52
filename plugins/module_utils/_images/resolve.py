# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Ask for many images side by side, and tell of all that are missing at once."""

from __future__ import annotations

import typing as t

from .._errors import DeployError
from .._threads import side_by_side
from .reference import Reference

AT_ONCE = 8


class MissingImagesError(DeployError):
    reason = "ImageNotFound"


class Registry(t.Protocol):
    def digest(self, reference: Reference) -> str | None:
        """`sha256:…` of what the reference names, None when the registry has no such image. On any thread."""


def resolve(registry: Registry, references: t.Sequence[Reference]) -> dict[str, str]:
    """The digest of each, by its text. Raises with all that are missing; what could not be asked raises first."""
    digests = side_by_side(registry.digest, references, at_once=AT_ONCE)
    found = {one.text: digest for one, digest in zip(references, digests, strict=True) if digest}
    missing = [one.text for one in references if one.text not in found]
    if missing:
        raise MissingImagesError(
            f"{len(missing)} of {len(references)} images are not in their registry: {', '.join(missing)}. "
            "Push them, or correct the tag.",
            missing=missing,
        )
    return found
