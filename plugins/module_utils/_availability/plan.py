# SPDX-License-Identifier: GPL-3.0-or-later
"""What a public address answered while a release went on, as it is kept in the release's record. Pure.

Probes are folded into a bounded record, and what failed is told apart from what was not seen. Times are seconds since
1970 here, and RFC 3339 in UTC in JSON.
"""

from __future__ import annotations

import typing as t
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import datetime

from .._decode import restored
from .._time import UTC, read_time

Json = dict[str, t.Any]

NOT_SEEN = "nothing could be reached from this machine"
"""Why of a gap: every address failed, and so did the API server and the control addresses."""
NOT_ASKED = "not probed"
STOOD_STILL = "this machine stalled"

WRITE_EVERY = 15.0
"""Seconds between two writes of what was measured. So much is lost when the prober is killed."""


@dataclass(frozen=True)
class Target:
    """One address. With a verify token it is the webhook's, which has to echo a challenge."""

    name: str
    url: str
    verify_token: str = field(default="", repr=False)
    ca_cert: str | None = None


@dataclass(frozen=True)
class Probe:
    """One question and what came of it. `problem` is empty when it was answered well."""

    name: str
    at: float
    problem: str = ""
    control: bool = False
    """Whether it only tells if this machine sees anything at all."""


@dataclass(frozen=True)
class TargetRecord:
    """What one address answered."""

    probes: int = 0
    failures: int = 0
    first_failure: float | None = None
    last_failure: float | None = None
    last_problem: str = ""


@dataclass(frozen=True)
class Gap:
    """A time of which nothing is known, and why."""

    start: float
    end: float
    why: str


@dataclass(frozen=True)
class Outage:
    """A time in which at least one address did not answer well: from the probe that failed to the one that did not."""

    start: float
    end: float
    targets: tuple[str, ...]


@dataclass(frozen=True)
class Measured:
    """All that was measured of one attempt. `downtime` in seconds is of all outages, those that are not kept too.

    `off` is why no probe runs, since `until`. `closed` tells that what was to be measured is over.
    """

    attempt: int
    interval: float = 1.0
    since: float | None = None
    until: float | None = None
    targets: t.Mapping[str, TargetRecord] = field(default_factory=dict)
    gaps: tuple[Gap, ...] = ()
    outages: tuple[Outage, ...] = ()
    downtime: float = 0.0
    prober: str = ""
    fence: int = 0
    off: str = ""
    closed: bool = False

    def to_json(self) -> Json:
        return as_json(self)

    @classmethod
    def from_json(cls, body: Json) -> Measured:
        """ValueError for what no prober wrote."""
        measured = restored(cls, _each(body, _read), "availability")
        lacking = {entry.name for entry in fields(cls)}.difference(body)
        if lacking:
            raise ValueError(f"it has no {' and no '.join(sorted(lacking))}")
        for name, target in measured.targets.items():
            written = body["targets"][name]
            as_written = (written.get("failures"), written.get("probes"))
            if as_written != (target.failures, target.probes) or target.failures > target.probes:
                raise ValueError(f"{target.failures} of {target.probes} probes failed")
        if measured.downtime < 0:
            raise ValueError(f"the downtime is {measured.downtime}")
        return measured


MOMENTS = frozenset({"since", "until", "start", "end", "first_failure", "last_failure"})
LENGTHS = frozenset({"downtime", "unseen"})
"""Names of fields that are times, and that are seconds between two."""


def as_json(record: t.Any) -> Json:
    """A dataclass of this package as it is kept, and as tasks return it."""
    return t.cast("Json", _each(asdict(record), _written))


def _each(value: t.Any, convert: t.Callable[[str, t.Any], t.Any], name: str = "") -> t.Any:
    """Plain data with each value converted by the key under which it stands."""
    if isinstance(value, (list, tuple)):
        return [_each(entry, convert) for entry in value]
    if isinstance(value, dict):
        return {key: _each(entry, convert, key) for key, entry in value.items()}
    return convert(name, value)


def _written(name: str, value: t.Any) -> t.Any:
    if name in MOMENTS and not isinstance(value, str):
        return to_text(value)
    return round(value, 3) if name in LENGTHS else value


def _read(name: str, value: t.Any) -> t.Any:
    return read_time(value).timestamp() if name in MOMENTS and value else value


def to_text(moment: float | None) -> str:
    """RFC 3339 in UTC with milliseconds, "" for none."""
    if moment is None:
        return ""
    text = datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


OUTAGES_KEPT = 60
"""The longest."""
GAPS_KEPT = 60
"""When there are more, the two that lie closest become one."""
ROUNDS_UNDECIDED = 10
"""As many probes of each as may wait for a decision. An address that did not fail by then is not going to."""


@dataclass(frozen=True)
class ProberState:
    """`known` are the names of all that is asked; of `controls` and addresses alike."""

    measured: Measured
    known: frozenset[str]
    pending: tuple[Probe, ...] = ()
    """What failed since something was answered."""
    failing: frozenset[str] = frozenset()
    """Who they are; once they are all, this machine sees nothing, and more is not kept."""
    blind_since: float | None = None
    """When the first of them was asked."""
    last: float | None = None
    """When the probe before was asked."""
    down: frozenset[str] = frozenset()
    """Addresses that failed when they were asked last."""
    down_since: float | None = None
    """Since when at least one of those is down."""
    down_names: tuple[str, ...] = ()


def longest_pause(interval: float) -> float:
    """Seconds between two probes, of whatever address, above which the prober stood still."""
    return max(5.0, 3 * interval)


