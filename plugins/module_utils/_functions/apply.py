# SPDX-License-Identifier: GPL-3.0-or-later
"""Carry out a plan: activate every bundle with one call, then read the list back."""

from __future__ import annotations

import time
import typing as t

from .._errors import DeployError, UnreachableError, VerificationError
from .._lock.fence import Check, no_check
from .models import Deployed, FunctionsApi, KnownVersion
from .plan import FunctionsPlan, activation_problems
from .prepare import Prepared, Reporter, silent

LOOKS = 3
LOOK_PAUSE = 2.0
"""Seconds between two looks at the list, when an answer was lost and the call may still be at work."""

Sleep = t.Callable[[float], None]


def apply_plan(
    plan: FunctionsPlan,
    prepared: Prepared,
    api: FunctionsApi,
    *,
    check_lock: Check = no_check,
    report: Reporter = silent,
    sleep: Sleep = time.sleep,
) -> dict[str, KnownVersion]:
    """Carry out the plan. Returns the versions of the uploaded functions as the API lists them afterwards."""
    deployed: dict[str, KnownVersion] = {}
    if plan.uploads:
        bundled = {source.slug: prepared.bundled[source.slug] for source in plan.uploads}
        _activate(list(bundled.values()), api, check_lock, sleep)
        report("FunctionsActivated", f"{len(bundled)} functions are activated", {})
        deployed = _verify(plan, prepared, bundled, api)
    for number, slug in enumerate(plan.deletions):
        check_lock()
        _delete(slug, plan.deletions[:number], api, activated=bool(plan.uploads))
        report("FunctionDeleted", f"{slug} is deleted", {})
    return deployed


def by_slug(api: FunctionsApi) -> dict[str, Deployed]:
    return {entry.slug: entry for entry in api.list()}


def _verify(
    plan: FunctionsPlan, prepared: Prepared, bundled: t.Mapping[str, Deployed], api: FunctionsApi
) -> dict[str, KnownVersion]:
    try:
        listed = by_slug(api)
    except DeployError as exc:
        raise VerificationError(
            f"The functions were activated, but then the list could not be read: {exc} Run this "
            "again.",
            activated=True,
        ) from exc
    problems = activation_problems(plan.uploads, prepared.listed, bundled, listed)
    if problems:
        raise VerificationError(
            f"The functions were activated, but {'; '.join(problems.values())}: check the "
            "Supabase dashboard, then run this again or restore the previous sources.",
            functions=sorted(problems),
            activated=True,
        )
    return {source.slug: listed[source.slug].known(source.fingerprint) for source in plan.uploads}


def _activate(
    bundled: t.Sequence[Deployed], api: FunctionsApi, check_lock: Check, sleep: Sleep
) -> None:
    """Twice when the first call was lost on its way: the same bundles activated again are the same functions."""
    check_lock()
    try:
        api.activate(bundled)
    except UnreachableError as lost:
        if _arrived(bundled, api, lost, sleep):
            return
        check_lock()
        try:
            api.activate(bundled)
        except UnreachableError as exc:
            if not _arrived(bundled, api, exc, sleep):
                raise UnreachableError(
                    "The activation was sent twice without an answer, and the list says that "
                    "none of "
                    f"{len(bundled)} functions was activated: {exc}",
                    activated=False,
                ) from exc


def _arrived(
    bundled: t.Sequence[Deployed], api: FunctionsApi, lost: UnreachableError, sleep: Sleep
) -> bool:
    """Whether the list shows the activation after a lost connection. Raises when it shows only a part of it."""
    there: list[str] = []
    for look in range(LOOKS):
        if look:
            sleep(LOOK_PAUSE)
        try:
            listed = by_slug(api)
        except DeployError as exc:
            raise UnreachableError(
                f"The activation was sent without an answer, and the list cannot be read: {exc} "
                "The new functions may run: run this again to finish.",
                activated=True,
            ) from lost
        there = [entry.slug for entry in bundled if _runs(entry, listed.get(entry.slug))]
        if len(there) == len(bundled):
            return True
    if there:
        absent = sorted({entry.slug for entry in bundled} - {*there})
        raise UnreachableError(
            f"The activation got no answer, and only {', '.join(sorted(there))} run the new "
            "sources, while "
            f"{', '.join(absent)} do not: run this again, or restore the previous sources.",
            functions=absent,
            activated=True,
        ) from lost
    return False


def _runs(bundled: Deployed, listed: Deployed | None) -> bool:
    return (
        listed is not None
        and listed.version >= bundled.version
        and (not bundled.sha256 or listed.sha256 == bundled.sha256)
    )


def _delete(slug: str, gone: t.Sequence[str], api: FunctionsApi, *, activated: bool) -> None:
    try:
        api.delete(slug)
    except DeployError as exc:
        before = f" {', '.join(gone)} had been deleted before." if gone else ""
        raise type(exc)(f"{exc}{before} Run this again to finish.", activated=activated) from exc
