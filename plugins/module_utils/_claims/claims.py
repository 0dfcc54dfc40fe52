# SPDX-License-Identifier: GPL-3.0-or-later
"""From a release record to what may be claimed of the release, why it went back, and what its rollback proved. Pure.

Where all is well the words are those of a report; where not, they say what was seen instead; without a look they are
"not measured" or "not known".
"""

from __future__ import annotations

import re
import typing as t
from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo

from .._alerts.plan import Alerts, FiredAlert
from .._availability.claims import Availability, availability_of, duration
from .._formats import NOT_KNOWN, counted, day_of, hour_of, titled
from .._release.models import CHECKS_PHASE, FLAGS_PHASE, ROLLED_BACK, SERVICES_PHASE, WATCH_PHASE
from .._release.order import OFF
from .._release.record import ON_HOLD, Act, Flags, Phase, Record, RecordedCheck
from .._time import UTC, parse_time

BREACHED = "breached"
EARLIEST = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class RollbackCause:
    """`at` is RFC 3339, "" when the record does not tell. `who` is "" for the release's own rules."""

    what: str
    at: str = ""
    who: str = ""

    def sentence(self, zone: tzinfo = UTC) -> str:
        beside = ", ".join(filter(None, (self.who, hour_of(self.at, zone, with_zone=True))))
        return f"{self.what.rstrip('.')} ({beside})" if beside else self.what


def causes_of(record: Record) -> list[RollbackCause]:
    """The newest last. A failed try whose phase was done afterwards is none."""
    facts, undo = record.facts, record.facts.rollback_asked
    results = [
        RollbackCause(failure.told, try_.finished)
        for phase in record.phases.values()
        for try_ in (phase.tries if phase.failed else ())
        for failure in try_.evidence.failures
    ]
    for act in facts.kill_switches:
        results.append(RollbackCause(f"kill switch: {act.reason}", act.name, act.by))
    for act in facts.decisions:
        if act.decision == "reject":
            results.append(RollbackCause(f"rejected: {act.reason}", act.at, act.by))
    for act in facts.ramp:
        if act.what == BREACHED:
            why = f": {act.reason}" if act.reason else ""
            results.append(RollbackCause(f"the ramp's metrics were in breach{why}", act.at))
    if undo.reason:
        results.append(RollbackCause(undo.reason, undo.at, undo.by))
    return sorted(dict.fromkeys(results), key=lambda entry: parse_time(entry.at) or EARLIEST)


def latest_cause(record: Record) -> RollbackCause:
    causes = causes_of(record)
    return causes[-1] if causes else RollbackCause("no reason was given")


MARKS: t.Mapping[bool | None, str] = {True: "✅", False: "⚠️", None: "❔"}


@dataclass(frozen=True)
class Claim:
    """`good`: True where the evidence shows that all is well, False for otherwise, None without a look."""

    words: str
    good: bool | None

    @property
    def mark(self) -> str:
        return MARKS[self.good]

    def worded(self, well: str, otherwise: str = "") -> Claim:
        """The same in the words `well` where all is well, else with `otherwise` before its own."""
        return replace(self, words=well if self.good else f"{otherwise}{self.words}")

    def to_json(self) -> dict[str, t.Any]:
        return {"words": self.words, "good": self.good, "mark": self.mark}


Body = t.Mapping[str, t.Any]

VERIFIED, FAILED, NOT_LOOKED_AT = "verified", "failed", "not looked at"

TESTS, RETURNED, PODS = "Smoke tests", "Returned services are healthy", "Every pod runs"
FLAGS, VERSIONS = "Feature off in every pod", "Versions as before the release"
FOR_USERS: t.Mapping[bool | None, str] = {
    True: "What users do was tried and works.",
    False: "Some of what users do does not work.",
    None: "",
}
"""What the public reads."""
MEASURED = "metrics"
"""The kind of a test that no person does as a user does."""


def rollback_claims(
    verified: t.Sequence[RecordedCheck], *, feature: bool = True
) -> dict[str, Claim]:
    """`state`, `impact`, `verified` and `users` of the announcement, from the rows as the record keeps them.

    `feature`: whether the release has one that flags switch.
    """
    flows = [
        entry
        for entry in verified
        if entry.name not in (RETURNED, PODS, FLAGS, VERSIONS) and entry.kind != MEASURED
    ] or [RecordedCheck(TESTS, NOT_LOOKED_AT)]
    off = [entry for entry in verified if entry.name == FLAGS]
    off += [] if verified or not feature else [RecordedCheck(FLAGS, NOT_LOOKED_AT)]
    worst, tried = _worst(flows), words(flows)
    rest = [entry for entry in verified if entry.status != VERIFIED]
    count = f"{len(verified) - len(rest)} of {len(verified)}"
    count += f"; {words(rest)}" if rest else ""
    impact = [f"the feature: {words(off)}"] if off else []
    if off and _worst(off):
        impact = ["no user has the feature"]
    impact.append("what users do was tried and works" if worst else tried)
    return {
        "state": Claim(
            "user flows work, 100 % of those tried" if worst else f"what users do: {tried}", worst
        ),
        "impact": Claim("; ".join(impact), _worst([*flows, *off])),
        "verified": Claim(count, _worst(verified))
        if verified
        else Claim("nothing was checked", None),
        "users": Claim(FOR_USERS[worst], worst),
    }


