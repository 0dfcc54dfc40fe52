# SPDX-License-Identifier: GPL-3.0-or-later
"""What a record tells besides its phases: deviations from the runbook, events with their time, lessons."""

from __future__ import annotations

import typing as t

from .._formats import counted, lasting, shown
from .._release.models import ROLLED_BACK
from .._release.record import ON_HOLD, Act, Record, between
from .._time import parse_time
from .models import Deviation, Event, Lessons, MetricsTable, PhaseRow, Table, Tone, share_over
from .phases import FAILED


def lessons_of(
    phases: t.Sequence[PhaseRow],
    tables: t.Sequence[Table],
    watches: t.Sequence[MetricsTable],
    deviations: t.Sequence[Deviation],
) -> Lessons:
    in_time = [row for row in phases if row.status == "done" and row.planned and not row.late]
    well = [f"{counted(len(in_time), 'phase')} of {len(phases)} were on time."] if in_time else []
    leads = [
        table.lead
        for table in tables
        if table.lead.startswith("All ") or (table.title == "Backups" and table.rows)
    ]
    leads += [watch.lead for watch in watches if watch.lead.startswith("All ") and not watch.fold]
    not_well = [
        f"{row.title} failed: {cause}"
        for row in phases
        for try_ in row.tries
        for cause in try_.causes
    ]
    not_well += [deviation.sentence() for deviation in deviations]
    change = [
        f"Why was {row.title} late, and how could it be on time?" for row in phases if row.late
    ]
    change += [
        f"How can we detect what stopped {row.title} before the next release?"
        for row in phases
        if any(try_.causes for try_ in row.tries)
    ]
    if deviations:
        change.append("Which deviations belong in the runbook?")
    return Lessons((*well, *leads), tuple(not_well), tuple(change))


Deviations = t.Iterator[Deviation]

CHECKLIST = "preflight"
WATCH, SHORT = "monitoring", 0.9
"""The phase that must not be shorter than planned, and from which share on it is."""
DECIDED = {"approve": "approved", "reject": "rejected"}
MOVED = {
    "released": "was released from its hold",
    "lowered": "was lowered to",
    "breached": "was in breach and went back to",
}
"""What of the ramp's history is no step up."""


def deviations(record: Record, phases: t.Sequence[PhaseRow]) -> tuple[Deviation, ...]:
    results = [
        *attempts(record), *late(record, phases), *unlike_planned(record, phases), *overrides(record),
        *locks(record), *waived_migrations(record), *waived_checks(record), *unseen_images(record),
        *kill_switches(record), *released(record), *restores(record), *untold(record),
    ]  # fmt: skip
    return counted_once(results)


def counted_once(results: t.Iterable[Deviation]) -> tuple[Deviation, ...]:
    """The same of the same person is one, with how often and all the reasons that were given."""
    alike: dict[tuple[str, str], list[str]] = {}
    for entry in dict.fromkeys(results):
        alike.setdefault((entry.what, entry.who), []).append(entry.why)
    return tuple(
        Deviation(what, who, "; ".join(dict.fromkeys(why.rstrip(".") for why in whys if why)), len(whys))
        for (what, who), whys in alike.items()
    )  # fmt: skip


def attempts(record: Record) -> Deviations:
    for attempt in record.previous_attempts:
        ended = attempt.status.replace("_", " ")
        yield Deviation(
            f"Attempt {attempt.attempt}, begun {shown(attempt.started)}, ended as {ended}.",
            attempt.actor,
        )


def late(record: Record, phases: t.Sequence[PhaseRow]) -> Deviations:
    for row in phases:
        if row.late:
            yield Deviation(
                f"{row.title} took {lasting(row.actual)}, {row.over} more than the planned {lasting(row.planned)}."
            )
    whole = between(record.started, record.finished)
    planned = sum(row.planned for row in phases)
    if whole and planned and whole > 1.25 * planned:
        yield Deviation(
            f"The whole release took {lasting(whole)}, {share_over(whole, planned)} more than the "
            f"planned {lasting(planned)}."
        )


