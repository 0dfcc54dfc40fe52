"""A release and its rollback, disturbed in every phase at seeded moments: does each witness say the same, each time?

A moment is a SIGKILL of the run, or an API server that restarts under it. After each, what status.yml says is compared
with the record, the Deployments, the flags and the Lease, what the screen showed with the record, and Slack's message
with the record. A killed run is typed again until it ends. EASYMO_BENCH_MOMENTS says how many in all, and
EASYMO_BENCH_SEED of which series; each is told on standard error, and .cache/moments keeps what was printed.
"""

import json
import os
import random
import re
import shutil
import subprocess
import sys
import time
import typing as t
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from sandbox.faults import Fault
from sandbox.names import PREVIOUS_VERSION, RELEASE_VERSION
from sandbox.world import World
from tests.benchmarks.measurement import BenchmarkError, Measurement, Size
from tests.benchmarks.stage import REPOSITORY, Stage, busy_sandbox
from tests.stories.people import Witness
from tests.victims import WAYS, Victim

MOMENTS = int(os.environ.get("EASYMO_BENCH_MOMENTS", "100"))
SEED = int(os.environ.get("EASYMO_BENCH_SEED", "4"))
RESTARTS = 0.4
"""The share of moments in which the API server restarts; in the others the run is killed."""
AWAY = (1.0, 6.0)
"""Seconds that a restarting API server does not listen."""
LATEST = 12.0
"""Seconds after a phase's first line that nobody waits longer for a moment, as few phases last here."""
SETTLES = 5.0
"""Seconds in which pods, the keeper of a lock and what is sent to Slack come to rest after a run."""
ENDS_WITHIN = 400.0
TRIES = 4
PRINTED = REPOSITORY / ".cache" / "moments"

Words = tuple[str, ...]
FORWARD: Words = ("deploy_v2.yml", "-e", "release_watch_duration=10")
BACK: Words = ("rollback.yml",)
HEADINGS = {
    FORWARD: [rf"^{number}/8 " for number in range(1, 9)],
    BACK: ["^Rollback 1", "^Rollback 2 and 3", "^After the"],
}
WORDS_OF_STATUS = {"on_hold": "failed", "not_started": ""}
"""What status.yml makes of a record's state."""
MESSAGES = 20
"""A second: metrics need users."""
SETTLED = {"done", "waived"}


@dataclass
class Tally:
    disturbed: Counter[str] = field(default_factory=Counter)
    failed: list[str] = field(default_factory=list)
    """Runs under which the API server restarted and that did not end well."""
    disagreed: list[str] = field(default_factory=list)
    ended: int = 0


def moments(size: Size = Size.FULL) -> t.Iterator[Measurement]:
    tally, chance = Tally(), random.Random(SEED)
    wanted, ways = (2, [FORWARD]) if size is Size.SMALL else (MOMENTS, [FORWARD, BACK])
    stopped = ""
    with busy_sandbox(MESSAGES) as place:
        try:
            while tally.disturbed.total() < wanted:
                for way in ways:
                    headings = HEADINGS[way][3:5] if size is Size.SMALL else HEADINGS[way]
                    goes_through(Scene(place, way, tally, chance), headings)
        except (BenchmarkError, subprocess.TimeoutExpired) as exc:
            # What was measured until then counts.
            stopped = str(exc)
    kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(tally.disturbed.items()))
    note = f"seed {SEED}: {kinds}; {tally.ended} runs ended well"
    yield Measurement("moments", tally.disturbed.total(), "count", note=note)
    for name, cases in (
        ("runs that a restart of the API server failed", tally.failed),
        ("moments after which witnesses differ", tally.disagreed),
    ):
        yield Measurement(name, len(cases), "count", target=0, note="; ".join(cases)[:300])
    if stopped:
        raise BenchmarkError(stopped)


@dataclass(frozen=True)
class Scene:
    """One way of the release, with whom to ask about it."""

    place: Stage
    way: Words
    tally: Tally
    chance: random.Random

    @property
    def witness(self) -> Witness:
        return Witness(World(self.place.state))

    @property
    def number(self) -> int:
        return self.tally.disturbed.total()


