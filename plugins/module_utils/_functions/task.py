# SPDX-License-Identifier: GPL-3.0-or-later
"""One task of the edge_functions module: deploy a checkout, or restore what ran before a release."""

from __future__ import annotations

import typing as t

from .._errors import ConflictError, DeployError
from .api import SupabaseFunctionsApi
from .apply import FunctionsRequest, Prepared, apply_plan, by_slug, prepare
from .archive import Archive, FunctionsMemory
from .collect import Collected
from .models import (
    Deployed,
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

REMEMBERED = 8
"""How many versions of a function are known at most."""

Result = dict[str, t.Any]
Listed = t.Mapping[str, Deployed]


def deploy(
    api: SupabaseFunctionsApi,
    collected: Collected,
    order: FunctionsRequest,
    memory: FunctionsMemory,
) -> Result:
    """Make everything ready, save what runs, and only then activate."""
    if order.required_secrets:
        missing_secrets(order.required_secrets, api.secrets())
    listed = by_slug(api)
    slugs = {source.slug for source in collected.sources}
    extra = _active(listed) - slugs - {*collected.disabled}
    pruned = prune(sorted(extra), memory.known, order.force) if order.prune else ()
    prepared = prepare(api, collected.sources, listed, memory, order, pruned)
    plan = plan_functions(
        prepared.running,
        prepared.wanted,
        known=memory.known,
        remove=pruned,
        extra=sorted(extra - {*pruned}),
    )
    result = _result(plan, prepared.running, order) | {"disabled": list(collected.disabled)}
    if order.check_mode:
        return result
    expected = {
        source.slug: prepared.bundled[source.slug].known(source.fingerprint)
        for source in prepared.wanted
        if source.slug in prepared.bundled
    }
    archive = _archive(prepared, memory.archive) if plan.changes else None
    if saved := memory.write(_known(memory.known, plan, expected), archive):
        result["saved"] = saved
    if plan.changes:
        _refuse_overtaken(plan, prepared, by_slug(api))
    return result | _activated(api, plan, prepared, memory, order)


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


def restore(
    api: SupabaseFunctionsApi,
    archive: Archive | None,
    order: FunctionsRequest,
    memory: FunctionsMemory,
) -> Result:
    """Undo the release's changes, if it made any, without functions that another writer changed since."""
    if archive is None:
        return _result(FunctionsPlan(), {}, order)
    listed = by_slug(api)
    known = memory.known
    since = {*deployed_since(listed, known, archive.versions)} - {*order.force}
    created = {*archive.absent} - since
    if known:
        # A function that was absent before and unknown to the release is another writer's.
        created &= {*known, *order.force}
    prepared = prepare(
        api,
        [source for source in archive.sources if source.slug not in since],
        listed,
        FunctionsMemory(known),
        order,
        sorted(created | since),
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
    result = _result(plan, prepared.running, order)
    if order.check_mode:
        return result
    return result | _activated(api, plan, prepared, memory, order)


def _active(listed: Listed) -> set[str]:
    return {slug for slug, entry in listed.items() if entry.status == "ACTIVE"}


def _result(
    plan: FunctionsPlan, running: t.Mapping[str, Running], order: FunctionsRequest
) -> Result:
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
    if order.diff:
        result["diff"] = diff_of(plan, running)
    return result


def _activated(
    api: SupabaseFunctionsApi,
    plan: FunctionsPlan,
    prepared: Prepared,
    memory: FunctionsMemory,
    order: FunctionsRequest,
) -> Result:
    if not plan.changes:
        return {}
    deployed = apply_plan(plan, prepared, api, order)
    try:
        memory.write(_known(memory.known, plan, deployed))
    except DeployError as exc:
        exc.details["activated"] = True
        raise
    functions = {
        source.slug: {"version": deployed[source.slug].version, "verify_jwt": source.verify_jwt}
        for source in plan.uploads
    }
    return {"activated": True, "functions": functions}


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
