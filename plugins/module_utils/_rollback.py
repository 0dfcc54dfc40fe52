# SPDX-License-Identifier: GPL-3.0-or-later
"""A rollback in the record of its release: who asked for it, what returned, what was verified, and its end."""

from __future__ import annotations

import typing as t

from ._claims.claims import (
    FAILED,
    FLAGS,
    NOT_LOOKED_AT,
    PODS,
    RETURNED,
    TESTS,
    VERIFIED,
    VERSIONS,
    rollback_claims,
)
from ._cluster import Cluster, MonotonicClock
from ._errors import DeployError
from ._formats import counted
from ._kubernetes import actor_of
from ._lock.apply import lease_check_for
from ._module import Module, Result
from ._release.models import PARTLY, ROLLED_BACK, has_failed, sentence_of
from ._release.plan import RecordChange
from ._release.record import Record
from ._release.store import ReleaseStore
from ._release.task import plain
from ._rollout.models import is_same_image
from ._rollout.observer import observe_standings
from ._time import utc_now

ALL, SERVICES, DATABASE = "all", "services", "database"


class RollbackRecord:
    """What one task of the module release_rollback adds to the record. `parts`: of the rollback, by their tags."""

    def __init__(self, module: Module, cluster: Cluster) -> None:
        params = module.params
        self._module = module
        self._params = params
        self._cluster = cluster
        self._parts = sorted(params["parts"])
        self._store = ReleaseStore(cluster, params["name"], clock=MonotonicClock())
        self.document = ""
        """The record as it was written last, as JSON; empty before."""

    def begin(self) -> Result:
        """What cannot be noted is a warning: it is no reason to leave the feature on.

        But of a restore of the databases it must be known, for the services may be down.
        """
        by, reason = self._params["by"], self._params["reason"]
        request = {"by": by, "reason": reason, "at": utc_now(), "open": True}
        if self._parts == [DATABASE]:
            return {"changed": self._change(facts={"restore_asked": request})}
        changed = False
        try:
            record = self._store.read()
            parts, services = scope_of(record, self._parts, self._params["deployments"])
            if record is not None and asks_anew(record, by, reason, parts, services):
                request |= {"parts": parts, "services": services}
                # What an earlier rollback brought back says nothing of this one.
                changed = self._change(facts={"rollback_asked": request, "rollback_verified": []})
        except DeployError as exc:
            self._module.warn(f"Who rolls it back, and why, was not recorded: {exc}")
        return {"changed": changed}

    def returned(self, services: t.Mapping[str, t.Any], *, partly: bool) -> None:
        self._change(
            facts={"services_returned": services},
            phase=self._params["phase"],
            phase_status=PARTLY if partly else ROLLED_BACK,
        )

    def verify(self) -> Result:
        """Everything is looked at, whatever fails. A second rollback that sees the same writes nothing.

        A rollback that tests nothing has nothing verified.
        """
        record = self._store.read()
        rows = self._rows(record) if self._params["tests"] else []
        before = record.facts.rollback_verified if record else ()
        differ = [row.status for row in before] != [row["status"] for row in rows]
        changed = bool(record and differ) and self._change(facts={"rollback_verified": rows})
        facts = Record.read({"facts": {"rollback_verified": rows}}).facts
        claim = rollback_claims(facts.rollback_verified)["verified"]
        sentence = f"Verified: {claim.words}"
        left_out = _describe_failed([row for row in rows if row["status"] == FAILED])
        result = {"changed": changed, "verified": rows, "left_out": left_out}
        return {**result, "sentence": sentence, "remarks": [sentence] if rows else []}

    def _rows(self, record: Record | None) -> list[dict[str, str]]:
        params = self._params
        pins: dict[str, t.Any] | None = None
        if {ALL, SERVICES} & {*self._parts}:
            pinned = self._store.pins.of(record.attempt if record else 1).deployments
            # Of services that went back by name, the others stay at the release.
            names = params["deployments"] or [*pinned]
            pins = {name: pinned[name] for name in names if name in pinned}
        return verification(
            params["tests"],
            params["pods"],
            pins,
            self._standings() if pins is not None else (),
            params["running"] or None,
            params["returned"],
        )

    def end_restore(self) -> Result:
        """Fails for nothing: people are told first."""
        causes = restore_causes(self._params["ended"], self._params["tests"])
        if not causes:
            changed = self._change(facts={"restore_asked": {"open": False}})
            return {"changed": changed, "causes": [], "sentence": ""}
        sentence = (
            f"The restore approved by {self._params['by']} failed. {' '.join(causes)} Fix the cause and run the "
            "same command again: what is restored is kept."
        )
        return {"changed": False, "causes": causes, "sentence": sentence}

    def close(self) -> Result:
        """A partial rollback leaves the rest of the release, so the attempt goes on.

        One that left something out is not over: it is to be run again.
        """
        closed = {"rollback_asked": {"open": bool(self._params["left_out"])}}
        changed = False
        if ALL in self._parts:
            changed = self._change(status=ROLLED_BACK, facts=closed)
        ways = self._params["ways_back"]
        phases = dict.fromkeys(phase for part in self._parts for phase in ways.get(part, ()))
        for phase in phases:
            if phase in self._params["plan"]:
                changed |= self._change(phase=phase, phase_status=ROLLED_BACK)
        if ALL not in self._parts:
            note = f"Went back alone: {', '.join(self._parts)}."
            changed |= self._change(notes=(note,), facts=closed)
        return {"changed": changed}

    def _standings(self) -> t.Sequence[t.Mapping[str, t.Any]]:
        try:
            return observe_standings(self._cluster, None)
        except DeployError as exc:
            self._module.warn(f"What the services run could not be read: {exc}")
            return ()

    def _change(self, *, facts: t.Mapping[str, t.Any] | None = None, **changes: t.Any) -> bool:
        params, check_mode = self._params, self._module.check_mode
        if not check_mode:
            clock = MonotonicClock()
            lease_check_for(
                self._cluster, params["fence"], clock=clock, name=params["lock"]
            ).check()
        change = RecordChange(
            version=self._store.version,
            actor=actor_of(params),
            now=utc_now(),
            fence=params["fence"],
            facts=plain(facts or {}),
            **changes,
        )
        before, after = self._store.change(change, check_mode=check_mode)
        self.document = after.to_result()["document"]
        return before != after


