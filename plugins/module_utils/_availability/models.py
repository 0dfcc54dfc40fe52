# SPDX-License-Identifier: GPL-3.0-or-later
"""What a public address answered while a release went on, as it is kept in the release's record.

Times are seconds since 1970 here, and RFC 3339 in UTC in JSON.
"""

from __future__ import annotations

import typing as t
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime

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

    @classmethod
    def from_json(cls, body: Json) -> TargetRecord:
        record = cls(**_read(cls, body))
        if record.failures > record.probes:
            raise ValueError(f"{record.failures} of {record.probes} probes failed")
        return record


@dataclass(frozen=True)
class Gap:
    """A time of which nothing is known, and why."""

    start: float
    end: float
    why: str

    @classmethod
    def from_json(cls, body: Json) -> Gap:
        return cls(_moment(body["start"]), _moment(body["end"]), str(body["why"]))


@dataclass(frozen=True)
class Outage:
    """A time in which at least one address did not answer well: from the probe that failed to the one that did not."""

    start: float
    end: float
    targets: tuple[str, ...]

    @classmethod
    def from_json(cls, body: Json) -> Outage:
        targets = tuple(str(name) for name in body["targets"])
        return cls(_moment(body["start"]), _moment(body["end"]), targets)


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
        """ValueError, TypeError, KeyError or AttributeError for what is none."""
        downtime = float(body["downtime"])
        if downtime < 0:
            raise ValueError(f"the downtime is {downtime}")
        targets = {name: TargetRecord.from_json(target) for name, target in body["targets"].items()}
        gaps = tuple(Gap.from_json(gap) for gap in body["gaps"])
        outages = tuple(Outage.from_json(outage) for outage in body["outages"])
        return cls(**_read(cls, body), targets=targets, gaps=gaps, outages=outages)


MOMENTS = frozenset({"since", "until", "start", "end", "first_failure", "last_failure"})
LENGTHS = frozenset({"downtime", "unseen"})
"""Names of fields that are times, and that are seconds between two."""


def as_json(record: t.Any) -> Json:
    """A dataclass of this package as it is kept, and as tasks return it."""
    return t.cast("Json", _plain(asdict(record)))


def _plain(value: t.Any, name: str = "") -> t.Any:
    if isinstance(value, (list, tuple)):
        return [_plain(entry) for entry in value]
    if isinstance(value, dict):
        return {key: _plain(entry, key) for key, entry in value.items()}
    if name in MOMENTS and not isinstance(value, str):
        return to_text(value)
    return round(value, 3) if name in LENGTHS else value


UNREADABLE = (ValueError, TypeError, KeyError, AttributeError)
"""What `Measured.from_json` raises."""


def to_text(moment: float | None) -> str:
    """RFC 3339 in UTC with milliseconds, "" for none."""
    if moment is None:
        return ""
    text = datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def to_seconds(text: str) -> float | None:
    return read_time(text).timestamp() if text else None


def _moment(text: str) -> float:
    return read_time(text).timestamp()


def _count(value: t.Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(f"{value!r} is no count")
    return value


_READERS: t.Mapping[str, t.Callable[[t.Any], t.Any]] = {
    "int": _count,
    "float": float,
    "float | None": to_seconds,
    "str": str,
    "bool": bool,
}


def _read(shape: t.Any, body: Json) -> Json:
    """The fields whose types are plain, a time being a text in JSON."""
    plain = (entry for entry in fields(shape) if entry.type in _READERS)
    return {entry.name: _READERS[str(entry.type)](body[entry.name]) for entry in plain}
