# SPDX-License-Identifier: GPL-3.0-or-later
"""A document that others wrote about a release: where it lies, and whether it is of this release."""

from __future__ import annotations

import json
import math
import typing as t
from dataclasses import dataclass
from pathlib import Path

from .._errors import InputError, NotReadyError, VerificationError
from .._http import bearer, without_query
from .http import get
from .models import Finding, Ground, Options, failed, held
from .options import ACCESS

LEAST_OF_A_COMMIT = 7
DOCUMENT = {"path": {"type": "path"}, "url": {"type": "str"}, **ACCESS}
"""Options that say where the document lies."""


@dataclass(frozen=True)
class Origin:
    """Of what release a document says it is; empty for what it does not say."""

    version: str = ""
    commit: str = ""


def read_document(options: Options, ground: Ground) -> str:
    if options["url"]:
        return get(
            "The file",
            options["url"],
            timeout=ground.timeout,
            authorization=bearer(options["token"]),
            ca_cert=options["ca_cert"],
        ).text
    if not options["path"]:
        raise InputError("Neither 'path' nor 'url' is set: set one.")
    try:
        return Path(options["path"]).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise NotReadyError(
            f"The file {options['path']} is missing: let staging write it, or correct its path."
        ) from None
    except (OSError, ValueError) as exc:
        raise NotReadyError(f"The file {options['path']} cannot be read ({exc}).") from None


def place_of(options: Options) -> str:
    return str(without_query(options["url"]) if options["url"] else options["path"])


def parse_json(text: str, where: str) -> dict[str, t.Any]:
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise VerificationError(f"{where} is not one JSON object: check its writer.")
    return found


def number(document: t.Mapping[str, t.Any], key: str) -> float | None:
    """None for what is not there or is no finite number, which proves nothing."""
    value = document.get(key)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return None
    return value


def origin_of(document: t.Mapping[str, t.Any]) -> Origin:
    return Origin(str(document.get("version") or ""), str(document.get("commit") or ""))


def strangeness(origin: Origin, ground: Ground, where: str) -> Finding | None:
    """Why it is no proof for this release; None when it is one."""
    if not origin.version and not origin.commit:
        return held(
            f"{where} has neither a version nor a commit, so its release is unknown: let its "
            "writer add one"
        )
    if origin.version and _bare(origin.version) != _bare(ground.release):
        return failed(
            f"{where} is of version {origin.version} and not of {ground.release}: run it again for this "
            "release"
        )
    if not origin.commit:
        return None
    if same_commit(origin.commit, ground.known_commit()):
        return None
    return failed(
        f"{where} is of commit {origin.commit[:12]} but {ground.known_commit()[:12]} is "
        "released: run it again for this commit"
    )


def same_commit(short: str, full: str) -> bool:
    short = short.lower()
    return len(short) >= LEAST_OF_A_COMMIT and full.lower().startswith(short)


def _bare(version: str) -> str:
    return version.strip().removeprefix("v")
