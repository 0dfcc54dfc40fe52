# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""From a release record to what may be claimed of the release, for every channel. Pure.

Where all is well the words are the runbook's own; where not, they say what was seen instead; what nobody looked at is
"not measured" or "not known".
"""

from __future__ import annotations

import typing as t
from datetime import datetime, tzinfo

from .._alerts.fired import alerts_of
from .._alerts.models import Alerts, FiredAlert
from .._availability.claims import Availability, availability_of, duration
from .._messages.record_reader import mapping
from .._release.failure import is_held
from .._time import UTC, parse_time
from .._words import counted
from .models import Claim
from .rollback import rollback_claims

Body = t.Mapping[str, t.Any]

PERCENTAGE = "_ROLLOUT_PERCENTAGE"
"""Ends the name of the flag that is a feature's percentage; the name before it is the feature's own flag."""
NOT_KNOWN, ON_HOLD = "not known", "on hold"
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
    info: Body, zone: tzinfo = UTC, plan: t.Collection[str] = (), at: datetime | None = None
) -> dict[str, Claim]:
    """Of what the module release_info returns, or what is like it.

    `plan` are the phases of the release; empty: any. `at`: when it is said, of a release that goes on.
    """
    record = mapping(info.get("record"))
    measured = mapping(info.get("availability"))
    availability = availability_of(
        mapping(measured.get("release")), changed=_first_change(record), at=at, zone=zone
    )
    back = availability_of(mapping(measured.get("rollback")), zone=zone)
    flags = mapping(info.get("flags"))
    claims = claims_of(record, availability, alerts_of(record), flags, zone=zone)
    if plan and FLAGS not in plan:
        claims |= without_flags(record, claims["report_services"] if SERVICES in plan else None)
    return {**claims, "rollback_downtime": downtime_of(back)}


def _first_change(record: Body) -> datetime | None:
    phases = mapping(record.get("phases")).items()
    times = [parse_time(mapping(one).get("started")) for name, one in phases if name != LOOKS_ONLY]
    return min((one for one in times if one), default=None)


def claims_of(
    record: Body, availability: Availability, alerts: Alerts, flags: Body, *, zone: tzinfo = UTC
) -> dict[str, Claim]:
    """By name. `flags`: what users have now, as release_info returns it; empty: as it was recorded.

    `downtime`, `errors`, `status`: of the announcement. `service`: of the public status page.

    `state`, `impact`, `verified`: of the announcement of a rollback; `users`: of it on that page. `interruption`,
    `tests`, `rollout`, `monitoring`: of the mail. `report_*`: the six lines of the runbook's report.
    """
    phases = {name: mapping(one) for name, one in mapping(record.get("phases")).items()}
    facts = mapping(record.get("facts"))
    percentage = rollout_percentage(phases, facts, flags)
    downtime = downtime_of(availability)
    tests = tests_of(phases.get("smoke_tests"))
    watch = watch_of(phases.get("monitoring"), facts)
    return {
        "status": status_of(record, percentage),
        "downtime": downtime,
        "errors": errors_of(alerts, zone),
        "interruption": downtime.said("Zero downtime", "Downtime: "),
        "tests": tests.said("All tests passing", "Tests: "),
        "rollout": percentage.said(
            f"{percentage.words} rollout active" if percentage.words else "Feature active",
            "Rollout: ",
        ),
        "monitoring": watch.said("Monitoring stable", "Monitoring: "),
        "service": service_of(availability),
        **rollback_claims(facts.get("rollback_verified")),
        "report_services": services_of(phases.get("microservices")),
        "report_database": database_of(phases.get("database")),
        "report_flags": percentage.said(
            f"Active at {percentage.words}" if percentage.words else "Active"
        ),
        "report_tests": tests.said("All passing"),
        "report_metrics": watch.said(within_targets(phases.get("monitoring"))),
        "report_incidents": incidents_of(phases, alerts, facts, zone),
    }


def status_of(record: Body, percentage: Claim) -> Claim:
    stands = str(record.get("status") or "")
    if stands == "rolled_back":
        return Claim("rolled back", False)
    if percentage.good:
        return Claim(f"LIVE ({percentage.words} rollout)" if percentage.words else "LIVE", True)
    return Claim(f"deployed, feature {percentage.words}", percentage.good)


def without_flags(record: Body, services: Claim | None) -> dict[str, Claim]:
    """Of a release that has none: users have what its services run."""
    deployed = Claim("deployed", True)
    if record.get("status") == "rolled_back":
        deployed = Claim("rolled back", False)
    elif services and not services.good:
        deployed = Claim(f"deployed, services {services.words}", services.good)
    none = Claim("no feature flags", True)
    return {"status": deployed, "rollout": none, "report_flags": none}


def rollout_percentage(phases: t.Mapping[str, Body], facts: Body, seen: Body) -> Claim:
    """The words are a percentage, like "1%", when users have the feature; empty when its flags have no percentage."""
    phase = phases.get("feature_flags", {})
    if phase.get("status") != "done":
        return Claim(f"flags {state(phase)}", None if not phase else False)
    found = mapping(mapping(phase.get("evidence")).get("flags"))
    flags = mapping(found.get("after"))
    # Beside them are those of releases before. A record of before version 0.3.0 does not tell them apart.
    ours = mapping(found.get("asked")) or flags
    name = next((one for one in ours if one.endswith(PERCENTAGE)), "")
    if not flags or (not name and ours is flags):
        return Claim(NOT_KNOWN, None)
    switch = mapping(seen.get("kill_switch"))
    killed = off_by(switch) if switch else ""
    if not seen:
        killed = newest_kill(facts, since=str(phase.get("finished") or ""))
    if killed:
        return Claim(killed, False)
    stepped = {} if seen else mapping(facts.get("ramp"))
    flags = mapping(seen.get("values")) if seen else flags
    if not name:
        on = any(flags.get(one) not in (None, "", "false", "0") for one in ours)
        return Claim("" if on else "off", on)
    value = str(stepped.get("percentage", flags.get(name, "")))
    if not value:
        return Claim(NOT_KNOWN, None)
    if flags.get(name.removesuffix(PERCENTAGE)) != "true" or value == "0":
        return Claim("off", False)
    return Claim(f"{value}%", True)


def off_by(switch: Body) -> str:
    return f"off by the kill switch of {switch.get('by')}: {switch.get('reason')}"


def newest_kill(facts: Body, since: str = "") -> str:
    """Who switched the feature off after `since`, "" for nobody."""
    begun = parse_time(since)
    found = ""
    for at, one in sorted(mapping(facts.get("kill_switches")).items()):
        moment = parse_time(at)
        if moment and (begun is None or moment >= begun):
            what = mapping(one)
            found = off_by(what) if what.get("what") == "set" else ""
    return found


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
    told = ", ".join(fired_words(one, zone) for one in alerts.fired)
    rest = f"; the rest {unseen}" if unseen else ""
    if any(one.severity == "critical" for one in alerts.fired):
        return Claim(f"{counted(len(alerts.fired), 'alert')}, {told}{rest}", False)
    warnings = f"0 critical, {counted(len(alerts.fired), 'warning')}: {told}{rest}"
    return Claim(warnings, None if unseen else True)


def fired_words(alert: FiredAlert, zone: tzinfo) -> str:
    since = clock(alert.since, zone)
    until = clock(alert.until, zone) if alert.until else "and still firing"
    when = f"{since}-{until}" if alert.until else f"{since} {until}"
    of = f" of {alert.subject}" if alert.subject else ""
    return f"{alert.name}{of} {when}"


def tests_of(phase: Body | None) -> Claim:
    if not phase:
        return Claim("not run", None)
    if phase.get("status") == "waived":
        return Claim(f"not run, waived{by(mapping(phase.get('evidence')))}", None)
    checks = mapping(phase.get("evidence")).get("checks")
    found = [mapping(one) for one in checks] if isinstance(checks, list) else []
    if not found:
        return Claim(NOT_KNOWN, None)
    passed = sum(1 for one in found if one.get("status") == "pass")
    if passed == len(found) and phase.get("status") == "done":
        return Claim("all passing", True)
    rest: dict[str, int] = {}
    for one in found:
        status = str(one.get("status"))
        if status != "pass":
            word = {"fail": "failed", "hold": "not known", "skip": "not run"}.get(status, status)
            who = by(one) if status == "waived" else ""
            rest[f"{word}{who}"] = rest.get(f"{word}{who}", 0) + 1
    told = "".join(f", {count} {word}" for word, count in rest.items())
    # What was left out is not known; what failed is known to be wrong.
    bad = any(one.get("status") == "fail" for one in found) or phase.get("status") != "done"
    return Claim(f"{passed} of {len(found)} passed{told}", False if bad else None)


def watch_of(phase: Body | None, facts: Body) -> Claim:
    if not phase:
        return Claim("not watched", None)
    evidence = mapping(phase.get("evidence"))
    if phase.get("status") == "waived":
        return Claim(f"not watched, waived{by(evidence)}", None)
    if phase.get("status") != "done":
        return Claim(state(phase), None if state(phase) == ON_HOLD else False)
    metrics = evidence.get("metrics")
    if not isinstance(metrics, list) or not metrics:
        return Claim(NOT_KNOWN, None)
    approved = mapping(evidence.get("decision")) or _approval(
        facts, str(phase.get("started") or "")
    )
    if approved.get("decision") == "approve":
        held = _reasons(evidence) or _reasons(mapping(evidence.get("held")))
        why = f" on hold ({held})" if held else " on hold"
        return Claim(f"approved{why}{by(approved)}: {approved.get('reason')}", False)
    if evidence.get("verdict") != "proceed":
        return Claim(f"verdict {evidence.get('verdict') or NOT_KNOWN}", False)
    return Claim("within targets", True)


def within_targets(phase: Body | None) -> str:
    """A good watch is worth as much as it could have seen."""
    seen = str(mapping((phase or {}).get("evidence")).get("sensitivity") or "").rstrip(".")
    return f"Within targets; {seen}" if seen else "Within targets"


def _approval(facts: Body, since: str) -> Body:
    """A person's approval of the watch that began then."""
    begun = parse_time(since)
    for one in map(mapping, mapping(facts.get("decisions")).values()):
        at = parse_time(one.get("at"))
        if one.get("gate") == "monitoring" and at and begun and at >= begun:
            return one
    return {}


