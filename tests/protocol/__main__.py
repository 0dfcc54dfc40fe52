"""The whole search: python -m tests.protocol. Every roster, three services, two crashes or pauses."""

import resource
import sys

from .model import Model, Script
from .search import search, tell

A, B, BACK, KILL = Script("deploy"), Script("deploy", 2), Script("rollback"), Script("kill")
ROSTERS = {
    "two deployments of one release, a rollback": (A, A, BACK),
    "deployments of two releases, a rollback of the first": (A, B, BACK),
    "a deployment, a rollback, the kill switch": (A, BACK, KILL),
    "two rollbacks, a deployment": (BACK, BACK, A),
}
BOUNDS = ({"crashes": 2, "troubles": 0}, {"crashes": 1, "troubles": 1})


def main() -> int:
    broken = False
    for name, scripts in ROSTERS.items():
        for bounds in BOUNDS:
            model = Model(scripts, symmetric=True)
            found = search(model, services=3, **bounds)
            told = "nothing broken" if found.exhausted else "\n" + tell(model, found)
            memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
            print(
                f"{name}; 3 services, {bounds['crashes']} crashes, {bounds['troubles']} failing rollouts: "
                f"{found.states:,} states to depth {found.depth} in {found.seconds:.0f} s of CPU "
                f"({found.states / max(found.seconds, 0.01):,.0f}/s), {memory} MB at most so far: {told}",
                flush=True,
            )
            broken |= not found.exhausted
    return int(broken)


if __name__ == "__main__":
    sys.exit(main())
