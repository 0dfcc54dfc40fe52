"""A PostgreSQL server of a test's own and where its backups go."""

import secrets
import typing as t
from pathlib import Path

from ansible_collections.easymo.deploy.plugins.modules import pg_backup, pg_restore
from sandbox.world import World
from tests.integration.running import bucket
from tests.integration.throwaway_server import ThrowawayServer
from tests.module_runner import Result, run_module


class Place:
    """`settings` of the server, as `name=value`."""

    def __init__(self, world: World, *settings: str) -> None:
        self.programs = Path(world.facts("postgres")["bin"])
        self.server = ThrowawayServer(self.programs, *settings)
        self._common = {
            **self.server.options,
            **bucket(world, f"test-{secrets.token_hex(4)}/"),
            "name": "place",
            "release": "2.0.0",
            "pg_restore": str(self.programs / "pg_restore"),
        }

    def backup(self, **more: t.Any) -> Result:
        return run_module(
            pg_backup, **{**self._common, "pg_dump": str(self.programs / "pg_dump"), **more}
        )

    def restore(self, *, check: bool = False, **more: t.Any) -> Result:
        """In place, unless told otherwise."""
        given: dict[str, t.Any] = {
            "method": "in_place",
            "approved_by": "Jane Doe",
            "reason": "It is gone",
            "psql": str(self.programs / "psql"),
        }
        return run_module(pg_restore, check=check, **{**self._common, **given, **more})
