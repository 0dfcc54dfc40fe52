# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Services and their images: what ran before, what runs now, and why where it did not get there."""

from __future__ import annotations

import typing as t

from ..._flags.values import only_flags
from ..._images import version_of
from ..._words import counted
from ..._words import listed as listing
from ..models import Cell, Table
from ..reader import Entry, Reader, dictionaries, inner, listed, text
from ..times import took
from .words import judged, share

PHASE = "microservices"
FOLDED_FROM = 40
BACK, NOT_STARTED, EARLIER = "rolled back", "not started", "rolled out earlier"
NAMED = 6
"""As many services are named in one line."""


def services(reader: Reader) -> Table:
    """By name what the rollout module returns; of a failed phase also what each host failed with."""
    waves, failed = wave_numbers(reader), inner(reader.evidence(PHASE), "failures")
    found = dict(reader.entries("services"))
    for name, one in failed.items():
        if name in waves or name not in ("localhost", *found):
            found.setdefault(name, one if isinstance(one, dict) else {})
    returned = inner(reader.mapping("facts"), "services_returned")
    for name, one in returned.items():
        found.setdefault(name, one if isinstance(one, dict) else {})
    if PHASE in reader.phases():
        # What a wave did not reach still runs what it ran before.
        for name in waves:
            found.setdefault(name, {"result": NOT_STARTED})
    order = sorted(found, key=lambda name: (waves.get(name, 10_000), list(found).index(name)))
    rows = [
        service_row(
            name,
            found[name],
            waves.get(name),
            inner(failed, name),
            inner(returned, name),
            pinned_image(reader, name),
            version_now(reader, name),
        )
        for name in order
    ]
    columns = ("Service", "Wave", "Result", "Before", "Now", "Ready", "Took", "Why")
    return Table(
        "Services", columns, tuple(rows), "No rollout of a service is recorded.",
        lead=lead_of(rows), fold=len(rows) > FOLDED_FROM, part="services",
    )  # fmt: skip


def service_row(
    name: str,
    one: Entry,
    wave: int | None,
    failure: Entry,
    back: Entry,
    pinned: str,
    seen: str,
) -> tuple[Cell, ...]:
    """`pinned`: what it ran before the release, which a run that finds it rolled already cannot see.

    `seen`: the version that somebody saw last, "" for nobody: without it nothing is said of what was not started.
    """
    replicas = inner(one, "replicas")
    result = text(one.get("result") or one.get("status") or ("failed" if failure else "unknown"))
    why = text(inner(one, "diagnosis").get("cause") or failure.get("message") or one.get("msg"))
    before = pinned or text(inner(one, "before").get("image"))
    now = text(inner(one, "after").get("image") or one.get("image"))
    if back:
        why = f"{why} {text(back.get('message'))} {taken_away(back)}".strip()
        now = text(inner(back, "after").get("image")) or now
    version = seen or version_of(now) or now
    # A later run that finds it rolled already did not take "0 s". A failed phase keeps no result of what went well.
    earlier = (
        result in ("no_change", NOT_STARTED) and pinned and version not in ("", version_of(pinned))
    )
    return (
        Cell(name),
        Cell("" if wave is None else str(wave)),
        outcome_of(result, back) if not earlier else Cell(EARLIER, "good"),
        Cell(version_of(before) or before, code=True),
        Cell(version, code=True),
        Cell(
            f"{replicas['ready']} of {replicas.get('desired', '?')}" if "ready" in replicas else ""
        ),
        Cell("" if earlier else took(one.get("duration"))),
        Cell(why),
    )


def outcome_of(result: str, back: Entry) -> Cell:
    if back and not text(back.get("message")):
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
    fewest_first = sorted(by.items(), key=lambda one: len(one[1]))
    told = [
        f"{version} on {len(names)}{': ' + ', '.join(names) if len(names) <= NAMED else ''}"
        for version, names in fewest_first
    ]
    return "; ".join(told)


def pinned_image(reader: Reader, name: str) -> str:
    images = inner(inner(reader.pins, name), "images")
    return text(images.get(name) or next(iter(images.values()), ""))


