# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask every pod at once which flags it runs. A pod without an answer never counts as running them.

A ConfigMap proves nothing about a process, so pods are asked themselves.

By an HTTP endpoint of the application or a command in its container, whose JSON says it; by `env`, which is all that a
process reads when it has its flags from the environment; or by the files of a volume, which prove only that
they are there to be read.
"""

from __future__ import annotations

import json
import typing as t
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from .._cluster import Clock, Cluster, Object
from .._errors import DeployError, InputError, RefusedError, UnreachableError
from .._formats import read_json
from .._rollout.models import Deployment, Pod
from .._rollout.observer import list_pods
from .._templates import search
from .._threads import side_by_side
from .._time import parse_time

ENVIRONMENT, VOLUME = "environment", "volume"
"""Whether a process has its flags since it started, or takes up what changes in a mounted ConfigMap."""

Values = t.Mapping[str, str]
_PRINT_FILES = (
    'cd "$1" || exit 1; shift; for name; do '
    '[ ! -e "$name" ] || printf "%s=%s\\n" "$name" "$(cat "$name")"; done'
)


@dataclass(frozen=True)
class FlagsProbe:
    """One of `http`, `command` and `files`, or none for `env`. `values`: JMESPath of the flags by name in the JSON."""

    http: t.Mapping[str, t.Any] | None = None
    command: tuple[str, ...] = ()
    files: str = ""
    values: str = "@"

    @classmethod
    def from_options(cls, options: t.Mapping[str, t.Any] | None) -> FlagsProbe:
        """Raises InputError."""
        given = options or {}
        http, command, files = given.get("http"), given.get("command"), given.get("files")
        if sum(map(bool, (http, command, files))) > 1:
            raise InputError(
                "'probe' has more than one of 'http', 'command' and 'files': leave the strongest, in this order."
            )
        values = given.get("values") or "@"
        search(values, {})
        if files and not files.startswith("/"):
            raise InputError(
                f"The 'files' of 'probe' are {files!r}: name the folder by its full path."
            )
        return cls(
            http=http or None,
            command=tuple(command or ()),
            files=(files or "").rstrip("/"),
            values=values,
        )

    @property
    def asks_environment(self) -> bool:
        return not (self.http or self.command or self.files)

    @property
    def weakness(self) -> str:
        """The limit of the probe's proof; "" for none."""
        if not self.files:
            return ""
        return (
            f"Pods were asked for the files in {self.files} alone, which does not prove that the application "
            "read them: give it an endpoint or a command that says what it runs, and name it in 'probe'."
        )

    def ask(self, cluster: Cluster, pod: str, container: str, names: t.Iterable[str]) -> Values:
        """The pod's values of `names`, and maybe of others. Raises a DeployError without an answer."""
        if self.http:
            path, tls = self.http["path"].lstrip("/"), self.http.get("scheme") == "https"
            answer = cluster.proxy(pod, self.http["port"], path, tls=tls)
            return self._parse(answer, f"GET /{path} of pod {pod}")
        if self.command:
            answer = cluster.execute(pod, container, self.command)
            return self._parse(answer, f"{self.command[0]!r} in pod {pod}")
        if self.files:
            script = ["sh", "-c", _PRINT_FILES, "sh", self.files, *names]
            return parse_environment(cluster.execute(pod, container, script))
        return parse_environment(cluster.execute(pod, container, ["env"]))

    def _parse(self, answer: str, what: str) -> Values:
        try:
            flags = search(self.values, read_json(answer))
        except ValueError:
            raise RefusedError(f"{what} answered no JSON") from None
        if not isinstance(flags, dict):
            raise RefusedError(f"{what} answered no flags by name at {self.values!r}")
        return {
            name: text for name, value in flags.items() if (text := _to_text(value)) is not None
        }


def to_probe(delivery: str, options: t.Mapping[str, t.Any] | None) -> FlagsProbe:
    """The probe of the options. Raises InputError where `env` would prove nothing."""
    probe = FlagsProbe.from_options(options)
    if delivery == VOLUME and probe.asks_environment:
        raise InputError(
            "Pods that have their flags from a volume must be asked what they run, and 'probe' is empty: name an "
            "endpoint or a command of the application, or, which proves less, the folder of the files."
        )
    return probe


def parse_environment(output: str) -> dict[str, str]:
    """The output of `env` by name. Of a multi-line value only the first line stays."""
    pairs = (line.partition("=") for line in output.splitlines())
    return {name: value for name, equals, value in pairs if equals}


