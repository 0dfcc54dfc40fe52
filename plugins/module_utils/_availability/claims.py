# SPDX-License-Identifier: GPL-3.0-or-later
"""What may be said of a release's availability, from what was measured. Pure."""

from __future__ import annotations

import json
import typing as t
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo

from .._errors import VerificationError
from .._formats import lasting, read_json
from .._release.store import Attachment, ReleaseStore
from .._time import UTC
from . import plan
from .plan import Gap, Json, Measured, Outage, TargetRecord, to_text

DAMAGED = "damaged"
"""The key of facts that stand for a record that cannot be read: the sentence that says why."""
STARTS_WITHIN = 60.0
"""Seconds between the moment that a phase is opened and the first probe: the task that starts the prober comes first,
so nothing changes in them."""

Verdict = t.Literal["complete", "partial", "not_measured"]


@dataclass(frozen=True)
class Availability:
    """`verdict`: `complete` when every address was asked without a gap and never failed.

    `partial` when something failed or was not seen, `not_measured` when nothing is known; `reason` says why then.
    `failed` are the addresses that failed, each with a `sentence`; `outages` and `gaps` are in their order, `downtime`
    and `unseen` in seconds.
    """

    verdict: Verdict
    reason: str = ""
    since: str = ""
    until: str = ""
    probes: int = 0
    failures: int = 0
    targets: int = 0
    failed: tuple[Json, ...] = ()
    outages: tuple[Outage, ...] = ()
    gaps: tuple[Gap, ...] = ()
    downtime: float = 0.0
    unseen: float = 0.0
    summary: tuple[str, ...] = ()


def availability_of(
    facts: t.Mapping[str, t.Any] | None,
    *,
    changed: datetime | None = None,
    at: datetime | None = None,
    zone: tzinfo = UTC,
) -> Availability:
    """What the facts of an attempt allow to say.

    `facts`: as release_info returns them, empty or None when there are none. `changed`: when the attempt changed
    something first; asked later than that, it has a gap, and gaps before it do not count. `at`: when it is said; of
    what still goes on, the time since the last probe that is known is a gap too. `zone`: of the times in sentences.
    """
    if not facts:
        return Availability("not_measured", reason="the public addresses were not probed")
    if facts.get(DAMAGED):
        return Availability("not_measured", reason=str(facts[DAMAGED]))
    try:
        measured = Measured.from_json(dict(facts))
    except ValueError as exc:
        return Availability(
            "not_measured", reason=f"what was measured is not written as it should be ({exc})"
        )
    measured = _with_open_ends(measured, changed, at)
    if not any(target.probes for target in measured.targets.values()):
        whys = [gap.why for gap in measured.gaps] or ["no probe was counted"]
        reason = f"switched off: {measured.off}" if measured.off else whys[-1]
        return Availability("not_measured", reason=reason)
    return _judged(measured, zone)


def _with_open_ends(measured: Measured, changed: datetime | None, at: datetime | None) -> Measured:
    since = measured.since
    if changed is not None and since is not None:
        first = changed.timestamp()
        gaps = tuple(
            replace(gap, start=max(gap.start, first)) for gap in measured.gaps if gap.end > first
        )
        if since - first > STARTS_WITHIN:
            gaps = (Gap(first, since, "not probed yet"), *gaps)
        measured = replace(measured, gaps=gaps)
    if at is not None and not measured.closed:
        # It is written every few seconds, so a little younger than it seems.
        now = at.timestamp()
        known = measured.until
        if known is not None and (
            measured.off
            or now - known > plan.WRITE_EVERY * 2 + plan.longest_pause(measured.interval)
        ):
            measured = plan.add_gap(measured, now)
    return measured


def _judged(measured: Measured, zone: tzinfo) -> Availability:
    failed = tuple(
        _target(name, target, zone) for name, target in measured.targets.items() if target.failures
    )
    complete = not (failed or measured.gaps or measured.off)
    result = Availability(
        verdict="complete" if complete else "partial",
        since=to_text(measured.since),
        until=to_text(measured.until),
        probes=sum(target.probes for target in measured.targets.values()),
        failures=sum(target.failures for target in measured.targets.values()),
        targets=len(measured.targets),
        failed=failed,
        outages=measured.outages,
        gaps=measured.gaps,
        downtime=measured.downtime,
        unseen=_unseen(measured.gaps),
    )
    return replace(result, summary=_summary(result, zone))