STATES: t.Mapping[str, str] = {"pass": VERIFIED, "fail": FAILED}
"""By the status of a smoke test. Any other was not looked at, or could not be told."""
DIFFERS = "VerificationFailed"
Json = t.Mapping[str, t.Any]


def verification(
    tests: Json,
    pods: Json,
    pins: Json | None = None,
    deployments: t.Sequence[Json] = (),
    running: Json | None = None,
    returned: Json | None = None,
) -> list[dict[str, str]]:
    """A row with `name`, `status` and `detail` for each.

    `tests`: the result of the module smoke_tests; `pods`: that of feature_flags, which proved them. `pins`: by
    Deployment, what ran before, with `images`; None when services did not go back. `deployments`: as rollout
    reads them. `running`: the result of the module health_check about all pods, `returned`: about the services that
    went back; None or empty when that was not looked at.
    """
    results = tests.get("results")
    if isinstance(results, list):
        rows = [
            row(
                str(result["name"]),
                STATES.get(str(result.get("status")), NOT_LOOKED_AT),
                result.get("detail"),
                str(result.get("kind") or ""),
            )
            for result in results
        ]
    else:
        rows = [row(TESTS, NOT_LOOKED_AT, tests.get("msg") or "the tests did not run")]
    rows += [_checked(RETURNED, returned)] if returned else []
    rows += [_checked(PODS, running)] if running else []
    # A release without flags has no pods to ask.
    rows += [_flags(pods)] if pods.get("consumers") != {} else []
    rows += [_versions(pins, deployments)] if pins is not None else []
    return rows


def _checked(name: str, checked: Json) -> dict[str, str]:
    failed, results = bool(checked.get("failed")), checked.get("results") or ()
    wrong = [result for result in results if not failed or result.get("status") != "pass"]
    detail = " ".join(str(result.get("detail")) for result in wrong) or checked.get("msg")
    if failed and wrong and not any(result.get("status") == "fail" for result in wrong):
        return row(name, NOT_LOOKED_AT, detail)
    return row(name, FAILED if failed else VERIFIED, detail)


