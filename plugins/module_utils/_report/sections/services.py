# SPDX-License-Identifier: GPL-3.0-or-later
"""Services and their images: what ran before, what runs now, and why where it did not get there."""

from __future__ import annotations

import typing as t

from ..._flags.values import only_flags
from ..._formats import took
from ..._images import version_of
from ..._story.decode import text
from ..._story.record import Failure, Flags, Functions, Record, Service
from ..._words import counted
from ..._words import listed as listing
from ..models import Cell, Table, code, judged, share, table

PHASE = "microservices"
FOLDED_FROM = 40
BACK, NOT_STARTED, EARLIER = "rolled back", "not started", "rolled out earlier"
NAMED = 6
"""As many services are named in one line."""


Json = t.Mapping[str, t.Any]


def services(record: Record, pins: Json, versions: Json) -> Table:
    """By name what the rollout module returns; of a failed phase also what each host failed with.

    `pins`: what each Deployment ran before the release, as release_info returns it. `versions`: what each runs now.
    """
    evidence, waves = record.evidence(PHASE), record.facts.wave_numbers
    failed = {entry.name: entry for entry in evidence.failures}
    results = {service.name: service for service in record.section("services")}
    for name, failure in failed.items():
        if name in waves or name not in ("localhost", *results):
            results.setdefault(name, Service(name, result=failure.result))
    returned = {entry.name: entry for entry in record.facts.services_returned}
    results |= {name: entry for name, entry in returned.items() if name not in results}
    if PHASE in record.phases:
        # What a wave did not reach still runs what it ran before.
        for name in waves:
            results.setdefault(name, Service(name, result=NOT_STARTED))
    order = sorted(results, key=lambda name: (waves.get(name, 10_000), list(results).index(name)))
    rows = [
        service_row(
            results[name],
            waves.get(name),
            failed.get(name),
            returned.get(name),
            pinned_image(pins, name),
            # As a look at the cluster has it, else as the phase saw it when it failed.
            text(versions.get(name)) or version_of(text((evidence.standing or {}).get(name))),
        )
        for name in order
    ]
    columns = ("Service", "Wave", "Result", "Before", "Now", "Ready", "Took", "Why")
    return table(
        "Services", columns, rows, "No rollout of a service is recorded.",
        lead_of(rows), fold=len(rows) > FOLDED_FROM, part="services",
    )  # fmt: skip


def service_row(
    service: Service,
    wave: int | None,
    failure: Failure | None,
    back: Service | None,
    pinned: str,
    evidence: str,
) -> tuple[Cell, ...]:
    """`pinned`: what it ran before the release, which a run that finds it rolled already cannot see.

    `seen`: the version that somebody saw last, "" for nobody: without it nothing is said of what was not started.
    """
    result = service.result or ("failed" if failure else "unknown")
    why, now = service.cause or (failure.message if failure else "") or service.msg, service.after
    before = pinned or service.before
    if back:
        why = f"{why} {back.message} {taken_away(back)}".strip()
        now = back.after or now
    version = evidence or version_of(now) or now
    # A later run that finds it rolled already did not take "0 s". A failed phase keeps no result of what went well.
    earlier = (
        result in ("no_change", NOT_STARTED) and pinned and version not in ("", version_of(pinned))
    )
    return (
        Cell(service.name),
        Cell("" if wave is None else str(wave)),
        outcome_of(result, back) if not earlier else Cell(EARLIER, "good"),
        Cell(version_of(before) or before, code=True),
        Cell(version, code=True),
        Cell(f"{service.ready} of {service.desired}" if service.ready else ""),
        Cell("" if earlier else took(service.duration)),
        Cell(why),
    )


def outcome_of(result: str, back: Service | None) -> Cell:
    if back and not back.message:
        return Cell(BACK, "warn")
    if back:
        return Cell(f"{result}, not rolled back".replace("_", " "), "bad")
    return Cell(result, "calm") if result == NOT_STARTED else judged(result)


def versions_now(table: Table) -> str:
    """For example "v2.0.0 on 3: checkout, ranking-service, vendor-service; v1.9.0 on 9"."""
    by: dict[str, list[str]] = {}
    for row in table.rows:
        by.setdefault(row[4].text or "not known", []).append(row[0].text)
    if len(by) == 1 and len(table.rows) > 1:
        return f"{next(iter(by))} on all {len(table.rows)} services"
    fewest_first = sorted(by.items(), key=lambda entry: len(entry[1]))
    sentences = [
        f"{version} on {len(names)}{': ' + ', '.join(names) if len(names) <= NAMED else ''}"
        for version, names in fewest_first
    ]
    return "; ".join(sentences)


def pinned_image(pins: Json, name: str) -> str:
    pin = pins.get(name)
    images = pin.get("images") if isinstance(pin, dict) else None
    known = images if isinstance(images, dict) else {}
    return text(known.get(name) or next(iter(known.values()), ""))


def taken_away(back: Service) -> str:
    """What another hand had changed, and the way back changed with the rest."""
    fields = ", ".join(back.taken_away)
    return f"That removed other people's changes: {fields}." if fields else ""


def lead_of(rows: t.Sequence[tuple[Cell, ...]]) -> str:
    back = sum(1 for row in rows if row[2].text == BACK)
    if back and back + sum(1 for row in rows if row[2].text == NOT_STARTED) == len(rows):
        return f"{back} of {counted(len(rows), 'service')} rolled back."
    bad = [row for row in rows if row[2].tone != "good"]
    rest = listing([row[0].text for row in bad], 5)
    return share(len(rows) - len(bad), len(rows), "services rolled out", f"not {rest}")


def images(record: Record) -> Table | None:
    """By image its digest, or that nobody looked; left out when no image is recorded."""
    known = record.facts.images
    rows = [
        (code(entry.name), code(entry.digest) if entry.digest else Cell(entry.unseen, "warn"))
        for entry in known
    ]
    looked = sum(1 for entry in known if entry.digest)
    lead = share(looked, len(rows), "images were found in the registry")
    fold = len(rows) > FOLDED_FROM
    return table("Images", ("Image", "Digest"), rows, lead=lead, fold=fold) if rows else None


def functions(record: Record) -> Table:
    """What edge_functions returns: `changes` with slug and kind, `unchanged` as names."""
    known: Functions = record.section("functions") or Functions()
    versions = {slug: function.version for slug, function in known.functions.items()}
    rows: list[tuple[Cell | str, ...]] = [
        (change.slug, change.kind, versions.get(change.slug, ""), code(", ".join(change.files)))
        for change in known.changes
    ]
    rows += [(name, Cell("unchanged", "calm"), "", "") for name in known.unchanged]
    changed = len(known.changes)
    lead = (
        f"{counted(changed, 'function')} deployed, {len(rows) - changed} unchanged." if rows else ""
    )
    columns = ("Function", "Change", "Version", "Files")
    return table("Edge functions", columns, rows, "No edge function is recorded.", lead)


def flags(record: Record) -> Table:
    """What feature_flags returns: all keys `before` and `after`. A plain dictionary is the state after."""
    known: Flags = record.section("flags") or Flags()
    before, after = known.before, known.state
    rows, changes = [], 0
    for name in sorted({*only_flags(after), *only_flags(before)}):
        was, now = text(before.get(name)), text(after.get(name))
        changed = bool(before) and was != now
        changes += changed
        rows.append((code(name), was or "not set", now or "not set", "changed" if changed else ""))
    lead = f"{changes} of {counted(len(rows), 'flag')} changed." if rows else ""
    columns = ("Flag", "Before", "After", "")
    return table("Feature flags", columns, rows, "No flag is recorded.", lead)
