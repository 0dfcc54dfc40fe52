# SPDX-License-Identifier: GPL-3.0-or-later
"""Write a person's decision into the record of a release."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._cluster import Cluster, MonotonicClock
from .._release.plan import RecordChange, check_attempt
from .._release.store import ReleaseStore
from .manual_decision import APPROVE, ManualDecision, plan_decision
from .store import WatchStore


@dataclass(frozen=True)
class Recorded:
    release: str
    said: ManualDecision
    changed: bool
    check_mode: bool = False

    def to_result(self) -> dict[str, t.Any]:
        said = self.said
        did = "approved" if said.decision == APPROVE else "rejected"
        if self.check_mode and self.changed:
            did = "would approve" if said.decision == APPROVE else "would reject"
        sentence = (
            f"{said.by} {did} the watch {said.gate!r} of release {self.release}: {said.reason}."
        )
        return {"changed": self.changed, "decision": said.to_json(), "sentence": sentence}

    def to_diff(self) -> dict[str, t.Any]:
        after = self.said.to_json()
        return {"before": {} if self.changed else after, "after": after}


def record_decision(
    cluster: Cluster, release: str, wanted: ManualDecision, *, check_mode: bool
) -> Recorded:
    store = ReleaseStore(cluster, release, clock=MonotonicClock())
    record = check_attempt(store.read(), release)
    shelf = WatchStore(store)
    shelf.read()
    planned, new = plan_decision(record, shelf.state(wanted.gate), wanted, list(shelf.watches))
    if not new:
        return Recorded(release, planned, changed=False)
    # By name too, so that two people of the same second overwrite nobody.
    key = f"{planned.gate}-{planned.at}"
    if key in (record.facts.get("decisions") or {}):
        key = f"{key}-{planned.by}"
    change = RecordChange(
        version=release,
        actor=planned.by,
        now=planned.at,
        facts={"decisions": {key: planned.to_json()}},
    )
    store.change(change, check_mode=check_mode)
    return Recorded(release, planned, changed=True, check_mode=check_mode)
