"""Who wrote and who read what, as the server carried it out, and what was found broken."""

import base64
import functools
import gzip
import typing as t
from collections import Counter
from dataclasses import dataclass

import orjson

from ansible_collections.easymo.deploy.plugins.module_utils._cluster import (
    FENCE_ANNOTATION,
    KILL_SWITCH_ANNOTATION,
    Object,
)
from sandbox.kubernetes.errors import ApiError

from ..plan import LATE, PAUSE_AFTER, PAUSE_BEFORE, SLOW, WATCH, Actor
from ..platform import FLAGS, NAMESPACE, PERCENTAGE, RELEASES, VERSION
from ..scheduler import GONE, Process
from ..stores import Stores
from ..tasks import Did
from ..world import World

LEASE = "easymo-deploy"
FREEZE = "deploy-freeze"
LOCKS = frozenset({"deploy_lock", "release_run"})
"""The modules that take the deploy lock."""
PINNING = ("release", "release_run")
SCALES = ("stopped", "running")
"""States of a rollout that sets counts and nothing else."""
SPARED = 6.0
"""Seconds for which a look at the lock and the freeze counts, and one call."""
TRIED = 30.0
"""Seconds for which a call without an answer is tried before lock and freeze are looked at again."""
STANDING_STILL = {LATE, SLOW, PAUSE_BEFORE, PAUSE_AFTER}
RECORDS = {f"release-{one}": one for one in RELEASES}
PINS = {f"release-{one}-pins": one for one in RELEASES}
RECORD = f"release-{VERSION}"
Doing = tuple[str, t.Mapping[str, t.Any]]


@dataclass(frozen=True)
class Write:
    """One object before and after. `by`: the process, "" for the cluster; `ours`: whether the product's."""

    at: float
    plural: str
    name: str
    by: str
    ours: bool
    before: Object | None
    after: Object | None


