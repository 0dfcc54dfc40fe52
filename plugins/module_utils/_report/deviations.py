# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Where a release left the runbook, worked out from its record: what, by whom and why."""

from __future__ import annotations

import typing as t

from .._time import parse_time
from .._words import counted
from .models import Deviation, PhaseRow
from .reader import Reader, dictionaries, inner, listed, text
from .times import between, lasting, shown

Found = t.Iterator[Deviation]

WATCH, SHORT = "monitoring", 0.9
"""The phase that must not be shorter than planned, and from which share on it is."""
DECIDED = {"approve": "approved", "reject": "rejected"}
MOVED = {
    "released": "was released from its hold",
    "lowered": "was lowered to",
    "breached": "was in breach and went back to",
}
"""What of the ramp's history is no step up."""


def deviations(reader: Reader, phases: t.Sequence[PhaseRow]) -> tuple[Deviation, ...]:
    found = [
        *attempts(reader), *late(reader, phases), *unlike_planned(reader, phases), *overrides(reader),
        *locks(reader), *waived_migrations(reader), *waived_checks(reader), *unseen_images(reader),
        *kill_switches(reader), *released(reader), *restores(reader), *untold(reader),
    ]  # fmt: skip
    return counted_once(found)


def counted_once(found: t.Iterable[Deviation]) -> tuple[Deviation, ...]:
    """The same of the same person is one, with how often and all the reasons that were given."""
    alike: dict[tuple[str, str], list[str]] = {}
    for one in dict.fromkeys(found):
        alike.setdefault((one.what, one.who), []).append(one.why)
    return tuple(
        Deviation(what, who, "; ".join(dict.fromkeys(why.rstrip(".") for why in whys if why)), len(whys))
        for (what, who), whys in alike.items()
    )  # fmt: skip


def attempts(reader: Reader) -> Found:
    for one in dictionaries(reader.record.get("previous_attempts")):
        yield Deviation(
            f"Attempt {text(one.get('attempt'))}, begun {shown(one.get('started'))}, ended as "
            f"{text(one.get('status')).replace('_', ' ')}.",
            text(one.get("actor")),
        )


def late(reader: Reader, phases: t.Sequence[PhaseRow]) -> Found:
    for row in phases:
        if row.late and row.actual:
            over = round(100 * (row.actual / row.planned - 1))
            yield Deviation(
                f"{row.title} took {lasting(row.actual)}, {over} % more than the planned {lasting(row.planned)}."
            )
    whole = between(reader.text("started"), reader.text("finished"))
    planned = sum(row.planned for row in phases)
    if whole and planned and whole > 1.25 * planned:
        yield Deviation(
            f"The whole release took {lasting(whole)}, {round(100 * (whole / planned - 1))} % more than the "
            f"planned {lasting(planned)}."
        )


def unlike_planned(reader: Reader, phases: t.Sequence[PhaseRow]) -> Found:
    """Waived, passed over, or not at the first try."""
    begun = [row.status != "not run" for row in phases]
    for row in phases:
        if row.name == WATCH and row.status == "done" and row.actual is not None:
            watched = max(row.actual, *good_watches(reader), 0)
            if watched < SHORT * row.planned:
                yield Deviation(
                    f"{row.title} took {lasting(watched)} of the planned {lasting(row.planned)}."
                )
    for place, row in enumerate(phases):
        evidence = reader.evidence(row.name)
        if row.status == "waived":
            who = text(evidence.get("waived_by") or evidence.get("by"))
            why = text(evidence.get("reason") or evidence.get("waiver"))
            yield Deviation(f"{row.title} was waived.", who, why)
        elif row.status == "not run" and any(begun[place:]):
            yield Deviation(f"{row.title} was skipped: later phases ran without it.")
        for run in dictionaries(listed(inner(reader.mapping("phases"), row.name), "earlier_runs")):
            if run.get("status") == "waived":
                given = inner(run, "evidence")
                who, why = text(given.get("by")), text(given.get("reason"))
                yield Deviation(f"{row.title} was waived at first.", who, why)
        if len(row.tries) > 1:
            causes = [cause for one in row.tries[:-1] for cause in one.causes]
            yield Deviation(
                f"{row.title} needed {len(row.tries)} tries.",
                why=causes[0] if causes else "",
            )


def good_watches(reader: Reader) -> t.Iterator[float]:
    """Seconds of each try whose metrics were good to the end, and in which only people had not answered."""
    phase = inner(reader.mapping("phases"), WATCH)
    for one in dictionaries(phase.get("earlier_failures")):
        if inner(inner(one, "evidence"), "feedback").get("watched") == "proceed":
            yield between(one.get("started"), one.get("finished")) or 0


