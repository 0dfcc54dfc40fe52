# SPDX-License-Identifier: GPL-3.0-or-later
"""From a release record to what may be claimed of the release, for every channel. Pure.

Where all is well the words are the runbook's own; where not, they say what was seen instead; without a look they are
"not measured" or "not known".
"""

from __future__ import annotations

import typing as t
from datetime import datetime, tzinfo

from .._alerts.plan import Alerts, FiredAlert
from .._availability.claims import Availability, availability_of, duration
from .._formats import counted, hour_of, titled
from .._release.models import ROLLED_BACK
from .._release.order import OFF
from .._release.record import ON_HOLD, Act, Evidence, Flags, Phase, Record, RecordedCheck
from .._time import UTC, parse_time
from .rollback import Claim, rollback_claims

Body = t.Mapping[str, t.Any]

PERCENTAGE = "_ROLLOUT_PERCENTAGE"
"""Ends the name of the flag that is a feature's percentage; the name before it is the feature's own flag."""
NOT_KNOWN = "not known"
RAN = ("succeeded", "no_change")
"""Results of a rollout that left the service well."""
REPORT_LINES = (
    ("All services", "report_services"),
    ("Database", "report_database"),
    ("Feature flags", "report_flags"),
    ("Tests", "report_tests"),
    ("Metrics", "report_metrics"),
    ("Incidents", "report_incidents"),
)
"""The runbook's report, in its order: the name of the line, and the claim behind it."""

FLAGS, SERVICES = "feature_flags", "microservices"
"""Phases that a release need not have."""
LOOKS_ONLY = "preflight"
"""The phase that changes nothing."""


def read_claims(
    record: Record,
    availability: Body,
    flags: Body,
    zone: tzinfo = UTC,
    plan: t.Collection[str] = (),
    at: datetime | None = None,
) -> dict[str, Claim]:
    """By name. `availability` and `flags` are as release_info returns them; without flags they are as recorded.

    `plan` are the phases of the release; empty: any. `at`: when it is said, of a release that goes on.

    `downtime`, `errors`, `status`: of the announcement. `service`: of the public status page.
    `state`, `impact`, `verified`, `rollback_downtime`: of the announcement of a rollback; `users`: of it on that page.
    `interruption`, `tests`, `rollout`, `monitoring`: of the mail. `report_*`: the six lines of the runbook's report.
    """
    release, back = availability.get("release"), availability.get("rollback")
    measured = availability_of(release, changed=_first_change(record), at=at, zone=zone)
    percentage = rollout_percentage(record, flags)
    downtime = downtime_of(measured)
    tests = tests_of(record.phase("smoke_tests"))
    watch = watch_of(record)
    claims = {
        "status": status_of(record, percentage),
        "downtime": downtime,
        "errors": errors_of(record.alerts, zone),
        "interruption": downtime.worded("Zero downtime", "Downtime: "),
        "tests": tests.worded("All tests passing", "Tests: "),
        "rollout": percentage.worded(
            f"{percentage.words} rollout active" if percentage.words else "Feature active",
            "Rollout: ",
        ),
        "monitoring": watch.worded("Monitoring stable", "Monitoring: "),
        "service": service_of(measured),
        **rollback_claims(record.facts.rollback_verified),
        "report_services": services_of(record.phase("microservices")),
        "report_database": database_of(record.phase("database")),
        "report_flags": percentage.worded(
            f"Active at {percentage.words}" if percentage.words else "Active"
        ),
        "report_tests": tests.worded("All passing"),
        "report_metrics": watch.worded(within_targets(record.phase("monitoring"))),
        "report_incidents": incidents_of(record, zone),
        "rollback_downtime": downtime_of(availability_of(back, zone=zone)),
    }
    if plan and FLAGS not in plan:
        claims |= without_flags(record, claims["report_services"] if SERVICES in plan else None)
    return claims


def _first_change(record: Record) -> datetime | None:
    times = [phase.begun for name, phase in record.phases.items() if name != LOOKS_ONLY]
    return min((time for time in times if time), default=None)


