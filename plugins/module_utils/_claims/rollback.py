# SPDX-License-Identifier: GPL-3.0-or-later
"""Claims, why a release went back, and what its rollback proved. Pure.

Each thing that a rollback must bring back is verified, failed or not looked at. Causes are in the order of time.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo

from .._formats import counted, hour_of
from .._release.record import Record, RecordedCheck
from .._rollout.models import is_same_image
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
        beside = ", ".join(filter(None, (self.who, hour_of(self.at, zone))))
        return f"{self.what.rstrip('.')} ({beside})" if beside else self.what


def causes_of(record: Record) -> list[RollbackCause]:
    """The newest last. A failed try whose phase was done afterwards is none."""
    facts, undo = record.facts, record.facts.rollback_asked
    results = [
        RollbackCause(f"{where}{failure.message or 'it failed'}", try_.finished)
        for phase in record.phases.values()
        for try_ in (phase.tries if phase.failed else ())
        for failure in try_.evidence.failures
        for where in ["" if failure.name == "localhost" else f"{failure.name}: "]
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
STATES: t.Mapping[str, str] = {"pass": VERIFIED, "fail": FAILED}
"""By the status of a smoke test. Any other was not looked at, or could not be told."""
DIFFERS = "VerificationFailed"

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


def verification(
    tests: Body,
    pods: Body,
    pins: Body | None = None,
    deployments: t.Sequence[Body] = (),
    running: Body | None = None,
    returned: Body | None = None,
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


def _checked(name: str, checked: Body) -> dict[str, str]:
    failed, results = bool(checked.get("failed")), checked.get("results") or ()
    wrong = [result for result in results if not failed or result.get("status") != "pass"]
    detail = " ".join(str(result.get("detail")) for result in wrong) or checked.get("msg")
    if failed and wrong and not any(result.get("status") == "fail" for result in wrong):
        return row(name, NOT_LOOKED_AT, detail)
    return row(name, FAILED if failed else VERIFIED, detail)


def _flags(pods: Body) -> dict[str, str]:
    if pods.get("failed"):
        return row(
            FLAGS, FAILED if pods.get("reason") == DIFFERS else NOT_LOOKED_AT, pods.get("msg")
        )
    if not pods.get("consumers"):
        return row(FLAGS, NOT_LOOKED_AT, "no pod was asked")
    known = sum(len(consumer["pods"]) for consumer in pods["consumers"].values())
    return row(FLAGS, VERIFIED, f"{known} pods")


def _versions(pins: Body, deployments: t.Sequence[Body]) -> dict[str, str]:
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


def rollback_claims(verified: t.Sequence[RecordedCheck]) -> dict[str, Claim]:
    """`state`, `impact`, `verified` and `users` of the announcement, from the rows as the record keeps them."""
    flows = [
        entry
        for entry in verified
        if entry.name not in (RETURNED, PODS, FLAGS, VERSIONS) and entry.kind != MEASURED
    ] or [RecordedCheck(TESTS, NOT_LOOKED_AT)]
    off = [entry for entry in verified if entry.name == FLAGS]
    off += [] if verified else [RecordedCheck(FLAGS, NOT_LOOKED_AT)]
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