def goes_through(scene: Scene, headings: t.Sequence[str]) -> None:
    """Disturbs a run in each phase in turn, then lets one end well and looks whether all say so."""
    for heading in headings:
        disturbed(scene, heading)
    for _ in range(TRIES):
        log = kept(scene, "end")
        run = scene.place.begins(*scene.way, log=log)
        if run.process.wait(ENDS_WITHIN) == 0:
            break
        report(f"an undisturbed {scene.way[0]} ended with {run.process.returncode}: {log}")
    else:
        raise BenchmarkError(f"{scene.way[0]} does not end well any more: see {log}.")
    scene.tally.ended += 1
    differing = [*disagreements(scene, log), *unfinished(scene, log)]
    scene.tally.disagreed += [f"end after {scene.number}: {each}" for each in differing]
    report(f"{scene.way[0]} ended well{''.join(f'; DIFFERS: {each}' for each in differing)}")


def disturbed(scene: Scene, heading: str) -> None:
    """One moment, in the phase whose first line matches `heading`. A run that shows none is left to end."""
    log, chance = kept(scene, "moment"), scene.chance
    run = scene.place.begins(*scene.way, log=log)
    deadline = time.monotonic() + ENDS_WITHIN
    while not re.search(heading, printed(log), re.MULTILINE) and run.process.poll() is None:
        if time.monotonic() > deadline:
            run.kill("everything")
            raise BenchmarkError(f"{scene.way[0]} took too long: see {log}.")
        time.sleep(0.1)
    time.sleep(chance.uniform(0, LATEST))
    if run.process.poll() is not None:
        report(f"{scene.way[0]} ended with {run.process.returncode} before its moment in {heading}")
        return
    restarts = chance.random() < RESTARTS
    kind = restarted(scene, run) if restarts else killed(scene, run)
    scene.tally.disturbed[kind] += 1
    rc = run.process.returncode
    differing = disagreements(scene, log)
    if restarts and rc:
        scene.tally.failed.append(f"{scene.number} {heading} rc {rc}")
    scene.tally.disagreed += [f"{scene.number} {heading} {kind}: {each}" for each in differing]
    report(
        f"{scene.number} {scene.way[0]} {heading}: {kind}, rc {rc}"
        + "".join(f"; DIFFERS: {each}" for each in differing)
    )


def restarted(scene: Scene, run: Victim) -> str:
    with scene.place.fault(Fault("kubernetes", "down")):
        time.sleep(scene.chance.uniform(*AWAY))
    run.process.wait(ENDS_WITHIN)
    return "restart"


def killed(scene: Scene, run: Victim) -> str:
    way = run.kill(scene.chance.choice(WAYS), scene.chance)
    run.process.wait(ENDS_WITHIN)
    return way


def disagreements(scene: Scene, log: Path) -> list[str]:
    """Where two that should say the same do not. What moved between two looks is looked at again."""
    differing = list(differences(scene, log))
    if differing:
        time.sleep(SETTLES)
        differing = list(differences(scene, log))
    return differing


def differences(scene: Scene, log: Path) -> t.Iterator[str]:
    witness, status = scene.witness, asked(scene)
    record = witness.record(RELEASE_VERSION) if has_record(witness) else {"phases": {}}
    phases = {name: each["status"] for name, each in record["phases"].items()}
    for each in status["phases"]:
        said, recorded = each["status"], phases.get(each["name"], "")
        if WORDS_OF_STATUS.get(said, said) != recorded:
            yield f"status: {each['name']} {said}, record: {recorded!r}"
    for name, image in witness.templates().items():
        version = image.partition("@")[0].rpartition(":")[2]
        if status["services"][name]["version"] != version:
            yield f"status: {name} {status['services'][name]['version']}, kubectl: {version}"
    flags = witness.flags()
    for name, value in status["flags"].items():
        if flags.get(name) != value:
            yield f"status: {name}={value}, kubectl: {flags.get(name)}"
    if bool(status["lock"]["holder"]) != bool(holder(witness)):
        yield f"status: lock of {status['lock']['holder']!r}, kubectl: {holder(witness)!r}"
    yield from of_the_screen(scene, log, status, phases)
    yield from of_slack(witness, status, phases, record.get("attempt"))


