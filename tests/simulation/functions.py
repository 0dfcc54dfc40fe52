"""A Supabase project: the sandbox's Management API and gateway, their handlers called instead of served.

Of their own here are what they keep, in memory, and the programs: none runs, and what one would answer stands in its
sources.
"""

import asyncio
import functools
import typing as t
from pathlib import Path
from unittest import mock
from urllib.parse import urlencode

from aiohttp import StreamReader, web
from aiohttp.payload import Payload
from aiohttp.test_utils import make_mocked_request
from multidict import CIMultiDict
from prometheus_client import CollectorRegistry

from sandbox.supabase.client import Source, encode, read_functions
from sandbox.supabase.functions import MAX_UPLOAD, Function, Upload
from sandbox.supabase.gateway import FunctionsGateway, refused
from sandbox.supabase.management import FunctionsApi, ProjectApi
from sandbox.supabase.runtime import BundleError, Runtime
from sandbox.supabase.server import Admission
from sandbox.supabase.store import Store

from .control_plane import NoFaults, finished
from .platform import OLD, VERSION
from .scheduler import sender_of
from .web import Answered, Asked
from .world import World

REF, TOKEN = "abcdefghijklmnopqrst", f"sbp_{'0' * 40}"
API, GATEWAY = "api.supabase.com", f"{REF}.supabase.co"
_LIST = f"/v1/projects/{REF}/functions"
CONNECTION = {"api_url": f"https://{API}", "project_ref": REF, "access_token": TOKEN}
FUNCTIONS_URL = f"https://{GATEWAY}/functions/v1"
CHECKOUT = Path(__file__).parent / "checkout"
OTHERS = "legacy"
"""A function that no release knows."""


class Written(t.NamedTuple):
    """One function before and after. `by`: the process, "" for what stood before all, `late` for nobody who waits."""

    at: float
    by: str
    slug: str
    before: Function | None
    after: Function | None


class Project:
    """Of a plan's functions before the release: `old` ones, `absent`, the `same`, with the JWT switch `turned` on, and
    old ones whose new sources do not start (`ill`) or do not bundle (`refused`)."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.wanted = world.plan.functions
        self.store = _Kept(self._written)
        self.writes: list[Written] = []
        self.observers: list[t.Callable[[Written], None]] = []
        self.looked: dict[str, float] = {}
        """When each process was told last which functions there are."""
        self.staged: dict[str, float] = {}
        """The same, as it was when it last sent a bundle."""
        self.checked: dict[str, float] = {}
        """When it looked first since its last bundle."""
        faults, programs = NoFaults(), t.cast("Runtime", _Programs(self))
        management = web.Application(
            middlewares=[Admission(faults, TOKEN, REF).middleware], client_max_size=MAX_UPLOAD
        )
        management.add_routes(FunctionsApi(self.store, programs, faults, REF).routes())
        # Of the project it has the secrets alone.
        none: t.Any = None
        management.add_routes(ProjectApi(self.store, programs, none, none).routes())
        gateway = web.Application()
        gateway.add_routes(_Gateway(self, programs).routes())
        for host, application in ((API, management), (GATEWAY, gateway)):
            application.freeze()
            world.sites[host] = functools.partial(self._answer, application)
        for source in (*sources(OLD), _others("1")):
            before = self.wanted.get(source.slug, "old")
            if before != "absent":
                given = current(source.slug) if before == "same" else source
                self.deploy(given, verify_jwt=before == "turned")

    def deploy(self, source: Source, *, verify_jwt: bool = False) -> int:
        """As the Supabase CLI does one function: bundled and activated by one call. Returns the status."""
        body, content_type = encode(source, verify_jwt=verify_jwt)
        return self._call("POST", f"deploy?slug={source.slug}", body, content_type)

    def delete(self, slug: str) -> int:
        return self._call("DELETE", slug)

    def is_new(self, function: Function | None, slug: str) -> bool:
        """Whether it is what the release has of it."""
        return function is not None and function.ezbr_sha256 == _digest(current(slug))

    def starts(self, function: Function) -> bool:
        return not (
            self.wanted.get(function.slug) == "ill" and self.is_new(function, function.slug)
        )

    def _call(self, method: str, place: str, body: bytes = b"", content_type: str = "") -> int:
        path, _mark, query = f"{_LIST}/{place}".partition("?")
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": content_type}
        told = dict([query.split("=")]) if query else {}
        return self._world.sites[API](Asked(method, path, told, headers, body)).status

    def _answer(self, application: web.Application, asked: Asked) -> Answered:
        process = self._world.scheduler.process
        if process:
            self._asks(process.name, asked)
        with self._world.serving():
            response = finished(application._handle(_request(application, asked)))
            body = response.body
            if isinstance(body, Payload):
                body = finished(body.as_bytes())
        return Answered(response.status, bytes(body or b""), dict(response.headers))

    def _asks(self, by: str, asked: Asked) -> None:
        if (asked.method, asked.path) == ("GET", _LIST):
            self.looked[by] = self._world.scheduler.now
            self.checked.setdefault(by, self.looked[by])
        elif asked.method == "POST":
            self.staged[by] = self.looked.get(by, 0.0)
            self.checked.pop(by, None)

    def _written(self, before: t.Mapping[str, Function], after: t.Mapping[str, Function]) -> None:
        process = self._world.scheduler.process
        by = sender_of(process) if process or self._world.began else ""
        for slug in sorted({*before} | {*after}):
            if before.get(slug) != after.get(slug):
                told = Written(
                    self._world.scheduler.now, by, slug, before.get(slug), after.get(slug)
                )
                self.writes.append(told)
                version = told.after.version if told.after else "gone"
                self._world.say(f"{by or 'before'}: function {slug} is {version}")
                for observer in self.observers:
                    observer(told)


class _Kept(Store):
    """In memory."""

    def __init__(self, written: t.Callable[[t.Any, t.Any], None]) -> None:
        self.functions: dict[str, Function] = {}
        self.secrets = {}
        self._known: t.Mapping[str, Function] = {}
        self._uploads: dict[str, Upload] = {}
        self._told = written

    def save_secrets(self, secrets: dict[str, dict[str, str]]) -> None:
        self.secrets = secrets

    def save_sources(self, upload: Upload) -> None:
        self._uploads[upload.digest] = upload

    def read_sources(self, function: Function) -> dict[str, bytes]:
        return dict(self._uploads[function.ezbr_sha256].files)

    def _write_functions(self) -> None:
        before, self._known = self._known, self.functions
        self._told(before, self.functions)


class _Programs:
    """The sandbox's Runtime, as far as the Management API asks it."""

    def __init__(self, project: Project) -> None:
        self._project = project

    async def refresh(self) -> None:
        """Their secrets are new."""

    async def stage(self, function: Function) -> None:
        slug = function.slug
        if self._project.wanted.get(slug) == "refused" and self._project.is_new(function, slug):
            raise BundleError("The module's source code could not be parsed")

    async def activate(self, activated: t.Sequence[Function]) -> None:
        self._project.store.save_functions(activated)

    def remove(self, _slug: str) -> None:
        """Nothing runs."""


