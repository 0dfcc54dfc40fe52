# SPDX-License-Identifier: GPL-3.0-or-later
"""StatefulSets, DaemonSets, Jobs, CronJobs and autoscalers, as kubernetes.io/docs/concepts/workloads has them.

What they have in common stands first. Adoption of foreign pods, partitions by percentage, indexed Jobs and calendars
with names are left out.
"""

from __future__ import annotations

import typing as t
from datetime import UTC, datetime

from croniter import croniter

from sandbox.kubernetes.controllers.controller import Controller
from sandbox.kubernetes.controllers.objects import (
    Object,
    condition,
    controller_of,
    copied,
    key_of,
    labels_of,
    metadata,
    owner_reference,
    pod_ready,
    replicas,
    seconds,
    terminating,
    timestamp,
)
from sandbox.kubernetes.controllers.revisions import template_hash
from sandbox.kubernetes.lifecycle import random_suffix

REVISION = "controller-revision-hash"


def owned_object(
    owner: Object, kind: str, group: str, template: Object, *, labels: Object, **head: str
) -> Object:
    metadata_ = template.get("metadata") or {}
    made: Object = {
        **head,
        "namespace": metadata(owner)["namespace"],
        "labels": {**(metadata_.get("labels") or {}), **labels},
        "ownerReferences": [owner_reference(owner, api_version=group, kind=kind)],
    }
    if notes := metadata_.get("annotations"):
        made["annotations"] = dict(notes)
    spec = copied(template["spec"])
    return {"apiVersion": "v1", "kind": "Pod", "metadata": made, "spec": spec}


class Workload(Controller):
    """A controller of one kind, whose objects own others of the kind `makes`."""

    kind, resource, makes, group = "", "", "pods", "apps/v1"
    besides: tuple[str, ...] = ()

    def __init_subclass__(cls) -> None:
        cls.name = f"{cls.kind.lower()}-controller"
        cls.watched = (cls.resource, cls.makes, *cls.besides)

    def keys(self, resource: str, obj: Object, previous: Object | None) -> t.Iterable[str]:
        if resource == self.resource:
            return [key_of(obj)]
        owners = [controller_of(entry) for entry in (obj, previous) if entry is not None]
        namespace = metadata(obj)["namespace"]
        return {
            f"{namespace}/{owner['name']}"
            for owner in owners
            if owner and owner["kind"] == self.kind
        }

    def reconcile(self, key: str) -> float | None:
        body = self._cluster.find(self.resource, *key.split("/"))
        return None if body is None or terminating(body) else self._settle(body)

    def _settle(self, body: Object) -> float | None:
        raise NotImplementedError

    def _owned(self, body: Object) -> list[Object]:
        return self._cluster.controlled(self.makes, body)

    def _make(
        self, body: Object, name: str, template: Object, labels: Object, **spec: t.Any
    ) -> None:
        made = owned_object(body, self.kind, self.group, template, name=name, labels=labels)
        made["spec"] |= spec
        if self.makes == "jobs":
            made |= {"apiVersion": "batch/v1", "kind": "Job"}
        self._cluster.create(self.makes, made)

    def _tell(self, body: Object, **status: t.Any) -> None:
        """Write the status where it differs; the generation that it is about comes with it."""
        status["observedGeneration"] = metadata(body).get("generation", 0)
        if self.kind in ("CronJob", "Job"):
            del status["observedGeneration"]
        if status != (body.get("status") or {}):
            self._cluster.update_status(self.resource, {**body, "status": status})

    def _revision(self, body: Object) -> str:
        """The name of the ControllerRevision of its template, made or, where it is not the newest, renumbered."""
        template = body["spec"]["template"]
        name = f"{metadata(body)['name']}-{template_hash(template)}"
        known = self._cluster.owned("controllerrevisions", metadata(body)["uid"])
        newest = max((entry["revision"] for entry in known), default=0)
        existing = next((entry for entry in known if metadata(entry)["name"] == name), None)
        if existing is None:
            revision: Object = {
                "apiVersion": "apps/v1",
                "kind": "ControllerRevision",
                "metadata": {
                    "name": name,
                    "namespace": metadata(body)["namespace"],
                    "labels": {**body["spec"]["selector"].get("matchLabels", {}), REVISION: name},
                    "ownerReferences": [
                        owner_reference(body, api_version=self.group, kind=self.kind)
                    ],
                },
                "data": {"spec": {"template": {**copied(template), "$patch": "replace"}}},
                "revision": newest + 1,
            }
            self._cluster.create("controllerrevisions", revision)
        elif existing["revision"] < newest:
            self._cluster.update("controllerrevisions", {**existing, "revision": newest + 1})
        return name

    def _rolls(self, body: Object) -> bool:
        strategy = body["spec"].get("updateStrategy") or {}
        return bool(strategy.get("type", "RollingUpdate") == "RollingUpdate")


