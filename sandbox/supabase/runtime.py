# SPDX-License-Identifier: GPL-3.0-or-later
"""Which worker answers for which function, and how one takes over from another without a lost request.

A worker is one Deno process that serves one version of one function, with no more rights than it needs.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import sys
import typing as t
from collections import deque
from dataclasses import dataclass
from pathlib import Path

from sandbox.processes import RUN_VARIABLE, setpriv
from sandbox.supabase.functions import Function
from sandbox.supabase.settings import Settings
from sandbox.supabase.store import FunctionLogs, LogLine, Store

BOOT_SECONDS = 15.0
DRAIN_SECONDS = 20.0
LISTENING = re.compile(rb"Listening on (http://127\.0\.0\.1:[0-9]+)/")
# What Deno prefixes to an exception of the program; every other error is of its module graph.
UNCAUGHT = "error: Uncaught"


class BundleError(Exception):
    """The sources don't make a program: a syntax error or a missing import, in Deno's words."""


class BootError(Exception):
    """The program does not come to listen: it threw, ended, or took too long."""


@dataclass(frozen=True)
class Program:
    slug: str
    folder: Path
    entrypoint: str
    import_map: str
    environment: t.Mapping[str, str]


def command(deno: str, program: Program) -> list[str]:
    """Loopback and the named variables are all it may reach; nothing is fetched or asked."""
    import_map = [f"--import-map={program.import_map}"] if program.import_map else []
    return [
        *setpriv(),
        deno,
        "run",
        "--no-prompt",
        "--no-config",
        "--no-lock",
        "--no-remote",
        "--no-npm",
        *import_map,
        "--allow-net=127.0.0.1,localhost",
        f"--allow-env={','.join(sorted(program.environment))}",
        program.entrypoint,
    ]


class Worker:
    """Started once, serves until drained, ends when its last request is answered."""

    def __init__(self, program: Program, log: t.Callable[[str, bool], None]) -> None:
        """`log` takes each line that the program writes, and whether it is an error's."""
        self.program = program
        self.url = ""
        self._log = log
        self._process: asyncio.subprocess.Process | None = None
        self._listening: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._last_errors: deque[str] = deque(maxlen=20)
        self._tasks: list[asyncio.Task[None]] = []
        self._in_flight = 0
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.returncode is None

    async def start(self, deno: str, cache: Path) -> None:
        """Returns when it listens; raises BundleError or BootError."""
        self._process = await asyncio.create_subprocess_exec(
            *command(deno, self.program),
            cwd=self.program.folder,
            env={
                **self.program.environment,
                "PATH": os.environ["PATH"],
                "HOME": str(self.program.folder),
                "DENO_DIR": str(cache),
                "DENO_NO_UPDATE_CHECK": "1",
                "DENO_SERVE_ADDRESS": "tcp:127.0.0.1:0",
                "NO_COLOR": "1",
                RUN_VARIABLE: os.environ.get(RUN_VARIABLE, ""),
            },
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        self._tasks = [
            asyncio.create_task(self._read(self._process.stdout, is_error=False)),
            asyncio.create_task(self._read(self._process.stderr, is_error=True)),
        ]
        ended = asyncio.create_task(self._process.wait())
        await asyncio.wait(
            (self._listening, ended), timeout=BOOT_SECONDS, return_when=asyncio.FIRST_COMPLETED
        )
        ended.cancel()
        if self._listening.done():
            self.url = self._listening.result()
            return
        await self.end()
        raise self._failure()

    def _failure(self) -> Exception:
        text = "\n".join(self._last_errors).replace(f"file://{self.program.folder}", "file://")
        if "error: " in text and UNCAUGHT not in text:
            return BundleError(text.partition("error: ")[2])
        return BootError(text or "the program ended or did not listen in time")

    async def _read(self, stream: asyncio.StreamReader | None, *, is_error: bool) -> None:
        assert stream is not None  # noqa: S101
        while line := await _line(stream):
            if is_error and (match := LISTENING.search(line)) and not self._listening.done():
                self._listening.set_result(match[1].decode())
                continue
            text = line.decode(errors="replace").rstrip()
            if is_error:
                self._last_errors.append(text)
            self._log(text, is_error)

    @contextlib.contextmanager
    def serving(self) -> t.Iterator[str]:
        """While entered, the worker is not ended; gives its address."""
        self._in_flight += 1
        self._idle.clear()
        try:
            yield self.url
        finally:
            self._in_flight -= 1
            if self._in_flight == 0:
                self._idle.set()

    async def drain(self) -> None:
        """End it after its last answer, at the latest after DRAIN_SECONDS."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._idle.wait(), DRAIN_SECONDS)
        await self.end()

    async def end(self) -> None:
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def _line(stream: asyncio.StreamReader) -> bytes:
    """The next line, or what fits of a longer one."""
    try:
        return await stream.readuntil(b"\n")
    except asyncio.IncompleteReadError as exc:
        return exc.partial
    except asyncio.LimitOverrunError as exc:
        return await stream.read(exc.consumed)


STAGED_SECONDS = 120.0


class Runtime:
    def __init__(self, settings: Settings, store: Store, logs: FunctionLogs) -> None:
        self._settings = settings
        self._store = store
        self._logs = logs
        self._deno = shutil.which("deno") or "deno"
        self._live: dict[str, Worker] = {}
        self._staged: dict[tuple[str, str], Worker] = {}
        self._booting: dict[str, asyncio.Lock] = {}
        self._background: set[asyncio.Task[None]] = set()

    async def stage(self, function: Function) -> None:
        """Boot what was uploaded, unseen by requests; raises BundleError when it makes no program.

        A program that boots badly is a valid bundle, as on the platform: only its requests fail.
        """
        key = (function.slug, function.ezbr_sha256)
        if (waiting := self._staged.get(key)) and waiting.alive:
            return
        worker = self._worker(function)
        with contextlib.suppress(BootError):
            await worker.start(self._deno, self._settings.deno_cache)
            self._staged[key] = worker
            self._spawn(self._forget(key, worker))

    async def activate(self, functions: t.Sequence[Function]) -> None:
        """All workers first, then all routes in one step of the event loop; the old ones drain."""
        for function in functions:
            await self.stage(function)
        self._store.save_functions(functions)
        for function in functions:
            replaced = self._live.pop(function.slug, None)
            if worker := self._staged.pop((function.slug, function.ezbr_sha256), None):
                self._live[function.slug] = worker
            if replaced:
                self._spawn(replaced.drain())

    async def refresh(self) -> None:
        """Give every function new workers, because the secrets they were started with changed."""
        for worker in self._staged.values():
            self._spawn(worker.drain())
        self._staged.clear()
        await self.activate([f for f in self._store.functions.values() if f.slug in self._live])

    def remove(self, slug: str) -> None:
        if worker := self._live.pop(slug, None):
            self._spawn(worker.drain())

    def retire(self, slug: str, worker: Worker) -> None:
        """Give it no more requests."""
        if self._live.get(slug) is worker:
            self.remove(slug)

    def live(self, slug: str) -> Worker | None:
        """The worker that answers now; None when it must be booted first."""
        worker = self._live.get(slug)
        return worker if worker and worker.alive else None

    async def boot(self, function: Function) -> Worker:
        """The function's worker, started anew when it has died; raises BundleError or BootError."""
        async with self._booting.setdefault(function.slug, asyncio.Lock()):
            if worker := self.live(function.slug):
                return worker
            worker = self._worker(function)
            await worker.start(self._deno, self._settings.deno_cache)
            self._live[function.slug] = worker
            return worker

    async def close(self) -> None:
        workers = (*self._live.values(), *self._staged.values())
        for task in self._background:
            task.cancel()
        await asyncio.gather(*(worker.end() for worker in workers))

    def _worker(self, function: Function) -> Worker:
        secrets = {name: entry["value"] for name, entry in self._store.secrets.items()}
        program = Program(
            slug=function.slug,
            folder=self._store.source_folder(function.ezbr_sha256),
            entrypoint=function.entrypoint_path,
            import_map=function.import_map_path,
            environment=secrets | self._settings.function_environment(),
        )
        return Worker(program, lambda text, is_error: self.log(function, text, is_error=is_error))

    def log(self, function: Function, message: str, *, is_error: bool) -> None:
        level: t.Literal["log", "error"] = "error" if is_error else "log"
        self._logs.add(LogLine(function.id, function.slug, level, message))
        sys.stdout.write(f"{function.slug} v{function.version} {level}: {message}\n")
        sys.stdout.flush()

    async def _forget(self, key: tuple[str, str], worker: Worker) -> None:
        """A bundle that nobody activates must not keep its process for ever."""
        await asyncio.sleep(STAGED_SECONDS)
        if self._staged.get(key) is worker:
            del self._staged[key]
            await worker.end()

    def _spawn(self, work: t.Coroutine[t.Any, t.Any, None]) -> None:
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)
