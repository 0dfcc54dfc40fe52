# SPDX-License-Identifier: GPL-3.0-or-later
"""What may be said of a release and of a rollback, by what was measured."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError

from ..module_utils._claims.claims import read_claims
from ..module_utils._claims.rollback import Claim, latest_cause
from ..module_utils._errors import InputError
from ..module_utils._release.record import Record
from ..module_utils._time import parse_time, zone_of


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


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {
            "release_claims": release_claims,
        }
