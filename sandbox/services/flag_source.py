# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a pod has its feature flags from: its environment, files of a volume, or a flagd file by OpenFeature.

`FLAGS_DIRECTORY` names a folder of files, one for each flag. flagd's own `FLAGD_OFFLINE_FLAG_SOURCE_PATH` names the
document. Neither asks for a restart: files are looked at again while the pod runs.
"""

from __future__ import annotations

import asyncio
import contextlib
import typing as t

from sandbox.services import ConfigurationError
from sandbox.services.routing import AGENTS, FEATURE, PERCENTAGE, Flags, name_of

if t.TYPE_CHECKING:
    from pathlib import Path

    from aiohttp import web

    from sandbox.services.base_service import Service

LOOK_EVERY = 0.5
"""Seconds, as flagd's file resolver has it by default."""


class FlagSource(t.Protocol):
    @property
    def now(self) -> Flags:
        """What holds at this moment."""

    def following(self, app: web.Application) -> t.AsyncIterator[None]:
        """While the application runs, what changes is taken up."""


def flag_source(service: Service) -> FlagSource:
    """Raises ConfigurationError when a flag is not one."""
    document = service.env.get("FLAGD_OFFLINE_FLAG_SOURCE_PATH")
    if document:
        return Flagd(service, service.context.path(document))
    folder = service.env.get("FLAGS_DIRECTORY")
    if folder:
        return Files(service, service.context.path(folder))
    return Fixed(Flags.from_env(service.env))


class Fixed:
    """As the process started."""

    def __init__(self, flags: Flags) -> None:
        self.now = flags

    async def following(self, _app: web.Application) -> t.AsyncIterator[None]:
        yield


class Files:
    def __init__(self, service: Service, folder: Path) -> None:
        self._env, self._log, self._folder = service.env, service.log, folder
        self._texts = self._read()
        self.now = Flags.from_env({**self._env, **self._texts})

    def _read(self) -> dict[str, str]:
        names = (FEATURE, PERCENTAGE, *map(name_of, AGENTS))
        files = {name: self._folder / name for name in names}
        return {name: file.read_text("utf-8") for name, file in files.items() if file.is_file()}

    async def following(self, _app: web.Application) -> t.AsyncIterator[None]:
        task = asyncio.create_task(self._follow())
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _follow(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY)
            try:
                texts = self._read()
                if texts != self._texts:
                    self._texts = texts
                    self.now = Flags.from_env({**self._env, **texts})
                    self._log.info("flags changed", **self.now.to_dict())
            except (OSError, ConfigurationError) as exc:
                # What held before holds on.
                self._log.error("flags could not be read", error=str(exc))


class Flagd:
    """OpenFeature's SDK with the flagd provider, which looks at the file itself every half a second."""

    def __init__(self, service: Service, document: Path) -> None:
        # Of all services this one alone needs them, and only here.
        from openfeature import api  # noqa: PLC0415
        from openfeature.contrib.provider.flagd import FlagdProvider  # noqa: PLC0415
        from openfeature.contrib.provider.flagd.config import ResolverType  # noqa: PLC0415
        from openfeature.exception import OpenFeatureError  # noqa: PLC0415

        self._env = service.env
        # All pods live in one process, and so in one registry of providers.
        self._provider = FlagdProvider(
            resolver_type=ResolverType.FILE,
            offline_flag_source_path=str(document),
            deadline_ms=round(LOOK_EVERY * 1000),
        )
        domain = f"{service.context.pod_name}-{id(self)}"
        try:
            api.set_provider_and_wait(self._provider, domain)
        except OpenFeatureError as exc:
            # It goes on looking for the file.
            service.log.error("flags could not be read", error=str(exc))
        self._client = api.get_client(domain)

    @property
    def now(self) -> Flags:
        """What the document does not tell is off."""
        told = {name: str(self._client.get_boolean_value(name, False)) for name in _BOOLEANS}
        percentage = self._client.get_float_value(PERCENTAGE, 0.0)
        return Flags.from_env({**self._env, **told, PERCENTAGE: str(percentage)})

    async def following(self, _app: web.Application) -> t.AsyncIterator[None]:
        yield
        self._provider.shutdown()


_BOOLEANS = (FEATURE, *map(name_of, AGENTS))
