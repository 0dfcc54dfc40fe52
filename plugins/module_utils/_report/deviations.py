# SPDX-License-Identifier: GPL-3.0-or-later
"""What a record tells besides its phases: deviations from what it follows, events with their time, lessons."""

from __future__ import annotations

import typing as t

from .._formats import counted, lasting, shown
from .._release.models import CHECKS_PHASE, ROLLED_BACK, WATCH_PHASE
from .._release.record import DECIDED, ON_HOLD, Act, Record, between
from .._time import parse_time
from .models import Deviation, Event, PhaseRow, Report, Tone, share_over
from .phases import FAILED


def lessons_of(report: Report) -> tuple[tuple[str, tuple[str, ...]], ...]:
    phases, deviations = report.phases, report.deviations
    in_time = [row for row in phases if row.status == "done" and row.planned and not row.late]
    well = [f"{counted(len(in_time), 'phase')} of {len(phases)} were on time."] if in_time else []
    well += [
        table.lead
        for table in report.tables
        if table.lead.startswith("All ") or (table.title == "Backups" and table.rows)
    ]
    tries = [(row.title, try_) for row in phases for try_ in row.tries]
    not_well = [f"{title} failed: {cause}" for title, try_ in tries for cause in try_.causes]
    not_well += [deviation.sentence() for deviation in deviations]
    return (
        ("What went well", tuple(dict.fromkeys(well))),
        ("What did not", tuple(not_well)),
    )


SHORT = 0.9
"""From which share on a watch, which must not be shorter than planned, is."""
MOVED = {
    "released": "was released from its hold",
    "lowered": "was lowered to",
    "breached": "was in breach and went back to",
}
"""What of the ramp's history is no step up."""
STEP_TONES: t.Mapping[str, Tone] = {"breached": "bad", "held": "warn"}


Strayed = tuple[str, str, str]
"""What strayed from what the release follows, by whom, and why. Those that are the same are one deviation."""
Deviations = t.Iterator[Strayed]


def deviations(record: Record, phases: t.Sequence[PhaseRow]) -> tuple[Deviation, ...]:
    """The same of the same person is one, with how often and all the reasons that were given."""
    alike: dict[tuple[str, str], list[str]] = {}
    for what, who, why in dict.fromkeys(strayed(record, phases)):
        alike.setdefault((what.removesuffix("."), who), []).append(why)
    results = []
    for (what, who), whys in alike.items():
        often = f" ({len(whys)} times)" if len(whys) > 1 else ""
        why = "; ".join(dict.fromkeys(why.rstrip(".") for why in whys if why))
        end = "" if why.endswith(("?", "!", "…")) else "."
        reasons = [f"By {who}."] if who else []
        reasons += [f"Why: {why}{end}"] if why else []
        results.append(Deviation(f"{what}{often}.", " ".join(reasons)))
    return tuple(results)


def strayed(record: Record, phases: t.Sequence[PhaseRow]) -> Deviations:
    for attempt in record.previous_attempts:
        ended = attempt.status.replace("_", " ")
        begun = shown(attempt.started)
        yield f"Attempt {attempt.attempt}, begun {begun}, ended as {ended}", attempt.actor, ""
    yield from late(record, phases)
    yield from unlike_planned(record, phases)
    for entry in happened(record):
        if entry.deviation:
            yield entry.deviation, entry.act.by, entry.act.reason
    yield from unsafe_migrations(record)
    yield from waived_checks(record)
    for verified in record.facts.rollback_verified:
        if verified.status == FAILED:
            yield f"After the rollback, {verified.name} failed", "", verified.detail
    for announcement in record.section("announcements"):
        what = announcement.name.replace("_", " ")
        for missed in announcement.undelivered:
            text = f"The announcement '{what}' did not reach {missed.channel}"
            yield text, "", missed.msg


def late(record: Record, phases: t.Sequence[PhaseRow]) -> Deviations:
    timed = [(row.title, row.actual, row.planned) for row in phases if row.late]
    whole, planned = between(record.started, record.finished), sum(row.planned for row in phases)
    if whole and planned and whole > 1.25 * planned:
        timed.append(("The whole release", whole, planned))
    for title, actual, wanted in timed:
        more = f"{share_over(actual, wanted)} more than the planned {lasting(wanted)}"
        yield f"{title} took {lasting(actual)}, {more}", "", ""


def unlike_planned(record: Record, phases: t.Sequence[PhaseRow]) -> Deviations:
    """Too short, waived, passed over, or not at the first try."""
    begun = [row.status != "not run" for row in phases]
    for place, row in enumerate(phases):
        phase, title = record.phase(row.name), row.title
        if row.name == WATCH_PHASE and row.status == "done" and row.actual is not None:
            # Of a try whose metrics were good to the end, only people had not answered.
            good = (e for e in phase.earlier_failures if e.evidence.feedback.watched == "proceed")
            watched = max(row.actual, *(entry.lasted or 0 for entry in good), 0)
            if watched < SHORT * row.planned:
                planned = lasting(row.planned)
                yield f"{title} took {lasting(watched)} of the planned {planned}", "", ""
        if row.status == "waived":
            given = phase.evidence
            yield f"{title} was waived", given.waived_by, given.waiver
        elif row.status == "not run" and any(begun[place:]):
            yield f"{title} was skipped: later phases ran without it", "", ""
        for given in (run.evidence for run in phase.earlier_runs if run.status == "waived"):
            yield f"{title} was waived at first", given.waived_by, given.waiver
        if len(row.tries) > 1:
            causes = [cause for try_ in row.tries[:-1] for cause in try_.causes]
            yield f"{title} needed {len(row.tries)} tries", "", next(iter(causes), "")