def version_now(reader: Reader, name: str) -> str:
    """As a look at the cluster has it, else as the phase saw it when it failed."""
    standing = inner(inner(reader.evidence(PHASE), "settlement"), "standing")
    return text(reader.versions.get(name)) or version_of(text(standing.get(name)))


def taken_away(back: Entry) -> str:
    """What another hand had changed, and the way back changed with the rest."""
    fields = [text(one.get("field")) for one in dictionaries(listed(back, "taken_away"))]
    return f"That removed other people's changes: {', '.join(fields)}." if fields else ""


def wave_numbers(reader: Reader) -> dict[str, int]:
    """From the facts: lists of names, in the order of the waves."""
    waves = reader.mapping("facts").get("waves")
    return {
        text(name): number
        for number, wave in enumerate(waves if isinstance(waves, list) else [], start=1)
        for name in (wave if isinstance(wave, list) else [])
    }


def lead_of(rows: t.Sequence[tuple[Cell, ...]]) -> str:
    back = sum(1 for row in rows if row[2].text == BACK)
    if back and back + sum(1 for row in rows if row[2].text == NOT_STARTED) == len(rows):
        return f"{back} of {counted(len(rows), 'service')} rolled back."
    bad = [row for row in rows if row[2].tone != "good"]
    rest = listing([row[0].text for row in bad], 5)
    return share(len(rows) - len(bad), len(rows), "services rolled out", f"not {rest}")


def images(reader: Reader) -> Table | None:
    """By image its digest, or that nobody looked; left out when no image is recorded."""
    found = inner(reader.mapping("facts"), "images")
    rows = [
        (
            Cell(name, code=True),
            Cell(text(one.get("digest")), code=True)
            if isinstance(one, dict)
            else Cell(text(one), "warn"),
        )
        for name, one in found.items()
    ]
    looked = sum(1 for row in rows if not row[1].tone)
    lead = share(looked, len(rows), "images were found in the registry")
    table = Table("Images", ("Image", "Digest"), tuple(rows), "", lead, len(rows) > FOLDED_FROM)
    return table if rows else None


def functions(reader: Reader) -> Table:
    """What edge_functions returns: `changes` with slug and kind, `unchanged` as names."""
    found = reader.section("functions")
    found = found if isinstance(found, dict) else {}
    versions = inner(found, "functions")
    rows = [
        (
            Cell(text(one.get("slug"))),
            Cell(text(one.get("kind"))),
            Cell(text(inner(versions, text(one.get("slug"))).get("version"))),
            Cell(", ".join(text(file) for file in listed(one, "files")), code=True),
        )
        for one in dictionaries(listed(found, "changes"))
    ]
    unchanged = found.get("unchanged")
    rows += [
        (Cell(text(name)), Cell("unchanged", "calm"), Cell(""), Cell(""))
        for name in (unchanged if isinstance(unchanged, list) else [])
    ]
    changed = sum(1 for row in rows if row[1].tone != "calm")
    lead = (
        f"{counted(changed, 'function')} deployed, {len(rows) - changed} unchanged." if rows else ""
    )
    columns = ("Function", "Change", "Version", "Files")
    return Table("Edge functions", columns, tuple(rows), "No edge function is recorded.", lead)


def flags(reader: Reader) -> Table:
    """What feature_flags returns: all keys `before` and `after`. A plain dictionary is the state after."""
    found = reader.section("flags")
    found = found if isinstance(found, dict) else {}
    after = found["after"] if isinstance(found.get("after"), dict) else found
    before = inner(found, "before")
    rows = []
    for name in sorted({*only_flags(after), *only_flags(before)}):
        was, now = text(before.get(name)), text(after.get(name))
        change = "changed" if before and was != now else ""
        rows.append(
            (Cell(name, code=True), Cell(was or "not set"), Cell(now or "not set"), Cell(change))
        )
    changed = sum(1 for row in rows if row[3].text)
    lead = f"{changed} of {counted(len(rows), 'flag')} changed." if rows else ""
    columns = ("Flag", "Before", "After", "")
    return Table("Feature flags", columns, tuple(rows), "No flag is recorded.", lead)
