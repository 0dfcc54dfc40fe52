# SPDX-License-Identifier: GPL-3.0-or-later
"""A container's process: its environment, its logs, and a web application on its pod's address that ends gracefully."""

from __future__ import annotations

import asyncio
import base64
import re
import time
import typing as t
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime

from aiohttp import web

from sandbox.ports import listening

Object = dict[str, t.Any]

Objects = t.Mapping[tuple[str, str], Object]
"""What there is in the pod's namespace, by (`configmaps` or `secrets`, name)."""

_VARIABLE = re.compile(r"\$(\$|\((?P<name>[A-Za-z_.-][A-Za-z0-9_.-]*)\))")
_ENV_NAME = re.compile(r"[-._a-zA-Z][-._a-zA-Z0-9]*")
_SUBSCRIPT = re.compile(r"metadata\.(labels|annotations)\['(.+)'\]")
_KINDS = {"configmaps": ("configmap", "ConfigMap"), "secrets": ("secret", "Secret")}


class ConfigError(Exception):
    """CreateContainerConfigError, in the kubelet's words."""


def references(container: Object) -> set[tuple[str, str]]:
    named: set[tuple[str, str]] = set()
    for source in container.get("envFrom") or ():
        for field, kind in (("configMapRef", "configmaps"), ("secretRef", "secrets")):
            if field in source:
                named.add((kind, source[field]["name"]))
    for entry in container.get("env") or ():
        source = entry.get("valueFrom") or {}
        for field, kind in (("configMapKeyRef", "configmaps"), ("secretKeyRef", "secrets")):
            if field in source:
                named.add((kind, source[field]["name"]))
    return named


def resolve(container: Object, pod: Object, objects: Objects) -> dict[str, str]:
    """The variables: envFrom in order, then env in order; a later one of the same name wins."""
    env: dict[str, str] = {}
    for source in container.get("envFrom") or ():
        env.update(_from_source(source, objects))
    for entry in container.get("env") or ():
        value = _value(entry, pod, env, objects)
        if value is not None:
            env[entry["name"]] = value
    return env


def _from_source(source: Object, objects: Objects) -> dict[str, str]:
    for field, resource in (("configMapRef", "configmaps"), ("secretRef", "secrets")):
        if field in source:
            obj = _found(resource, source[field], objects)
            data = _texts(resource, obj) if obj else {}
            prefix = source.get("prefix", "")
            named = {f"{prefix}{name}": value for name, value in data.items()}
            # A key that cannot be a variable is skipped, not refused.
            return {name: value for name, value in named.items() if _ENV_NAME.fullmatch(name)}
    return {}


def _found(resource: str, reference: Object, objects: Objects) -> Object | None:
    obj = objects.get((resource, reference["name"]))
    if obj is None and not reference.get("optional"):
        raise ConfigError(f'{_KINDS[resource][0]} "{reference["name"]}" not found')
    return obj


def _texts(resource: str, obj: Object) -> dict[str, str]:
    data = obj.get("data") or {}
    if resource == "configmaps":
        return dict(data)
    return {name: base64.b64decode(value).decode(errors="replace") for name, value in data.items()}


def _value(entry: Object, pod: Object, env: t.Mapping[str, str], objects: Objects) -> str | None:
    source = entry.get("valueFrom")
    if not source:
        return _expanded(entry.get("value", ""), env)
    for field, resource in (("configMapKeyRef", "configmaps"), ("secretKeyRef", "secrets")):
        if field in source:
            return _key(resource, source[field], pod, objects)
    if "fieldRef" in source:
        return field_value(source["fieldRef"]["fieldPath"], pod)
    return ""


def _key(resource: str, reference: Object, pod: Object, objects: Objects) -> str | None:
    obj = _found(resource, reference, objects)
    value = _texts(resource, obj).get(reference["key"]) if obj else None
    if value is None and not reference.get("optional"):
        where = f"{pod['metadata']['namespace']}/{reference['name']}"
        kind = _KINDS[resource][1]
        raise ConfigError(f"couldn't find key {reference['key']} in {kind} {where}")
    return value


def field_value(path: str, pod: Object) -> str:
    """A fieldRef: `metadata.name`, `metadata.labels['app']`, `status.podIP`, `spec.nodeName`, ..."""
    subscript = _SUBSCRIPT.fullmatch(path)
    if subscript:
        entries = pod["metadata"].get(subscript[1]) or {}
        return str(entries.get(subscript[2], ""))
    value: t.Any = pod
    for part in path.split("."):
        value = value.get(part, "") if isinstance(value, dict) else ""
    return str(value)


def _expanded(value: str, env: t.Mapping[str, str]) -> str:
    """`$(NAME)` of a variable defined before; `$$` is one dollar; unknown names stay as they are."""

    def replace(match: re.Match[str]) -> str:
        name = match["name"]
        if name is None:
            return "$"
        return env.get(name, match[0])

    return _VARIABLE.sub(replace, value)


