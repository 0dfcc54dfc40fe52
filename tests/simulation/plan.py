"""One simulated run as data: who acts when, and what goes wrong at which of their calls. A seed names it."""

from __future__ import annotations

import json
import typing as t
from dataclasses import asdict, dataclass, field, replace

LOST, ANSWER_LOST, LATE, SLOW = "lost", "answer lost", "late", "slow"
CONFLICT, THROTTLED, ERROR, ERROR_DONE = "409 done", "429", "500", "500 done"
KILL_BEFORE, KILL_AFTER = "killed before", "killed after"
PAUSE_BEFORE, PAUSE_AFTER = "paused before", "paused after"
MACHINE_LOST, CLOCK_JUMPS = "machine lost", "clock jumps"
WATCH_ENDS, WATCH_GONE, WATCH_SKIPS, WATCH_BREAKS, WATCH_LAGS = (
    "watch ends",
    "watch 410",
    "watch skips",
    "watch breaks",
    "watch lags",
)
API_DOWN = "API server down"
UNAUTHORIZED, FORBIDDEN = "401", "403"
REFUSALS = (UNAUTHORIZED, FORBIDDEN)
"""What befalls all calls of an actor for a while."""
AT_CALLS = (
    *(LOST, ANSWER_LOST, LATE, SLOW, CONFLICT, THROTTLED, ERROR, ERROR_DONE),
    *(KILL_BEFORE, KILL_AFTER, PAUSE_BEFORE, PAUSE_AFTER, MACHINE_LOST, CLOCK_JUMPS),
)
AT_WATCHES = (WATCH_ENDS, WATCH_GONE, WATCH_SKIPS, WATCH_BREAKS, WATCH_LAGS)
CALL, WRITE, EXEC, WATCH = "call", "write", "exec", "watch"
BEGINS, TASK, ENDS = "task begins", "task", "task ends"
"""What befalls a task of a playbook: a kill before it or behind it, or that it fails."""
REFUSED = "refused"
MILD = frozenset({LOST, ANSWER_LOST, CONFLICT, THROTTLED, ERROR, ERROR_DONE})
"""A call that fails once."""
MOST_FAULTS = 10
DIGESTS, MIRRORS = "digests", "mirrors"
REVERTS = ("revert image", "revert flags", "revert off")
"""What holds a service or the flags to what is in Git; the last to a feature that is on there."""
KEEPER = ".keeper"
"""After the name of whose lock it keeps."""
AGAIN, AT_LAST = "again", 10_000.0
"""Who gives the command last, when everything that was lost is forgotten and nothing goes wrong any more."""


@dataclass(frozen=True)
class Fault:
    """`kind` befalls the `nth` call, write, exec or watch (`of`) of the actor, counted over all its attempts.

    Of an actor that plays a playbook they are counted by task too: `call in TASK|HOST`.
    """

    actor: str
    kind: str
    of: str
    nth: int
    seconds: float = 0.0

    def __str__(self) -> str:
        lasts = f" for {self.seconds:g} s" if self.seconds else ""
        return f"{self.kind}{lasts} at {self.of} {self.nth} of {self.actor}"


@dataclass(frozen=True)
class Actor:
    """An operator: which script, when it begins, on which machine, and how its clocks go."""

    name: str
    script: str
    begins: float
    machine: str
    options: t.Mapping[str, t.Any] = field(default_factory=dict)
    rate: float = 1.0
    ahead: float = 0.0
    resumes: float = 0.0
    """Seconds after which the same command is given again when it was killed; 0 for never."""
    times: int = 1
    """How often it is given in all, every so many seconds, whatever became of it."""
    every: float = 0.0


@dataclass(frozen=True)
class Alert:
    """One rule of Prometheus. `calls_for`: its annotation `guard`. It fires in `spans`, in seconds since the begin."""

    name: str
    calls_for: str
    spans: tuple[tuple[float, float], ...]

    def fires_since(self, at: float) -> float | None:
        return next((begin for begin, end in self.spans if begin <= at < end), None)