def of_the_screen(
    scene: Scene, log: Path, status: dict[str, t.Any], phases: t.Mapping[str, str]
) -> t.Iterator[str]:
    """A phase that was passed on the screen is settled in the record."""
    if scene.way is not FORWARD:
        return
    shown = [int(number) for number in re.findall(r"^(\d)/8 ", printed(log), re.MULTILINE)]
    for each in status["phases"]:
        if shown and each["number"] < max(shown) and phases.get(each["name"]) not in SETTLED:
            yield f"screen: past {each['name']}, record: {phases.get(each['name'])}"


def of_slack(
    witness: Witness, status: dict[str, t.Any], phases: t.Mapping[str, str], attempt: int | None
) -> t.Iterator[str]:
    """A phase with its check mark in the message of this attempt is settled in the record, and none is ahead."""
    channel = witness.received()["slack"].get("v2-deployment", [])
    messages = [each["text"] for each in channel if f"attempt {attempt} ·" in each["text"]]
    message = messages[-1] if messages else ""
    for each in status["phases"]:
        line = re.search(rf"^(\S+) \*?{re.escape(each['title'])}\*? ·.*$", message, re.MULTILINE)
        if line and line[1] == "✅" and phases.get(each["name"]) not in SETTLED:
            yield f"Slack: {line[0]}, record: {phases.get(each['name'])}"


def unfinished(scene: Scene, log: Path) -> t.Iterator[str]:
    """What a way that ended well left, or said otherwise."""
    forward = scene.way is FORWARD
    version, outcome = (RELEASE_VERSION, "done") if forward else (PREVIOUS_VERSION, "rolled_back")
    witness = scene.witness
    running = set(witness.images().values())
    if running != {f"v{version}"}:
        yield f"pods: {sorted(running)}"
    record = witness.record(RELEASE_VERSION)
    if record["status"] != outcome:
        yield f"record: {record['status']}"
    if not re.search(r"^✓ (?:DEPLOYED|ROLLED BACK) ", printed(log), re.MULTILINE):
        yield "screen: no ✓"
    channel = witness.received()["slack"]["v2-deployment"]
    titles = [one["text"].partition("\n")[0] for one in channel if "attempt " in one["text"]]
    words = "is deployed" if forward else "was rolled back"
    if not any(words in title for title in titles):
        yield f"Slack: {titles}"
    if holder(witness):
        yield "the lock is held"


def holder(witness: Witness) -> str:
    [lease] = witness.reads("leases") or [{"spec": {}}]
    return lease["spec"].get("holderIdentity") or ""


def has_record(witness: Witness) -> bool:
    names = {one["metadata"]["name"] for one in witness.reads("configmaps")}
    return f"release-{RELEASE_VERSION}" in names


def asked(scene: Scene) -> dict[str, t.Any]:
    """What status.yml says, for programs."""
    path = scene.place.state / "status.json"
    scene.place.play("status.yml", "-e", f"status_file={path}")
    return t.cast("dict[str, t.Any]", json.loads(path.read_text("utf-8")))


def kept(scene: Scene, what: str) -> Path:
    """Where a run prints, by the number of its moment."""
    if not scene.tally.disturbed and what == "moment":
        shutil.rmtree(PRINTED, ignore_errors=True)
    PRINTED.mkdir(parents=True, exist_ok=True)
    return PRINTED / f"{scene.number + 1:03}-{what}-{scene.way[0]}.log"


def printed(log: Path) -> str:
    return log.read_text("utf-8", "replace")


def report(line: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {line}", file=sys.stderr, flush=True)
