# SPDX-License-Identifier: GPL-3.0-or-later
"""Make an activation ready without changing anything, activate every bundle with one call, and read the list back.

Functions are read and bundled independently: no wait for one of the API's limits leaves the other idle.

Secrets of a project, which its functions read from their environment. Values are compared by digest, never shown.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import re
import time
import typing as t
from dataclasses import dataclass, field

from .._errors import DeployError, InputError, RefusedError, UnreachableError, VerificationError
from .._lock.apply import Check
from .._threads import side_by_side
from .api import SupabaseFunctionsApi
from .archive import FunctionsMemory
from .models import (
    Deployed,
    FunctionSource,
    FunctionsPlan,
    KnownVersion,
    Running,
    activation_problems,
)

_NAME = re.compile(r"(?!SUPABASE_)[^\s=]{1,256}")
LONGEST_VALUE = 24_576
MOST = 100
"""Secrets that a project may have."""


@dataclass(frozen=True)
class SecretsPlan:
    """`new` and `changed` are set, `removed` deleted; all of them are names."""

    new: tuple[str, ...]
    changed: tuple[str, ...]
    removed: tuple[str, ...]
    unchanged: tuple[str, ...]

    @property
    def differs(self) -> bool:
        return bool(self.new or self.changed or self.removed)

    def to_result(self) -> dict[str, t.Any]:
        return {
            "changed": self.differs,
            "set": sorted([*self.new, *self.changed]),
            "removed": list(self.removed),
            "unchanged": list(self.unchanged),
        }

    def to_diff(self) -> dict[str, dict[str, str]]:
        """Names alone: even the digest of a short secret would give it away."""
        before = dict.fromkeys((*self.changed, *self.removed), "set")
        after = {
            **dict.fromkeys(self.new, "set"),
            **dict.fromkeys(self.changed, "set to another value"),
        }
        return {"before": before, "after": after}


def plan_secrets(
    present: t.Mapping[str, str], values: t.Mapping[str, str], absent: t.Collection[str]
) -> SecretsPlan:
    _refuse(present, values, absent)
    same = {name for name, value in values.items() if present.get(name) == digest(value)}
    return SecretsPlan(
        new=tuple(sorted({*values} - {*present})),
        changed=tuple(sorted(({*values} & {*present}) - same)),
        removed=tuple(sorted({*absent} & {*present})),
        unchanged=tuple(sorted(same)),
    )


def apply_secrets(
    plan: SecretsPlan, values: t.Mapping[str, str], api: SupabaseFunctionsApi
) -> bool:
    """Whether the digests that the API gives afterwards are those of the values."""
    given = {name: values[name] for name in (*plan.new, *plan.changed)}
    if given:
        api.set_secrets(given)
    if plan.removed:
        api.delete_secrets(plan.removed)
    present = api.secrets()
    missing, left = sorted({*given} - {*present}), sorted({*plan.removed} & {*present})
    if missing or left:
        raise VerificationError(
            "The secrets were sent, but the project's list differs: missing "
            f"{', '.join(missing) or 'none'}, "
            f"still there {', '.join(left) or 'none'}. Run this again."
        )
    return all(present[name] == digest(value) for name, value in given.items())


def digest(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()


def _refuse(
    present: t.Mapping[str, str], values: t.Mapping[str, str], absent: t.Collection[str]
) -> None:
    wrong = sorted(name for name in (*values, *absent) if not _NAME.fullmatch(name))
    if wrong:
        raise InputError(
            f"{', '.join(map(repr, wrong))} cannot name a secret: at most 256 characters without spaces or '=', "
            "and not beginning with SUPABASE_, which the platform keeps for itself."
        )
    both = sorted({*values} & {*absent})
    if both:
        raise InputError(f"{', '.join(both)} cannot be set and absent at once: choose one.")
    empty = sorted(name for name, value in values.items() if not value)
    if empty:
        raise InputError(
            f"The values of {', '.join(empty)} are empty: set them, or list the names in 'absent'."
        )
    long = sorted(name for name, value in values.items() if len(value) > LONGEST_VALUE)
    if long:
        raise InputError(
            f"The values of {', '.join(long)} are longer than the {LONGEST_VALUE} characters "
            "that Supabase allows."
        )
    if len({*present, *values} - {*absent}) > MOST:
        raise InputError(f"A project has at most {MOST} secrets: remove some first.")


PARALLEL = 8

Reporter = t.Callable[[str, str, dict[str, t.Any]], None]


@dataclass(frozen=True)
class FunctionsRequest:
    """The options besides the sources."""

    check_lock: Check
    report: Reporter
    check_mode: bool = False
    diff: bool = False
    required_secrets: tuple[str, ...] = ()
    prune: bool = False
    force: tuple[str, ...] = ()


@dataclass(frozen=True)
class Prepared:
    wanted: tuple[FunctionSource, ...]
    """With what runs now where they say nothing of a setting."""
    listed: t.Mapping[str, Deployed]
    running: dict[str, Running] = field(default_factory=dict)
    bundled: dict[str, Deployed] = field(default_factory=dict)


def prepare(
    api: SupabaseFunctionsApi,
    sources: t.Sequence[FunctionSource],
    listed: t.Mapping[str, Deployed],
    memory: FunctionsMemory,
    order: FunctionsRequest,
    also_read: t.Collection[str],
) -> Prepared:
    """In check mode nothing is sent. Raises RefusedError with every function that did not bundle."""
    active = {slug: entry for slug, entry in listed.items() if entry.status == "ACTIVE"}
    wanted = tuple(
        source.under(active[source.slug].verify_jwt if source.slug in active else None)
        for source in sources
    )
    prepared = Prepared(wanted, listed)
    failed: dict[str, DeployError] = {}

    def read(entry: Deployed) -> None:
        source = memory.source(entry) or api.source(entry)
        prepared.running[entry.slug] = Running(entry, source)

    def go(source: FunctionSource) -> None:
        slug = source.slug
        if slug in active:
            entry = active[slug]
            if memory.knows(entry, source):
                as_it_is = dataclasses.replace(source, verify_jwt=entry.verify_jwt)
                prepared.running[slug] = Running(entry, as_it_is)
            else:
                read(entry)
            if prepared.running[slug].is_as(source):
                return
        if not order.check_mode:
            bundle(source)

    def bundle(source: FunctionSource) -> None:
        event, text = "FunctionBundled", "is bundled"
        try:
            prepared.bundled[source.slug] = api.bundle(source)
        except DeployError as exc:
            failed[source.slug] = exc
            event, text = "FunctionRefused", "does not bundle"
        done = len(prepared.bundled) + len(failed)
        order.report(event, f"{source.slug} {text} ({done} of at most {len(wanted)})", {})

    jobs: list[t.Callable[[], None]] = [
        *(functools.partial(read, active[slug]) for slug in also_read if slug in active),
        *(functools.partial(go, source) for source in wanted),
    ]
    side_by_side(lambda job: job(), jobs, at_once=PARALLEL)
    if failed:
        reasons = "; ".join(f"{slug}: {exc}" for slug, exc in sorted(failed.items()))
        raise RefusedError(
            f"{len(failed)} of {len(wanted)} functions did not bundle, so none was activated: {reasons}",
            functions=sorted(failed),
            activated=False,
        )
    return prepared


LOOKS = 3
LOOK_PAUSE = 2.0
"""Seconds between two looks at the list, when an answer was lost and the call may still be at work."""


def apply_plan(
    plan: FunctionsPlan, prepared: Prepared, api: SupabaseFunctionsApi, order: FunctionsRequest
) -> dict[str, KnownVersion]:
    """Carry out the plan. Returns the versions of the uploaded functions as the API lists them afterwards."""
    deployed: dict[str, KnownVersion] = {}
    if plan.uploads:
        bundled = {source.slug: prepared.bundled[source.slug] for source in plan.uploads}
        _activate(list(bundled.values()), api, order.check_lock)
        order.report("FunctionsActivated", f"{len(bundled)} functions are activated", {})
        deployed = _verify(plan, prepared, bundled, api)
    for number, slug in enumerate(plan.deletions):
        order.check_lock()
        try:
            api.delete(slug)
        except DeployError as exc:
            gone = ", ".join(plan.deletions[:number])
            before = f" {gone} had been deleted before." if gone else ""
            raise type(exc)(
                f"{exc}{before} Run this again to finish.", activated=bool(plan.uploads)
            ) from exc
        order.report("FunctionDeleted", f"{slug} is deleted", {})
    return deployed


def by_slug(api: SupabaseFunctionsApi) -> dict[str, Deployed]:
    return {entry.slug: entry for entry in api.list()}


def _verify(
    plan: FunctionsPlan,
    prepared: Prepared,
    bundled: t.Mapping[str, Deployed],
    api: SupabaseFunctionsApi,
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


def _activate(bundled: t.Sequence[Deployed], api: SupabaseFunctionsApi, check_lock: Check) -> None:
    """Twice when the first call was lost on its way: the same bundles activated again are the same functions."""
    for last in (False, True):
        check_lock()
        try:
            api.activate(bundled)
            return
        except UnreachableError as lost:
            if _arrived(bundled, api, lost):
                return
            if last:
                raise UnreachableError(
                    "The activation was sent twice without an answer, and the list says that "
                    f"none of {len(bundled)} functions was activated: {lost}",
                    activated=False,
                ) from lost


def _arrived(
    bundled: t.Sequence[Deployed], api: SupabaseFunctionsApi, lost: UnreachableError
) -> bool:
    """Whether the list shows the activation after a lost connection. Raises when it shows only a part of it."""
    there: list[str] = []
    for look in range(LOOKS):
        if look:
            time.sleep(LOOK_PAUSE)
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
            f"The activation got no answer, and only {', '.join(sorted(there))} run the new sources, while "
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