def _target(name: str, record: TargetRecord, zone: tzinfo) -> Json:
    """Of one address. `seconds` from its first failure to its last."""
    first, last = record.first_failure or 0.0, record.last_failure or 0.0
    often = f"{record.failures:,} of {record.probes:,} probes failed"
    return {
        "name": name,
        "probes": record.probes,
        "failures": record.failures,
        "first_failure": to_text(record.first_failure),
        "last_failure": to_text(record.last_failure),
        "seconds": round(last - first, 3),
        "problem": record.last_problem,
        "sentence": f"{name}: {often}, {_span(first, last, zone)} ({record.last_problem})",
    }


def _summary(availability: Availability, zone: tzinfo) -> tuple[str, ...]:
    probes = f"{availability.failures:,} of {availability.probes:,} probes"
    failing = f"{probes} of {availability.targets} addresses failed"
    if availability.failures:
        failing += f": down for {duration(availability.downtime)} in all"
    gaps = (f"No data {_span(gap.start, gap.end, zone)}: {gap.why}" for gap in availability.gaps)
    return (failing, *(entry["sentence"] for entry in availability.failed), *gaps)


def in_short(measured: Json) -> str:
    """The first line of what was measured, as `as_json` has it, and the seconds without data; "" for no probe."""
    unseen = f", {measured['unseen']:.0f} s without data" if measured.get("unseen") else ""
    return f"{measured['summary'][0]}{unseen}" if measured.get("summary") else ""


def _unseen(gaps: t.Iterable[Gap]) -> float:
    """Seconds of all of them; what two have in common counts once."""
    unseen, counted = 0.0, 0.0
    for gap in sorted(gaps, key=lambda entry: entry.start):
        unseen += max(0.0, gap.end - max(gap.start, counted))
        counted = max(counted, gap.end)
    return unseen


def _span(start: float, end: float, zone: tzinfo) -> str:
    first, last = (datetime.fromtimestamp(entry, zone) for entry in (start, end))
    pattern = "%H:%M:%S" if first.date() == last.date() else "%d %b %H:%M:%S"
    begin, finish = first.strftime(pattern), last.strftime(pattern)
    return f"at {begin}" if begin == finish else f"{begin}-{finish}"


def duration(seconds: float) -> str:
    return "less than 1 s" if seconds < 1 else lasting(round(seconds))


RELEASE, ROLLBACK = "release", "rollback"
SUBJECTS = (RELEASE, ROLLBACK)


def attachment_of(subject: str) -> str:
    return "availability" if subject == RELEASE else f"availability-{subject}"


class MeasuredStore:
    """Of the release itself, or of its rollback."""

    def __init__(self, releases: ReleaseStore, subject: str = RELEASE) -> None:
        self.file = Attachment(releases, attachment_of(subject))

    def read(self) -> Measured | None:
        """Raises VerificationError for what is damaged; it may be overwritten even so."""
        content = self.file.read()
        if content is None:
            return None
        try:
            return Measured.from_json(read_json(content))
        except ValueError as exc:
            raise VerificationError(
                f"What was measured of release {self.file.store.version!r} is not written as this collection "
                f"writes it ({exc}): it counts for nothing."
            ) from exc

    def of_attempt(self, attempt: int) -> tuple[Measured | None, str]:
        """What was measured of this attempt, and why it cannot be read."""
        try:
            result = self.read()
        except VerificationError as exc:
            return None, str(exc)
        return (result if result is not None and result.attempt == attempt else None), ""

    def write(self, measured: Measured) -> None:
        """Over what was read or written last. ConflictError when somebody else wrote meanwhile."""
        self.file.write(measured.attempt, json.dumps(measured.to_json(), sort_keys=True).encode())


def facts_of(store: ReleaseStore, attempt: int) -> dict[str, Json]:
    """For readers, by subject: what was measured of the attempt, {} for nothing, and why it cannot be read."""
    facts: dict[str, Json] = {}
    for subject in SUBJECTS:
        result, damaged = MeasuredStore(store, subject).of_attempt(attempt)
        facts[subject] = {DAMAGED: damaged} if damaged else result.to_json() if result else {}
    return facts