def unlike_planned(record: Record, phases: t.Sequence[PhaseRow]) -> Deviations:
    """Waived, passed over, or not at the first try."""
    begun = [row.status != "not run" for row in phases]
    for row in phases:
        if row.name == WATCH and row.status == "done" and row.actual is not None:
            watched = max(row.actual, *good_watches(record), 0)
            if watched < SHORT * row.planned:
                yield Deviation(
                    f"{row.title} took {lasting(watched)} of the planned {lasting(row.planned)}."
                )
    for place, row in enumerate(phases):
        phase = record.phase(row.name)
        if row.status == "waived":
            given = phase.evidence
            yield Deviation(f"{row.title} was waived.", given.waived_by, given.waiver)
        elif row.status == "not run" and any(begun[place:]):
            yield Deviation(f"{row.title} was skipped: later phases ran without it.")
        for given in (run.evidence for run in phase.earlier_runs if run.status == "waived"):
            yield Deviation(f"{row.title} was waived at first.", given.waived_by, given.waiver)
        if len(row.tries) > 1:
            causes = [cause for try_ in row.tries[:-1] for cause in try_.causes]
            yield Deviation(
                f"{row.title} needed {len(row.tries)} tries.",
                why=causes[0] if causes else "",
            )


def good_watches(record: Record) -> t.Iterator[float]:
    """Seconds of each try whose metrics were good to the end, and in which only people had not answered."""
    for failure in record.phase(WATCH).earlier_failures:
        if failure.evidence.feedback.watched == "proceed":
            yield failure.lasted or 0


def overrides(record: Record) -> Deviations:
    names = {
        entry.name for entry in record.evidence(CHECKLIST).preflight if entry.status == "waived"
    }
    for override in record.facts.overrides:
        if override.name in names:
            continue  # as a check that was waived
        when = f" at {shown(override.at)}" if parse_time(override.at) else ""
        text = f"The {override.name.replace('_', ' ')} was overridden{when}"
        what = f"{text}: {override.what.rstrip('.')}." if override.what else f"{text}."
        yield Deviation(what, override.by, override.reason)


def locks(record: Record) -> Deviations:
    for lock in record.facts.forced_locks:
        taken = lock.stolen_from or "somebody"
        yield Deviation(f"The deploy lock was taken by force from {taken}.", lock.by, lock.reason)


def waived_migrations(record: Record) -> Deviations:
    for migration in record.section("migrations"):
        for file, why in migration.waivers.items():
            yield Deviation(
                f"Migration {file} of {migration.name} ran although it is not additive.", why=why
            )
    for entry in record.section("rehearsals"):
        if entry.status == "waived":
            yield Deviation(
                f"The migrations of {entry.name} were not rehearsed.", entry.waived_by, entry.waiver
            )


def waived_checks(record: Record) -> Deviations:
    """Of the checklist and the smoke tests: let go of, left out, or left without an answer.

    A line of the checklist that is `skipped` does not apply, which is none.
    """
    overrides = {override.name: override for override in record.facts.overrides}
    for entry in [*record.evidence(CHECKLIST).preflight, *record.section("checks")]:
        if entry.status == "waived":
            by = overrides.get(entry.name, Act())
            who, why = by.by or entry.by, by.reason or entry.detail
            yield Deviation(f"The check '{entry.item or entry.name}' was waived.", who, why)
        elif entry.status == "skip":
            yield Deviation(
                f"The check '{entry.item or entry.name}' was left out.", why=entry.detail
            )
        elif entry.how == "nobody":
            yield Deviation(f"No answer came to '{entry.question or entry.name}'.")


def unseen_images(record: Record) -> Deviations:
    images = record.facts.images
    unseen = sum(1 for image in images if not image.digest)
    if unseen:
        yield Deviation(
            f"The registry was not checked for {counted(unseen, 'image')} of {len(images)}."
        )