class _Gateway(FunctionsGateway):
    def __init__(self, project: Project, programs: Runtime) -> None:
        super().__init__(project.store, programs, NoFaults(), CollectorRegistry(), "secret")
        self._project = project

    async def _answer(self, request: web.Request, function: Function) -> web.StreamResponse:
        if function.verify_jwt:
            self._check_token(request)
        if not self._project.starts(function):
            raise refused(503, "BOOT_ERROR", "Function failed to start (please check logs)")
        text = b" ".join(self._project.store.read_sources(function).values())
        version = next((one for one in (OLD, VERSION) if one.encode() in text), "")
        return web.json_response({"status": "healthy", **({"version": version} if version else {})})


@functools.cache
def sources(version: str = VERSION) -> tuple[Source, ...]:
    """Of the checkout as it was at that version."""
    return tuple(
        Source(
            one.slug,
            one.entrypoint_path,
            one.import_map_path,
            {
                path: content.replace(VERSION.encode(), version.encode())
                for path, content in one.files.items()
            },
        )
        for one in read_functions(CHECKOUT)
    )


def current(slug: str) -> Source:
    return next(one for one in sources() if one.slug == slug)


def by_hand(slug: str, text: str) -> Source:
    """What somebody made of it."""
    path = f"supabase/functions/{slug}/index.ts"
    return Source(slug, path, "", {path: f'Deno.serve(() => new Response("{text}"));\n'.encode()})


def _others(text: str) -> Source:
    return by_hand(OTHERS, text)


def _digest(source: Source) -> str:
    return Upload(source.entrypoint_path, source.import_map_path, files=source.files).digest


@functools.cache
def _loop() -> asyncio.AbstractEventLoop:
    """Never runs: what is asked of it is done at once, or not at all."""
    return asyncio.new_event_loop()


def _request(application: web.Application, asked: Asked) -> web.Request:
    body = StreamReader(mock.Mock(_reading_paused=False), MAX_UPLOAD, loop=_loop())
    body.feed_data(asked.body)
    body.feed_eof()
    path = f"{asked.path}?{urlencode(asked.query)}" if asked.query else asked.path
    headers = CIMultiDict({**asked.headers, "Content-Length": str(len(asked.body))})
    return make_mocked_request(
        asked.method, path, headers, payload=body, app=application, loop=_loop()
    )
