# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""The tables of a report, each from its part of the record; the shapes are what the modules return."""

from __future__ import annotations

import typing as t

from ansible_collections.easymo.deploy.plugins.module_utils._report.models import (
    Cell,
    Reader,
    Table,
    Tone,
)
from ansible_collections.easymo.deploy.plugins.module_utils._report.times import (
    lasting,
    shown,
    size,
)

Entry = t.Mapping[str, t.Any]

GOOD = {"succeeded", "no_change", "pass", "passed", "ok", "proceed", "true", "delivered"}
BAD = {"failed", "fail", "rollback", "rollback_failed", "failed_no_undo", "error", "false"}


def tone_of(word: t.Any) -> Tone:
    lowered = str(word).lower()
    if lowered in GOOD:
        return "good"
    return "bad" if lowered in BAD else "warn" if lowered else ""


def inner(entry: Entry, name: str) -> Entry:
    value = entry.get(name)
    return value if isinstance(value, dict) else {}


def text(value: t.Any) -> str:
    return "" if value is None else str(value)


def services(reader: Reader) -> Table:
    """By name: what the rollout module returns."""
    rows = []
    for name, one in reader.entries("services"):
        replicas = inner(one, "replicas")
        ready = (
            f"{replicas['ready']} of {replicas.get('desired', '?')}" if "ready" in replicas else ""
        )
        result = text(one.get("result") or one.get("status"))
        rows.append(
            (
                Cell(name),
                Cell(result.replace("_", " "), tone_of(result)),
                Cell(text(inner(one, "before").get("image")), code=True),
                Cell(text(inner(one, "after").get("image") or one.get("image")), code=True),
                Cell(ready),
                Cell(
                    lasting(one["duration"])
                    if isinstance(one.get("duration"), (int, float))
                    else ""
                ),
            )
        )
    columns = ("Service", "Result", "Before", "After", "Ready", "Took")
    return Table("Services", columns, tuple(rows), "No rollout of a service is recorded.")


def backups(reader: Reader) -> Table:
    """By name: what pg_backup returns as `backup`."""
    rows = [
        (
            Cell(name),
            Cell(shown(one.get("finished"))),
            Cell(size(one.get("size"))),
            Cell(text(one.get("sha256")), code=True),
            Cell(text(one.get("uri")), code=True),
        )
        for name, one in reader.entries("backups")
    ]
    columns = ("Database", "Verified at", "Size", "SHA-256", "Where")
    return Table("Backups", columns, tuple(rows), "No backup is recorded.")


def migrations(reader: Reader) -> Table:
    """By database: what supabase_migrations and prisma_migrations return."""
    rows = []
    for name, one in reader.entries("migrations"):
        pending = names(one.get("pending"))
        rows.append(
            (
                Cell(name),
                Cell(", ".join(names(one.get("applied"))) or "none", code=True),
                Cell(", ".join(pending) or "none", "warn" if pending else "good"),
            )
        )
    columns = ("Database", "Applied", "Still pending")
    return Table("Migrations", columns, tuple(rows), "No migration is recorded.")


def rehearsals(reader: Reader) -> Table | None:
    """By database: what the role migration_rehearsal says; left out when nothing was rehearsed or waived."""
    rows = []
    for name, one in reader.entries("rehearsals"):
        status = text(one.get("status"))
        head = (Cell(name), Cell(status, tone_of(status)))
        durations, locks = inner(one, "durations"), inner(one, "locks")
        rows += [
            (*head, Cell(file, code=True), Cell(lasting(took)), Cell(held(locks.get(file))))
            for file, took in durations.items()
            if isinstance(took, (int, float))
        ]
        if status != "passed":
            who = text(one.get("waived_by"))
            why = f"{text(one.get('waiver'))} ({who})" if who else text(one.get("failure"))
            rows.append((*head, Cell(""), Cell(""), Cell(why)))
    columns = ("Database", "Result", "Migration", "Took", "Locks held")
    return Table("Rehearsals", columns, tuple(rows), "Nothing was pending.") if rows else None


def held(locks: t.Any) -> str:
    """For example "ACCESS EXCLUSIVE on public.orders"."""
    listed = locks if isinstance(locks, list) else []
    return ", ".join(
        f"{text(one.get('mode'))} on {text(one.get('relation'))}"
        for one in listed
        if isinstance(one, dict)
    )


