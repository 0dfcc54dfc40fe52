# SPDX-License-Identifier: GPL-3.0-or-later
"""A status in lines for people: the verdict first, the next command last, and no more than one screen. Pure."""

from __future__ import annotations

import typing as t
from datetime import datetime

from .._messages.mrkdwn import shortened
from .._release.models import SETTLED
from .._report.times import size
from .._words import listed
from .build import NOT_STARTED
from .verdict import shown

Status = t.Mapping[str, t.Any]

LIMIT = 25
WHY = 200
"""Characters; whatever is said after them is advice, and the next commands stand below."""
MISSING = "missing"
MOST_VERSIONS = 4
MOST_NAMES = 6


def lines_of(status: Status, now: datetime) -> list[str]:
    rows = [
        *_release(status, now),
        *_phases(status),
        *_flags(status),
        *_ramp(status),
        *_guard(status["guard"]),
        *_versions(status["services"]),
        *_pods(status["services"]),
        *_backups(status["backups"], now),
        *_availability(status["availability"]),
        *([("page", status["page"])] if status["page"] else []),
        *_next(status["next"]),
    ]
    told = [f"  {label:<9} {text}" for label, text in rows]
    return [f"{status['verdict']}: {shortened(status['why'], WHY)}", *told][:LIMIT]


Rows = t.Iterator[tuple[str, str]]


def _release(status: Status, now: datetime) -> Rows:
    if status["release"] and status["since"]:
        ended = f", ended {shown(status['finished'], now)}" if status["finished"] else ""
        yield (
            "release",
            f"{status['release']}, attempt {status['attempt']} by {status['by']}, "
            f"begun {shown(status['since'], now)}{ended}",
        )
    if status["lock"]["held"] or status["freeze"]:
        yield "lock", status["lock"]["sentence"]


def _phases(status: Status) -> Rows:
    """How many are done, and each that is something else."""
    planned = [one for one in status["phases"] if one["number"]]
    done = [one for one in planned if one["status"] in SETTLED]
    odd = [
        f"{one['title']} {one['status'].replace('_', ' ')}"
        for one in status["phases"]
        if one["status"] not in ("done", NOT_STARTED)
    ]
    if done or odd:
        yield "phases", " · ".join([f"{len(done)} of {len(planned)} done", *odd])


def _flags(status: Status) -> Rows:
    """Switches are counted, those that are off named; whatever is no switch is told with its value."""
    flags: t.Mapping[str, str] = status["flags"]
    if not flags:
        return
    on = [name for name, value in flags.items() if value.lower() == "true"]
    off = [name for name, value in flags.items() if value.lower() == "false"]
    values = [f"{name}={flags[name]}" for name in flags if name not in (*on, *off)]
    told = [f"{len(on)} on", *([f"off: {' '.join(off)}"] if off and on else [])]
    yield "flags", " · ".join([*values, *(told if on else ["all off"])])
    if status["kill_switch"] and status["kill_switch"] not in status["why"]:
        yield "", shortened(status["kill_switch"], WHY)


def _ramp(status: Status) -> Rows:
    ramp = status["ramp"]
    if not ramp:
        return
    told = f"{status['why']} {status['lock']['sentence']} {status['kill_switch']}"
    at = "no percentage" if ramp["percentage"] is None else f"{ramp['percentage']} %"
    step = f", step {ramp['step']} of {ramp['steps']}" if ramp["step"] else ""
    yield "ramp", f"{at}{step}{_onward(ramp['next'], told)}"


def _guard(guard: Status) -> Rows:
    if guard:
        told = f"SILENT: {guard['silent']}" if guard["silent"] else guard["sentence"]
        yield "guard", shortened(told, WHY)


def _onward(onward: Status, told: str) -> str:
    """The next step and what keeps from it, unless that was told already."""
    if not onward:
        return ""
    to = f" · next {onward['percentage']} %"
    if onward["may"]:
        return f"{to}, allowed now"
    reasons = [one["text"] for one in onward["reasons"] if one["text"] not in told]
    more = f" (and {len(reasons) - 1} more)" if len(reasons) > 1 else ""
    return f"{to}: {reasons[0]}{more}" if reasons else f"{to}, not yet"


def _versions(services: Status) -> Rows:
    found = {name: one["version"] if one["exists"] else MISSING for name, one in services.items()}
    yield from (("versions", told) for told in versions_told(found))


def versions_told(versions: t.Mapping[str, str]) -> list[str]:
    """From the version of each service: by version, the most common last, without its names."""
    groups: dict[str, list[str]] = {}
    for name, version in versions.items():
        groups.setdefault(version, []).append(name)
    ordered = sorted(groups.items(), key=lambda group: len(group[1]))
    if not ordered:
        return []
    more = ordered[: -MOST_VERSIONS or None]
    told = [f"{len(more)} other versions: {sum(len(n) for _v, n in more)} services"] if more else []
    for version, names in ordered[len(more) :]:
        last = version == ordered[-1][0] and version != MISSING
        all_of = f"all {len(names)}" if len(ordered) == 1 else f"the other {len(names)}"
        told.append(f"{version}: {all_of if last else listed(names, MOST_NAMES, ' ')}")
    return told


def _pods(services: Status) -> Rows:
    there = {name: one for name, one in services.items() if one["exists"]}
    desired = sum(one["desired"] for one in there.values())
    available = sum(min(one["available"], one["desired"]) for one in there.values())
    odd = [
        f"{name} {one['available']}/{one['desired']}{' paused' if one['paused'] else ''}"
        for name, one in there.items()
        if one["available"] < one["desired"] or one["paused"] or not one["complete"]
    ]
    if there:
        told = [f"{available}/{desired} available", *([listed(odd, MOST_NAMES)] if odd else [])]
        yield "pods", " · ".join(told)


def _backups(backups: t.Sequence[Status], now: datetime) -> Rows:
    if backups:
        told = ", ".join(f"{one['name']} {size(one['size'])}" for one in backups)
        yield "backups", f"{told}, {shown(backups[-1]['finished'], now)}"


def _availability(found: Status) -> Rows:
    if found["summary"]:
        gaps = f", {found['unseen']:.0f} s not seen" if found["unseen"] else ""
        yield "probes", f"{found['summary'][0]}{gaps}"
    elif found["reason"]:
        yield "probes", f"not measured: {found['reason']}"


def _next(commands: t.Sequence[Status]) -> Rows:
    for number, one in enumerate(commands):
        yield "or" if number else "next", f"{one['why']}:  {one['command']}"