def _to_text(value: t.Any) -> str | None:
    """The value as a ConfigMap stores it. A pod may report a percentage as 1 or 1.0."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return json.dumps(value)


REACHED, STALE, UNKNOWN, IDLE, ENDING = "reached", "stale", "unknown", "idle", "ending"
"""Runs with the wanted flags; runs with others; cannot be asked; runs nothing; gets no new requests and goes."""
RUNNING = (REACHED, STALE, UNKNOWN)

OVERDUE = timedelta(seconds=30)
"""Time after its grace period at which a pod that is still there counts as on a lost node."""
AT_ONCE = 8
PATIENCE = 5.0
"""Seconds to keep trying to reach one pod."""
LOOKS = 5
"""How often pods are listed again because one of them went away meanwhile."""
ENDED = ("Succeeded", "Failed")


@dataclass(frozen=True)
class PodState:
    """`at`: seconds from the task's start to this observation. `values`: the pod's values of the expected flags."""

    pod: str
    uid: str
    state: str
    ready: bool = False
    detail: str = ""
    values: t.Mapping[str, str | None] = field(default_factory=dict)
    at: float = 0.0
    version: str = ""
    annotated: bool = False
    deleting: bool = False
    """True of an overdue pod too, whose state is UNKNOWN."""

    @property
    def serves(self) -> bool:
        """Whether it gets new requests: a terminating pod gets none, however ready it still is."""
        return self.ready and not self.deleting

    def to_result(self) -> dict[str, t.Any]:
        return {
            "pod": self.pod,
            "state": self.state,
            "detail": self.detail,
            "seen": dict(self.values),
            "at": round(self.at, 2),
        }


def is_overdue(pod: Object, now: datetime) -> bool:
    """Whether it should have ended already: the API server writes down when its grace is over."""
    due = parse_time(pod["metadata"].get("deletionTimestamp") or "")
    return due is not None and now > due + OVERDUE


def differences(values: t.Mapping[str, str], expected: t.Mapping[str, str]) -> str:
    return "; ".join(
        f"{key} is {'unset' if key not in values else repr(values[key])} instead of {value!r}"
        for key, value in expected.items()
        if values.get(key) != value
    )


def container_of(deployment: Deployment) -> str:
    """The container that reads the flags: the one of the Deployment's name, else its first."""
    images = deployment.images
    return deployment.name if deployment.name in images else next(iter(images))


@dataclass
class Asker:
    """Asks the pods of one Deployment for the flags in `expected`. `started`: when the task began, on `clock`."""

    cluster: Cluster
    deployment: Deployment
    expected: t.Mapping[str, str]
    clock: Clock
    wall: t.Callable[[], datetime]
    started: float = 0.0
    probe: FlagsProbe = field(default_factory=FlagsProbe)

    def ask(self) -> list[PodState]:
        """The state of every pod of the selector. Raises the errors of listing them.

        Pods are listed again when one went away meanwhile: another takes its place.
        """
        states: list[PodState] = []
        for _look in range(LOOKS):
            listed = list_pods(self.cluster, self.deployment)
            pods = [body for body in listed if (body.get("status") or {}).get("phase") not in ENDED]
            answers = side_by_side(self._ask, pods, at_once=AT_ONCE)
            states = [state for state in answers if state is not None]
            if len(states) == len(answers):
                break
        return states

    def _ask(self, body: Object) -> PodState | None:
        """The state of one pod; None for a pod that went away meanwhile."""
        pod, container = Pod.from_json(body), container_of(self.deployment)

        def state_of(
            state: str, detail: str = "", values: t.Mapping[str, str | None] | None = None
        ) -> PodState:
            return PodState(
                pod.name,
                pod.uid,
                state,
                pod.ready,
                detail,
                values or {},
                at=self.clock.now() - self.started,
                version=body["metadata"].get("resourceVersion", ""),
                annotated=bool(body["metadata"].get("annotations")),
                deleting=pod.deleting,
            )

        if pod.deleting:
            if is_overdue(body, self.wall()):
                return state_of(UNKNOWN, "should have ended long ago: its node may be gone")
            return state_of(ENDING)
        status = next((status for status in pod.containers if status.name == container), None)
        if status is None or status.state != "running":
            reason = "not started" if status is None else status.reason or status.state
            return state_of(IDLE, f"runs nothing: {reason}")
        try:
            values = self._values(pod.name, container)
        except DeployError as exc:
            if exc.details.get("status") == 404 and _is_gone(self.cluster, pod):
                return None
            return state_of(UNKNOWN, f"cannot be asked: {exc}")
        wrong = differences(values, self.expected)
        relevant = {key: values.get(key) for key in self.expected}
        return state_of(STALE if wrong else REACHED, wrong, relevant)

    def _values(self, pod: str, container: str) -> t.Mapping[str, t.Any]:
        """The pod's answer, with one retry: a lost answer may take longer than the patience with a pod."""
        try:
            return self.probe.ask(self._patient(), pod, container, self.expected)
        except UnreachableError:
            return self.probe.ask(self._patient(), pod, container, self.expected)

    def _patient(self) -> Cluster:
        return self.cluster.until(self.clock.now() + PATIENCE)


def _is_gone(cluster: Cluster, pod: Pod) -> bool:
    """Its application may say 404 too."""
    bodies = cluster.list_objects("Pod", field_selector=f"metadata.name={pod.name}")
    return all(body["metadata"]["uid"] != pod.uid for body in bodies)
