# SPDX-License-Identifier: GPL-3.0-or-later
"""Deployments and their pods: what rollouts and rollbacks write, and what they say of it."""

from __future__ import annotations

import typing as t

from ansible_collections.easymo.deploy.plugins.module_utils._cluster import (
    ROLLOUT_ID_ANNOTATION,
    Object,
)
from sandbox.kubernetes.controllers.objects import pod_ready, terminating
from sandbox.kubernetes.routing import parse_path

from ..platform import NAMESPACE, NEW
from .history import LEASE, History, Write, annotations_of, epoch_of, fence_of, template_of
from .sentences import (
    BACK_AT_PINS,
    CAPACITY,
    EPOCHS_RISE,
    FENCED,
    LOOKED_FIRST,
    PINNED_FIRST,
    STAYS_BACK,
    TRUE_CLAIMS,
)

if t.TYPE_CHECKING:
    from ..scheduler import Process
    from ..tasks import Did
    from ..world import Request

ROLLOUTS = ("rollout", "rollout_wave", "release_rollback")


class ServiceInvariants:
    def __init__(self, history: History) -> None:
        self._history = history
        self._read: dict[tuple[str, str], float] = {}
        """When a run last saw a Deployment."""
        self._overtaken: dict[tuple[str, str], t.Any] = {}
        """The options of the task in which a run's write of a Deployment was refused, for another had written it."""

    def requested(self, request: Request) -> None:
        if "/deployments" not in request.path or request.process is None:
            return
        target = parse_path(request.path)
        if target is None or target.resource.plural != "deployments":
            return
        by, now = request.process.name, self._history.world.scheduler.now
        names = [target.name] if target.name else [*self._history.world.plan.services]
        for name in names:
            if request.method == "PATCH" and request.status >= 400:
                if self._changed_since(name, by, self._read.get((by, name), 0.0)):
                    self._overtaken[by, name] = self._history.doing(by)[1]
            elif request.method == "GET" and request.status < 400:
                self._read[by, name] = now

    def pod_ended(self, name: str) -> None:
        """Called after we deleted it, so the pod is marked already, or gone."""
        app = name.rpartition("-")[0].rpartition("-")[0]
        deployment = self._history.find("deployments", app)
        if deployment is None:
            return
        pods = [
            one.body
            for one in self._history.world.store.records("pods", NAMESPACE)
            if one.body["metadata"].get("labels", {}).get("app") == app
        ]
        ended = next((one for one in pods if one["metadata"]["name"] == name), None)
        if ended is None or not pod_ready(ended):
            return
        ready = sum(pod_ready(one) and not terminating(one) for one in pods)
        wanted = deployment["spec"]["replicas"]
        self._history.check(
            CAPACITY,
            ready >= wanted - 1,
            f"{name} was ended while {ready + 1} of {wanted} were ready",
        )

    def written(self, write: Write) -> None:
        after, before = write.after, write.before
        if write.plural != "deployments" or before is None or after is None:
            return
        name, check = write.name, self._history.check
        fences = [fence_of(one) for one in (before, after)]
        check(
            EPOCHS_RISE,
            fences[1] >= fences[0],
            f"the fence on {name} fell from {fences[0]} to {fences[1]}",
        )
        if not write.ours:
            return
        released = annotations_of(after).get(ROLLOUT_ID_ANNOTATION)
        if released != annotations_of(before).get(ROLLOUT_ID_ANNOTATION) and _is_new(after):
            check(
                PINNED_FIRST,
                name in self._history.pins().get("deployments", {}),
                f"{name} was released and is not pinned",
            )
        module, params = self._history.doing(write.by)
        fence = params.get("fence") or 0
        if fence and template_of(before) != template_of(after) and _is_new(after):
            lease = self._history.find("leases", LEASE)
            lost = lease is not None and epoch_of(lease) > fence
            back = self._history.record().get("status") == "rolled_back"
            check(STAYS_BACK, not (lost and back), f"{write.by} released {name} after it went back")
        if fence:
            check(
                FENCED,
                fences[1] == fence,
                f"{write.by} wrote {name} under epoch {fence}, and it has {fences[1]}",
            )
        if template_of(before) != template_of(after) and module in ROLLOUTS:
            seen = self._read.get((write.by, name), 0.0)
            unseen = self._changed_since(name, write.by, seen)
            check(
                LOOKED_FIRST,
                not unseen and self._overtaken.get((write.by, name)) is not params,
                f"{write.by} wrote over what another wrote on {name}",
            )

    def claimed(self, process: Process, did: Did) -> None:
        if did.module == "rollout" and not did.failed:
            self._check_rolled(process, did, did.params["name"], did.params.get("image") or "")
        elif did.module == "rollout_wave":
            for service in did.params["services"]:
                result = (did.result.get("services") or {}).get(service["name"])
                if result is not None and not result.get("failed"):
                    self._check_rolled(process, did, service["name"], service["image"])
        elif did.module == "release_rollback":
            self._check_returned(process, did)

    def _check_rolled(self, process: Process, did: Did, name: str, image: str) -> None:
        deployment = self._history.find("deployments", name)
        if not image or deployment is None:
            return
        if self._history.others_wrote("deployments", name, did, process.name):
            return
        images = [one["image"] for one in deployment["spec"]["template"]["spec"]["containers"]]
        said = f"{did.module} of {name} succeeded"
        self._history.check(TRUE_CLAIMS, images == [image], f"{said}, and it runs {images}")
        status, wanted = deployment.get("status") or {}, deployment["spec"]["replicas"]
        counts = [status.get(one) or 0 for one in ("updatedReplicas", "availableReplicas")]
        # A pod may fall ill the moment after it was looked at; one that never came up may not.
        self._history.check(TRUE_CLAIMS, counts[0] >= wanted, f"{said} at {counts} of {wanted}")

    def _check_returned(self, process: Process, did: Did) -> None:
        pins = self._history.pins().get("deployments", {})
        for name, one in (did.result.get("services") or {}).items():
            if one["message"] or self._history.others_wrote("deployments", name, did, process.name):
                continue
            template = template_of(self._history.find("deployments", name))
            fence = did.params.get("fence") or 0
            if template is not None and fence:
                written = fence_of(t.cast("Object", self._history.find("deployments", name)))
                self._history.check(
                    FENCED, written >= fence, f"{name} went back under {fence}, and has {written}"
                )
            if template is not None:
                self._history.check(
                    BACK_AT_PINS,
                    template == pins[name]["template"],
                    f"{name} differs: {template}",
                )

    def _changed_since(self, name: str, by: str, since: float) -> bool:
        """Whether its template is another by somebody else's hand. One that was undone is what it was."""
        others = [
            one
            for one in self._history.writes("deployments", name)
            if one.at > since and one.by != by and template_of(one.before) != template_of(one.after)
        ]
        return bool(others) and template_of(others[0].before) != template_of(others[-1].after)


def _is_new(deployment: Object) -> bool:
    containers = deployment["spec"]["template"]["spec"]["containers"]
    return any(f":{NEW}" in one["image"] for one in containers)
