# SPDX-License-Identifier: GPL-3.0-or-later
"""Phase 4 killed a hundred times at seeded moments and run again each time: does it converge, and at what price?

Its way back is killed as often. EASYMO_BENCH_KILLS says how often in all; each kill is told on standard error.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
import typing as t
from collections import Counter
from dataclasses import dataclass, field

from sandbox.names import PREVIOUS_VERSION, RELEASE_VERSION, SERVICES
from tests.benchmarks.kubectl import Kubectl
from tests.benchmarks.measurement import BenchmarkError, Measurement, Size
from tests.benchmarks.stage import REPOSITORY, SEED_MB, Stage, stage
from tests.victims import WAYS

KILLS = int(os.environ.get("EASYMO_BENCH_KILLS", "100"))
SEED = 4
EARLIEST = 1.0
"""Seconds after the start of a run. The latest is when a run that nobody disturbed was over."""
SPARED = 0.12
"""The share of runs that nobody kills: a busy machine would else never see the end of one."""
ENDS_WITHIN = 300.0

Words = tuple[str, ...]
FORWARD: Words = ("microservices.yml",)
BACK: Words = ("rollback.yml", "--tags", "services")


@dataclass
class Tally:
    """What came of one of the two ways: services at their counts of patches beyond the one that is due."""

    killed: Counter[str] = field(default_factory=Counter)
    finished: int = 0
    beyond: list[int] = field(default_factory=list)
    again: list[float] = field(default_factory=list)
    """Seconds of the runs that nobody killed, each after one that somebody did."""


def kills(size: Size = Size.FULL) -> t.Iterable[Measurement]:
    if size is Size.SMALL:
        forward = (*FORWARD, "--limit", f"{SERVICES[0]},localhost")
        return killed({forward: RELEASE_VERSION}, SERVICES[:1], kills=1, latest=2 * EARLIEST)
    return killed({FORWARD: RELEASE_VERSION, BACK: PREVIOUS_VERSION}, SERVICES, kills=KILLS)


def killed(
    ways: dict[Words, str],
    services: t.Sequence[str],
    *,
    kills: int,
    latest: float | None = None,
) -> t.Iterator[Measurement]:
    """Each of the ways in turn, until the first was killed as often. It ends with the services at its version.

    Nobody is killed later than `latest` seconds after the start, or than a run takes that nobody disturbs.
    """
    chance = random.Random(SEED)
    began = time.monotonic()
    tallies = {way: Tally() for way in ways}
    with stage() as place:
        place.sandbox("up", "--seed-mb", SEED_MB)
        until = {way: latest or undisturbed(place, way) for way in ways}
        while sum(next(iter(tallies.values())).killed.values()) < kills:
            for way, tally in tallies.items():
                before = generations(place)
                goes_through(place, way, tally, chance, until[way])
                after = generations(place)
                patches = {name: after[name] - before[name] - 1 for name in services}
                report(f"  {way[0]} is through; patches beyond one a service: {patches}")
                tally.beyond += patches.values()
                check(place, services, ways[way])
    minutes = (time.monotonic() - began) / 60
    for way, tally in tallies.items():
        yield from told(way[0].removesuffix(".yml"), tally, minutes)


def told(name: str, tally: Tally, minutes: float) -> t.Iterator[Measurement]:
    ways = ", ".join(f"{count} {way}" for way, count in sorted(tally.killed.items()))
    killed = sum(tally.killed.values())
    note = f"seed {SEED}: {ways}; through {tally.finished} times; all in {minutes:.0f} minutes"
    yield Measurement(f"{name}: kills, each followed by a rerun", killed, "count", note=note)
    total = f"{sum(tally.beyond)} in all for {len(tally.beyond)} rollouts"
    most = max(tally.beyond)
    yield Measurement(f"{name}: most patches beyond one", most, "count", target=1, note=total)
    yield Measurement(f"{name}: slowest rerun", max(tally.again), "s")


def undisturbed(place: Stage, playbook: Words) -> float:
    """Seconds that it takes when nobody kills it."""
    began = time.monotonic()
    place.play(*playbook)
    return time.monotonic() - began


def goes_through(
    place: Stage, playbook: Words, tally: Tally, chance: random.Random, latest: float
) -> None:
    """Kills it until a run ends before it was its turn, or is spared; raises unless that one ended well."""
    while True:
        moment, way = chance.uniform(EARLIEST, latest), chance.choice(WAYS)
        if chance.random() < SPARED:
            moment = ENDS_WITHIN
        began = time.monotonic()
        log = place.state / "killed.log"
        run = place.begins(*playbook, log=log)
        try:
            rc = run.process.wait(moment)
        except subprocess.TimeoutExpired:
            way = run.kill(way, chance)
            tally.killed[way] += 1
            rc = run.process.wait(ENDS_WITHIN)
            count = sum(tally.killed.values())
            report(f"{playbook[0]} kill {count} after {moment:.1f} s: {way}, rc {rc}")
            if way != "worker" or rc:
                continue
        seconds = time.monotonic() - began
        if rc:
            kept = REPOSITORY / ".cache" / "kills-failed.log"
            kept.parent.mkdir(exist_ok=True)
            kept.write_bytes(log.read_bytes())
            raise BenchmarkError(f"{playbook[0]} ended with {rc} after kills: see {kept}.")
        report(f"{playbook[0]} ended well after {seconds:.0f} s")
        tally.finished += 1
        tally.again.append(seconds)
        return


def check(place: Stage, services: t.Sequence[str], version: str) -> None:
    """Raises unless each of the services is at the version with all its pods, and the lock is free."""
    seen = deployments(place)
    stale = []
    for one in seen:
        name, spec, status = one["metadata"]["name"], one["spec"], one["status"]
        [container] = spec["template"]["spec"]["containers"]
        counts = {status.get(key) for key in ("replicas", "updatedReplicas", "availableReplicas")}
        arrived = container["image"].endswith(f":v{version}") and counts == {spec["replicas"]}
        if name in services and not arrived:
            stale.append(name)
    if stale:
        raise BenchmarkError(f"{', '.join(stale)} did not arrive at {version}.")
    deadline = time.monotonic() + 15
    while held := [
        one for one in Kubectl(place).objects("leases") if one["spec"].get("holderIdentity")
    ]:
        if time.monotonic() > deadline:
            raise BenchmarkError(f"The lock is still held: {held[0]['metadata']}.")
        time.sleep(0.5)


def generations(place: Stage) -> dict[str, int]:
    return {one["metadata"]["name"]: one["metadata"]["generation"] for one in deployments(place)}


def deployments(place: Stage) -> list[dict[str, t.Any]]:
    return Kubectl(place).objects("deployments")


def report(line: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {line}", file=sys.stderr, flush=True)
