# SPDX-License-Identifier: GPL-3.0-or-later
"""Carry out a plan: activate every bundle with one call, then read the list back.

Secrets of a project, which its functions read from their environment. Values are compared by digest, never shown.
"""

from __future__ import annotations

import hashlib
import re
import time
import typing as t
from dataclasses import dataclass

from .._errors import DeployError, InputError, UnreachableError, VerificationError
from .._lock.apply import Check, no_check
from .models import Deployed, FunctionsApi, FunctionsPlan, KnownVersion, activation_problems
from .prepare import Prepared, Reporter, silent

_NAME = re.compile(r"(?!SUPABASE_)[^\s=]{1,256}")
LONGEST_VALUE = 24_576
MOST = 100
"""Secrets that a project may have."""


class SecretsApi(t.Protocol):
    def secrets(self) -> dict[str, str]:
        """The names of the project's secrets with the digests of their values."""

    def set_secrets(self, values: t.Mapping[str, str]) -> None: ...

    def delete_secrets(self, names: t.Sequence[str]) -> None: ...


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


def apply_secrets(plan: SecretsPlan, values: t.Mapping[str, str], api: SecretsApi) -> bool:
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
