# SPDX-License-Identifier: GPL-3.0-or-later
"""One task of the edge_functions module: deploy a checkout, or restore what ran before a release.

An activation is made ready without changing anything, sent for every bundle by one call, and read back from the list.
Functions are read and bundled independently: no wait for one of the API's limits leaves the other idle.
"""

from __future__ import annotations

import dataclasses
import functools
import time
import typing as t
from dataclasses import dataclass, field

from .._errors import ConflictError, DeployError, RefusedError, UnreachableError, VerificationError
from .._lock.apply import Check
from .._threads import side_by_side
from .api import SupabaseFunctionsApi
from .archive import Archive, FunctionsMemory
from .collect import Collected
from .models import (
    Deployed,
    FunctionSource,
    FunctionsPlan,
    Knowledge,
    KnownVersion,
    Running,
    activation_problems,
    deployed_since,
    diff_of,
    missing_secrets,
    plan_functions,
    prune,
)

PARALLEL = 8
LOOKS = 3
LOOK_PAUSE = 2.0
"""Seconds between two looks at the list, when an answer was lost and the call may still be at work."""
REMEMBERED = 8
"""How many versions of a function are known at most."""

Result = dict[str, t.Any]
Listed = t.Mapping[str, Deployed]


@dataclass(frozen=True)
class Prepared:
    wanted: tuple[FunctionSource, ...]
    """With what runs now where they say nothing of a setting."""
    listed: t.Mapping[str, Deployed]
    running: dict[str, Running] = field(default_factory=dict)
    bundled: dict[str, Deployed] = field(default_factory=dict)