def begin(
    before: Measured | None,
    now: float,
    *,
    attempt: int,
    interval: float,
    fence: int = 0,
    damaged: str = "",
) -> Measured:
    """Where a prober goes on: with what an earlier run of this attempt measured, and the gap since.

    `damaged`: why that cannot be read.
    """
    if before is None or before.attempt != attempt:
        gaps = (Gap(now, now, damaged),) if damaged else ()
        before = Measured(attempt=attempt, since=now, until=now, gaps=gaps)
    return replace(
        add_gap(before, now), interval=interval, prober="", fence=fence, off="", closed=False
    )


def switch_off(before: Measured | None, now: float, *, attempt: int, reason: str) -> Measured:
    """No probe runs from now on."""
    known = begin(before, now, attempt=attempt, interval=1.0)
    return replace(known, off=reason, until=now)


def close(before: Measured, now: float) -> Measured:
    """What was to be measured is over: a prober that ended earlier has left a gap."""
    return before if before.closed else replace(add_gap(before, now), closed=True)


def add_gap(measured: Measured, now: float) -> Measured:
    """Since it was asked last, if that is long ago."""
    since = measured.until
    if since is None or (now - since <= longest_pause(measured.interval) and not measured.off):
        return measured
    why = f"switched off: {measured.off}" if measured.off else NOT_ASKED
    return replace(_with_gap(measured, Gap(since, now, why)), until=now)


def start(measured: Measured, known: t.Iterable[str]) -> ProberState:
    return ProberState(measured, frozenset(known), last=measured.until)


def fold(state: ProberState, probe: Probe) -> ProberState:
    """One probe more. They come in the order in which they were asked."""
    pause = longest_pause(state.measured.interval)
    if state.last is not None and probe.at - state.last > pause:
        # The prober stood still: what failed just before that is not known to have failed by itself.
        since = state.last if state.blind_since is None else state.blind_since
        state = _unseen(state, Gap(since, probe.at, STOOD_STILL))
    since = probe.at if state.measured.since is None else state.measured.since
    measured = replace(state.measured, since=since, until=probe.at)
    state = replace(state, last=probe.at, measured=measured)
    if probe.problem:
        return _failed(state, probe)
    state = judge(state, probe.at)
    return state if probe.control else _count(state, probe)


def judge(state: ProberState, now: float) -> ProberState:
    """Decide about what failed, at `now`, when something was answered again or no probe runs any longer.

    All of it was not seen when everything failed, the control addresses too; else it failed.
    """
    if state.blind_since is not None and state.failing == state.known:
        return _unseen(state, Gap(state.blind_since, now, NOT_SEEN))
    for probe in state.pending:
        state = _count(state, probe)
    return replace(state, pending=(), failing=frozenset(), blind_since=None)


def at(state: ProberState, now: float) -> Measured:
    """What is measured so far: an outage that lasts has lasted until now."""
    state = judge(state, now)
    return _close_outages(state, now, state.down).measured


def _failed(state: ProberState, probe: Probe) -> ProberState:
    if state.failing == state.known:
        return state
    if len(state.pending) >= ROUNDS_UNDECIDED * len(state.known):
        state = judge(state, probe.at)
    return replace(
        state,
        failing=state.failing | {probe.name},
        blind_since=probe.at if state.blind_since is None else state.blind_since,
        pending=state.pending if probe.control else (*state.pending, probe),
    )


def _count(state: ProberState, probe: Probe) -> ProberState:
    """One probe of an address more in its record, and in the time in which something is down."""
    measured, failed = state.measured, bool(probe.problem)
    known = measured.targets.get(probe.name, TargetRecord())
    record = replace(
        known,
        probes=known.probes + 1,
        failures=known.failures + failed,
        first_failure=probe.at if failed and known.first_failure is None else known.first_failure,
        last_failure=probe.at if failed else known.last_failure,
        last_problem=probe.problem or known.last_problem,
    )
    measured = replace(measured, targets={**measured.targets, probe.name: record})
    state = replace(state, measured=measured)
    if probe.name in state.down:
        return state if failed else _close_outages(state, probe.at, {probe.name})
    if not failed:
        return state
    return replace(
        state,
        down=state.down | {probe.name},
        down_since=probe.at if state.down_since is None else state.down_since,
        down_names=tuple(dict.fromkeys((*state.down_names, probe.name))),
    )


def _close_outages(state: ProberState, now: float, names: t.AbstractSet[str]) -> ProberState:
    state = replace(state, down=state.down - names)
    if state.down or state.down_since is None:
        return state
    outage = Outage(state.down_since, max(now, state.down_since), state.down_names)
    measured = state.measured
    longest = sorted((*measured.outages, outage), key=lambda entry: entry.start - entry.end)
    stored = sorted(longest[:OUTAGES_KEPT], key=lambda entry: entry.start)
    downtime = measured.downtime + outage.end - outage.start
    measured = replace(measured, outages=tuple(stored), downtime=downtime)
    return replace(state, down_since=None, down_names=(), measured=measured)


def _unseen(state: ProberState, gap: Gap) -> ProberState:
    """What failed in the gap is not known to have failed by itself."""
    state = _close_outages(state, gap.start, state.down)
    measured = _with_gap(state.measured, gap)
    return replace(state, measured=measured, pending=(), failing=frozenset(), blind_since=None)


def _with_gap(measured: Measured, gap: Gap) -> Measured:
    return replace(measured, gaps=_bounded_gaps((*measured.gaps, gap)))


def _bounded_gaps(gaps: tuple[Gap, ...]) -> tuple[Gap, ...]:
    ordered = sorted(gaps, key=lambda gap: gap.start)
    while len(ordered) > GAPS_KEPT:
        pairs = range(len(ordered) - 1)
        index = min(pairs, key=lambda entry: ordered[entry + 1].start - ordered[entry].end)
        first, second = ordered[index : index + 2]
        ordered[index : index + 2] = [replace(first, end=max(first.end, second.end))]
    return tuple(ordered)
