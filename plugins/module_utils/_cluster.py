# SPDX-License-Identifier: GPL-3.0-or-later
"""What this collection asks of a Kubernetes cluster: the boundary between deciding and doing."""

from __future__ import annotations

import random
import time
import typing as t
from dataclasses import dataclass

from ._decode import Shape, restored
from ._errors import ConflictError, VerificationError

Object = dict[str, t.Any]
"""One Kubernetes object as its JSON."""

Texts = t.Mapping[str, str]
"""Labels and annotations, and the data of a ConfigMap."""

Operation = dict[str, t.Any]
"""One operation of a JSON Patch (RFC 6902)."""

FIELD_MANAGER = "easymo-deploy"

RELEASE_ANNOTATION = "easymo.com/release"
ROLLOUT_ID_ANNOTATION = "easymo.com/rollout-id"
ADMITTED_ANNOTATION = "easymo.com/admitted-rollout-id"
"""The same of the image that admission webhooks have made of it, where that is another."""
ACTOR_ANNOTATION = "easymo.com/actor"
FENCE_ANNOTATION = "easymo.com/fence"
"""The epoch of the deploy lock under which an object was last written. It only ever rises."""
CHANGE_CAUSE_ANNOTATION = "kubernetes.io/change-cause"
ENVIRONMENT_ANNOTATION = "easymo.com/environment"
SOAK_ANNOTATION = "easymo.com/soak"
"""On a Deployment: the id of a rollout whose soak no run has seen through yet."""
CHECKSUM_ANNOTATION = "easymo.com/config-checksum"
RESTARTED_ANNOTATION = "easymo.com/restarted-at"
REPLICAS_ANNOTATION = "easymo.com/replicas-before"
KILL_SWITCH_ANNOTATION = "easymo.com/kill-switch"
"""On the ConfigMap of the flags, so that one compare-and-swap covers both."""
KILL_SWITCH_EPOCH_ANNOTATION = "easymo.com/kill-switch-epoch"
"""The epoch of the deploy lock when a kill switch was last set automatically: no run of that epoch, or of an earlier
one, resets it."""
RAMP_ANNOTATION = "easymo.com/ramp"
GUARD_ANNOTATION = "easymo.com/guard"
"""What the guard of the ramp did, beside the flags that it did it to."""
FLAGS_SYNC_ANNOTATION = "easymo.com/flags-synced-at"
"""On a pod: when the kubelet was last told to look at its volumes."""

OWN_ANNOTATIONS = (
    RELEASE_ANNOTATION,
    ROLLOUT_ID_ANNOTATION,
    ADMITTED_ANNOTATION,
    ACTOR_ANNOTATION,
    CHANGE_CAUSE_ANNOTATION,
    ENVIRONMENT_ANNOTATION,
)
"""What a rollout writes on a Deployment's metadata, and an undo takes back key by key."""

TEMPLATE_ANNOTATIONS = (CHECKSUM_ANNOTATION, RESTARTED_ANNOTATION)
"""What a restart writes on the pod template."""


class Clock(t.Protocol):
    """A monotonic clock in seconds."""

    def now(self) -> float: ...
    def sleep(self, seconds: float) -> None: ...


