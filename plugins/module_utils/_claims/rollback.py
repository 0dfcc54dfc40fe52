# SPDX-License-Identifier: GPL-3.0-or-later
"""Claims, why a release went back, and what its rollback proved. Pure.

Each thing that a rollback must bring back is verified, failed or not looked at. Causes are in the order of time.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo

from .._formats import counted, hour_of
from .._release.record import Record, Verified
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
    result = dict.fromkeys([*_failures(record), *_acts(record)])
    return sorted(result, key=lambda entry: parse_time(entry.at) or EARLIEST)


def latest_cause(record: Record) -> RollbackCause:
    causes = causes_of(record)
    return causes[-1] if causes else RollbackCause("no reason was given")


def _failures(record: Record) -> t.Iterator[RollbackCause]:
    for phase in record.phases.values():
        for try_ in phase.tries if phase.failed else ():
            for failure in try_.evidence.failures:
                where = "" if failure.name == "localhost" else f"{failure.name}: "
                yield RollbackCause(f"{where}{failure.message or 'it failed'}", try_.finished)


def _acts(record: Record) -> t.Iterator[RollbackCause]:
    facts = record.facts
    for switch in facts.kill_switches:
        yield RollbackCause(f"kill switch: {switch.reason}", switch.name, switch.by)
    for decision in facts.decisions:
        if decision.decision == "reject":
            yield RollbackCause(f"rejected: {decision.reason}", decision.at, decision.by)
    for step in facts.ramp:
        if step.what == BREACHED:
            why = f": {step.reason}" if step.reason else ""
            yield RollbackCause(f"the ramp's metrics were in breach{why}", step.at)
    rollback_asked = facts.rollback_asked
    if rollback_asked.reason:
        yield RollbackCause(rollback_asked.reason, rollback_asked.at, rollback_asked.by)


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

TESTS, RETURNED, PODS, FLAGS, VERSIONS = (
    "Smoke tests",
    "Returned services are healthy",
    "Every pod runs",
    "Feature off in every pod",
    "Versions as before the release",
)
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
        why = tests.get("msg") or "the tests did not run"
        rows = [row(TESTS, NOT_LOOKED_AT, why)]
    rows += [
        _checked(name, observed)
        for name, observed in ((RETURNED, returned), (PODS, running))
        if observed
    ]
    # A release without flags has no pods to ask.
    if pods.get("consumers") != {}:
        rows.append(_flags(pods))
    if pins is not None:
        rows.append(_versions(pins, deployments))
    return rows


def _checked(name: str, checked: Body) -> dict[str, str]:
    failed = bool(checked.get("failed"))
    results = [
        str(result.get("detail"))
        for result in checked.get("results") or ()
        if not failed or result.get("status") != "pass"
    ]
    if (
        failed
        and results
        and not any(result.get("status") == "fail" for result in checked["results"])
    ):
        return row(name, NOT_LOOKED_AT, " ".join(results))
    return row(name, FAILED if failed else VERIFIED, " ".join(results) or checked.get("msg"))


def _flags(pods: Body) -> dict[str, str]:
    if pods.get("failed"):
        return row(
            FLAGS, FAILED if pods.get("reason") == DIFFERS else NOT_LOOKED_AT, pods.get("msg")
        )
    if not pods.get("consumers"):
        return row(FLAGS, NOT_LOOKED_AT, "no pod was asked")
    known = sum(len(consumer["pods"]) for consumer in pods["consumers"].values())
    return row(FLAGS, VERIFIED, f"{known} pods")


def _are_same(images: t.Mapping[str, str], wanted: t.Mapping[str, str]) -> bool:
    return {*images} == {*wanted} and all(
        is_same_image(images[name], wanted[name]) for name in wanted
    )


def _versions(pins: Body, deployments: t.Sequence[Body]) -> dict[str, str]:
    if not pins:
        return row(VERSIONS, NOT_LOOKED_AT, "nothing was pinned")
    runs = {deployment["name"]: deployment.get("images") for deployment in deployments}
    unseen = [name for name in pins if name not in runs]
    other = [
        name
        for name, pin in pins.items()
        if name in runs and not _are_same(runs[name] or {}, pin.get("images") or {})
    ]
    if other:
        return row(VERSIONS, FAILED, f"{', '.join(other)} run something else")
    if unseen:
        return row(VERSIONS, NOT_LOOKED_AT, f"{', '.join(unseen)} were not seen")
    return row(VERSIONS, VERIFIED, counted(len(pins), "service"))


def row(name: str, status: str, detail: t.Any = "", kind: str = "") -> dict[str, str]:
    return {"name": name, "status": status, "detail": str(detail or ""), "kind": kind}


def rollback_claims(verified: t.Sequence[Verified]) -> dict[str, Claim]:
    """`state`, `impact`, `verified` and `users` of the announcement, from the rows as the record keeps them."""
    results = {entry.name: entry for entry in verified}
    flows = [
        result
        for name, result in results.items()
        if name not in (RETURNED, PODS, FLAGS, VERSIONS) and result.kind != MEASURED
    ] or [Verified(TESTS, NOT_LOOKED_AT)]
    off = (
        [results.get(FLAGS, Verified(FLAGS, NOT_LOOKED_AT))]
        if FLAGS in results or not verified
        else []
    )
    state = (
        Claim("user flows work, 100 % of those tried", True)
        if _good(flows)
        else Claim(f"what users do: {words(flows)}", _worst(flows))
    )
    impact = [
        *(
            ["no user has the feature" if _good(off) else f"the feature: {words(off)}"]
            if off
            else []
        ),
        "what users do was tried and works" if _good(flows) else words(flows),
    ]
    return {
        "state": state,
        "impact": Claim("; ".join(impact), _worst([*flows, *off])),
        "verified": _counted(verified),
        "users": Claim(FOR_USERS[_worst(flows)], _worst(flows)),
    }


def _counted(verified: t.Sequence[Verified]) -> Claim:
    if not verified:
        return Claim("nothing was checked", None)
    rest = [entry for entry in verified if entry.status != VERIFIED]
    count = f"{len(verified) - len(rest)} of {len(verified)}"
    return Claim(f"{count}; {words(rest)}" if rest else count, _worst(verified))


def words(rows: t.Iterable[Verified]) -> str:
    return ", ".join(
        f"{entry.name} {entry.status}"
        + (f" ({entry.detail})" if entry.detail and entry.status != VERIFIED else "")
        for entry in rows
    )


def _good(rows: t.Iterable[Verified]) -> bool:
    return all(entry.status == VERIFIED for entry in rows)


def _worst(rows: t.Sequence[Verified]) -> bool | None:
    if any(entry.status == FAILED for entry in rows):
        return False
    return True if _good(rows) else None