class History:
    def __init__(self, world: World) -> None:
        self.world = world
        self.violations: list[str] = []
        self.checked: Counter[str] = Counter()
        """How often something was there to be compared, by the invariant."""
        self._seen: dict[tuple[str, str], Object] = {}
        self._writes: dict[tuple[str, str], list[Write]] = {}
        self._began: dict[str, float] = {}
        self._asking: dict[str, float] = {}
        """How long its last task took that asks for the lock."""
        self._of_database: dict[tuple[str, str], Doing] = {}
        self._first: dict[str, float] = {}
        self._told: dict[tuple[str, str], float] = {}
        """When the server last told each run of an object, as of its lock."""

    # Findings

    def check(self, invariant: str, holds: bool, what: str) -> None:
        self.checked[invariant] += 1
        if not holds:
            self.violations.append(f"{invariant}: {what}")
            self.world.say(f"VIOLATED: {invariant}: {what}")

    # Objects

    def find(self, plural: str, name: str) -> Object | None:
        try:
            return self.world.store.record(plural, NAMESPACE, name).body
        except ApiError:
            return None

    def release_of(self, by: str) -> str:
        """The version that a run's command is about."""
        return str(self.options_of(by).get("version", VERSION))

    def options_of(self, by: str) -> t.Mapping[str, t.Any]:
        actor = self._actor(by)
        return actor.options if actor else {}

    def script_of(self, by: str) -> str:
        actor = self._actor(by)
        return actor.script if actor else ""

    def _actor(self, by: str) -> Actor | None:
        return next((one for one in self.world.plan.actors if one.name == by), None)

    def pins(self, release: str) -> Object:
        body = self.find("configmaps", f"release-{release}-pins")
        return {} if body is None else unpacked(body)

    def record(self, release: str) -> Object:
        body = self.find("configmaps", f"release-{release}")
        return {} if body is None else record_of(body)

    # Writes

    def begin(self) -> None:
        for plural in ("configmaps", "deployments"):
            for record in self.world.store.records(plural, NAMESPACE):
                self._seen[plural, record.body["metadata"]["name"]] = record.body

    def unseen(self, plural: str) -> list[str]:
        """The names of what was created: they stand in the bodies only."""
        records = self.world.store.records(plural, NAMESPACE)
        names = [one.body["metadata"]["name"] for one in records]
        return [one for one in names if (plural, one) not in self._seen]

    def written(self, plural: str, name: str, by: str) -> Write:
        before, after = self._seen.get((plural, name)), self.find(plural, name)
        if after is None:
            self._seen.pop((plural, name), None)
        else:
            self._seen[plural, name] = after
        ours = not by.startswith("kubectl")
        write = Write(self.world.scheduler.now, plural, name, by, ours, before, after)
        self._writes.setdefault((plural, name), []).append(write)
        return write

    def writes(self, plural: str, name: str) -> t.Sequence[Write]:
        return self._writes.get((plural, name), ())

    def others_wrote(
        self, plural: str, name: str, did: Did, by: str, *, lately: float | None = None
    ) -> bool:
        """Whether somebody else wrote it while this task ran, or only so `lately` that it need not know."""
        since = self.need_not_know(did, by, lately)
        return any(one.at >= since and one.by != by for one in self.writes(plural, name))

    def need_not_know(self, did: Did, by: str, lately: float | None) -> float:
        """Since when somebody else's act may be unknown to this task: its beginning, or so `lately`."""
        if lately is None or self.is_troubled(by):
            return did.began
        return max(did.began, self.world.scheduler.now - lately)

    def is_troubled(self, by: str) -> bool:
        """Whether a call of it failed, was slow or was put off; what comes late was."""
        return by == GONE or any(one.actor == by and one.of != WATCH for one in self.world.befell)

    def stood_still(self, by: str) -> bool:
        """Whether it, or a call of it, went on later as if no time had passed."""
        return by == GONE or any(
            one.actor == by and one.kind in STANDING_STILL for one in self.world.befell
        )

    def last_write(self, plural: str, name: str, before: float = float("inf")) -> Write | None:
        return next((one for one in reversed(self.writes(plural, name)) if one.at < before), None)

    def frozen_since(self, before: float = float("inf")) -> float | None:
        """Of the freeze that stood then."""
        last = self.last_write("configmaps", FREEZE, before)
        return last.at if last is not None and last.after is not None else None

    def check_freeze(self, write: Write, did: str) -> None:
        """What a freeze forbids may still be written for a few seconds after it was set."""
        since = self.frozen_since()
        if since is None or self.stood_still(write.by):
            return
        late = write.at - since
        spared = SPARED + TRIED if self.is_troubled(write.by) else SPARED
        self.check("frozen", late <= spared, f"{write.by} {did} {late:.1f} s after the freeze")

    # Tasks

    def begun(self, by: str, module: str, params: t.Mapping[str, t.Any]) -> None:
        before, options = self.doing(by)
        if before in LOCKS or (before == "release" and options["fence"]):
            self._asking[by] = self.world.scheduler.now - self._began[by]
        self.world.doing[by] = module, params
        if "login_db" in params:
            self._of_database[by, params["login_db"]] = module, params
        self._began[by] = self.world.scheduler.now
        self._first.setdefault(by, self._began[by])

    def came(self, by: str) -> float:
        """When its first task began."""
        return self._first.get(by, 0.0)

    def doing(self, by: str) -> Doing:
        return self.world.doing.get(by, ("", {}))

    def doing_to(self, by: str, database: str) -> Doing:
        """To this one, while another task of the same run may be at another."""
        return self._of_database.get((by, database), ("", {}))

    def lets_out(self, by: str) -> bool:
        """Whether its present task has let fewer users have the feature, for which it needs no lock."""
        writes = self.writes("configmaps", FLAGS)
        own = [one for one in writes if one.by == by and one.at >= self.began(by)]
        return bool(own) and percentage_of(own[-1].after) < percentage_of(own[-1].before)

    def began(self, by: str) -> float:
        """When its present task did."""
        return self._began.get(by, 0.0)

    def lost_before(self, by: str, at: float | None = None) -> bool:
        """Whether the lock that a run holds, as far as it knows, was another's then; when its present task began."""
        epoch, began = self.world.epochs.get(by, 0), self.began(by) if at is None else at
        leases = self.writes("leases", LEASE)
        # One that somebody deleted before anything was recorded begins anew.
        deleted = max((one.at for one in leases if one.after is None), default=float("-inf"))
        return bool(epoch) and any(
            deleted < one.at < began
            and one.after is not None
            and (
                epoch_of(one.after) > epoch
                or (epoch_of(one.after) == epoch and not holder_of(one.after)[0])
            )
            for one in leases
        )

    def read(self, by: str, name: str) -> None:
        self._told[by, name] = self.world.scheduler.now

    def knew_its_lock(self, by: str, since: float) -> bool:
        """Whether a run saw that it held its lock, then or later, or has not lost it to this day."""
        return not self.lost_before(by, self._known(by, LEASE, since))

    def knew_of_no_freeze(self, by: str, since: float) -> bool:
        """The same of the freeze, for a run that holds a lock."""
        frozen = self.frozen_since(self._known(by, FREEZE, since))
        return frozen is None or not self.world.epochs.get(by)

    def _known(self, by: str, name: str, since: float) -> float:
        told = self._told.get((by, name), float("-inf"))
        return told if told >= since - SPARED else self.world.scheduler.now

    def went_on_without_asking(self, by: str) -> bool:
        """Whether a task that asks for no lock began after it was lost, and the one before that asks saw nothing."""
        return self.lost_before(by, self.began(by) - SPARED - self._asking.get(by, 0.0))


