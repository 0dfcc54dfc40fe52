"""Runs on machines that live and die as a test wants, and a wall clock that jumps."""

import typing as t
from datetime import UTC, datetime, timedelta

from ansible_collections.easymo.deploy.plugins.module_utils._lock.apply import Locking
from ansible_collections.easymo.deploy.plugins.module_utils._lock.models import Lock, LockClaim
from ansible_collections.easymo.deploy.plugins.module_utils._run_process import Run
from tests.fakes.cluster import FakeClock, MemoryCluster

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
NAME = "easymo-deploy"


class Scene:
    """A cluster, one clock for all, and the runs that are dead."""

    def __init__(self) -> None:
        self.cluster, self.clock = MemoryCluster(), FakeClock()
        self.dead: set[Run] = set()
        self.jump = timedelta()
        self.reports: list[str] = []

    def wall(self) -> datetime:
        return NOON + timedelta(seconds=self.clock.now() - 100) + self.jump

    def claim(
        self, who: str = "ann", machine: str = "here", pid: int = 1, **more: t.Any
    ) -> LockClaim:
        values: dict[str, t.Any] = {"duration": 60, "release": "2.0.0", **more}
        run = None if values.get("manual") else Run(machine=machine, pid=pid, started="9")
        return LockClaim(holder=f"{who}@{machine}", run=run, **values)

    def locking(self, claim: LockClaim) -> Locking:
        """As that claimant's own machine sees it: of other machines' runs nothing is known."""
        own = claim.run.machine if claim.run else ""

        def alive(run: Run) -> bool | None:
            return None if run.machine != own else run not in self.dead

        return Locking(
            self.cluster,
            NAME,
            claim,
            clock=self.clock,
            alive=alive,
            wall=self.wall,
            report=self.reports.append,
        )

    def lock(self) -> Lock:
        return Lock.from_json(self.cluster.objects["Lease", NAME])

    def freeze(self, **data: str) -> None:
        self.cluster.put("ConfigMap", {"metadata": {"name": "deploy-freeze"}, "data": data})
