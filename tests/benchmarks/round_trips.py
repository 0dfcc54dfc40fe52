"""Schemas that nobody designed through backup, reading back and every restore: how many come back otherwise."""

import time
import typing as t

from ansible_collections.easymo.deploy.plugins.module_utils._errors import DeployError
from sandbox.postgres.component import unpack
from tests.benchmarks.measurement import Measurement, Size
from tests.benchmarks.stage import CACHE
from tests.integration.random_schema import RandomSchema
from tests.integration.round_trip import SETTINGS, Traveller
from tests.integration.throwaway_server import ThrowawayServer

# Every so many seeds one of so many tables; what is left has ten.
_LARGE = {1000: 5000, 250: 1000, 50: 100}
_FIRST = 1000
"""The seeds before it are those of the tests."""


def round_trips(size: Size = Size.FULL) -> t.Iterator[Measurement]:
    seeds = size.of(small=range(_FIRST, _FIRST + 2), full=range(_FIRST, _FIRST + 2000))
    programs = unpack(CACHE)
    server = ThrowawayServer(programs, *SETTINGS, "max_locks_per_transaction=4096")
    failed: dict[int, str] = {}
    began, largest = time.monotonic(), 0
    try:
        traveller = Traveller(server, programs)
        for number, seed in enumerate(seeds, start=1):
            tables = tables_of(number)
            largest = max(largest, tables)
            try:
                traveller.travel(RandomSchema(seed, tables))
            except (AssertionError, DeployError) as exc:
                failed[seed] = str(exc)
    finally:
        server.stop()
    first = next((f"seed {seed}: {why[:200]}" for seed, why in failed.items()), "")
    note = f"of {len(seeds)}, the largest of {largest} tables"
    yield Measurement("schemas that came back otherwise", len(failed), "count", 0, first or note)
    yield Measurement("a round trip, three restores", (time.monotonic() - began) / len(seeds), "s")


def tables_of(number: int) -> int:
    return next((tables for every, tables in _LARGE.items() if number % every == 0), 10)
