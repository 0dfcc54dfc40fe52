"""Everything that one run happens in: the scheduler, the cluster, the processes, and what befalls them."""

from __future__ import annotations

import json
import random
import re
import typing as t
from contextlib import contextmanager

from sandbox.kubernetes.errors import ApiError
from sandbox.kubernetes.requests import parse_path, wanted_of
from sandbox.kubernetes.service_accounts import ADMINISTRATOR, User
from sandbox.kubernetes.service_accounts import Request as Wanted
from sandbox.kubernetes.store import Store

from . import plan, substitutes
from .client import Session
from .control_plane import Asked, ControlPlane
from .kubelet import Kubelet
from .looks import Instant
from .monitoring import Monitoring
from .mounts import Known, Mounts
from .nodes import Nodes
from .plan import Fault, Plan
from .scheduler import Event, Process, Scheduler, sender_of

if t.TYPE_CHECKING:
    from ansible_collections.easymo.deploy.plugins.module_utils._run_process import Run

    from .functions import Project
    from .stores import Stores
    from .web import Site

BEGAN = 1_795_000_000.0
"""Of the world, in seconds since 1970."""
NAMESPACE = "easymo-prod"
STEPS = 400_000
NOBODY = User("deployer", ())
"""Without any role."""

_SERVERS_OWN = re.compile(r"((?:process|since) )[0-9][0-9:+ -]*")
"""Numbers and times of a real server, which differ from one run to the next."""

Observer = t.Callable[["Request"], None]


class Request(t.NamedTuple):
    """One request as the server carried it out."""

    process: Process | None
    method: str
    path: str
    query: t.Mapping[str, str]
    status: int


class Kubectl:
    """Requests that nobody tries again."""

    def __init__(self, world: World) -> None:
        self._world = world

    def read(self, path: str) -> bytes:
        self._wait()
        return self._world.serve(self._world.scheduler.process, Asked("GET", path, {}))[1]

    def write(self, method: str, path: str, body: t.Any, content_type: str) -> None:
        self._world.sleep(0.02)
        self._wait()
        data = b"" if body is None else json.dumps(body).encode()
        asked = Asked(method, path, {"fieldManager": "kubectl-edit"}, data, content_type)
        self._world.serve(self._world.scheduler.process, asked)

    def _wait(self) -> None:
        """Somebody who tries again until there is an API server."""
        while self._world.down_until():
            self._world.sleep(3.0)


class Begun:
    """_threads.Begun: a step of its own."""

    def __init__(self, world: World, work: t.Callable[[], t.Any]) -> None:
        self._ended = Event(world.scheduler)
        self._result: t.Any = None
        self._failure: Exception | None = None

        def run() -> None:
            try:
                self._result = work()
            except Exception as exc:
                self._failure = exc
            self._ended.set()

        world.spawn(run)

    def done(self) -> bool:
        return self._ended.is_set()

    def result(self, timeout: float | None = None) -> t.Any:
        if not self._ended.wait(timeout):
            raise TimeoutError
        if self._failure is not None:
            raise self._failure
        return self._result


