# SPDX-License-Identifier: GPL-3.0-or-later
"""Which worker answers for which function, and how one takes over from another without a lost request."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import sys
import typing as t

from sandbox.supabase.functions import Function
from sandbox.supabase.logs import FunctionLogs, LogLine
from sandbox.supabase.settings import Settings
from sandbox.supabase.store import Store
from sandbox.supabase.worker import BootError, Program, Worker

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