@dataclass(frozen=True)
class FunctionsTask:
    """Over a project and what is known of its functions, with the module's options besides the sources."""

    api: SupabaseFunctionsApi
    memory: FunctionsMemory
    check_lock: Check
    report: t.Callable[[str, str, dict[str, t.Any]], None]
    check_mode: bool = False
    diff: bool = False
    required_secrets: tuple[str, ...] = ()
    prune: bool = False
    force: tuple[str, ...] = ()

    def deploy(self, collected: Collected) -> Result:
        """Make everything ready, save what runs, and only then activate."""
        if self.required_secrets:
            missing_secrets(self.required_secrets, self.api.secrets())
        listed = self._listed()
        slugs = {source.slug for source in collected.sources}
        extra = _active_slugs(listed) - slugs - {*collected.disabled}
        pruned = prune(sorted(extra), self.memory.known, self.force) if self.prune else ()
        prepared = self.prepare(collected.sources, listed, pruned)
        plan = plan_functions(
            prepared.running,
            prepared.wanted,
            known=self.memory.known,
            remove=pruned,
            extra=sorted(extra - {*pruned}),
        )
        result = self._result(plan, prepared.running) | {"disabled": list(collected.disabled)}
        if self.check_mode:
            return result
        expected = {
            source.slug: prepared.bundled[source.slug].known(source.fingerprint)
            for source in prepared.wanted
            if source.slug in prepared.bundled
        }
        archive = _archive(prepared, self.memory.archive) if plan.changes else None
        if saved := self.memory.write(_known(self.memory.known, plan, expected), archive):
            result["saved"] = saved
        if plan.changes:
            _refuse_overtaken(plan, prepared, self._listed())
        return result | self._activated(plan, prepared)

    def restore(self, archive: Archive | None) -> Result:
        """Undo the release's changes, if it made any, without functions that another writer changed since."""
        if archive is None:
            return self._result(FunctionsPlan(), {})
        listed = self._listed()
        known = self.memory.known
        since = {*deployed_since(listed, known, archive.versions)} - {*self.force}
        created = {*archive.absent} - since
        if known:
            # A function that was absent before and unknown to the release is another writer's.
            created &= {*known, *self.force}
        wanted = [source for source in archive.sources if source.slug not in since]
        # What runs is read anew, whatever was saved of it.
        reading = dataclasses.replace(self, memory=FunctionsMemory(known))
        prepared = reading.prepare(wanted, listed, sorted(created | since))
        # An interrupted rollback leaves functions with the right sources under an unknown version.
        back = {
            source.slug
            for source in archive.sources
            if source.slug in since and prepared.running[source.slug].is_as(source)
        }
        retained = sorted(((since - back) | ({*archive.absent} - created)) & _active_slugs(listed))
        plan = plan_functions(
            prepared.running,
            prepared.wanted,
            known=known,
            remove=sorted(created),
            retained=retained,
        )
        result = self._result(plan, prepared.running) | {"restored": True}
        if self.check_mode:
            return result
        return result | self._activated(plan, prepared)

    def prepare(
        self, sources: t.Sequence[FunctionSource], listed: Listed, also_read: t.Collection[str]
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
            source = self.memory.source(entry) or self.api.source(entry)
            prepared.running[entry.slug] = Running(entry, source)

        def go(source: FunctionSource) -> None:
            slug = source.slug
            if slug in active:
                entry = active[slug]
                if self.memory.knows(entry, source):
                    as_it_is = dataclasses.replace(source, verify_jwt=entry.verify_jwt)
                    prepared.running[slug] = Running(entry, as_it_is)
                else:
                    read(entry)
                if prepared.running[slug].is_as(source):
                    return
            if not self.check_mode:
                bundle(source)

        def bundle(source: FunctionSource) -> None:
            event, text = "FunctionBundled", "is bundled"
            try:
                prepared.bundled[source.slug] = self.api.bundle(source)
            except DeployError as exc:
                failed[source.slug] = exc
                event, text = "FunctionRefused", "does not bundle"
            done = len(prepared.bundled) + len(failed)
            self.report(event, f"{source.slug} {text} ({done} of at most {len(wanted)})", {})

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

    def _carry_out(self, plan: FunctionsPlan, prepared: Prepared) -> dict[str, KnownVersion]:
        """Returns the versions of the uploaded functions as the API lists them afterwards."""
        deployed: dict[str, KnownVersion] = {}
        if plan.uploads:
            bundled = {source.slug: prepared.bundled[source.slug] for source in plan.uploads}
            self._activate(list(bundled.values()))
            self.report("FunctionsActivated", f"{len(bundled)} functions are activated", {})
            deployed = self._verify(plan, prepared)
        for number, slug in enumerate(plan.deletions):
            self.check_lock()
            try:
                self.api.delete(slug)
            except DeployError as exc:
                gone = ", ".join(plan.deletions[:number])
                before = f" {gone} had been deleted before." if gone else ""
                raise type(exc)(
                    f"{exc}{before} Run this again to finish.", activated=bool(plan.uploads)
                ) from exc
            self.report("FunctionDeleted", f"{slug} is deleted", {})
        return deployed

    def _activate(self, bundled: t.Sequence[Deployed]) -> None:
        """Twice when the first call was lost on its way: the same bundles activated again are the same functions."""
        for last in (False, True):
            self.check_lock()
            try:
                self.api.activate(bundled)
                return
            except UnreachableError as lost:
                if self._arrived(bundled, lost):
                    return
                if last:
                    raise UnreachableError(
                        "The activation was sent twice without an answer, and the list says that "
                        f"none of {len(bundled)} functions was activated: {lost}",
                        activated=False,
                    ) from lost

    def _arrived(self, bundled: t.Sequence[Deployed], lost: UnreachableError) -> bool:
        """Whether the list shows the activation after a lost connection. Raises when it shows only a part of it."""
        there: list[str] = []
        for look in range(LOOKS):
            if look:
                time.sleep(LOOK_PAUSE)
            try:
                listed = self._listed()
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

    def _verify(self, plan: FunctionsPlan, prepared: Prepared) -> dict[str, KnownVersion]:
        try:
            listed = self._listed()
        except DeployError as exc:
            raise VerificationError(
                f"The functions were activated, but then the list could not be read: {exc} Run this "
                "again.",
                activated=True,
            ) from exc
        problems = activation_problems(plan.uploads, prepared.listed, prepared.bundled, listed)
        if problems:
            raise VerificationError(
                f"The functions were activated, but {'; '.join(problems.values())}: check the "
                "Supabase dashboard, then run this again or restore the previous sources.",
                functions=sorted(problems),
                activated=True,
            )
        return {
            source.slug: listed[source.slug].known(source.fingerprint) for source in plan.uploads
        }

    def _listed(self) -> dict[str, Deployed]:
        return {entry.slug: entry for entry in self.api.list()}

    def _result(self, plan: FunctionsPlan, running: t.Mapping[str, Running]) -> Result:
        result: Result = {
            "changed": bool(plan.changes),
            "changes": [change.to_result() for change in plan.changes],
            "unchanged": list(plan.unchanged),
            "extra": list(plan.extra),
            "kept": list(plan.retained),
            "turned": list(plan.turned),
            "functions": {},
            "activated": False,
        }
        if self.diff:
            result["diff"] = diff_of(plan, running)
        return result

    def _activated(self, plan: FunctionsPlan, prepared: Prepared) -> Result:
        if not plan.changes:
            return {}
        deployed = self._carry_out(plan, prepared)
        try:
            self.memory.write(_known(self.memory.known, plan, deployed))
        except DeployError as exc:
            exc.details["activated"] = True
            raise
        functions = {
            source.slug: {"version": deployed[source.slug].version, "verify_jwt": source.verify_jwt}
            for source in plan.uploads
        }
        return {"activated": True, "functions": functions}


def _runs(bundled: Deployed, listed: Deployed | None) -> bool:
    return (
        listed is not None
        and listed.version >= bundled.version
        and (not bundled.sha256 or listed.sha256 == bundled.sha256)
    )


def _refuse_overtaken(plan: FunctionsPlan, prepared: Prepared, listed: Listed) -> None:
    """Refuse functions that changed since they were listed first: what was saved of them is out of date."""
    overtaken = [
        slug
        for slug in (*(change.slug for change in plan.changes), *plan.unchanged)
        if _ran(listed.get(slug)) != _ran(prepared.listed.get(slug))
    ]
    if overtaken:
        raise ConflictError(
            f"Somebody else deployed or deleted {', '.join(overtaken)} since everything was staged, "
            "so nothing was activated: run this again.",
            functions=overtaken,
            activated=False,
        )


def _ran(present: Deployed | None) -> tuple[int, str]:
    """A function that was deleted and deployed again begins anew at version 1."""
    return (present.version, present.sha256) if present else (0, "")


def _active_slugs(listed: Listed) -> set[str]:
    return {slug for slug, entry in listed.items() if entry.status == "ACTIVE"}


def _known(
    before: Knowledge, plan: FunctionsPlan, deployed: t.Mapping[str, KnownVersion]
) -> Knowledge:
    """The known and the new versions, without deleted functions."""
    learned = {**plan.unchanged, **deployed}
    known: dict[str, tuple[KnownVersion, ...]] = {}
    for slug in sorted({*before, *learned} - {*plan.deletions}):
        entries = before.get(slug, ())
        if slug in learned and learned[slug] not in entries:
            entries = (*entries, learned[slug])
        known[slug] = entries[-REMEMBERED:]
    return known


def _archive(prepared: Prepared, before: Archive | None) -> Archive:
    """The running functions, under the entries of an earlier archive: those are older."""
    older = before or Archive((), ())
    covered = {source.slug for source in older.sources} | {*older.absent}
    fresh = [each for slug, each in prepared.running.items() if slug not in covered]
    absent = {source.slug for source in prepared.wanted} - {*prepared.running} - covered
    return Archive(
        sources=(*older.sources, *(each.source for each in fresh)),
        absent=tuple(sorted({*older.absent, *absent})),
        versions={
            **older.versions,
            **{each.deployed.slug: each.deployed.known(each.source.fingerprint) for each in fresh},
        },
    )