def status_of(record: Record, percentage: Claim) -> Claim:
    if record.status == ROLLED_BACK:
        return Claim("rolled back", False)
    if percentage.good:
        return Claim(f"LIVE ({percentage.words} rollout)" if percentage.words else "LIVE", True)
    return Claim(f"deployed, feature {percentage.words}", percentage.good)


def without_flags(record: Record, services: Claim | None) -> dict[str, Claim]:
    """Of a release that has none: users have what its services run."""
    deployed = Claim("deployed", True)
    if record.status == ROLLED_BACK:
        deployed = Claim("rolled back", False)
    elif services and not services.good:
        deployed = Claim(f"deployed, services {services.words}", services.good)
    none = Claim("no feature flags", True)
    return {"status": deployed, "rollout": none, "report_flags": none}


def rollout_percentage(record: Record, observed: Body) -> Claim:
    """The words are a percentage, like "1%", when users have the feature; empty when its flags have no percentage."""
    phase = record.phase("feature_flags")
    if not phase.done:
        return Claim(f"flags {state(phase)}", False if phase.status else None)
    stored = phase.evidence.flags or Flags()
    flags: Body = stored.after
    # Beside them are those of releases before. A record of before version 0.3.0 does not tell them apart.
    ours = stored.asked or flags
    name = next((entry for entry in ours if entry.endswith(PERCENTAGE)), "")
    if not flags or (not name and ours is flags):
        return Claim(NOT_KNOWN, None)
    if not observed and (killed := newest_kill(record, phase.finished)):
        return Claim(killed, False)
    if observed:
        flags = observed.get("values") or {}
    active = _active(record, flags, ours, name, stepped=not observed)
    if switch := observed.get("kill_switch"):
        killed = f"the kill switch of {switch.get('by')}: {switch.get('reason')}"
        return Claim(f"{'on, against' if active.good else 'off by'} {killed}", False)
    return active


def _active(record: Record, flags: Body, ours: Body, name: str, *, stepped: bool) -> Claim:
    """What these flags say, of which the release set `ours`; `name` is the percentage, "" for none."""
    if not name:
        switched_on = [flag for flag, value in ours.items() if str(value).lower() not in OFF]
        off = [flag for flag in switched_on if (flags.get(flag) or "false") in OFF]
        if off == switched_on:
            return Claim("off", False)
        return Claim(f"partly on, {', '.join(off)} off", False) if off else Claim("", True)
    percentage = record.facts.percentage if stepped else None
    value = str(flags.get(name, "")) if percentage is None else percentage
    if not value:
        return Claim(NOT_KNOWN, None)
    if flags.get(name.removesuffix(PERCENTAGE)) != "true" or value == "0":
        return Claim("off", False)
    return Claim(f"{value}%", True)


def off_by(who: t.Any, why: t.Any) -> str:
    return f"off by the kill switch of {who}: {why}"


def newest_kill(record: Record, since: str) -> str:
    """Who switched the feature off after `since`, "" for no person."""
    begun = parse_time(since)
    result = ""
    for switch in sorted(record.facts.kill_switches, key=lambda switch: switch.name):
        moment = parse_time(switch.name)
        if moment and (begun is None or moment >= begun):
            result = off_by(switch.by, switch.reason)
    return result


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
    since = clock(alert.since, zone)
    until = clock(alert.until, zone) if alert.until else "and still firing"
    when = f"{since}-{until}" if alert.until else f"{since} {until}"
    of = f" of {alert.subject}" if alert.subject else ""
    return f"{alert.name}{of} {when}"