class MonotonicClock:
    def now(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


class Tries:
    """Tries of one write, each made `with` this: one that another writer's change refuses ends there, after a pause.

    Raises ConflictError for the last of `most`. `what`: the object, at the beginning of a sentence that `why` ends.
    """

    def __init__(
        self,
        what: str,
        clock: Clock | None = None,
        most: int = 8,
        why: str = "something else keeps writing to it. Find out what",
    ) -> None:
        self._what = what
        self._why = why
        self._clock = clock
        self._most = most
        self._made = 0

    def __enter__(self) -> None:
        self._made += 1

    def __exit__(self, _kind: object, failure: BaseException | None, _trace: object) -> bool:
        if not isinstance(failure, ConflictError):
            return False
        if self._made == self._most:
            raise ConflictError(
                f"{self._what} was changed {self._most} times during our writes: {self._why}, and try again."
            ) from failure
        if self._clock:
            pause = random.uniform(0.01, 0.05) * 2 ** (self._made - 1)  # noqa: S311 - spreads retries
            self._clock.sleep(pause)
        return True


class Watch(t.Protocol):
    """Objects kept up to date by the server."""

    def objects(self) -> t.Sequence[Object] | None:
        """As they are now; None while they are not known, before the first list and after a failure."""

    def listed(self, seconds: float) -> bool:
        """Whether they are known, once the first list was answered or failed, or after so long."""

    def close(self) -> None: ...


class Cluster(t.Protocol):
    """One namespace of a cluster. Every call retries what may be retried until its deadline.

    Raises ConflictError when the object is not what the caller thought (409, a failed `test`),
    RefusedError when the server says no, UnreachableError when it was out of sight to the deadline.
    """

    namespace: str

    def until(self, deadline: float) -> Cluster:
        """The same cluster, whose calls keep trying until `deadline` on the monotonic clock."""

    def read(self, kind: str, name: str) -> Object | None: ...

    def list_objects(self, kind: str, **selectors: str) -> t.Sequence[Object]:
        """Those of `label_selector` and `field_selector`."""

    def watch(self, kind: str, wake: t.Callable[[], None], **selectors: str) -> Watch:
        """The same objects, kept up to date; `wake` is called, on any thread, when they changed."""

    def create(self, kind: str, body: Object) -> Object:
        """Create; ConflictError when it is there already."""

    def replace(self, kind: str, body: Object) -> Object:
        """Replace the version the body's resourceVersion names; ConflictError when stale."""

    def patch(
        self, kind: str, name: str, operations: t.Sequence[Operation], *, dry_run: bool = False
    ) -> Object:
        """JSON Patch. ConflictError when a `test` fails."""

    def apply(
        self, kind: str, body: Object, *, force: bool = False, dry_run: bool = False
    ) -> Object:
        """Server-side apply as FIELD_MANAGER."""

    def delete(self, kind: str, name: str) -> None:
        """Delete; one that is not there is fine."""

    def log(self, pod: str, container: str, *, previous: bool = False, **limits: int | None) -> str:
        """As far as `tail_lines`, `limit_bytes` and `since_seconds` allow."""

    def account(self) -> str:
        """The account that the server sees; "" where it does not say, as before Kubernetes 1.28."""

    def may(self, verb: str, resource: str, **where: str) -> bool:
        """Whether we may do this here, in the server's own judgement.

        `where`: `group`, `subresource`, and another `namespace`.
        """

    def execute(self, pod: str, container: str, command: t.Sequence[str]) -> str:
        """Standard output of a command in a container; RefusedError when it fails."""

    def proxy(self, pod: str, port: int, path: str, *, tls: bool = False) -> str:
        """What a pod answers to GET, through the API server; RefusedError when that is no success."""


@dataclass(frozen=True)
class ObjectList:
    items: tuple[Object, ...] = ()


def read_object(shape: type[Shape], body: t.Any, kind: str) -> Shape:
    """Raises VerificationError for what no API server sends."""
    try:
        return restored(shape, body, kind)
    except ValueError as exc:
        raise VerificationError(
            f"The cluster answered with a {kind} that cannot be read ({exc}): check that its address is that of a "
            "Kubernetes API server."
        ) from exc


def operation(op: str, path: str, value: t.Any) -> Operation:
    return {"op": op, "path": path, "value": value}


def escape(key: str) -> str:
    """A key as one step of a pointer."""
    return key.replace("~", "~0").replace("/", "~1")


def set_annotations(
    path: str, present: t.Mapping[str, str], wanted: t.Mapping[str, str]
) -> tuple[Operation, ...]:
    """`path` is theirs. Where none are `present`, the map itself is added."""
    if not present:
        return (operation("add", path, dict(wanted)),)
    return tuple(operation("add", f"{path}/{escape(key)}", value) for key, value in wanted.items())
