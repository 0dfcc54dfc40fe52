# SPDX-License-Identifier: GPL-3.0-or-later
"""One simulated run as data: who acts when, and what goes wrong at which of their calls. A seed names it."""

from __future__ import annotations

import json
import random
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
AT_CALLS = (
    *(LOST, ANSWER_LOST, LATE, SLOW, CONFLICT, THROTTLED, ERROR, ERROR_DONE),
    *(KILL_BEFORE, KILL_AFTER, PAUSE_BEFORE, PAUSE_AFTER, MACHINE_LOST, CLOCK_JUMPS),
)
AT_WATCHES = (WATCH_ENDS, WATCH_GONE, WATCH_SKIPS, WATCH_BREAKS, WATCH_LAGS)
CALL, WRITE, EXEC, WATCH = "call", "write", "exec", "watch"
MOST_FAULTS = 10
STORES_EVERY = 6
AGAIN, AT_LAST = "again", 10_000.0
"""Who gives the command last, when everything that was lost is forgotten and nothing goes wrong any more."""


@dataclass(frozen=True)
class Fault:
    """`kind` befalls the `nth` call, write, exec or watch (`of`) of the actor, counted over all its attempts."""

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
class Plan:
    seed: int
    services: t.Mapping[str, int]
    """Their replicas."""
    actors: tuple[Actor, ...]
    faults: tuple[Fault, ...]
    bad_images: t.Mapping[str, str] = field(default_factory=dict)
    """What is wrong with a service's new image, if anything."""
    alerts: tuple[Alert, ...] = ()
    stores: t.Mapping[str, str] = field(default_factory=dict)
    """The databases that it migrates, each with the kind of its migrations; without any, there are none."""

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
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_text(cls, text: str) -> Plan:
        body = json.loads(text)
        return cls(
            **{
                **body,
                "actors": tuple(Actor(**one) for one in body["actors"]),
                "faults": tuple(Fault(**one) for one in body["faults"]),
                "alerts": tuple(
                    Alert(**{**one, "spans": tuple(map(tuple, one["spans"]))})
                    for one in body.get("alerts") or ()
                ),
            }
        )


def plan_of(seed: int) -> Plan:
    """The same to the letter for the same seed. Every sixth is one of databases."""
    if seed % STORES_EVERY == STORES_EVERY - 1:
        return _stores(seed, random.Random(f"stores {seed}"))
    draw = random.Random(f"plan {seed}")
    services = {
        name: draw.choice((1, 2, 2, 3))
        for name in ("agent-core", "wallet", "orders")[: draw.choice((1, 2, 2, 3))]
    }
    theme = draw.choice((_any, _any, _takeover, _crowd))
    actors, faults = theme(draw)
    bad = {}
    if draw.random() < 0.3:
        bad[draw.choice(list(services))] = draw.choice(("crashes", "never-ready", "absent", "slow"))
    return Plan(seed, services, tuple(actors), tuple(faults), bad)


HOLDERS = ("deploy", "rollback", "ramp")
SCRIPTS = ("deploy", "rollback", "kill_switch", "ramp", "reset", "unlock", "kubectl")


Drawn = tuple[list[Actor], list[Fault]]


def _any(draw: random.Random) -> Drawn:
    """A deployment first, up to three others in its way, and whatever may befall them."""
    scripts = ["deploy", *(draw.choice(SCRIPTS) for _ in range(draw.choice((0, 1, 1, 2, 2, 3))))]
    actors = [_actor(draw, number, script) for number, script in enumerate(scripts)]
    names = [one.name for one in actors]
    keepers = [f"{one.name}.keeper" for one in actors if one.script in HOLDERS]
    faults = [
        _fault(draw, draw.choice([*names, *names, *names, *keepers]))
        for _ in range(draw.choice((0, 1, 2, 3, 5, 7, MOST_FAULTS)))
    ]
    return actors, faults


def _takeover(draw: random.Random) -> Drawn:
    """A run that stands still at some write, and others who come meanwhile."""
    first = _actor(draw, 0, draw.choice(("deploy", "deploy", "deploy", "rollback", "ramp")))
    others = [
        replace(
            _actor(draw, number, draw.choice(("rollback", "deploy", "deploy", "unlock", "ramp"))),
            begins=draw.uniform(0.0, 60.0),
        )
        for number in range(1, draw.choice((2, 2, 3)))
    ]
    for at, one in enumerate(others):
        if one.script in ("deploy", "ramp"):
            patient = {**one.options, "wait": 600, "force": draw.random() < 0.5}
            others[at] = replace(one, options=patient)
    kind = draw.choice((PAUSE_BEFORE, PAUSE_AFTER, LATE, KILL_AFTER, MACHINE_LOST))
    seconds = draw.choice((20.0, 60.0, 200.0, 400.0)) if kind != KILL_AFTER else 0.0
    stands = Fault(first.name, kind, WRITE, draw.randint(1, 12), seconds)
    keeper = Fault(f"{first.name}.keeper", PAUSE_AFTER, WRITE, draw.randint(1, 2), 400.0)
    return [first, *others], [stands, *([keeper] if draw.random() < 0.5 else [])]