class StatefulSetController(Workload):
    """Pods with ordinals, made from the lowest up, replaced and taken from the highest down, one at a time."""

    kind, resource = "StatefulSet", "statefulsets"

    def _settle(self, body: Object) -> float | None:
        name, wanted = metadata(body)["name"], replicas(body)
        update = self._revision(body)
        before = body.get("status") or {}
        current = before.get("currentRevision") or update
        pods = {int(metadata(pod)["name"].rpartition("-")[2]): pod for pod in self._owned(body)}
        standing = {n: pod for n, pod in pods.items() if n < wanted}
        updated = [n for n, pod in standing.items() if labels_of(pod).get(REVISION) == update]
        ready = [n for n, pod in standing.items() if pod_ready(pod) and not terminating(pod)]
        if len(updated) == len(ready) == wanted:
            current = update
        counts = {
            "replicas": len(pods),
            "readyReplicas": len(ready),
            "availableReplicas": len(ready),
            "currentReplicas": len(standing) if current == update else len(standing) - len(updated),
            "updatedReplicas": len(updated),
        }
        self._step(body, pods, update, current)
        revisions = {"currentRevision": current, "updateRevision": update, "collisionCount": 0}
        shown = {
            key: count
            for key, count in counts.items()
            if count or key in ("replicas", "availableReplicas")
        }
        fresh = self._cluster.find(self.resource, metadata(body)["namespace"], name)
        self._tell(fresh or body, **shown, **revisions)
        return None

    def _step(self, body: Object, pods: t.Mapping[int, Object], update: str, current: str) -> None:
        wanted, parallel = replicas(body), body["spec"].get("podManagementPolicy") == "Parallel"
        rolling = (body["spec"].get("updateStrategy") or {}).get("rollingUpdate") or {}
        partition = int(rolling.get("partition") or 0)
        for ordinal in range(wanted):
            pod = pods.get(ordinal)
            if pod is None:
                self._make_pod(body, ordinal, current if ordinal < partition else update)
            elif (pod.get("status") or {}).get("phase") in ("Failed", "Succeeded"):
                self._cluster.delete("pods", pod)
            if not parallel and (pod is None or not pod_ready(pod) or terminating(pod)):
                # One that will never be ready as it is, is replaced by the next revision all the same.
                if (
                    pod is not None
                    and self._outdated(pod, update, partition, ordinal)
                    and self._rolls(body)
                ):
                    self._cluster.delete("pods", pod)
                return
        for ordinal in sorted((n for n in pods if n >= wanted), reverse=True):
            self._cluster.delete("pods", pods[ordinal])
            if not parallel:
                return
        for ordinal in range(wanted - 1, partition - 1, -1) if self._rolls(body) else ():
            pod = pods[ordinal]
            if self._outdated(pod, update, partition, ordinal):
                self._cluster.delete("pods", pod)
                return
            if not pod_ready(pod):
                return

    def _outdated(self, pod: Object, update: str, partition: int, ordinal: int) -> bool:
        return (
            ordinal >= partition and labels_of(pod).get(REVISION) != update and not terminating(pod)
        )

    def _make_pod(self, body: Object, ordinal: int, revision: str) -> None:
        spec, namespace = body["spec"], metadata(body)["namespace"]
        name = f"{metadata(body)['name']}-{ordinal}"
        stored = self._cluster.find("controllerrevisions", namespace, revision)
        template = stored["data"]["spec"]["template"] if stored else spec["template"]
        volumes = [*(template["spec"].get("volumes") or ())]
        for claim in spec.get("volumeClaimTemplates") or ():
            claimed = f"{metadata(claim)['name']}-{name}"
            if self._cluster.find("persistentvolumeclaims", namespace, claimed) is None:
                head = {**metadata(claim), "name": claimed, "namespace": namespace}
                made = {**copied(claim), "metadata": head}
                self._cluster.create("persistentvolumeclaims", made)
            source = {"persistentVolumeClaim": {"claimName": claimed}}
            volumes.append({"name": metadata(claim)["name"], **source})
        labels = {
            REVISION: revision,
            "statefulset.kubernetes.io/pod-name": name,
            "apps.kubernetes.io/pod-index": str(ordinal),
        }
        more = {"volumes": volumes} if volumes else {}
        subdomain = spec.get("serviceName", "")
        self._make(body, name, template, labels, hostname=name, subdomain=subdomain, **more)


