# SPDX-License-Identifier: GPL-3.0-or-later
"""Who writes to us: profiles, kept in Valkey so that the database is hardly ever asked."""

from __future__ import annotations

import asyncio
import itertools
import json
import typing as t
from dataclasses import asdict, dataclass

from sandbox.services.agent_store import PROFILE, PROFILES
from sandbox.services.log import described

if t.TYPE_CHECKING:
    from sandbox.services.agents import Query
    from sandbox.services.connections import Cache
    from sandbox.services.log import Log

KEEP_SECONDS = 3600
WARM_KEY = "profiles:warm"
WARM_AT_MOST = 10_000
LOOKUP_SECONDS = 0.75


@dataclass(frozen=True)
class Profile:
    display_name: str = "there"
    language: str = "rw"


class Profiles:
    """Never fails: a user who cannot be looked up is greeted without a name."""

    def __init__(self, cache: Cache, query: Query, log: Log) -> None:
        self._cache = cache
        self._query = query
        self._log = log
        self._told = ""

    async def of(self, number: str) -> Profile:
        try:
            async with asyncio.timeout(LOOKUP_SECONDS):
                profile = await self._look_up(f"profile:{number}", number)
        except Exception as exc:
            self._log_failure(described(exc))
            return Profile()
        self._told = ""
        return profile

    async def warm(self) -> None:
        """Fill an empty cache before users have to wait for it; one pod does so for all."""
        try:
            cache = self._cache.client()
            if not await cache.set(WARM_KEY, "1", nx=True, ex=KEEP_SECONDS):
                return
            rows = await self._query(PROFILES, WARM_AT_MOST)
            for batch in itertools.batched(rows, 500):
                pipeline = cache.pipeline(transaction=False)
                for phone, profile in batch:
                    pipeline.set(f"profile:{phone}", profile, ex=KEEP_SECONDS, nx=True)
                await pipeline.execute()
        except Exception as exc:
            self._log_failure(described(exc))
        else:
            self._log.info("profiles are in the cache", number=len(rows))

    async def _look_up(self, key: str, number: str) -> Profile:
        cache = self._cache.client()
        # Asking keeps it: who writes often is never looked up again.
        kept = await cache.getex(key, ex=KEEP_SECONDS)
        if kept is not None:
            return Profile(**json.loads(kept))
        rows = await self._query(PROFILE, number)
        profile = Profile(**dict(rows[0])) if rows else Profile()
        await cache.set(key, json.dumps(asdict(profile)), ex=KEEP_SECONDS)
        return profile

    def _log_failure(self, error: str) -> None:
        """Says each kind of trouble once, not once a message."""
        if error != self._told:
            self._log.warning("profiles cannot be looked up", error=error)
            self._told = error
