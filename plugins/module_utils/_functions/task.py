# SPDX-License-Identifier: GPL-3.0-or-later
"""One task of the edge_functions module: deploy a checkout, stage it, save the running functions, or restore them."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field
from pathlib import Path

from .._errors import ConflictError, InputError
from .._lock.apply import Check, no_check
from .apply import apply_plan, by_slug
from .archive import Archive
from .collect import Collected
from .models import (
    Deployed,
    FunctionsApi,
    FunctionSource,
    FunctionsPlan,
    Knowledge,
    KnownVersion,
    Running,
    deployed_since,
    diff_of,
    missing_secrets,
    plan_functions,
    prune,
)
from .prepare import FunctionsMemory, Prepared, Reporter, Staged, prepare, silent

if t.TYPE_CHECKING:
    from .archive import Saved

REMEMBERED = 8
"""How many versions of a function are known at most."""

Result = dict[str, t.Any]
Keep = t.Callable[[Archive, Path], "Saved"]
Listed = t.Mapping[str, Deployed]


@dataclass(frozen=True)
class FunctionsRequest:
    """The options besides the sources."""

    check_mode: bool
    diff: bool
    archive: Path | None = None
    memory: FunctionsMemory = field(default_factory=FunctionsMemory)
    was_staged: bool = False
    """Whether a task before this one made everything ready."""
    required_secrets: tuple[str, ...] = ()
    prune: bool = False
    force: tuple[str, ...] = ()

    @classmethod
    def from_params(
        cls, params: t.Mapping[str, t.Any], saved: Archive | None, *, check_mode: bool, diff: bool
    ) -> FunctionsRequest:
        """`saved` is the archive that there is already."""
        try:
            known = {
                slug: tuple(KnownVersion.from_json(entry) for entry in entries)
                for slug, entries in params["known"].items()
            }
            given = (params["staged"] or {}).items()
            staged = {slug: Staged.from_json(entry) for slug, entry in given}
        except (AttributeError, KeyError, TypeError, ValueError) as exc:
            raise InputError(
                "'known' and 'staged' take an earlier task's results of these names."
            ) from exc
        return cls(
            check_mode=check_mode,
            diff=diff,
            archive=Path(params["archive"]) if params["archive"] else None,
            memory=FunctionsMemory(known, saved, staged),
            was_staged=params["staged"] is not None,
            required_secrets=tuple(params["required_secrets"]),
            prune=params["prune"],
            force=tuple(params["force"]),
        )


def deploy(
    api: FunctionsApi,
    collected: Collected,
    order: FunctionsRequest,
    keep: Keep,
    *,
    activate: bool,
    check_lock: Check = no_check,
    report: Reporter = silent,
) -> Result:
    """Deploy. Without `activate` everything is prepared and the running functions stay."""
    if order.required_secrets:
        missing_secrets(order.required_secrets, api.secrets())
    listed = by_slug(api)
    slugs = {source.slug for source in collected.sources}
    extra = _active(listed) - slugs - {*collected.disabled}
    known = order.memory.known
    pruned = prune(sorted(extra), known, order.force) if order.prune else ()
    prepared = prepare(
        api,
        collected.sources,
        listed,
        order.memory,
        upload=not order.check_mode,
        also_read=pruned,
        report=report,
    )
    plan = plan_functions(
        prepared.running,
        prepared.wanted,
        known=known,
        remove=pruned,
        extra=sorted(extra - {*pruned}),
    )
    if activate and order.was_staged:
        _refuse_overtaken(plan, prepared, order.memory)
    result = _result(plan, prepared, order) | {"disabled": list(collected.disabled)}
    if order.archive and plan.changed:
        saved = keep(_archive(prepared, order.memory.archive), order.archive)
        result["saved"] = saved.to_result()
    expected = {slug: _expected(prepared, slug) for slug in prepared.bundled}
    if not activate:
        staged = {slug: bundle.to_json() for slug, bundle in prepared.staged().items()}
        return {**result, "changed": False, "staged": staged, **_known(known, plan, expected)}
    return {**result, **_activated(api, plan, prepared, order, check_lock, report)}


def _refuse_overtaken(plan: FunctionsPlan, prepared: Prepared, memory: FunctionsMemory) -> None:
    """Refuse functions that changed since staging: their saved versions are out of date."""
    overtaken = [
        source.slug
        for source in plan.uploads
        if memory.is_overtaken(source.slug, prepared.running.get(source.slug))
    ]
    if overtaken:
        raise ConflictError(
            f"Somebody else deployed or deleted {', '.join(overtaken)} since everything was staged, "
            "so nothing was activated: run this again.",
            functions=overtaken,
            activated=False,
        )


def restore(
    api: FunctionsApi,
    archive: Archive,
    order: FunctionsRequest,
    *,
    check_lock: Check = no_check,
    report: Reporter = silent,
) -> Result:
    """Undo the release's changes, without functions that another writer changed since."""
    listed = by_slug(api)
    known = order.memory.known
    since = {*deployed_since(listed, known, archive.versions)} - {*order.force}
    created = {*archive.absent} - since
    if known:
        # A function that was absent before and unknown to the release is another writer's.
        created &= {*known, *order.force}
    prepared = prepare(
        api,
        [source for source in archive.sources if source.slug not in since],
        listed,
        FunctionsMemory(known, None, order.memory.staged),
        upload=not order.check_mode,
        also_read=sorted(created | since),
        report=report,
    )
    # An interrupted rollback leaves functions with the right sources under an unknown version.
    back = {
        source.slug
        for source in archive.sources
        if source.slug in since and prepared.running[source.slug].is_as(source)
    }
    retained = sorted(((since - back) | ({*archive.absent} - created)) & _active(listed))
    plan = plan_functions(
        prepared.running, prepared.wanted, known=known, remove=sorted(created), retained=retained
    )
    result = _result(plan, prepared, order)
    return {**result, **_activated(api, plan, prepared, order, check_lock, report)}