def _reasons(body: Body) -> str:
    """In words: a verdict keeps them with their figures, a hold as texts."""
    reasons = body.get("reasons")
    if not isinstance(reasons, list):
        return ""
    return "; ".join(str(mapping(one).get("text") or "") or str(one) for one in reasons)


def services_of(phase: Body | None) -> Claim:
    if not phase or phase.get("status") != "done":
        return Claim(state(phase), None if not phase else False)
    services = mapping(mapping(phase.get("evidence")).get("services"))
    if not services:
        return Claim(NOT_KNOWN, None)
    behind = [name for name, one in services.items() if mapping(one).get("result") not in RAN]
    unknown = [name for name in behind if not services[name]]
    failed = [name for name in behind if services[name]]
    if failed:
        return Claim(f"{', '.join(failed)} not healthy", False)
    return Claim(f"{', '.join(unknown)} not known", None) if unknown else Claim("Healthy", True)


def database_of(phase: Body | None) -> Claim:
    if not phase or phase.get("status") != "done":
        return Claim(f"Migrations {state(phase)}", None if not phase else False)
    migrations = mapping(mapping(phase.get("evidence")).get("migrations"))
    if not migrations:
        return Claim("Migrations not known", None)
    left = (one.get("pending") for one in map(mapping, migrations.values()))
    pending = sum(len(one) for one in left if isinstance(one, list))
    if pending:
        return Claim(f"{counted(pending, 'migration')} pending", False)
    return Claim("Migrations applied", True)