def words(rows: t.Iterable[RecordedCheck]) -> str:
    return ", ".join(
        f"{entry.name} {entry.status}"
        + (f" ({entry.detail})" if entry.detail and entry.status != VERIFIED else "")
        for entry in rows
    )


def _worst(rows: t.Sequence[RecordedCheck]) -> bool | None:
    if any(entry.status == FAILED for entry in rows):
        return False
    return True if all(entry.status == VERIFIED for entry in rows) else None


PERCENTAGE = re.compile(r"(_ROLLOUT)?_PERCENTAGE$")
"""Ends the name of the flag that is a feature's percentage; the name before it is the feature's own flag."""
TEST_WORDS = {"fail": "failed", "hold": NOT_KNOWN, "skip": "not run"}
RAN = ("succeeded", "no_change")
"""Results of a rollout that left the service well."""
REPORT_LINES = (
    ("All services", "report_services", "services"),
    ("Database", "report_database", "database"),
    ("Feature flags", "report_flags", "flags"),
    ("Tests", "report_tests", "tests"),
    ("Metrics", "report_metrics", "monitoring"),
    ("Incidents", "report_incidents", ""),
)
"""The report, in its order: the name of the line, the claim behind it, and the phase that it is about."""


def read_claims(
    record: Record,
    availability: Body,
    flags: Body,
    zone: tzinfo = UTC,
    plan: t.Collection[str] = (),
    at: datetime | None = None,
) -> dict[str, Claim]:
    """By name. `availability` and `flags` are as release_info returns them; without a look, flags are not known.

    `plan` are the phases of the release; empty: any. `at`: when it is said, of a release that goes on.

    `downtime`, `errors`, `status`: of the announcement. `service`: of the public status page.
    `state`, `impact`, `verified`, `rollback_downtime`: of the announcement of a rollback; `users`: of it on that page.
    `interruption`, `tests`, `rollout`, `monitoring`: of the mail. `report_*`: the six lines of the report.
    """
    release, back = availability.get("release"), availability.get("rollback")
    begun = (phase.begun for name, phase in record.phases.items() if name != CHECKS_PHASE)
    changed = min(filter(None, begun), default=None)
    measured = availability_of(release, changed=changed, at=at, zone=zone)
    percentage = rollout_percentage(record, flags)
    downtime = downtime_of(measured)
    tests = tests_of(record.phase("smoke_tests"))
    watch = watch_of(record)
    share, harm = percentage.words, record.evidence(WATCH_PHASE).sensitivity.rstrip(".")
    claims = {
        "status": status_of(
            record, percentage, "feature", f"LIVE ({share} rollout)" if share else "LIVE"
        ),
        "downtime": downtime,
        "errors": errors_of(record.alerts, zone),
        "interruption": downtime.worded("Zero downtime", "Downtime: "),
        "tests": tests.worded("All tests passing", "Tests: "),
        "rollout": percentage.worded(
            f"{share} rollout active" if share else "Feature active", "Rollout: "
        ),
        "monitoring": watch.worded("Monitoring stable", "Monitoring: "),
        "service": service_of(measured),
        **rollback_claims(record.facts.rollback_verified, feature=not plan or FLAGS_PHASE in plan),
        "report_services": services_of(record.phase(SERVICES_PHASE)),
        "report_database": database_of(record.phase("database")),
        "report_flags": percentage.worded(f"Active at {share}" if share else "Active"),
        "report_tests": tests.worded("All passing"),
        # A good watch is worth as much as it could have seen.
        "report_metrics": watch.worded(f"Within targets; {harm}" if harm else "Within targets"),
        "report_incidents": incidents_of(record, zone),
        "rollback_downtime": downtime_of(availability_of(back, zone=zone)),
    }
    if plan and FLAGS_PHASE not in plan:
        # Users have what its services run.
        services = claims["report_services"] if SERVICES_PHASE in plan else Claim("", True)
        claims["status"] = status_of(record, services, "services", "deployed")
        claims["rollout"] = claims["report_flags"] = Claim("no feature flags", True)
    return claims


