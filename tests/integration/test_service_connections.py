"""How long a service waits for its database when it is paused in the middle of a query."""

import asyncio
import os
import signal

from sandbox.postgres.component import unpack
from sandbox.services import connections
from tests.caches import SANDBOX_CACHE
from tests.integration.throwaway_server import ThrowawayServer

SLEEP = "SELECT pg_sleep(3600)"
PIDS = """SELECT pid, split_part(pg_read_file('postmaster.pid'), E'\\n', 1)::int
FROM pg_stat_activity WHERE query = $1"""


async def give_up_on_a_paused_server(url: str) -> None:
    database = connections.Database({"DATABASE_URL": url}, "DATABASE_URL")
    query = asyncio.create_task(database.execute(SLEEP))
    async with asyncio.timeout(120):
        while not (running := await database.fetch(PIDS, SLEEP)):
            await asyncio.sleep(0.02)
    (pids,) = running
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        query.cancel()
        await asyncio.wait({query}, timeout=120)
        assert query.cancelled()
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
        await database.close()


def test_who_gives_up_on_a_paused_database_waits_no_longer(monkeypatch):
    for bound in ("CONNECT_SECONDS", "COMMAND_SECONDS"):
        monkeypatch.setattr(connections, bound, 3600.0)
    server = ThrowawayServer(unpack(SANDBOX_CACHE))
    try:
        user = server.options["login_user"]
        url = f"postgresql://{user}@127.0.0.1:{server.port}/postgres"
        asyncio.run(give_up_on_a_paused_server(url))
    finally:
        server.stop()
