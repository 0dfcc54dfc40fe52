# SPDX-License-Identifier: GPL-3.0-or-later
"""What all services have in common: log lines, health, counted requests, errors as JSON, start-up line."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
import typing as t
from dataclasses import dataclass, field

from aiohttp import web
from prometheus_client import CollectorRegistry

from sandbox.metrics import HttpMetrics, page

if t.TYPE_CHECKING:
    from sandbox.services import ContainerContext


class Log:
    def __init__(self, write: t.Callable[[str], None]) -> None:
        self._write = write

    def line(self, text: str) -> None:
        self._write(text)

    def info(self, event: str, **fields: object) -> None:
        self._write(render("INFO", event, fields))

    def warning(self, event: str, **fields: object) -> None:
        self._write(render("WARNING", event, fields))

    def error(self, event: str, **fields: object) -> None:
        self._write(render("ERROR", event, fields))


def render(level: str, event: str, fields: t.Mapping[str, object]) -> str:
    return " ".join((level, event, *(f"{key}={_value(value)}" for key, value in fields.items())))


def masked(number: str) -> str:
    """A telephone number as logs may have it: the last four digits."""
    return f"***{number[-4:]}"


def described(exc: BaseException) -> str:
    """An exception as one short text; some have no message at all."""
    return f"{type(exc).__name__}: {exc}".splitlines()[0].removesuffix(": ")


def _value(value: object) -> str:
    text = str(value)
    plain = text and not any(letter.isspace() or letter in '"=' for letter in text)
    return text if plain else json.dumps(text, ensure_ascii=False)


REMEMBER_SECONDS = 2.0
TIMEOUT_SECONDS = 2.0
# Slow is not down: while everything is slow, taking pods away would make the rest slower still.
PATIENCE_SECONDS = 10.0


@dataclass(frozen=True)
class Check:
    name: str
    probe: t.Callable[[], t.Awaitable[None]]
    """Returns when the dependency answers as it should; raises otherwise."""
    required: bool = True
    """False: the service can work without it, so a failure is told but it stays ready."""


@dataclass(frozen=True)
class Report:
    errors: t.Mapping[Check, str] = field(default_factory=dict)
    """By check what is wrong; empty: nothing."""

    @property
    def status(self) -> t.Literal["ok", "degraded", "fail"]:
        failed = [check for check, error in self.errors.items() if error]
        if any(check.required for check in failed):
            return "fail"
        return "degraded" if failed else "ok"

    @property
    def http_status(self) -> int:
        return 503 if self.status == "fail" else 200

    def to_dict(self) -> dict[str, dict[str, str]]:
        return {
            check.name: {"status": "fail", "error": error} if error else {"status": "ok"}
            for check, error in self.errors.items()
        }


class Health:
    """Asks all checks at once; callers at the same moment share one asking."""

    def __init__(
        self, checks: t.Sequence[Check], clock: t.Callable[[], float] = time.monotonic
    ) -> None:
        self._checks = checks
        self._clock = clock
        self._asking = asyncio.Lock()
        self._last_ok = {check.name: float("-inf") for check in checks}
        self._reported_at = float("-inf")
        self._report = Report()

    async def report(self) -> Report:
        async with self._asking:
            if self._clock() - self._reported_at >= REMEMBER_SECONDS:
                results = await asyncio.gather(*(self._ask(check) for check in self._checks))
                self._report = Report(dict(zip(self._checks, results, strict=True)))
                self._reported_at = self._clock()
            return self._report

    async def _ask(self, check: Check) -> str:
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                await check.probe()
        except TimeoutError:
            if self._clock() - self._last_ok[check.name] < PATIENCE_SECONDS:
                return ""
            return f"no answer within {TIMEOUT_SECONDS:g} s"
        except Exception as exc:
            return described(exc)
        self._last_ok[check.name] = self._clock()
        return ""


# The kubelet's questions and the scraper's are not traffic; the public health page is.
FORWARDED = "X-Forwarded-For"

Handler = t.Callable[[web.Request], t.Awaitable[web.StreamResponse]]


@dataclass(frozen=True)
class Service:
    name: str
    version: str
    context: ContainerContext
    log: Log
    registry: CollectorRegistry = field(
        default_factory=lambda: CollectorRegistry(auto_describe=False)
    )

    @classmethod
    def of(cls, name: str, version: str, context: ContainerContext) -> Service:
        return cls(name, version, context, Log(context.log))

    @property
    def env(self) -> t.Mapping[str, str]:
        return self.context.env


def application(
    service: Service,
    routes: t.Iterable[web.AbstractRouteDef] = (),
    checks: t.Sequence[Check] = (),
    resources: t.Sequence[t.Any] = (),
    *,
    everywhere: bool = False,
) -> web.Application:
    """The web application of `service`: its own routes beside the ones that all have, or its health at every path."""
    health = Health(checks)

    async def answer_health(_request: web.Request) -> web.Response:
        report = await health.report()
        body: dict[str, object] = {
            "status": report.status,
            "service": service.name,
            "version": service.version,
        }
        if checks:
            body["checks"] = report.to_dict()
        return web.json_response(body, status=report.http_status)

    async def answer_metrics(_request: web.Request) -> web.Response:
        return page(service.registry)

    async def lifetime(_app: web.Application) -> t.AsyncIterator[None]:
        title = service.name.replace("-", " ").title()
        service.log.line(f"{title} v{service.version} started successfully")
        yield
        for resource in resources:
            await resource.close()

    app = web.Application(middlewares=[_counted(service)])
    app.router.add_get("/health", answer_health)
    app.router.add_get("/livez", _alive)
    app.router.add_get("/metrics", answer_metrics)
    app.add_routes(routes)
    if everywhere:
        app.router.add_route("*", "/{path:.*}", answer_health)
    app.cleanup_ctx.append(lifetime)
    return app


@contextlib.asynccontextmanager
async def beside(work: t.Coroutine[t.Any, t.Any, None]) -> t.AsyncIterator[None]:
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def _alive(_request: web.Request) -> web.Response:
    return web.json_response({"status": "ok"})


def _is_traffic(request: web.Request) -> bool:
    if request.path == "/health":
        return FORWARDED in request.headers
    probe = request.headers.get("User-Agent", "").startswith("kube-probe")
    return not probe and request.path not in ("/livez", "/metrics")


def _counted(service: Service) -> t.Any:
    metrics = HttpMetrics(service.registry, service.name)
    # Known from the start, as Prometheus asks for: a rate over them is zero and not missing.
    metrics.requests.labels(service.name, "GET", "200")

    @web.middleware
    async def count(request: web.Request, handler: Handler) -> web.StreamResponse:
        if not _is_traffic(request):
            return await handler(request)
        started = time.perf_counter()
        response = await _answered(service, request, handler)
        seconds = time.perf_counter() - started
        metrics.observe(method=request.method, status=response.status, seconds=seconds)
        return response

    return count


async def _answered(service: Service, request: web.Request, handler: Handler) -> web.StreamResponse:
    """The handler's answer; what it raises becomes JSON, the unexpected also an ERROR line."""
    try:
        return await handler(request)
    except RequestError as exc:
        return web.json_response({"error": str(exc)}, status=exc.status)
    except web.HTTPException as exc:
        return web.json_response({"error": exc.reason}, status=exc.status)
    except Exception as exc:
        service.log.error("request failed", path=request.path, error=described(exc))
        body = {"error": f"{service.name} could not answer: {type(exc).__name__}"}
        return web.json_response(body, status=500)


class RequestError(Exception):
    """What the caller did wrong, as one sentence, with the status to answer."""

    def __init__(self, sentence: str, status: int = 400) -> None:
        super().__init__(sentence)
        self.status = status


async def json_object(request: web.Request) -> dict[str, t.Any]:
    try:
        body = json.loads(await request.read())
    except ValueError:
        raise RequestError("The body is not JSON.") from None
    if not isinstance(body, dict):
        raise RequestError("The body must be a JSON object.")
    return body


def text_field(body: t.Mapping[str, t.Any], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value.strip():
        raise RequestError(f"{name!r} must be a text that is not empty.")
    return value