def status_of(record: Record, users: Claim, what: str, well: str) -> Claim:
    """`users`: what they have, `what` it is called. What was waived is not there, whatever they have."""
    if record.status == ROLLED_BACK:
        return Claim("rolled back", False)
    text = well if users.good else f"deployed, {what} {users.words}"
    waived = [titled(name).lower() for name, phase in record.phases.items() if phase.waived]
    if waived:
        return Claim(f"{text}, without {', '.join(waived)} (waived)", False)
    return Claim(text, users.good)


def rollout_percentage(record: Record, observed: Body) -> Claim:
    """The words are a percentage, like "1%", when users have the feature; empty when its flags have no percentage."""
    phase = record.phase(FLAGS_PHASE)
    if not phase.done:
        return not_done(phase, "flags ")
    stored = phase.evidence.flags or Flags()
    # Beside them are those of releases before. A record of before version 0.3.0 does not tell them apart.
    ours = stored.requested or stored.after
    name = next((entry for entry in ours if PERCENTAGE.search(entry)), "")
    if not observed or not stored.after or not (name or stored.requested):
        return Claim(NOT_KNOWN, None)
    active = _active(observed.get("values") or {}, ours, name)
    if switch := observed.get("kill_switch"):
        killed = f"the kill switch of {switch.get('by')}: {switch.get('reason')}"
        return Claim(f"{'on, against' if active.good else 'off by'} {killed}", False)
    return active


def _active(flags: Body, ours: Body, name: str) -> Claim:
    """What these flags say, of which the release set `ours`; `name` is the percentage, "" for none."""
    if not name:
        switched_on = [flag for flag, value in ours.items() if str(value).lower() not in OFF]
        off = [flag for flag in switched_on if (flags.get(flag) or "false") in OFF]
        if off == switched_on:
            return Claim("off", False)
        return Claim(f"partly on, {', '.join(off)} off", False) if off else Claim("", True)
    value = str(flags.get(name, ""))
    if not value:
        return Claim(NOT_KNOWN, None)
    if flags.get(PERCENTAGE.sub("", name)) != "true" or value == "0":
        return Claim("off", False)
    return Claim(f"{value}%", True)


def downtime_of(availability: Availability) -> Claim:
    if availability.verdict == "complete":
        return Claim("0 minutes", True)
    if availability.verdict == "not_measured":
        return Claim(f"not measured ({availability.reason})", None)
    if availability.failures:
        return Claim("; ".join(availability.summary), False)
    gaps = "; ".join(availability.summary[1:])
    return Claim(f"0 minutes where it was measured. {gaps}", None)


def service_of(availability: Availability) -> Claim:
    """For the public, who are told nothing of addresses."""
    if availability.verdict == "complete":
        return Claim("Service was not interrupted.", True)
    if availability.failures:
        return Claim(f"Some requests failed, for {duration(availability.downtime)} in all.", False)
    return Claim("", None)


def errors_of(alerts: Alerts, zone: tzinfo) -> Claim:
    """What fired is told also where not everything was seen."""
    unseen = (
        "" if alerts.looked else f"not measured ({alerts.why_not or 'alerts were not checked'})"
    )
    if not alerts.fired:
        return Claim(unseen, None) if unseen else Claim("0 critical", True)
    text = ", ".join(fired_words(entry, zone) for entry in alerts.fired)
    rest = f"; the rest {unseen}" if unseen else ""
    if any(entry.severity == "critical" for entry in alerts.fired):
        return Claim(f"{counted(len(alerts.fired), 'alert')}, {text}{rest}", False)
    warnings = f"0 critical, {counted(len(alerts.fired), 'warning')}: {text}{rest}"
    return Claim(warnings, None if unseen else True)


def fired_words(alert: FiredAlert, zone: tzinfo) -> str:
    until = f"-{clock(alert.until, zone)}" if alert.until else " and still firing"
    of = f" of {alert.subject}" if alert.subject else ""
    return f"{alert.name}{of} {clock(alert.since, zone)}{until}"


def tests_of(phase: Phase) -> Claim:
    if not phase.status:
        return Claim("not run", None)
    if phase.waived:
        return Claim(f"not run, waived{by(phase.evidence.waived_by)}", None)
    checks = phase.evidence.checks
    if not checks:
        return Claim(NOT_KNOWN, None)
    passed = sum(1 for check in checks if check.status == "pass")
    if passed == len(checks) and phase.done:
        return Claim("all passing", True)
    rest = Counter(
        TEST_WORDS.get(check.status, check.status)
        + (by(check.waived_by) if check.status == "waived" else "")
        for check in checks
        if check.status != "pass"
    )
    text = "".join(f", {count} {word}" for word, count in rest.items())
    # What was left out is not known; what failed is known to be wrong.
    bad = any(check.status == "fail" for check in checks) or not phase.done
    return Claim(f"{passed} of {len(checks)} passed{text}", False if bad else None)