def tests_of(phase: Phase) -> Claim:
    if not phase.status:
        return Claim("not run", None)
    if phase.waived:
        return Claim(f"not run, waived{by(phase.evidence)}", None)
    checks = phase.evidence.checks
    if not checks:
        return Claim(NOT_KNOWN, None)
    passed = sum(1 for check in checks if check.status == "pass")
    if passed == len(checks) and phase.done:
        return Claim("all passing", True)
    rest: dict[str, int] = {}
    for check in checks:
        if check.status != "pass":
            word = {"fail": "failed", "hold": "not known", "skip": "not run"}.get(
                check.status, check.status
            )
            who = by(check) if check.status == "waived" else ""
            rest[f"{word}{who}"] = rest.get(f"{word}{who}", 0) + 1
    text = "".join(f", {count} {word}" for word, count in rest.items())
    # What was left out is not known; what failed is known to be wrong.
    bad = any(check.status == "fail" for check in checks) or not phase.done
    return Claim(f"{passed} of {len(checks)} passed{text}", False if bad else None)


def watch_of(record: Record) -> Claim:
    phase = record.phase("monitoring")
    evidence = phase.evidence
    if not phase.status:
        return Claim("not watched", None)
    if phase.waived:
        return Claim(f"not watched, waived{by(evidence)}", None)
    if not phase.done:
        return Claim(state(phase), None if state(phase) == ON_HOLD else False)
    if not evidence.metrics:
        return Claim(NOT_KNOWN, None)
    approved = evidence.decision or _approval(record, phase.begun)
    if approved.decision == "approve":
        why = f" on hold ({evidence.why_held})" if evidence.why_held else " on hold"
        return Claim(f"approved{why}{by(approved)}: {approved.reason}", False)
    if evidence.verdict != "proceed":
        return Claim(f"verdict {evidence.verdict or NOT_KNOWN}", False)
    return Claim("within targets", True)


def within_targets(phase: Phase) -> str:
    """A good watch is worth as much as it could have seen."""
    evidence = phase.evidence.sensitivity.rstrip(".")
    return f"Within targets; {evidence}" if evidence else "Within targets"


def _approval(record: Record, begun: datetime | None) -> Act:
    """A person's approval of the watch that began then."""
    for decision in record.facts.decisions:
        at = parse_time(decision.at)
        if decision.gate == "monitoring" and at and begun and at >= begun:
            return decision
    return Act()


def services_of(phase: Phase) -> Claim:
    if not phase.done:
        return Claim(state(phase), False if phase.status else None)
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
        return Claim(f"Migrations {state(phase)}", False if phase.status else None)
    migrations = phase.evidence.migrations
    if not migrations:
        return Claim("Migrations not known", None)
    pending = sum(len(migration.pending) for migration in migrations)
    if pending:
        return Claim(f"{counted(pending, 'migration')} pending", False)
    return Claim("Migrations applied", True)


def incidents_of(record: Record, zone: tzinfo) -> Claim:
    """Critical alerts, phases that failed, and uses of the kill switch."""
    fired = record.alerts.fired
    results = [fired_words(entry, zone) for entry in fired if entry.severity == "critical"]
    results += [
        f"{titled(name)} failed {clock(try_.finished, zone)}"
        for name, phase in record.phases.items()
        for try_ in (phase.tries if phase.failed else phase.earlier_failures)
        if not try_.evidence.on_hold
    ]
    results += [
        f"kill switch {clock(switch.name, zone)}{by(switch)}"
        for switch in record.facts.kill_switches
    ]
    if results:
        return Claim(f"{len(results)}: {', '.join(results)}", False)
    return (
        Claim("0", True)
        if record.alerts.looked
        else Claim("none recorded, alerts not checked", None)
    )


def state(phase: Phase) -> str:
    words = {
        "": "not run",
        "running": "not finished",
        "partly_rolled_back": "partly rolled back",
        "rolled_back": "rolled back",
        "done": NOT_KNOWN,
    }
    return words.get(phase.outcome, phase.outcome)


def by(entry: Act | RecordedCheck | Evidence) -> str:
    who = entry.by if isinstance(entry, Act) else entry.waived_by
    return f" by {who}" if who else ""


def clock(text: str, zone: tzinfo) -> str:
    return hour_of(text, zone) or "at an unknown time"