class DaemonSetController(Workload):
    """A pod on each node; another template replaces them one node at a time."""

    kind, resource, besides = "DaemonSet", "daemonsets", ("nodes",)

    def keys(self, resource: str, obj: Object, previous: Object | None) -> t.Iterable[str]:
        if resource == "nodes":
            return [] if previous else [key_of(entry) for entry in self._cluster.all(self.resource)]
        return super().keys(resource, obj, previous)

    def _settle(self, body: Object) -> float | None:
        name, update = metadata(body)["name"], self._revision(body)
        nodes = [metadata(node)["name"] for node in self._cluster.all("nodes")]
        pods = {pod["spec"].get("nodeName"): pod for pod in self._owned(body)}
        ready = [node for node, pod in pods.items() if pod_ready(pod) and not terminating(pod)]
        updated = [node for node, pod in pods.items() if labels_of(pod).get(REVISION) == update]
        for node in nodes:
            if node not in pods:
                made, labels = f"{name}-{random_suffix()}", {REVISION: update}
                self._make(body, made, body["spec"]["template"], labels, nodeName=node)
        old = [node for node in pods if node not in updated and not terminating(pods[node])]
        unready = [node for node in old if node not in ready]
        if old and self._rolls(body) and (unready or len(ready) == len(nodes)):
            self._cluster.delete("pods", pods[(unready or old)[0]])
        self._tell(
            self._cluster.find(self.resource, metadata(body)["namespace"], name) or body,
            currentNumberScheduled=len(pods),
            desiredNumberScheduled=len(nodes),
            numberMisscheduled=0,
            numberReady=len(ready),
            **({"numberAvailable": len(ready)} if ready else {}),
            **({"updatedNumberScheduled": len(updated)} if updated else {}),
        )
        return None


class JobController(Workload):
    kind, resource, group = "Job", "jobs", "batch/v1"

    def _settle(self, body: Object) -> float | None:
        spec, before, now = body["spec"], body.get("status") or {}, self._cluster.clock()
        if any(entry["status"] == "True" for entry in before.get("conditions") or ()):
            return self._expire(body, now)
        pods = self._owned(body)
        by_phase = {
            phase: [pod for pod in pods if (pod.get("status") or {}).get("phase") == phase]
            for phase in ("Succeeded", "Failed")
        }
        succeeded, failed = len(by_phase["Succeeded"]), len(by_phase["Failed"])
        ended = [*by_phase["Succeeded"], *by_phase["Failed"]]
        active = [pod for pod in pods if pod not in ended and not terminating(pod)]
        wanted = spec.get("completions") or spec.get("parallelism", 1)
        status: Object = {"startTime": before.get("startTime") or timestamp(now)}
        if failed > spec.get("backoffLimit", 6):
            status["conditions"] = _ended("Failed", "BackoffLimitExceeded", now)
            for pod in active:
                self._cluster.delete("pods", pod)
            active = []
        elif succeeded >= wanted:
            status["conditions"] = _ended("Complete", "CompletionsReached", now)
            status["completionTime"] = timestamp(now)
        elif not spec.get("suspend"):
            for _ in range(min(spec.get("parallelism", 1), wanted - succeeded) - len(active)):
                name = metadata(body)["name"]
                labels = {"job-name": name, "batch.kubernetes.io/job-name": name}
                labels["batch.kubernetes.io/controller-uid"] = metadata(body)["uid"]
                self._make(body, f"{name}-{random_suffix()}", spec["template"], labels)
        counts = {"active": len(active), "succeeded": succeeded, "failed": failed}
        ready = sum(map(pod_ready, active))
        self._tell(
            body, **status, **{key: n for key, n in counts.items() if n}, ready=ready, terminating=0
        )
        return None

    def _expire(self, body: Object, now: float) -> float | None:
        ttl = body["spec"].get("ttlSecondsAfterFinished")
        if ttl is None:
            return None
        left = seconds(body["status"]["conditions"][0]["lastTransitionTime"]) + float(ttl) - now
        if left > 0:
            return left
        self._cluster.delete("jobs", body)
        return None


