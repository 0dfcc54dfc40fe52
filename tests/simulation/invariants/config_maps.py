"""What is written by compare-and-swap: lock, record, pins and flags, each over what was read of it."""

import typing as t

from sandbox.kubernetes.requests import parse_path

from ..platform import FLAGS
from ..scheduler import Process
from ..world import Request
from .history import LEASE, PINS, RECORDS, History, Part, Write

SWAPPED = {("leases", LEASE), *(("configmaps", name) for name in (*RECORDS, *PINS, FLAGS))}


class SwapInvariants(Part):
    def __init__(self, history: History) -> None:
        super().__init__(history)
        self._known: dict[tuple[str, str, str], str] = {}
        """The version that a run read or wrote last, by the run and the object; "" for none there."""
        self._refused: set[tuple[int, str, str]] = set()
        """What a run was refused for another's write, and has not read since."""

    def requested(self, request: Request) -> None:
        target = parse_path(request.path)
        if request.process is None or target is None or not target.name:
            return
        plural = target.resource.plural
        if (plural, target.name) in SWAPPED or plural == "deployments":
            self._look_again(request, request.process, (plural, target.name))
        if request.method != "GET":
            return
        if (plural, target.name) in SWAPPED and request.status in (200, 404):
            self._learn(request.process.name, plural, target.name)

    def _look_again(self, request: Request, process: Process, what: tuple[str, str]) -> None:
        """Of a run that does one thing at a time, and whose requests come when they were sent."""
        history, name = self._history, process.name
        if self._world.stores or name.startswith("kubectl") or history.is_troubled(name):
            return
        key = (process.pid, *what)
        if request.method != "GET":
            again = key in self._refused
            self._check("looks_again", not again, f"{name} wrote {what[1]} as it was again")
        self._refused.discard(key)
        if request.status == 409:
            self._refused.add(key)

    def written(self, write: Write) -> None:
        if (write.plural, write.name) not in SWAPPED:
            return
        key = (write.by, write.plural, write.name)
        if write.ours and write.by and key in self._known:
            over = _version(write.before)
            self._check(
                "nothing_lost",
                over == self._known[key],
                f"{write.by} read {write.plural}/{write.name} at version {self._known[key] or 'none'}, "
                f"and wrote over version {over or 'none'}",
            )
        self._learn(*key)

    def _learn(self, by: str, plural: str, name: str) -> None:
        self._known[by, plural, name] = _version(self._history.find(plural, name))


def _version(body: t.Any) -> str:
    return "" if body is None else str(body["metadata"]["resourceVersion"])
