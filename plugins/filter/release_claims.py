# SPDX-License-Identifier: GPL-3.0-or-later
"""What may be claimed of a release."""

from __future__ import annotations

DOCUMENTATION = r"""
name: release_claims
short_description: What may be claimed of a release, from its record
version_added: 0.2.0
author: Maintainers of easymo.deploy (@easymo)
description:
  - From the record, what was measured and which alerts fired to the sentences that messages may say.
  - Where all is well they are the runbook's words, like V(0 minutes). Where not, they say what was seen instead. What
    nobody looked at is not measured or not known.
options:
  _input:
    description: What M(easymo.deploy.release_info) returned.
    type: dict
    required: true
  timezone:
    description: The time zone of the times in sentences.
    type: str
    default: UTC
  plan:
    description:
      - The names of the release's phases. Of one without flags nothing is said of flags. If empty, it has all.
    type: list
    elements: str
    default: []
    version_added: 0.3.0
  at:
    description: When it is said, as RFC 3339. Without it, what was measured last counts as the end.
    type: str
    default: ""
    version_added: 0.3.0
"""

EXAMPLES = r"""
- name: Say how long users were without the service
  ansible.builtin.debug:
    msg: "Downtime: {{ (info | easymo.deploy.release_claims('Africa/Nairobi')).downtime.words }}"
"""

RETURN = r"""
_value:
  description:
    - By name, C(words), C(good) (true, false, or none where nobody looked) and C(mark), a sign for it.
    - Of a release C(status), C(downtime), C(errors), C(interruption), C(tests), C(rollout), C(monitoring), C(service).
    - Of a rollback C(state), C(impact), C(verified), C(users), C(rollback_downtime), and C(cause), which is
      why it went back.
    - Of the report C(report_services), C(report_database), C(report_flags), C(report_tests), C(report_metrics) and
      C(report_incidents).
  type: dict
"""

import typing as t

from ansible.errors import AnsibleFilterError

from ..module_utils._claims.claims import read_claims
from ..module_utils._claims.rollback import Claim, latest_cause
from ..module_utils._errors import InputError
from ..module_utils._story.record import Record
from ..module_utils._time import parse_time, zone_of


def release_claims(
    info: t.Mapping[str, t.Any], timezone: str = "UTC", plan: t.Sequence[str] = (), at: str = ""
) -> dict[str, t.Any]:
    try:
        zone = zone_of(timezone)
    except InputError as exc:
        raise AnsibleFilterError(f"release_claims: {exc}") from exc
    record = Record.read(info.get("record"))
    measured, flags = info.get("availability") or {}, info.get("flags") or {}
    claims = read_claims(record, measured, flags, zone, plan, parse_time(at))
    claims["cause"] = Claim(latest_cause(record).sentence(zone), good=None)
    return {name: claim.to_json() for name, claim in claims.items()}


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"release_claims": release_claims}