class World:
    def __init__(self, planned: Plan, said: t.Callable[[str], None]) -> None:
        self.plan = planned
        self.scheduler = Scheduler(STEPS)
        self.chance = random.Random(f"chance {planned.seed}")
        substitutes.use(self)
        self.plane = ControlPlane(
            self.scheduler,
            f"plane {planned.seed}",
            self.now,
            planned.controllers,
            nodes=planned.nodes,
            webhook=planned.webhook,
            down_until=self.down_until,
        )
        late = planned.mounted or planned.cached
        known = Known(self.plane, f"cache {planned.seed}", late=late)
        self.kubelet = Kubelet(self.plane, f"kubelet {planned.seed}", self.now, known)
        if planned.mounted:
            self.kubelet.mounts = Mounts(self.plane, self.kubelet, f"mounts {planned.seed}")
        self.processes: list[Process] = []
        self.sites: dict[str, Site] = {}
        """Servers beside the cluster's, by their host."""
        self.began = 0.0
        """When the first operator came, as the scheduler counts."""
        self.requests = 0
        self.observers: list[Observer] = []
        self.ends: list[t.Callable[[Process, bool], None]] = []
        """Told of each process that ends, and whether its machine was lost."""
        self.stores: Stores | None = None
        """Of a plan that has some."""
        self.project: Project | None = None
        """The same of functions."""
        self.befell: list[Fault] = []
        self.cut_off: list[t.Callable[[], None]] = []
        """Told when the API server goes down: each watch."""
        self.epochs: dict[str, int] = {}
        """Under which each run holds the lock, or held it."""
        self.doing: dict[str, tuple[str, t.Mapping[str, t.Any]]] = {}
        """The module and options of the task that each run is at."""
        self.phases: list[str] = []
        """Of the releases, where an inventory names them."""
        self.task_begins: t.Callable[[str, str, int], None] = lambda _by, _place, _nth: None
        """Told before each task of a playbook: the actor, the task with its host, and which time it runs there."""
        self.play_ended: t.Callable[[str], None] = lambda _by: None
        """Told of each playbook that ended by itself: the actor."""
        self.screens: dict[str, list[str]] = {}
        """What each actor that plays a playbook reads, a line each."""
        self.codes: dict[str, int] = {}
        """The exit code of each such actor."""
        self.receivers: t.Any = None
        """Whom whole playbooks tell, None where there is nobody."""
        self.tasks: list[tuple[str, t.Any]] = []
        """What they ran, by the actor, as failing.Task."""
        self._said = said
        Monitoring(self)
        self.nodes = Nodes(self) if planned.nodes else None
        self.counts: dict[tuple[str, str], int] = {}
        """Of the calls of each process, by what they are: call, write, exec or watch."""
        self._draws: dict[str, random.Random] = {}
        self._due: dict[tuple[str, str, int], Fault] = {}
        self._refused: dict[str, tuple[str, float]] = {}
        """How the calls of a process are refused, and until when."""
        self.callers: dict[str, User] = {}
        """Whose rights operators have, by their names. Others may do all."""
        self.asked: dict[tuple[str, Wanted], None] = {}
        """What was allowed to each caller."""
        self.denied: set[str] = set()
        """What was not, for want of a right."""
        self._ended: dict[int, list[t.Any]] = {}
        self.go_on_with(planned)

    def go_on_with(self, planned: Plan) -> None:
        """From now on."""
        self.plan = planned
        self._due = {(one.actor, one.of, one.nth): one for one in planned.faults}

    def close(self) -> None:
        """When it is over. Its parts hold one another: let go of here, they need not be found and collected."""
        self.scheduler.close()
        for part in (self.store, self.kubelet, self.plane, self):
            vars(part).clear()

    @property
    def store(self) -> Store:
        return self.plane.store

    def say(self, text: str) -> None:
        if self.stores is not None:
            text = _SERVERS_OWN.sub(r"\1...", text)
        self._said(f"{self.scheduler.now:9.3f}  {text}")

    # Time

    def now(self) -> float:
        """Of the cluster, whose clock is right."""
        return BEGAN + self.scheduler.now

    @property
    def passed(self) -> float:
        """Seconds since the first operator came."""
        return self.scheduler.now - self.began

    def monotonic(self) -> float:
        process = None if self._serving else self.scheduler.process
        return 1000.0 + self.scheduler.now * (process.rate if process else 1.0)

    def wall(self) -> float:
        process = self.scheduler.process
        if process is None or self._serving:
            return self.now()
        return BEGAN + self.scheduler.now * process.rate + process.ahead

    _serving = _looked_at = False

    @contextmanager
    def serving(self) -> t.Iterator[None]:
        """What goes on meanwhile is a server's work, by its own clock."""
        self._serving = True
        try:
            yield
        finally:
            self._serving = False

    def down_until(self) -> float:
        """When the API server is back, as the scheduler counts; 0.0 while it is there."""
        if not self.began:
            return 0.0
        spans = ((begin, begin + seconds) for begin, seconds in self.plan.downtimes)
        return next((self.began + end for begin, end in spans if begin <= self.passed < end), 0.0)

    def sleep(self, seconds: float) -> None:
        process = self.scheduler.process
        self.scheduler.sleep(seconds / (process.rate if process else 1.0))

    # Processes

    def start(
        self, name: str, machine: str, work: t.Callable[[], None], *, rate: float, ahead: float
    ) -> Process:
        process = Process(name, 1000 + len(self.processes), machine, rate=rate, ahead=ahead)
        self.processes.append(process)

        def live() -> None:
            work()
            self.end(process)

        self.scheduler.spawn(process, live)
        return process

    def by_itself(self, name: str, work: t.Callable[[], None], delay: float) -> None:
        """Have something go on that is no process of an operator's."""

        def begin() -> None:
            self.start(name, "", work, rate=1.0, ahead=0.0)

        self.scheduler.at(self.scheduler.now + delay, begin)

    def end(self, process: Process, *, lost: bool = False) -> None:
        """It came to its end by itself, or was ended: its other threads go with it. `lost`: with its machine."""
        for told in [*self.ends]:
            told(process, lost)
        for event in self._ended.pop(process.pid, ()):
            event.set()
        self.scheduler.kill(process)

    def kill(self, process: Process | None) -> None:
        if process is not None and process.alive:
            self.say(f"{process.name} is killed")
            self._end_by_force(process)

    def _end_by_force(self, process: Process, *, lost: bool = False) -> None:
        if process.killed is not None:
            process.killed()
        self.end(process, lost=lost)

    def lose_machine(self, process: Process | None) -> None:
        """All of its processes are gone; what comes next on it has another name, as after a boot."""
        if process is None:
            return
        self.say(f"the machine {process.machine} of {process.name} is lost")
        others = [one for one in self.processes if one.machine == process.machine and one.alive]
        for one in [*(other for other in others if other is not process), process]:
            if one.name.partition(".")[0] == process.name.partition(".")[0]:
                self._end_by_force(one, lost=True)

    def pause(self, process: Process | None, seconds: float) -> None:
        if process is not None:
            self.say(f"{process.name} is paused for {seconds:g} s")
            process.paused_until = self.scheduler.now + seconds
            self.scheduler.sleep(0.0)

    def is_alive(self, run: Run) -> bool | None:
        mine = self.scheduler.step.process
        if run.machine != mine.machine:
            return None
        return any(one.alive and one.pid == run.pid for one in self.processes)

    def wait_for_end(self, run: Run, seconds: float) -> bool:
        if not any(one.alive and one.pid == run.pid for one in self.processes):
            return True
        event = Event(self.scheduler)
        self._ended.setdefault(run.pid, []).append(event)
        return event.wait(seconds)

    def end_run(self, run: Run) -> None:
        for one in self.processes:
            if one.pid == run.pid and one.alive:
                self._end_by_force(one)

    def detach(self, work: t.Callable[[], None]) -> None:
        parent = self.scheduler.step.process
        self.start(
            f"{parent.name}{plan.KEEPER}",
            parent.machine,
            work,
            rate=parent.rate,
            ahead=parent.ahead,
        )

    def spawn(self, work: t.Callable[[], None]) -> None:
        self.scheduler.spawn(self.scheduler.step.process, work)

    def side_by_side(
        self, act: t.Callable[[t.Any], t.Any], items: list[t.Any], at_once: int
    ) -> list[t.Any]:
        results: list[tuple[bool, t.Any]] = [(False, None)] * len(items)
        waiting, left, done = [*enumerate(items)], len(items), Event(self.scheduler)

        def work() -> None:
            nonlocal left
            while waiting:
                at, item = waiting.pop(0)
                try:
                    results[at] = True, act(item)
                except Exception as exc:
                    results[at] = False, exc
                left -= 1
            if not left:
                done.set()

        for _ in range(min(at_once, len(items))):
            self.spawn(work)
        while left:
            done.wait()
        for well, result in results:
            if not well:
                raise result
        return [result for _well, result in results]

    def begin(self, work: t.Callable[[], t.Any]) -> Begun:
        return Begun(self, work)

    # Requests

    def trouble(self, *, writes: bool, of: str = plan.CALL) -> tuple[str, float]:
        """What befalls the call that begins now: its kind and seconds. What comes before the call has happened."""
        fault = self.fault_at(of, plan.WRITE) if writes else self.fault_at(of)
        if fault is None:
            return "", 0.0
        process = self.scheduler.process
        if fault.kind == plan.KILL_BEFORE:
            self.kill(process)
        if fault.kind == plan.MACHINE_LOST:
            self.lose_machine(process)
        if fault.kind == plan.PAUSE_BEFORE:
            self.pause(process, fault.seconds)
        if fault.kind == plan.CLOCK_JUMPS and process:
            process.ahead += fault.seconds
        if fault.kind in plan.REFUSALS:
            self._refused[fault.actor] = fault.kind, self.scheduler.now + fault.seconds
        return fault.kind, fault.seconds

    def trouble_after(self, kind: str, seconds: float) -> None:
        """What befalls the process when the call is carried out and not yet answered."""
        if kind == plan.KILL_AFTER:
            self.kill(self.scheduler.process)
        if kind == plan.PAUSE_AFTER:
            self.pause(self.scheduler.process, seconds)

    def draw_of(self, process: Process | None) -> random.Random:
        """Chance of its own for each, so that who is left out changes nothing for others."""
        name = process.name if process else ""
        if name not in self._draws:
            self._draws[name] = random.Random(f"{self.plan.seed} {name}")
        return self._draws[name]

    def fault_at(self, *kinds: str) -> Fault | None:
        """The one that is due at this call, which is counted under each of these."""
        process = self.scheduler.process
        if process is None:
            return None
        if process.play is not None:
            kinds = (*kinds, *(f"{of} in {process.play.place}" for of in kinds))
        return self._befall([self._due_at(process.name, of) for of in kinds])

    def go_down(self, seconds: float) -> None:
        """The API server, of whose clients each notices when it calls next."""
        self._befall([Fault("", plan.API_DOWN, plan.CALL, 0, seconds)])
        for cut in [*self.cut_off]:
            cut()
        back = self.scheduler.now + seconds
        self.scheduler.at(back, lambda: self.say("the API server is back"))

    def notice_downtime(self) -> None:
        process = self.scheduler.process
        noticed = Fault(sender_of(process), plan.API_DOWN, plan.CALL, 0)
        if process is not None and noticed not in self.befell:
            self.befell.append(noticed)

    def _due_at(self, name: str, of: str) -> Fault | None:
        nth = self.counts[name, of] = self.counts.get((name, of), 0) + 1
        return self._due.get((name, of, nth))

    def _befall(self, found: list[Fault | None]) -> Fault | None:
        fault = next((one for one in found if one is not None), None)
        if fault is not None:
            self.befell.append(fault)
            self.say(f"! {fault}")
        return fault

    def serve(self, process: Process | None, asked: Asked) -> tuple[int, bytes]:
        """One transaction of the server, and what it answers."""
        method, path, query = asked[:3]
        self.requests += 1
        try:
            caller = self.admit(process, method, path)
            with self.serving():
                status, data = self.plane.answer(asked, caller)
                self.plane.settle()
        except ApiError as exc:
            status, data = exc.status, json.dumps(exc.to_status()).encode()
        if method != "GET" or status >= 400:
            name = sender_of(process)
            dry = " (dry)" if query.get("dryRun") else ""
            self.say(f"{name}: {method} {path.rpartition(NAMESPACE + '/')[2]}{dry} -> {status}")
        request = Request(process, method, path, query, status)
        for observer in self.observers:
            observer(request)
        return status, data

    def admit(
        self, process: Process | None, method: str, path: str, *, watching: bool = False
    ) -> User:
        """Whose rights this process has. Raises ApiError in the server's words for what is refused."""
        name = sender_of(process)
        caller = self.callers.get(name.removesuffix(plan.KEEPER), ADMINISTRATOR)
        kind, until = self._refused.get(name, ("", 0.0))
        refused = self.scheduler.now < until
        if refused and kind == plan.UNAUTHORIZED:
            raise ApiError(401, "Unauthorized", "Unauthorized")
        target = parse_path(path)
        if target is not None:
            wanted = wanted_of(target, method, watching=watching)
            try:
                user = NOBODY if refused else caller
                self.plane.authorizer.admit(user, target, method, watching=watching)
            except ApiError:
                if not refused:
                    self.denied.add(f"{wanted.verb} {wanted.resource}")
                raise
            if caller is not ADMINISTRATOR:
                self.asked[caller.name, wanted] = None
        return caller

    def session(self) -> Session:
        """Of the Kubernetes client of the process that runs, or of a look."""
        return Instant(self) if self._looked_at else Session(self)

    @contextmanager
    def looking(self) -> t.Iterator[None]:
        """Meanwhile nothing goes on, and it is as late as the cluster says."""
        self._looked_at = self._serving = True
        try:
            yield
        finally:
            self._looked_at = self._serving = False

    def client(self) -> Kubectl:
        return Kubectl(self)

    def execute(self, pod: str) -> str:
        """What the only container of a pod says that it runs with, as the server passes it on: `env`, or JSON."""
        body = self.store.get("pods", NAMESPACE, pod)
        deaf = self.plan.deaf if self.passed >= self.plan.deaf_since else ()
        if body["metadata"]["labels"].get("app") in deaf:
            raise ApiError(500, "InternalError", "error dialing backend: connection refused")
        found = self.kubelet.environment(body)
        if self.plan.mounted:
            return json.dumps(found)
        return "".join(f"{name}={value}\n" for name, value in sorted(found.items()))