def overrides(reader: Reader) -> Found:
    told = {row.get("name") for row in checklist(reader) if row.get("status") == "waived"}
    for name, one in reader.named("overrides", reader.mapping("facts").get("overrides")):
        if name in told:
            continue  # as a check that was waived
        what = text(one.get("what"))
        at = parse_time(one.get("at"))
        said = f"The {name.replace('_', ' ')} was overridden{f' at {shown(at)}' if at else ''}"
        yield Deviation(f"{said}: {what.rstrip('.')}." if what else f"{said}.",
                        text(one.get("by")), text(one.get("reason")))  # fmt: skip


def checklist(reader: Reader) -> list[dict[str, t.Any]]:
    return dictionaries(reader.evidence("preflight").get("preflight"))


def locks(reader: Reader) -> Found:
    for _fence, one in reader.named("forced_locks", reader.mapping("facts").get("forced_locks")):
        yield Deviation(
            f"The deploy lock was taken by force from {text(one.get('stolen_from')) or 'somebody'}.",
            text(one.get("by")),
            text(one.get("reason")),
        )


def waived_migrations(reader: Reader) -> Found:
    for name, one in reader.entries("migrations"):
        for file, waiver in inner(one, "waived").items():
            why = text(waiver.get("reason") if isinstance(waiver, dict) else waiver)
            yield Deviation(f"Migration {file} of {name} ran although it is not additive.", why=why)
    for name, one in reader.entries("rehearsals"):
        if one.get("status") == "waived":
            yield Deviation(
                f"The migrations of {name} were not rehearsed.",
                text(one.get("waived_by")),
                text(one.get("waiver")),
            )


def waived_checks(reader: Reader) -> Found:
    """Of the checklist and the smoke tests: let go of, left out, or asked of nobody.

    A line of the checklist that is `skipped` does not apply, which is none.
    """
    overrides = inner(reader.mapping("facts"), "overrides")
    found = reader.named("preflight", checklist(reader))
    for name, one in [*found, *reader.entries("checks")]:
        status = text(one.get("status"))
        who = text(inner(one, "facts").get("by") or one.get("by"))
        detail = text(one.get("detail"))
        if status == "waived":
            by = inner(overrides, name)
            who, why = text(by.get("by")) or who, text(by.get("reason")) or detail
            yield Deviation(f"The check '{text(one.get('item')) or name}' was waived.", who, why)
        elif status == "skip":
            yield Deviation(
                f"The check '{text(one.get('item')) or name}' was left out.", why=detail
            )
        elif text(inner(one, "facts").get("how")) == "nobody":
            yield Deviation(
                f"Nobody answered '{text(inner(one, 'facts').get('question')) or name}'."
            )


def unseen_images(reader: Reader) -> Found:
    images = inner(reader.mapping("facts"), "images")
    unseen = [name for name, one in images.items() if not isinstance(one, dict)]
    if unseen:
        yield Deviation(
            f"The registry was not checked for {counted(len(unseen), 'image')} of {len(images)}."
        )


def kill_switches(reader: Reader) -> Found:
    for at, one in reader.named("kill_switches", reader.mapping("facts").get("kill_switches")):
        yield Deviation(
            f"The kill switch was {text(one.get('what')) or 'used'} at {shown(at)}.",
            text(one.get("by")),
            text(one.get("reason")),
        )


def released(reader: Reader) -> Found:
    """Holds that a person let go of, and steps of the ramp that were taken back."""
    facts = reader.mapping("facts")
    for name, one in reader.named("decisions", facts.get("decisions")):
        said = DECIDED.get(text(one.get("decision")), "decided")
        yield Deviation(
            f"The hold of {text(one.get('gate')) or name} was {said}.",
            text(one.get("by")),
            text(one.get("reason")),
        )
    for one in dictionaries(inner(facts, "ramp").get("history")):
        word = MOVED.get(text(one.get("what")), "")
        if word:
            to = f" {text(one.get('to'))} %" if word.endswith("to") else ""
            yield Deviation(
                f"The ramp at {text(one.get('from'))} % {word}{to}.",
                text(one.get("by")),
                text(one.get("reason")),
            )


def restores(reader: Reader) -> Found:
    for name, requests in inner(reader.mapping("facts"), "database_restores").items():
        for one in dictionaries(requests):
            yield Deviation(
                f"Database {name} was restored from its backup.",
                text(one.get("approved_by")),
                text(one.get("reason")),
            )


def untold(reader: Reader) -> Found:
    for name, one in reader.entries("announcements"):
        for missed in dictionaries(one.get("undelivered")):
            yield Deviation(
                f"The announcement '{name.replace('_', ' ')}' did not reach {text(missed.get('channel'))}.",
                why=text(missed.get("msg")),
            )