def _crowd(draw: random.Random) -> Drawn:
    """Several at the same moment, in a cluster in which nothing goes wrong."""
    begins = draw.choice((0.0, draw.uniform(0, 3), draw.uniform(0, 60)))
    scripts = [draw.choice(("deploy", *SCRIPTS)) for _ in range(draw.choice((2, 3, 3)))]
    crowd = [
        replace(_actor(draw, number, script), begins=begins + draw.uniform(0.0, 3.0))
        for number, script in enumerate(scripts, start=1)
    ]
    return [_actor(draw, 0, "deploy"), *crowd], []


def _stores(seed: int, draw: random.Random) -> Plan:
    """A deployment that migrates, and others who migrate or write while it does."""
    beside = ("deploy_stores", "deploy_stores", "migrate_alone", "migrate_alone", "write_rows")
    actors = [_actor(draw, 0, "deploy_stores")]
    for number in range(1, draw.choice((1, 2, 2, 3, 4))):
        begins = draw.choice((draw.uniform(0.0, 10.0), draw.uniform(0.0, 60.0)))
        actors.append(replace(_actor(draw, number, draw.choice(beside)), begins=begins))
    names = [one.name for one in actors if one.script != "write_rows"]
    faults = []
    for _ in range(draw.choice((0, 1, 1, 2, 3, 5))):
        of, most = draw.choice(((WRITE, 20), (WRITE, 45), (CALL, 150)))
        fault = _fault(draw, draw.choice(names))
        if fault.of != WATCH:
            fault = replace(fault, of=of, nth=draw.randint(1, most))
        faults.append(fault)
    actors.append(Actor(AGAIN, "deploy_stores", AT_LAST, "build-1", {"wait": 600}))
    kinds = {"platform": draw.choice(("sql", "supabase")), "agent_core": "prisma"}
    return Plan(seed, {"agent-core": 1}, tuple(actors), tuple(faults), stores=kinds)


def _actor(draw: random.Random, number: int, script: str) -> Actor:
    begins = (0.0, 1.0, draw.uniform(0, 60), draw.uniform(0, 400))
    return Actor(
        name=f"{script}-{number}",
        script=script,
        begins=0.0 if number == 0 else draw.choice(begins),
        machine=draw.choice(("build-1", "build-1", "laptop")),
        options=_options(draw, script),
        rate=draw.choice((1.0, 1.0, 0.98, 1.02)),
        ahead=draw.choice((0.0, 0.0, 20.0, -20.0, 3600.0, -3600.0)),
        resumes=draw.choice((0.0, 1.0, 30.0, 200.0)),
    )


def _options(draw: random.Random, script: str) -> dict[str, t.Any]:
    if script in ("deploy", "deploy_stores", "ramp"):
        options = {"wait": draw.choice((0, 0, 60, 600)), "force": draw.random() < 0.1}
        if script == "ramp":
            options["percentage"] = draw.choice((None, None, 0, 1, 10, 50))
        return options
    if script == "unlock":
        return {"force": draw.random() < 0.7}
    if script == "write_rows":
        return {"holds": draw.choice((0.5, 8.0, 60.0))}
    if script == "kubectl":
        return {"does": draw.choice(("image", "scale", "pod", "flag", "annotate"))}
    return {}


def _fault(draw: random.Random, actor: str) -> Fault:
    if draw.random() < 0.2:
        kind = draw.choice(AT_WATCHES)
        return Fault(actor, kind, WATCH, draw.randint(1, 8), draw.choice((1.0, 5.0, 30.0)))
    kind = draw.choice(AT_CALLS)
    of, most = draw.choice(((WRITE, 12), (WRITE, 30), (CALL, 20), (CALL, 120), (EXEC, 5)))
    seconds = {
        LATE: draw.choice((1.0, 10.0, 60.0)),
        SLOW: draw.choice((1.0, 4.0, 20.0)),
        PAUSE_BEFORE: draw.choice((4.0, 10.0, 150.0, 400.0)),
        PAUSE_AFTER: draw.choice((4.0, 10.0, 150.0, 400.0)),
        CLOCK_JUMPS: draw.choice((-3600.0, -200.0, 200.0, 3600.0)),
    }.get(kind, 0.0)
    return Fault(actor, kind, of, draw.randint(1, most), seconds)