MOST_LINES = 2000
LONGEST_LINE = 4096


class Line(t.NamedTuple):
    at: float
    number: int
    text: str


class ContainerLog:
    def __init__(self, clock: t.Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._lines: deque[Line] = deque(maxlen=MOST_LINES)
        self._written = 0
        self._changed = asyncio.Event()
        self.closed = False

    def write(self, text: str) -> None:
        for line in text.splitlines() or [""]:
            self._written += 1
            self._lines.append(Line(self._clock(), self._written, line[:LONGEST_LINE]))
        self._notify()

    def close(self) -> None:
        self.closed = True
        self._notify()

    def _notify(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def lines(self, after: int = 0) -> list[Line]:
        return [line for line in self._lines if line.number > after]

    async def wait(self) -> None:
        """Until something was written since this was called, or the log was closed."""
        await self._changed.wait()


@dataclass(frozen=True)
class LogOptions:
    tail: int | None = None
    since_seconds: int | None = None
    limit_bytes: int | None = None
    timestamps: bool = False
    follow: bool = False
    previous: bool = False

    @classmethod
    def of(cls, query: t.Mapping[str, str]) -> LogOptions:
        """From the API's query; ValueError when a number is none or negative."""
        return cls(
            tail=_number(query, "tailLines"),
            since_seconds=_number(query, "sinceSeconds"),
            limit_bytes=_number(query, "limitBytes"),
            timestamps=query.get("timestamps") == "true",
            follow=query.get("follow") == "true",
            previous=query.get("previous") == "true",
        )


def _number(query: t.Mapping[str, str], name: str) -> int | None:
    if name not in query:
        return None
    value = int(query[name])
    if value < 0:
        raise ValueError(f"{name} must not be negative, was {value}")
    return value


def chosen(lines: t.Sequence[Line], options: LogOptions, now: float) -> list[Line]:
    """What is shown of the lines there are: the recent ones, then the last ones."""
    if options.since_seconds is not None:
        lines = [line for line in lines if line.at >= now - options.since_seconds]
    if options.tail is not None:
        lines = lines[max(0, len(lines) - options.tail) :]
    return list(lines)


def rendered(line: Line, options: LogOptions) -> bytes:
    stamp = ""
    if options.timestamps:
        moment = datetime.fromtimestamp(line.at, UTC)
        stamp = moment.strftime("%Y-%m-%dT%H:%M:%S.%f") + "000Z "
    return f"{stamp}{line.text}\n".encode()


# A request that was routed here before the endpoint went may still arrive after SIGTERM.
DRAIN_SECONDS = 0.3


class Server:
    """Serves `app`, but for the paths that it `refuses`.

    After `drain` begins every answer asks the client to close the connection.
    """

    def __init__(self, app: web.Application, *, refuses: t.Callable[[str], bool]) -> None:
        self._app = app
        self._draining = False
        self._refuses = refuses
        self._runner: web.AppRunner | None = None
        app.middlewares.insert(0, self._guard())
        app.on_response_prepare.append(self._before_answer)

    def _guard(self) -> t.Any:
        @web.middleware
        async def guard(
            request: web.Request,
            handler: t.Callable[[web.Request], t.Awaitable[web.StreamResponse]],
        ) -> web.StreamResponse:
            if self._refuses(request.path):
                return web.json_response({"status": "fail"}, status=503)
            return await handler(request)

        return guard

    async def _before_answer(self, _request: web.Request, response: web.StreamResponse) -> None:
        if self._draining:
            response.force_close()

    async def start(self, address: str, ports: t.Iterable[int]) -> None:
        """Listen. Anything the application raises in its start-up, and OSError, comes through."""
        self._runner = web.AppRunner(
            self._app, access_log=None, handle_signals=False, shutdown_timeout=60
        )
        await self._runner.setup()
        for port in ports:
            await web.TCPSite(self._runner, address, listening(port), backlog=128).start()

    async def drain(self, grace: float) -> bool:
        """Stop accepting, finish what is in flight within `grace` seconds. False: it was cut off."""
        if self._runner is None:
            return True
        self._draining = True
        await asyncio.sleep(min(DRAIN_SECONDS, max(0.0, grace)))
        try:
            async with asyncio.timeout(max(0.1, grace - DRAIN_SECONDS)):
                await self._runner.cleanup()
        except TimeoutError:
            await self.kill()
            return False
        return True

    async def kill(self) -> None:
        """End at once, as SIGKILL does: open connections break."""
        runner, self._runner = self._runner, None
        if runner is None:
            return
        for site in list(runner.sites):
            await site.stop()
        server = runner.server
        if server is not None:
            for connection in server.connections:
                if connection.transport is not None:
                    connection.transport.abort()
            await server.shutdown(0)
        await self._app.cleanup()