def incidents_of(phases: t.Mapping[str, Body], alerts: Alerts, facts: Body, zone: tzinfo) -> Claim:
    """Critical alerts, phases that failed, and uses of the kill switch."""
    found = [fired_words(one, zone) for one in alerts.fired if one.severity == "critical"]
    for name, phase in phases.items():
        tries = phase.get("earlier_failures")
        failures = [mapping(one) for one in tries] if isinstance(tries, list) else []
        failures += [phase] if phase.get("status") == "failed" else []
        for one in failures:
            if not is_held(one.get("evidence")):
                found.append(f"{title(name)} failed {clock(str(one.get('finished') or ''), zone)}")
    for at, one in mapping(facts.get("kill_switches")).items():
        if mapping(one).get("what") == "set":
            found.append(f"kill switch {clock(str(at), zone)}{by(mapping(one))}")
    if found:
        return Claim(f"{len(found)}: {', '.join(found)}", False)
    return Claim("0", True) if alerts.looked else Claim("none recorded, alerts not checked", None)


def state(phase: Body | None) -> str:
    if phase and phase.get("status") == "failed" and is_held(phase.get("evidence")):
        return ON_HOLD
    return {
        "": "not run",
        "running": "not finished",
        "partly_rolled_back": "partly rolled back",
        "rolled_back": "rolled back",
        "done": NOT_KNOWN,
    }.get(str((phase or {}).get("status") or ""), str((phase or {}).get("status") or ""))


def by(entry: Body) -> str:
    who = entry.get("by") or entry.get("waived_by")
    return f" by {who}" if who else ""


def title(name: str) -> str:
    return name.replace("_", " ").capitalize()


def clock(text: str, zone: tzinfo) -> str:
    moment: datetime | None = parse_time(text)
    return f"{moment.astimezone(zone):%H:%M}" if moment else "at an unknown time"