def _flags(pods: Json) -> dict[str, str]:
    if pods.get("failed"):
        return row(
            FLAGS, FAILED if pods.get("reason") == DIFFERS else NOT_LOOKED_AT, pods.get("msg")
        )
    if not pods.get("consumers"):
        return row(FLAGS, NOT_LOOKED_AT, "no pod was asked")
    known = sum(len(consumer["pods"]) for consumer in pods["consumers"].values())
    return row(FLAGS, VERIFIED, f"{known} pods")


def _versions(pins: Json, deployments: t.Sequence[Json]) -> dict[str, str]:
    if not pins:
        return row(VERSIONS, NOT_LOOKED_AT, "nothing was pinned")
    runs = {deployment["name"]: deployment.get("images") for deployment in deployments}
    unseen = [name for name in pins if name not in runs]
    other = []
    for name, pin in pins.items():
        now, wanted = runs.get(name) or {}, pin.get("images") or {}
        same = now.keys() == wanted.keys() and all(is_same_image(now[c], wanted[c]) for c in now)
        other += [] if same or name in unseen else [name]
    if other:
        return row(VERSIONS, FAILED, f"{', '.join(other)} run something else")
    if unseen:
        return row(VERSIONS, NOT_LOOKED_AT, f"{', '.join(unseen)} could not be read")
    return row(VERSIONS, VERIFIED, counted(len(pins), "service"))


def row(name: str, status: str, detail: t.Any = "", kind: str = "") -> dict[str, str]:
    return {"name": name, "status": status, "detail": str(detail or ""), "kind": kind}


def _describe_failed(rows: t.Sequence[t.Mapping[str, str]]) -> str:
    """What a rollback that is done has not brought back; empty when it has all."""
    if not rows:
        return ""
    names = ", ".join(row["name"] for row in rows)
    details = "; ".join(row["detail"] for row in rows)
    return (
        f"The rollback is done, but not everything is as before the release: {names} failed ({details}). Check what "
        "is named, then run the same command again."
    )


_OF_DATABASE = {"kept": "Back up the failed data", "restored": "Restore the database"}
_OF_SERVICES = {"stopped": "Not all services are stopped", "started": "Not all services are back"}


def restore_causes(
    ended: t.Sequence[t.Mapping[str, t.Any]], tests: t.Mapping[str, t.Any]
) -> list[str]:
    """Why databases or services are not back, each once. `ended`: the results of each host, by what was done there.

    `tests`: the result of the smoke tests afterwards.
    """
    causes = []
    for host in ended:
        for part, what in _OF_DATABASE.items():
            if has_failed(host.get(part, {})):
                causes.append(f"{host['host']}, '{what}': {sentence_of(host[part])}")
        if "checked" in host and "restored" not in host:
            causes.append(f"{host['host']}: nothing was restored, for the run did not come to it.")
    causes += [
        f"{what}: {sentence_of(host[part])}"
        for part, what in _OF_SERVICES.items()
        for host in ended
        if has_failed(host.get(part, {}))
    ]
    if has_failed(tests):
        causes.append(f"'Test user flows': {sentence_of(tests)}")
    return list(dict.fromkeys(causes))


def scope_of(
    record: Record | None, parts: t.Sequence[str], services: t.Sequence[str]
) -> tuple[list[str], list[str]]:
    """The parts and the services that are to go back: these, and those of a rollback that is not over yet."""
    if record is None or not record.facts.rollback_open:
        return [*parts], [*services]
    before = record.facts.rollback_asked
    requests = ((parts, services), (before.parts, before.services))
    alone = [names for tags, names in requests if {ALL, SERVICES} & {*tags}]
    union = {name for names in alone for name in names} if all(alone) else set()
    return sorted({*parts, *before.parts}), sorted(union)


def asks_anew(
    record: Record, by: str, reason: str, parts: t.Sequence[str], services: t.Sequence[str]
) -> bool:
    """Whether somebody asks for a rollback that has not begun yet.

    The same request again, with no deployment in between, has nothing to take back.
    """
    facts, before = record.facts, record.facts.rollback_asked
    same = ([*before.parts], [*before.services]) == ([*parts], [*services])
    if record.status == ROLLED_BACK or (facts.rollback_open and same):
        return False
    if not same or (before.by, before.reason) != (by, reason) or not before.at:
        return True
    return any(phase.started > before.at for phase in record.phases.values())