def save(api: FunctionsApi, names: t.Sequence[str], order: FunctionsRequest, keep: Keep) -> Result:
    """Save the running functions. An equal archive stays as it is."""
    listed = by_slug(api)
    prepared = prepare(api, (), listed, order.memory, upload=False, also_read=names)
    archive = _archive(prepared, None, absent={*names} - _active(listed))
    before = order.memory.archive
    changed = before is None or before.dump() != archive.dump()
    target = t.cast("Path", order.archive)  # the module asks for it
    result: Result = {
        "changed": changed,
        "changes": [],
        "unchanged": sorted(prepared.running),
        "activated": False,
    }
    return result | {"saved": keep(archive, target).to_result()}


def _active(listed: Listed) -> set[str]:
    return {slug for slug, entry in listed.items() if entry.status == "ACTIVE"}


def _result(plan: FunctionsPlan, prepared: Prepared, order: FunctionsRequest) -> Result:
    result: Result = {
        "changed": plan.changed,
        "changes": [change.to_result() for change in plan.changes],
        "unchanged": list(plan.unchanged),
        "extra": list(plan.extra),
        "kept": list(plan.retained),
        "turned": list(plan.turned),
        "activated": False,
    }
    if order.diff:
        result["diff"] = diff_of(plan, prepared.running)
    return result


def _activated(
    api: FunctionsApi,
    plan: FunctionsPlan,
    prepared: Prepared,
    order: FunctionsRequest,
    check_lock: Check,
    report: Reporter,
) -> Result:
    if order.check_mode or not plan.changed:
        return _known(order.memory.known, plan, {})
    deployed = apply_plan(plan, prepared, api, check_lock=check_lock, report=report)
    functions = {
        source.slug: {"version": deployed[source.slug].version, "verify_jwt": source.verify_jwt}
        for source in plan.uploads
    }
    known = _known(order.memory.known, plan, deployed)
    return {"activated": True, "functions": functions, **known}


def _expected(prepared: Prepared, slug: str) -> KnownVersion:
    fingerprint = next(each.fingerprint for each in prepared.wanted if each.slug == slug)
    return prepared.bundled[slug].known(fingerprint)


def _known(
    before: Knowledge, plan: FunctionsPlan, deployed: t.Mapping[str, KnownVersion]
) -> Result:
    """The known and the new versions, without deleted functions."""
    learned = {**plan.proven, **deployed}
    known: dict[str, list[dict[str, t.Any]]] = {}
    for slug in sorted({*before, *learned} - {*plan.deletions}):
        entries = list(before.get(slug, ()))
        if slug in learned and learned[slug] not in entries:
            entries.append(learned[slug])
        known[slug] = [entry.to_json() for entry in entries[-REMEMBERED:]]
    return {"known": known}


def _archive(
    prepared: Prepared, before: Archive | None, *, absent: t.Collection[str] | None = None
) -> Archive:
    """The running functions, under the entries of an earlier archive: those are older."""
    if absent is None:
        absent = {source.slug for source in prepared.wanted} - {*prepared.running}
    now = prepared.running
    older = before or Archive((), ())
    covered = {source.slug for source in older.sources} | {*older.absent}
    fresh: dict[str, Running] = {slug: each for slug, each in now.items() if slug not in covered}
    sources: tuple[FunctionSource, ...] = tuple(each.source for each in fresh.values())
    return Archive(
        sources=(*older.sources, *sources),
        absent=tuple(sorted({*older.absent, *(set(absent) - covered)})),
        versions={
            **older.versions,
            **{slug: each.deployed.known(each.source.fingerprint) for slug, each in fresh.items()},
        },
    )