class Part:
    """Sentences about one thing. Told of each write of an object, and of each task as it ended."""

    def __init__(self, history: History) -> None:
        self._history, self._world, self._check = history, history.world, history.check

    @property
    def _stores(self) -> Stores:
        """Of a world that has some."""
        return t.cast("Stores", self._world.stores)

    def written(self, write: Write) -> None:
        """Many are not about the cluster's objects."""

    def claimed(self, process: Process, did: Did) -> None:
        """Some are seen at the write alone."""


def template_of(body: Object | None) -> Object | None:
    return None if body is None else t.cast("Object", body["spec"]["template"])


def annotations_of(body: Object) -> dict[str, str]:
    return t.cast("dict[str, str]", body["metadata"].get("annotations") or {})


def switch_of(body: Object) -> Object | None:
    """The kill switch."""
    text = annotations_of(body).get(KILL_SWITCH_ANNOTATION)
    return None if text is None else t.cast("Object", orjson.loads(text))


def fence_of(body: Object) -> int:
    return int(annotations_of(body).get(FENCE_ANNOTATION, "0"))


def percentage_in(data: t.Mapping[str, str]) -> int:
    """Of the users; 0 for what is no number."""
    text = data.get(PERCENTAGE) or ""
    return int(text) if text.isdecimal() else 0


def percentage_of(flags: Object | None) -> int:
    return percentage_in((flags or {}).get("data") or {})


def epoch_of(lease: Object) -> int:
    return int(lease["spec"].get("leaseTransitions") or 0)


def holder_of(lease: Object) -> tuple[str, str]:
    return lease["spec"].get("holderIdentity") or "", annotations_of(lease).get(
        "easymo.com/lock-run", ""
    )


PACKED = "record.json.gz"


def record_of(body: Object) -> Object:
    data = body["data"]
    return unpacked(body, PACKED) if PACKED in data else _parsed(data["record.json"])


def unpacked(body: Object, key: str = "pins") -> Object:
    return _unpacked(body["data"][key])


@functools.lru_cache(maxsize=64)
def _parsed(text: str) -> Object:
    return t.cast("Object", orjson.loads(text))


@functools.lru_cache(maxsize=64)
def _unpacked(text: str) -> Object:
    return t.cast("Object", orjson.loads(gzip.decompress(base64.b64decode(text))))