def watch_of(record: Record) -> Claim:
    phase = record.phase(WATCH_PHASE)
    evidence = phase.evidence
    if not phase.status:
        return Claim("not watched", None)
    if phase.waived:
        return Claim(f"not watched, waived{by(evidence.waived_by)}", None)
    if not phase.done:
        return Claim(state(phase), None if state(phase) == ON_HOLD else False)
    if not evidence.metrics:
        return Claim(NOT_KNOWN, None)
    acts = (act for act in record.facts.decisions if act.gate == WATCH_PHASE)
    begun = phase.begun
    later = (act for act in acts if begun and (parse_time(act.at) or EARLIEST) >= begun)
    approved = evidence.decision or next(later, Act())
    if approved.decision == "approve":
        why = f" on hold ({evidence.why_held})" if evidence.why_held else " on hold"
        return Claim(f"approved{why}{by(approved.by)}: {approved.reason}", False)
    if evidence.verdict != "proceed":
        return Claim(f"verdict {evidence.verdict or NOT_KNOWN}", False)
    return Claim("within targets", True)


def services_of(phase: Phase) -> Claim:
    if not phase.done:
        return not_done(phase)
    services = phase.evidence.services
    if not services:
        return Claim(NOT_KNOWN, None)
    behind = [service for service in services if service.result not in RAN]
    unknown = [entry.name for entry in behind if not entry.known]
    failed = [entry.name for entry in behind if entry.known]
    if failed:
        return Claim(f"{', '.join(failed)} not healthy", False)
    return Claim(f"{', '.join(unknown)} not known", None) if unknown else Claim("Healthy", True)


def database_of(phase: Phase) -> Claim:
    if not phase.done:
        return not_done(phase, "Migrations ")
    migrations = phase.evidence.migrations
    if not migrations:
        return Claim("Migrations not known", None)
    pending = sum(len(migration.pending) for migration in migrations)
    if pending:
        return Claim(f"{counted(pending, 'migration')} pending", False)
    return Claim("Migrations applied", True)


def incidents_of(record: Record, zone: tzinfo) -> Claim:
    """Critical alerts, phases that failed, uses of the kill switch, and what the guard or a breach lowered.

    In the order of time, with the date where they are not all of one day.
    """
    facts, fired = record.facts, record.alerts.fired
    incidents = [
        (entry.since, fired_words(entry, zone)) for entry in fired if entry.severity == "critical"
    ]
    incidents += [
        (try_.finished, f"{titled(name)} failed {clock(try_.finished, zone)}")
        for name, phase in record.phases.items()
        for try_ in (phase.tries if phase.failed else phase.earlier_failures)
        if not try_.evidence.on_hold
    ]
    incidents += [
        (switch.name, f"kill switch {clock(switch.name, zone)}{by(switch.by)}")
        for switch in facts.kill_switches
    ]
    lowered = [("ramp", act) for act in facts.ramp if act.what == BREACHED]
    lowered += [("guard", act) for act in facts.guard_acts]
    incidents += [
        (act.at, f"{who} {act.before} % to {act.to} % {clock(act.at, zone)}")
        for who, act in lowered
    ]
    if incidents:
        incidents.sort(key=lambda incident: parse_time(incident[0]) or EARLIEST)
        days = [day_of(at, zone) for at, _text in incidents]
        many = len({*days} - {""}) > 1
        texts = [
            f"{day} {text}" if many and day else text
            for day, (_at, text) in zip(days, incidents, strict=True)
        ]
        return Claim(f"{len(texts)}: {', '.join(texts)}", False)
    looked = record.alerts.looked
    return Claim("0", True) if looked else Claim("none recorded, alerts not checked", None)


def state(phase: Phase) -> str:
    words = {"": "not run", "running": "not finished", "done": NOT_KNOWN}
    return words.get(phase.outcome, phase.outcome.replace("_", " "))


def not_done(phase: Phase, what: str = "") -> Claim:
    return Claim(f"{what}{state(phase)}", False if phase.status else None)


def by(who: str) -> str:
    return f" by {who}" if who else ""


def clock(text: str, zone: tzinfo) -> str:
    return hour_of(text, zone) or "at an unknown time"