@dataclass(frozen=True)
class Outage:
    """A node out of reach: from when and how long, in seconds. Then it is back, or deleted for good."""

    node: str
    begins: float
    seconds: float
    for_good: bool


@dataclass(frozen=True)
class Plan:
    seed: int
    services: t.Mapping[str, int]
    """Their replicas."""
    actors: tuple[Actor, ...]
    faults: tuple[Fault, ...]
    bad_images: t.Mapping[str, str] = field(default_factory=dict)
    """What is wrong with a service's new image, if anything."""
    alerts: tuple[Alert, ...] = ()
    metric: tuple[tuple[float, float, float | None], ...] = ()
    """What the metric is from when until when, None while there is none, else 0. Steps of the ramp watch it."""
    watched: bool = False
    """Whether releases do too, in a phase of their own."""
    blind: tuple[float, float] = (0.0, 0.0)
    """From when until when Prometheus does not answer."""
    stores: t.Mapping[str, str] = field(default_factory=dict)
    """The databases that it migrates, each with the kind of its migrations; without any, there are none."""
    rehearsed: bool = False
    """Whether the release rehearses its migrations first, rather than waive that."""
    expected: t.Mapping[str, str] = field(default_factory=dict)
    """What a verification query must find in the copy of a database, of those about which one is asked."""
    functions: t.Mapping[str, str] = field(default_factory=dict)
    """The edge functions that it deploys, and what stands of each before; without any, there are none."""
    complete: bool = False
    """Whether a release has all phases, with databases and functions before the services."""
    deaf: tuple[str, ...] = ()
    """Services in whose pods nothing can be executed."""
    deaf_since: float = 0.0
    """In seconds since the first operator came."""
    nodes: bool = False
    """Whether they are objects, with leases and a controller of their own."""
    outages: tuple[Outage, ...] = ()
    recreated: tuple[str, ...] = ()
    """Services whose old pods all end before a new one begins."""
    mounted: bool = False
    """Whether pods have their flags from a volume, rather than from their environment."""
    cached: bool = False
    """Whether kubelets learn late of a ConfigMap, as always where it is mounted."""
    probed: tuple[str, ...] = ()
    """Services whose pods have a liveness probe, so that a release of them has a soak."""
    downtimes: tuple[tuple[float, float], ...] = ()
    """Of the API server: from when, in seconds since the first operator came, and for how many seconds."""
    webhook: str = ""
    """DIGESTS or MIRRORS: what a webhook does to the images of Deployments, if there is one."""
    controllers: float = 0.0
    """Seconds by which a controller is late, four times out of ten."""

    def metric_at(self, at: float) -> float | None:
        """Seconds since the first operator came."""
        return next((value for begin, end, value in self.metric if begin <= at < end), 0.0)

    def without(self, fault: Fault) -> Plan:
        left = list(self.faults)
        left.remove(fault)
        return replace(self, faults=tuple(left))

    def without_actor(self, actor: Actor) -> Plan:
        """Neither it nor what befalls it and its keeper."""
        return replace(
            self,
            actors=tuple(one for one in self.actors if one != actor),
            faults=tuple(one for one in self.faults if one.actor.partition(".")[0] != actor.name),
        )

    def to_text(self) -> str:
        """In the order in which services were drawn, which is that of their creation."""
        return json.dumps(asdict(self))

    @classmethod
    def from_text(cls, text: str) -> Plan:
        """As `to_text` gives it, or a regression, which has one."""
        body = json.loads(text)
        body = _in_tuples(body.get("plan", body))
        return cls(
            **{
                **body,
                "actors": tuple(Actor(**one) for one in body["actors"]),
                "faults": tuple(Fault(**one) for one in body["faults"]),
                "alerts": tuple(Alert(**one) for one in body.get("alerts") or ()),
                "outages": tuple(Outage(**one) for one in body.get("outages") or ()),
            }
        )


def _in_tuples(value: t.Any) -> t.Any:
    """A value of JSON, whose lists are tuples: a plan does not change."""
    if isinstance(value, dict):
        return {name: _in_tuples(one) for name, one in value.items()}
    return tuple(map(_in_tuples, value)) if isinstance(value, list) else value
