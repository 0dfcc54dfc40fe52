# SPDX-License-Identifier: GPL-3.0-or-later
"""What people are told: what may be said of a release and of a rollback, why a task failed, and hours of a day."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError

from ..module_utils._claims.claims import Claim, latest_cause, read_claims
from ..module_utils._errors import InputError
from ..module_utils._release.models import phase_failure
from ..module_utils._release.record import Record
from ..module_utils._time import is_within, moment_of, now, parse_time, zone_of
from ..module_utils._window import for_people, read_window


def release_claims(
    info: t.Mapping[str, t.Any], timezone: str = "UTC", plan: t.Sequence[str] = (), at: str = ""
) -> dict[str, t.Any]:
    try:
        zone = zone_of(timezone)
    except InputError as exc:
        raise AnsibleFilterError(f"release_claims: {exc}") from exc
    record = Record.of_result(info) if info.get("document") else Record.read(info.get("record"))
    measured, flags = info.get("availability") or {}, info.get("flags") or {}
    claims = read_claims(record, measured, flags, zone, plan, parse_time(at))
    claims["cause"] = Claim(latest_cause(record).sentence(zone), good=None)
    return {name: claim.to_json() for name, claim in claims.items()}


def launch_window(window: t.Mapping[str, t.Any]) -> str:
    try:
        return for_people(read_window(window), now())
    except InputError as exc:
        raise AnsibleFilterError(str(exc)) from exc


def within_hours(hours: t.Mapping[str, t.Any], at: str = "") -> bool:
    if not hours:
        return True
    try:
        return is_within(hours, moment_of(at) if at else now())
    except InputError as exc:
        raise AnsibleFilterError(f"within_hours: {exc}") from exc


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {
            "launch_window": launch_window,
            "phase_failure": phase_failure,
            "release_claims": release_claims,
            "within_hours": within_hours,
        }