def _ended(kind: str, reason: str, now: float) -> list[Object]:
    at = timestamp(now)
    why = (
        "Job has reached the specified backoff limit"
        if kind == "Failed"
        else "Reached expected number of succeeded pods"
    )
    return [
        {"type": kind, "status": "True", "reason": reason, "message": why,
         "lastProbeTime": at, "lastTransitionTime": at},
    ]  # fmt: skip


class CronJobController(Workload):
    kind, resource, makes, group = "CronJob", "cronjobs", "jobs", "batch/v1"

    def _settle(self, body: Object) -> float | None:
        spec, before, now = body["spec"], body.get("status") or {}, self._cluster.clock()
        since = seconds(before.get("lastScheduleTime") or metadata(body)["creationTimestamp"])
        due, name = latest(spec["schedule"], since, now), metadata(body)["name"]
        jobs = self._owned(body)
        running = [
            job for job in jobs if not _finished(job, "Complete") and not _finished(job, "Failed")
        ]
        told = {key: value for key, value in before.items() if key != "active"}
        policy = spec.get("concurrencyPolicy", "Allow")
        if due and not spec.get("suspend") and not (running and policy == "Forbid"):
            for job in running if policy == "Replace" else ():
                self._cluster.delete("jobs", job)
            self._make(body, f"{name}-{int(due) // 60}", spec["jobTemplate"], {})
            told["lastScheduleTime"] = timestamp(due)
        for kind, most in (
            ("Complete", "successfulJobsHistoryLimit"),
            ("Failed", "failedJobsHistoryLimit"),
        ):
            ended = sorted(
                (job for job in jobs if _finished(job, kind)),
                key=lambda job: metadata(job)["creationTimestamp"],
            )
            for job in ended[: max(0, len(ended) - spec.get(most, 3 if kind == "Complete" else 1))]:
                self._cluster.delete("jobs", job)
        active = [
            {
                "apiVersion": "batch/v1",
                "kind": "Job",
                **{key: metadata(job)[key] for key in ("namespace", "name", "uid")},
            }
            for job in running
        ]
        self._tell(body, **told, **({"active": active} if active else {}))
        return 60 - now % 60 + 0.1


def _finished(job: Object, kind: str) -> bool:
    return (condition(job.get("status") or {}, kind) or {}).get("status") == "True"


def latest(schedule: str, since: float, now: float) -> float:
    """When a schedule was due last, after `since` and up to now; else 0."""
    due = croniter(schedule, datetime.fromtimestamp(now, UTC)).get_prev(float)
    return float(due) if due > since else 0.0


class AutoscalerController(Workload):
    """There are no metrics of pods, so only the bounds act, as horizontal.go has it before it reads a metric."""

    kind, resource, makes = "HorizontalPodAutoscaler", "horizontalpodautoscalers", "deployments"

    def keys(self, resource: str, obj: Object, previous: Object | None) -> t.Iterable[str]:  # noqa: ARG002
        if resource == self.resource:
            return [key_of(obj)]
        return [
            key_of(scaler)
            for scaler in self._cluster.all(self.resource, metadata(obj)["namespace"])
            if scaler["spec"]["scaleTargetRef"]["name"] == metadata(obj)["name"]
        ]

    def _settle(self, body: Object) -> float | None:
        spec, target = body["spec"], body["spec"]["scaleTargetRef"]
        plural = f"{target['kind'].lower()}s"
        scaled = self._cluster.find(plural, metadata(body)["namespace"], target["name"])
        if scaled is None:
            return None
        size = replicas(scaled)
        # 0 replicas switch an autoscaler off.
        wanted = size and max(spec.get("minReplicas", 1), min(size, spec["maxReplicas"]))
        if wanted != size:
            self._cluster.update(plural, {**scaled, "spec": {**scaled["spec"], "replicas": wanted}})
        status = {**(body.get("status") or {}), "currentReplicas": size, "desiredReplicas": wanted}
        if status != body.get("status"):
            self._cluster.update_status(self.resource, {**body, "status": status})
        return None


CONTROLLERS: tuple[type[Workload], ...] = (
    StatefulSetController,
    DaemonSetController,
    JobController,
    CronJobController,
    AutoscalerController,
)