def unsafe_migrations(record: Record) -> Deviations:
    for migration in record.section("migrations"):
        for file, why in migration.waivers.items():
            text = f"Migration {file} of {migration.name} ran although it is not additive"
            yield text, "", why
    for entry in record.section("rehearsals"):
        if entry.status == "waived":
            text = f"The migrations of {entry.name} were not rehearsed"
            yield text, entry.waived_by, entry.waiver


def waived_checks(record: Record) -> Deviations:
    """Of the checklist, the smoke tests and the registry: let go of, left out, or left without an answer.

    A line of the checklist that is `skipped` does not apply, which is none.
    """
    for entry in [*record.evidence(CHECKS_PHASE).preflight, *record.section("checks")]:
        check = f"The check '{entry.item or entry.name}'"
        if entry.status == "waived":
            given = record.overrides.get(entry.name, Act())
            who, why = given.by or entry.by, given.reason or entry.detail
            yield f"{check} was waived", who, why
        elif entry.status == "skip":
            yield f"{check} was left out", "", entry.detail
        elif entry.how == "nobody":
            yield f"No answer came to '{entry.question or entry.name}'", "", ""
    images = record.facts.images
    unseen = sum(1 for image in images if not image.digest)
    if unseen:
        text = f"The registry was not checked for {counted(unseen, 'image')} of {len(images)}"
        yield text, "", ""


class Happening(t.NamedTuple):
    """What was done besides the phases. `text`: as an event at that time. `deviation`: "" where it is none."""

    act: Act
    at: str
    text: str
    tone: Tone = ""
    deviation: str = ""


def happened(record: Record) -> t.Iterator[Happening]:
    facts, checks = record.facts, record.evidence(CHECKS_PHASE).preflight
    waived = {entry.name for entry in checks if entry.status == "waived"}
    for act in facts.overrides:
        name = act.name.replace("_", " ")
        when = f" at {shown(act.at)}" if parse_time(act.at) else ""
        what = f": {act.what}" if act.what else ""
        deviation = "" if act.name in waived else f"The {name} was overridden{when}{what}"
        text = f"{act.by or 'Somebody'} overrode the {name}"
        yield Happening(act, act.at, text, "warn", deviation)
    for act in facts.forced_locks:
        deviation = f"The deploy lock was taken by force from {act.stolen_from or 'somebody'}"
        yield Happening(act, "", "", "", deviation)
    for act in facts.kill_switches:
        deviation = f"The kill switch was set at {shown(act.name)}"
        yield Happening(act, act.name, f"{act.by} set the kill switch", "bad", deviation)
    for act in facts.decisions:
        did, gate = DECIDED.get(act.decision, "decided"), act.gate or act.name
        held_for = f", held for {'; '.join(act.holding)}" if act.holding else ""
        deviation = f"The hold of {gate} was {did}"
        yield Happening(act, act.at, f"{act.by} {did} at {gate}{held_for}", "", deviation)
    for act in facts.ramp:
        moved, who = MOVED.get(act.what, ""), f" by {act.by}" if act.by else ""
        to = f" {act.to} %" if moved.endswith("to") else ""
        deviation = f"The ramp at {act.before} % {moved}{to}" if moved else ""
        text = f"Ramp {act.what}{who}, {act.before} % to {act.to} %"
        yield Happening(act, act.at, text, STEP_TONES.get(act.what, ""), deviation)
    for act in facts.guard_acts:
        text = f"Guard {act.what.replace('_', ' ')}, {act.before} % to {act.to} %"
        yield Happening(act, act.at, text, "bad")
    for name, act in facts.restored:
        deviation = f"Database {name} was restored from its backup {act.backup}"
        yield Happening(act, "", "", "", deviation)
    for name, phase in record.phases.items():
        for act in phase.interruptions:
            text = f"{act.by} resumed phase {name}, in which the previous run ended"
            yield Happening(act, act.at, text, "warn")
    for act, did in (
        (facts.rollback_asked, "rolled back"),
        (facts.restore_asked, "began to restore the databases"),
    ):
        yield Happening(act, act.at, f"{act.by or 'Somebody'} {did}", "warn")
    if record.status == ROLLED_BACK:
        yield Happening(Act(), record.finished, "The rollback was done", "warn")


def events_of(record: Record, phases: t.Sequence[PhaseRow]) -> tuple[Event, ...]:
    """All whose time is known, in the order of time."""
    results = [*stops(phases)]
    for entry in happened(record):
        if moment := parse_time(entry.at):
            why = f": {entry.act.reason.rstrip('.')}" if entry.act.reason else ""
            results.append(Event(moment, f"{entry.text}{why}.", entry.tone))
    return tuple(sorted(results, key=lambda entry: entry.at))


def stops(phases: t.Sequence[PhaseRow]) -> t.Iterator[Event]:
    for row in phases:
        for try_ in row.tries:
            if try_.finished and try_.status in (FAILED, ON_HOLD):
                tone: Tone = "bad" if try_.status == FAILED else "warn"
                cause = f": {try_.causes[0]}" if try_.causes else ""
                went = "failed" if try_.status == FAILED else "went on hold"
                yield Event(try_.finished, f"{row.title} {went}{cause}", tone)