def names(listed: t.Any) -> list[str]:
    """Entries of a list as text: a migration's `file` or `name`, or the entry itself."""
    if not isinstance(listed, list):
        return []
    return [
        text(one.get("file") or one.get("name") or one.get("slug"))
        if isinstance(one, dict)
        else text(one)
        for one in listed
    ]


def functions(reader: Reader) -> Table:
    """What edge_functions returns: `changes` with slug and kind, `unchanged` as names."""
    found = reader.section("functions")
    found = found if isinstance(found, dict) else {}
    changes = [one for one in found.get("changes") or [] if isinstance(one, dict)]
    rows = [
        (
            Cell(text(one.get("slug"))),
            Cell(text(one.get("kind"))),
            Cell(", ".join(names(one.get("files"))), code=True),
        )
        for one in changes
    ]
    rows += [
        (Cell(name), Cell("unchanged", "calm"), Cell("")) for name in names(found.get("unchanged"))
    ]
    columns = ("Function", "Change", "Files")
    return Table("Edge functions", columns, tuple(rows), "No edge function is recorded.")


def flags(reader: Reader) -> Table:
    """What feature_flags returns: all keys `before` and `after`. A plain dictionary is the state after."""
    found = reader.section("flags")
    found = found if isinstance(found, dict) else {}
    after = found["after"] if isinstance(found.get("after"), dict) else found
    before = found["before"] if isinstance(found.get("before"), dict) else {}
    rows = []
    for name in sorted({*after, *before} - ({"checksum"} if "after" not in found else set())):
        was, now = text(before.get(name)), text(after.get(name))
        tone: Tone = "warn" if before and was != now else ""
        rows.append((Cell(name, code=True), Cell(was or "not set"), Cell(now or "not set", tone)))
    return Table("Feature flags", ("Flag", "Before", "After"), tuple(rows), "No flag is recorded.")


def checks(reader: Reader) -> Table:
    """What health_check returns as `results`."""
    rows = [
        (
            Cell(name),
            Cell(text(one.get("status")), tone_of(one.get("status"))),
            Cell(text(one.get("detail"))),
            Cell(lasting(one["seconds"]) if isinstance(one.get("seconds"), (int, float)) else ""),
        )
        for name, one in reader.entries("checks")
    ]
    columns = ("Check", "Result", "Seen", "Took")
    return Table("Tests", columns, tuple(rows), "No test is recorded.")


def metrics(reader: Reader) -> Table:
    """By name: the last value, its unit and bounds, and what was concluded."""
    rows = []
    for name, one in reader.entries("metrics"):
        verdict = text(one.get("verdict") or one.get("status"))
        value = one.get("value", one.get("last"))
        unit = text(one.get("unit"))
        bound = one.get("bound", one.get("pass"))
        rows.append(
            (
                Cell(name),
                Cell(
                    f"{text(value)} {unit}".strip() if value is not None else "no data",
                    "" if value is not None else "warn",
                ),
                Cell(f"{text(bound)} {unit}".strip() if bound is not None else ""),
                Cell(verdict, tone_of(verdict)),
            )
        )
    columns = ("Metric", "Last value", "Passes when", "Verdict")
    return Table("Metrics", columns, tuple(rows), "No metric was watched.")


def traffic(reader: Reader) -> Table | None:
    """Requests that were counted while the release went on; left out when nobody counted."""
    found = reader.section("traffic")
    if not isinstance(found, dict):
        return None
    rows = tuple(
        (
            Cell(name.replace("_", " ")),
            Cell(text(value), "bad" if name == "failed" and value else ""),
        )
        for name, value in found.items()
        if not isinstance(value, (dict, list))
    )
    return Table("Traffic during the release", ("What", "Count"), rows, "Nothing was counted.")


def announcements(reader: Reader) -> Table:
    rows = []
    for name, one in reader.entries("announcements"):
        missed = [entry for entry in one.get("undelivered") or [] if isinstance(entry, dict)]
        why = "; ".join(f"{entry.get('channel')}: {entry.get('msg')}" for entry in missed)
        rows.append((Cell(name), Cell(why or "delivered", "warn" if why else "good")))
    empty = "No announcement is recorded."
    return Table("Announcements", ("What", "Delivered"), tuple(rows), empty)


SECTIONS: tuple[t.Callable[[Reader], Table | None], ...] = (
    services,
    backups,
    rehearsals,
    migrations,
    functions,
    flags,
    checks,
    metrics,
    traffic,
    announcements,
)
