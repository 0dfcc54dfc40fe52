"""Where benchmarks run: a sandbox of their own, and ansible-playbook with its journal to read times from."""

import json
import os
import subprocess
import sys
import tempfile
import time
import typing as t
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import MappingProxyType

from sandbox.faults import Fault, Faults
from sandbox.world import CACHE_VARIABLE, World
from tests.benchmarks.measurement import BenchmarkError
from tests.fault_setting import faults_set
from tests.victims import Victim

REPOSITORY = Path(__file__).parents[2]
CACHE = Path(os.environ.get(CACHE_VARIABLE, REPOSITORY / ".sandbox" / "cache"))
RUN_WITHIN = 1800
BEFORE = "EASYMO_BENCH_CHECKOUT"
"""Names another checkout of the product, to be measured beside this one in the same run."""
SEED_MB = "10"

Event = dict[str, t.Any]


@dataclass(frozen=True)
class Run:
    """One run of a playbook: its seconds by the wall and of CPU, and the events of its journal."""

    seconds: float
    cpu: float
    events: tuple[Event, ...]
    printed: str = ""

    def phases(self) -> dict[str, float]:
        """Seconds by the name of the phase, from its first play's start to the next phase's."""
        starts: list[tuple[str, datetime]] = []
        for event in self.events:
            if event["event"] == "play_started":
                name = event["play"].partition(",")[0]
                if not starts or starts[-1][0] != name:
                    starts.append((name, when(event)))
        ends = [at for _name, at in starts[1:]] + [when(self.events[-1])]
        pairs = zip(starts, ends, strict=True)
        return {name: (end - start).total_seconds() for (name, start), end in pairs}

    def finished(self, action: str) -> list[Event]:
        """The events of what this action ended with, host by host."""
        return [e for e in self.events if e["event"] == "task_ok" and e["action"] == action]


def when(event: Event) -> datetime:
    return datetime.fromisoformat(event["at"])


@dataclass(frozen=True)
class Stage:
    """A state folder and what can be done with it."""

    state: Path
    checkout: Path = REPOSITORY
    """Whose sandbox it is."""

    def sandbox(self, *words: str) -> str:
        own = self.checkout / ".venv" / "bin" / "python"
        python = sys.executable if self.checkout == REPOSITORY else str(own)
        argv = [python, "-m", "sandbox", *words, "--state", str(self.state)]
        environment = {**os.environ, CACHE_VARIABLE: str(CACHE)}
        return _output(argv, self.checkout, environment)

    def play(
        self,
        playbook: str,
        *more: str,
        checkout: Path = REPOSITORY,
        inventory: Path | None = None,
        environment: t.Mapping[str, str] = MappingProxyType({}),
    ) -> Run:
        """Runs it against this stage's sandbox; raises BenchmarkError with its last lines when it fails."""
        journal = self.state / f"{time.monotonic_ns()}.jsonl"
        environment = {
            **self.environment(checkout),
            "EASYMO_DEPLOY_JOURNAL_PATH": str(journal),
            **environment,
        }
        journal = Path(environment["EASYMO_DEPLOY_JOURNAL_PATH"])
        argv = playing(playbook, *more, checkout=checkout, inventory=inventory)
        printed = journal.with_suffix(".log")
        began, used = time.monotonic(), cpu_of_children()
        with printed.open("wb") as output:
            run = Victim(argv, self.state, environment, output)
        try:
            rc = run.process.wait(RUN_WITHIN)
        except BaseException:
            # Whoever loses patience leaves none of its workers behind.
            run.kill("everything")
            raise
        seconds, cpu = time.monotonic() - began, cpu_of_children() - used
        text = printed.read_text(encoding="utf-8", errors="replace")
        if rc:
            raise _failed(argv, rc, text)
        lines = journal.read_text(encoding="utf-8").splitlines()
        return Run(seconds, cpu, tuple(json.loads(line) for line in lines), text)

    def fault(self, *added: Fault) -> t.ContextManager[None]:
        return faults_set(Faults(World(self.state).faults_file), *added)

    def environment(self, checkout: Path = REPOSITORY) -> dict[str, str]:
        return {
            **os.environ,
            "ANSIBLE_CONFIG": str(checkout / "ansible.cfg"),
            "EASYMO_SANDBOX_STATE": str(self.state),
        }


_shared: ContextVar[Stage | None] = ContextVar("shared", default=None)


@contextmanager
def sharing(place: Stage) -> t.Iterator[None]:
    """Benchmarks take `place`, which is up, for theirs: what each needs at a small size is a sandbox, not a new one."""
    token = _shared.set(place)
    try:
        yield
    finally:
        _shared.reset(token)


@contextmanager
def stage(checkout: Path = REPOSITORY) -> t.Iterator[Stage]:
    """Without a sandbox yet, or the shared one; what was started is taken down, and nothing is left."""
    if shared := _shared.get():
        yield shared
        return
    with own_stage(checkout) as made:
        yield made


@contextmanager
def own_stage(checkout: Path = REPOSITORY) -> t.Iterator[Stage]:
    """Nobody else's in any case."""
    with tempfile.TemporaryDirectory(prefix="easymo-bench-") as folder:
        made = Stage(Path(folder), checkout)
        try:
            yield made
        finally:
            made.sandbox("down")


@contextmanager
def busy_sandbox(checkout: Path = REPOSITORY) -> t.Iterator[Stage]:
    """Up, with fifty messages a second: metrics need users."""
    with stage(checkout) as made:
        made.sandbox("up", "--seed-mb", SEED_MB)
        if not _shared.get():
            made.sandbox("traffic", "start", "--rate", "50")
        yield made


def cpu_of_children() -> float:
    """Of those that ended; a sandbox is none of them."""
    times = os.times()
    return times.children_user + times.children_system


def products() -> dict[str, Path]:
    """Whose product is measured, by what its figures' names end in: this checkout and $EASYMO_BENCH_CHECKOUT."""
    before = os.environ.get(BEFORE)
    return {**({" (before)": Path(before).resolve()} if before else {}), "": REPOSITORY}


def playing(
    playbook: str, *more: str, checkout: Path = REPOSITORY, inventory: Path | None = None
) -> list[str]:
    """`inventory`: the sandbox's of that checkout when there is no other."""
    program = str(Path(sys.executable).with_name("ansible-playbook"))
    hosts = str(inventory or checkout / "inventories" / "sandbox")
    # One phase alone is measured, without those before it.
    alone = playbook == "microservices.yml" or "--tags" in more
    order = ["-e", '{"release_phase_order": []}'] if alone else []
    return [program, "-i", hosts, str(checkout / "playbooks" / playbook), *order, *more]


def collection_output(*words: str, given: str = "") -> str:
    """What Python prints that imports the collection, of a module (`-m`)."""
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY / "playbooks" / "collections")}
    return _output([sys.executable, *words], REPOSITORY, environment, given)


def _output(
    argv: t.Sequence[str], folder: Path, environment: t.Mapping[str, str], given: str = ""
) -> str:
    done = subprocess.run(
        argv,
        cwd=folder,
        env=environment,
        input=given,
        capture_output=True,
        text=True,
        check=False,
        timeout=RUN_WITHIN,
    )
    if done.returncode:
        raise _failed(argv, done.returncode, done.stdout + done.stderr)
    return done.stdout


def _failed(argv: t.Sequence[str], rc: int, printed: str) -> BenchmarkError:
    said = " ".join(printed.split())[-700:]
    return BenchmarkError(f"{' '.join(argv[-4:])} ended with {rc}: {said}")