def kill_switches(record: Record) -> Deviations:
    for switch in record.facts.kill_switches:
        yield Deviation(
            f"The kill switch was set at {shown(switch.name)}.", switch.by, switch.reason
        )


def released(record: Record) -> Deviations:
    """Holds that a person let go of, and steps of the ramp that were taken back."""
    for decision in record.facts.decisions:
        decided = DECIDED.get(decision.decision, "decided")
        yield Deviation(
            f"The hold of {decision.gate or decision.name} was {decided}.",
            decision.by,
            decision.reason,
        )
    for decision in record.facts.ramp:
        word = MOVED.get(decision.what, "")
        if word:
            to = f" {decision.to} %" if word.endswith("to") else ""
            yield Deviation(
                f"The ramp at {decision.before} % {word}{to}.", decision.by, decision.reason
            )


def restores(record: Record) -> Deviations:
    for name, entry in record.facts.restored:
        yield Deviation(f"Database {name} was restored from its backup.", entry.by, entry.reason)


def untold(record: Record) -> Deviations:
    for announcement in record.section("announcements"):
        what = announcement.name.replace("_", " ")
        for missed in announcement.undelivered:
            yield Deviation(
                f"The announcement '{what}' did not reach {missed.channel}.", why=missed.msg
            )


Events = t.Iterator[Event]


def events_of(record: Record, phases: t.Sequence[PhaseRow]) -> tuple[Event, ...]:
    """All of them in the order of time."""
    return tuple(sorted([*stops(phases), *acts(record)], key=lambda entry: entry.at))


def acts(record: Record) -> Events:
    """What happened besides the phases."""
    facts = record.facts
    for override in facts.overrides:
        text = f"{override.by or 'Somebody'} overrode the {override.name.replace('_', ' ')}"
        yield from timed(override.at, text, override.reason, "warn")
    for switch in facts.kill_switches:
        yield from timed(switch.name, f"{switch.by} set the kill switch", switch.reason, "bad")
    for switch in facts.decisions:
        did = DECIDED.get(switch.decision, "decided")
        yield from timed(
            switch.at, f"{switch.by} {did} at {switch.gate or switch.name}", switch.reason
        )
    for switch in facts.ramp:
        who = f" by {switch.by}" if switch.by else ""
        text = f"Ramp {switch.what}{who}, {switch.before} % to {switch.to} %"
        yield from timed(switch.at, text, switch.reason, "bad" if switch.what == "breached" else "")
    for name, phase in record.phases.items():
        for interruption in phase.interruptions:
            text = f"{interruption.by} resumed phase {name}, in which the previous run ended"
            yield from timed(interruption.at, text, tone="warn")
    ways = (
        (facts.rollback_asked, "rolled back"),
        (facts.restore_asked, "began to restore the databases"),
    )
    for act, did in ways:
        yield from timed(act.at, f"{act.by or 'Somebody'} {did}", act.reason, "warn")
    if record.status == ROLLED_BACK:
        yield from timed(record.finished, "The rollback was done", "", "warn")


def stops(phases: t.Sequence[PhaseRow]) -> Events:
    for row in phases:
        for try_ in row.tries:
            if try_.finished and try_.status in (FAILED, ON_HOLD):
                tone: Tone = "bad" if try_.status == FAILED else "warn"
                cause = f": {try_.causes[0]}" if try_.causes else ""
                went = "failed" if try_.status == FAILED else "went on hold"
                yield Event(try_.finished, f"{row.title} {went}{cause}", tone)


def timed(at: t.Any, text: str, why: str = "", tone: Tone = "") -> Events:
    """None without a time."""
    moment = parse_time(at)
    if moment is not None:
        yield Event(moment, f"{text}: {why.rstrip('.')}." if why else f"{text}.", tone)
