# SPDX-License-Identifier: GPL-3.0-or-later
"""One container: pulled, configured, started, probed, restarted after a crash, stopped in order."""

from __future__ import annotations

import asyncio
import functools
import logging
import shutil
import time
import typing as t
from dataclasses import dataclass

from aiohttp import web

from sandbox.node import images, probes, status
from sandbox.node.behaviour import OOM_AFTER, Behaviour
from sandbox.node.images import ensure_image
from sandbox.node.probes import ProbeWorker
from sandbox.node.process import ConfigError, ContainerLog, Server, resolve
from sandbox.node.volumes import Mounts, Volumes, located
from sandbox.services import METRICS_PORT, ConfigurationError, ContainerContext
from sandbox.services.programs import build, stand_in

if t.TYPE_CHECKING:
    from sandbox.node.images import Image
    from sandbox.node.node import Node

Object = dict[str, t.Any]

logger = logging.getLogger(__name__)

RETRY = 1.0
INIT_SECONDS = 0.05


@dataclass(frozen=True)
class Exit:
    code: int
    reason: str


CRASHED = Exit(1, "Error")
OUT_OF_MEMORY = Exit(137, "OOMKilled")
KILLED = Exit(137, "Error")
STOPPED = Exit(0, "Completed")


class Container:
    """Runs until `stop`, or `ends` by itself as an init container does.

    What it is doing is in `state`; `changed` is called when that moved.
    """

    def __init__(
        self,
        node: Node,
        pod: Object,
        spec: Object,
        volumes: Volumes,
        *,
        address: str,
        main: bool,
        restarts: int,
        ends: bool = False,
        changed: t.Callable[[], None],
    ) -> None:
        self.spec = spec
        self.state = status.ContainerState(spec["name"], spec["image"], restarts=restarts)
        self.log = ContainerLog()
        self.previous_log: ContainerLog | None = None
        self.env: dict[str, str] | None = None
        self.mounts: Mounts = {}
        self._volumes = volumes
        self._node, self._pod, self.address, self._main = node, pod, address, main
        self._ends = ends
        self._changed = changed
        self._server: Server | None = None
        self._behaviour: Behaviour | None = None
        self._exit: asyncio.Future[Exit] | None = None
        self._stopping = False
        self._listening = False
        self._listening_since = 0.0
        self._crashes = 0

    @property
    def where(self) -> str:
        metadata = self._pod["metadata"]
        return f"{metadata['name']}_{metadata['namespace']}({metadata['uid']})"

    @property
    def pod(self) -> str:
        name: str = self._pod["metadata"]["name"]
        return name

    def event(self, kind: str, reason: str, message: str) -> None:
        self._node.events.record(self._pod, kind, reason, message, container=self.state.name)

    def show(self, state: Object) -> None:
        self.state.state = state
        self._changed()

    async def run(self) -> None:
        """The whole life. Ends by itself only when the restart policy says so."""
        image = await ensure_image(self.spec["image"], self._node, self, main=self._main)
        while not self._stopping:
            env = await self._environment(image)
            await self._creatable()
            started = time.time()
            ended = await self._run_once(image, env, started)
            if self._stopping:
                return
            self._record_exit(ended, started)
            if self._ends and ended.code == 0:
                self.set_health(started=False, ready=True)
                return
            policy = self._pod["spec"].get("restartPolicy", "Always")
            if policy == "Never" or (policy == "OnFailure" and ended.code == 0):
                return
            await self._back_off(time.time() - started)

    async def _environment(self, image: Image) -> dict[str, str]:
        """As ConfigMaps and Secrets are now: a restarted container sees what changed meanwhile."""
        while True:
            try:
                if self._main and self._node.fault("bad-config-reference", image.service):
                    raise ConfigError(f'configmap "{image.service}-settings" not found')
                objects = await self._node.referenced(self._pod["metadata"]["namespace"], self.spec)
                pod = {**self._pod, "status": {"podIP": self.address, "hostIP": "127.0.0.1"}}
                return resolve(self.spec, pod, objects)
            except ConfigError as exc:
                self.show(status.waiting("CreateContainerConfigError", str(exc)))
                self.event("Warning", "Failed", f"Error: {exc}")
                await asyncio.sleep(RETRY)

    async def _creatable(self) -> None:
        while why := self._node.broken:
            self.show(status.waiting("CreateContainerError", why))
            self.event("Warning", "Failed", f"Error: {why}")
            await asyncio.sleep(RETRY)

    async def _run_once(self, image: Image, env: dict[str, str], started: float) -> Exit:
        self.env = {"HOSTNAME": self._pod["metadata"]["name"], **env}
        self.log.close()
        if self.state.instance:
            self.previous_log = self.log
        self.log = ContainerLog()
        self._exit = asyncio.get_running_loop().create_future()
        self._listening = False
        self._behaviour = Behaviour(self._node.context.faults, image, main=self._main)
        self.state.instance += 1
        self.mounts = self._volumes.of(self.spec, self.state.instance)
        self.event("Normal", "Created", f"Created container: {self.state.name}")
        self.event("Normal", "Started", f"Started container {self.state.name}")
        self.show(status.running(started))
        tasks = [asyncio.create_task(self._guarded(part)) for part in self._parts(image)]
        try:
            return await self._exit
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            # A stop drains the server itself; whoever ends by a crash leaves nothing open.
            if self._server is not None and not self._stopping:
                await self._server.kill()
                self._server = None

    def _parts(self, image: Image) -> t.Iterator[t.Coroutine[t.Any, t.Any, None]]:
        if self._ends or self._pod["spec"].get("restartPolicy", "Always") != "Always":
            yield self._work(image)
            return
        if self._main:
            yield self._serve(image)
        else:
            yield self._serve_beside()
        yield ProbeWorker(self, self.address).run()

    async def _guarded(self, part: t.Coroutine[t.Any, t.Any, None]) -> None:
        try:
            await part
        except Exception:
            logger.exception("container %s of %s", self.state.name, self.where)

    def end(self, how: Exit) -> None:
        if self._exit is not None and not self._exit.done():
            self._exit.set_result(how)

    async def _work(self, image: Image) -> None:
        """An init container, or one of a Job: does what it is for, and ends."""
        await asyncio.sleep(INIT_SECONDS)
        crashes = not self._ends and t.cast("Behaviour", self._behaviour).does("crash")
        self.log.write(f"{image.service} {image.tag} {'cannot work' if crashes else 'is done'}")
        self.end(CRASHED if crashes else STOPPED)

    async def _serve_beside(self) -> None:
        """A sidecar answers whatever its probes ask."""
        if not self.spec.get("ports"):
            return
        app = web.Application()
        app.router.add_get("/{path:.*}", _well)
        self._server = Server(app, refuses=lambda _path: False)
        try:
            await self._server.start(self.address, served_ports(self.spec))
        except OSError as exc:
            self.log.write(f"Error: {exc}")
            self.end(CRASHED)

    async def _serve(self, image: Image) -> None:
        """The process: boots, then listens, or says why not and ends."""
        behaviour = t.cast("Behaviour", self._behaviour)
        try:
            await asyncio.sleep(behaviour.boot_seconds)
            if behaviour.does("crash"):
                self.log.write(f"Error: {image.service} {image.tag} cannot start: invalid state")
                self.end(CRASHED)
                return
            context = ContainerContext(
                env=dict(self.env or {}),
                pod_name=self._pod["metadata"]["name"],
                pod_ip=self.address,
                log=self.log.write,
                path=functools.partial(located, self.mounts),
                fault=behaviour.fault,
            )
            program = build if image.of_platform else stand_in
            app = program(image.service, self._node.context.registry.version(image), context)
            server = Server(app, refuses=self._refusal(behaviour))
            self._server = server
            more = () if image.of_platform else (METRICS_PORT,)
            await server.start(self.address, {*served_ports(self.spec), *more})
            self._listening, self._listening_since = True, time.monotonic()
        except ConfigurationError as exc:
            self.log.write(f"Error: {exc}")
            self.end(CRASHED)
        except Exception as exc:
            self.log.write(f"Error: {type(exc).__name__}: {exc}")
            self.end(CRASHED)

    def _refusal(self, behaviour: Behaviour) -> t.Callable[[str], bool]:
        """Which paths are refused: what the probes ask that the behaviour lets fail."""
        readiness = probes.parse_probe(self.spec.get("readinessProbe"), self.spec)
        liveness = probes.parse_probe(self.spec.get("livenessProbe"), self.spec)

        def refuses(path: str) -> bool:
            unready = (
                behaviour.does("unready")
                and readiness is not None
                and path in ("/health", readiness.path)
            )
            return unready or (
                liveness is not None and path == liveness.path and behaviour.of_image == "unhealthy"
            )

        return refuses

    @property
    def ports_of_pod(self) -> set[int]:
        """What all of its containers serve: they share one localhost."""
        return {port for spec in self._pod["spec"]["containers"] for port in served_ports(spec)}

    def stand_in(self, argv: list[str]) -> int | None:
        """The exit code of a program of a foreign image, as its health is: what a probe runs, and what is not here."""
        probes_ = (
            self.spec.get(f"{kind}Probe") or {} for kind in ("readiness", "liveness", "startup")
        )
        of_probe = any((probe.get("exec") or {}).get("command") == argv for probe in probes_)
        ours = images.parse_image(self.spec["image"]).of_platform
        if ours or not argv or not (of_probe or shutil.which(argv[0]) is None):
            return None
        return 0 if self.state.ready else 1

    @property
    def process_started(self) -> bool:
        return self._listening or not self._main

    def set_health(self, *, started: bool, ready: bool) -> None:
        if (started, ready) != (self.state.started, self.state.ready):
            self.state.started, self.state.ready = started, ready
            self._changed()

    def suffer(self, *, any_set: bool) -> None:
        """What its image or a fault does to it while it runs. `any_set`: whether any fault is set at all."""
        behaviour = self._behaviour
        if behaviour is None or not self._listening or not (any_set or behaviour.of_image):
            return
        if behaviour.does("crash"):
            self.log.write("Error: unexpected end")
            self.end(CRASHED)
        elif behaviour.does("oom") and time.monotonic() - self._listening_since > OOM_AFTER:
            self.end(OUT_OF_MEMORY)

    def kill_unhealthy(self, probe: str) -> None:
        name = self.state.name
        self.event("Normal", "Killing", f"Container {name} failed {probe} probe, will be restarted")
        # By SIGTERM, as at any other end: what takes it well ends with 0, seen on a real kubelet.
        self.end(STOPPED)

    def _record_exit(self, ended: Exit, started: float) -> None:
        self.state.ready = self.state.started = False
        state = status.terminated(ended.code, ended.reason, started=started, finished=time.time())
        self.show(state)

    async def _back_off(self, ran: float) -> None:
        self._crashes = 1 if ran > images.FORGOTTEN_AFTER else self._crashes + 1
        await asyncio.sleep(0.2)
        delay = images.restart_delay(self._crashes)
        if delay:
            name, span = self.state.name, images.words(delay)
            message = f"back-off {span} restarting failed container={name} pod={self.where}"
            self._to_last_state()
            self.show(status.waiting("CrashLoopBackOff", message))
            message = f"Back-off restarting failed container {name} in pod {self.where}"
            self.event("Warning", "BackOff", message)
            await asyncio.sleep(delay)
        self._to_last_state()
        self.state.restarts += 1

    def _to_last_state(self) -> None:
        if "terminated" in self.state.state:
            self.state.last_state = self.state.state

    async def stop(self, grace: float) -> None:
        """preStop, then SIGTERM, and SIGKILL when `grace` seconds are over."""
        deadline = time.monotonic() + grace
        if self._exit is not None and not self._exit.done():
            self.event("Normal", "Killing", f"Stopping container {self.state.name}")
            await self._pre_stop(grace)
        self._stopping = True
        ended = STOPPED
        if self._server is not None and not await self._server.drain(deadline - time.monotonic()):
            ended = KILLED
        self.log.close()
        self.end(ended)

    async def _pre_stop(self, grace: float) -> None:
        """The pod goes on serving meanwhile. A hook that fails or is too slow stops nothing."""
        hook = (self.spec.get("lifecycle") or {}).get("preStop") or {}
        if "sleep" in hook:
            await asyncio.sleep(min(grace, float(hook["sleep"]["seconds"])))
        elif "httpGet" in hook:
            probe = probes.parse_probe({**hook, "timeoutSeconds": max(1.0, grace)}, self.spec)
            failure = await probes.run_probe(t.cast("probes.Probe", probe), self.address)
            if failure is not None:
                self.event("Warning", "FailedPreStopHook", "PreStopHook failed")


def served_ports(spec: Object) -> list[int]:
    """Those that a container offers for TCP; what listens on others too says so nowhere."""
    offered = [port for port in spec.get("ports") or () if port.get("protocol") != "UDP"]
    return sorted({int(port["containerPort"]) for port in offered}) or [8080]


async def _well(_request: web.Request) -> web.Response:
    return web.Response(text="ok")
