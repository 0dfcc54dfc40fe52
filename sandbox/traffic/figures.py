# SPDX-License-Identifier: GPL-3.0-or-later
"""What the traffic counts: requests by route, latencies in a histogram, the first failures in full; and its report."""

from __future__ import annotations

import bisect
import itertools
import json
import typing as t
from dataclasses import dataclass, field
from pathlib import Path

from sandbox.processes import ProcessId

if t.TYPE_CHECKING:
    from sandbox.world import World

FIRST_FAILURES = 20
# However many failed before in another way.
FIRST_OF_A_KIND = 3
GROWTH = 1.1
# 0.5 ms to beyond the time-out, each bucket a tenth wider than the one before: errors below 10 %.
BOUNDS = tuple(itertools.takewhile(lambda ms: ms < 20_000, (0.5 * GROWTH**n for n in range(200))))


@dataclass(frozen=True)
class Failure:
    """One request that a user would have noticed."""

    time: str
    route: str
    kind: str
    """A status such as `HTTP 502`, or one word such as `Timeout`."""
    error: str


class Histogram:
    """Milliseconds; percentiles are the upper bound of their bucket, the maximum is exact."""

    def __init__(self) -> None:
        self._counts = [0] * (len(BOUNDS) + 1)
        self._highest = 0.0

    def add(self, milliseconds: float) -> None:
        self._counts[bisect.bisect_left(BOUNDS, milliseconds)] += 1
        self._highest = max(self._highest, milliseconds)

    def percentile(self, percent: float) -> float:
        """0 when nothing was added."""
        rank = sum(self._counts) * percent / 100
        reached = itertools.accumulate(self._counts)
        index = next((n for n, total in enumerate(reached) if total >= rank), len(BOUNDS))
        return min(BOUNDS[index], self._highest) if index < len(BOUNDS) else self._highest

    def to_dict(self) -> dict[str, float]:
        values = {f"p{percent}": self.percentile(percent) for percent in (50, 95, 99)}
        return {name: round(ms, 1) for name, ms in {**values, "max": self._highest}.items()}


@dataclass
class Route:
    sent: int = 0
    ok: int = 0
    failed: int = 0
    latency: Histogram = field(default_factory=Histogram)

    def to_dict(self) -> dict[str, object]:
        return {
            "sent": self.sent,
            "ok": self.ok,
            "failed": self.failed,
            "in_flight": self.sent - self.ok - self.failed,
            "latency_ms": self.latency.to_dict(),
        }


class Figures:
    def __init__(self, routes: t.Iterable[str]) -> None:
        self.routes = {name: Route() for name in routes}
        self._answers: dict[str, int] = {}
        self._kinds: dict[str, int] = {}
        self._failures: list[Failure] = []

    def sent(self, route: str) -> None:
        self.routes[route].sent += 1

    def ok(self, route: str, milliseconds: float, answer: str) -> None:
        """`answer` is who answered in one word: agent, menu, or the service that was called."""
        self.routes[route].ok += 1
        self.routes[route].latency.add(milliseconds)
        self._answers[answer] = self._answers.get(answer, 0) + 1

    def failed(self, failure: Failure) -> None:
        self.routes[failure.route].failed += 1
        self._kinds[failure.kind] = self._kinds.get(failure.kind, 0) + 1
        new_kind = self._kinds[failure.kind] <= FIRST_OF_A_KIND
        if len(self._failures) < FIRST_FAILURES or new_kind:
            self._failures.append(failure)

    def total(self, name: t.Literal["sent", "ok", "failed"]) -> int:
        return sum(getattr(route, name) for route in self.routes.values())

    def to_dict(self) -> dict[str, t.Any]:
        sent, ok, failed = self.total("sent"), self.total("ok"), self.total("failed")
        return {
            "sent": sent,
            "ok": ok,
            "failed": failed,
            "in_flight": sent - ok - failed,
            "answers": dict(sorted(self._answers.items())),
            "failures_by_kind": dict(sorted(self._kinds.items())),
            "first_failures": [vars(failure) for failure in self._failures],
            "routes": {name: route.to_dict() for name, route in self.routes.items()},
        }


def summary(report: t.Mapping[str, t.Any]) -> str:
    """One line for people: how many came a second, of what, and how they fared."""
    routes = report["routes"]
    kinds = ", ".join(f"{count} {kind}" for kind, count in report["failures_by_kind"].items())
    failed = f"{report['failed']} failed ({kinds})" if report["failed"] else "0 failed"
    kind = "; ".join(_told(name, routes[name]) for name in routes if routes[name]["sent"])
    if eased := report.get("eased_rate"):
        kind += (
            f"; this machine was too busy for {report['rate']:g} requests a second: "
            f"at last {eased:g} were sent"
        )
    return (
        f"{report['sent']} requests in {report['seconds']:.0f} s, {report['sent_per_second']:g} a second: "
        f"{report['ok']} ok, {failed}{'; ' if kind else ''}{kind}"
    )


def _told(name: str, route: t.Mapping[str, t.Any]) -> str:
    latency = route["latency_ms"]
    times = ", ".join(f"{key} {latency[key]} ms" for key in ("p50", "p95", "max"))
    return f"{route['sent']} {name}s {times}"


# How long a user waits: what takes longer has failed.
TIMEOUT_SECONDS = 10.0
MESSAGE_SHARE = 0.95
"""The share of requests that are messages, when nothing else is asked for. The others are calls."""

Report = dict[str, t.Any]


def folder(world: World) -> Path:
    return world.run / "traffic"


def report_file(world: World) -> Path:
    return folder(world) / "report.json"


def read_report(world: World) -> Report | None:
    try:
        return t.cast("Report", json.loads(report_file(world).read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None


def record_process(world: World, process: ProcessId) -> None:
    entry = {"pid": process.pid, "started": process.started}
    (folder(world) / "process.json").write_text(json.dumps(entry), encoding="utf-8")


def running_process(world: World) -> ProcessId | None:
    """The process that sends, as long as it lives."""
    try:
        entry = json.loads((folder(world) / "process.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    process = ProcessId(entry["pid"], entry["started"])
    return process if process.alive() else None
