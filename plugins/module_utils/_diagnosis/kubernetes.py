# SPDX-License-Identifier: GPL-3.0-or-later
"""Look at Deployments in trouble as a rollout does, at recent changes, and at the flags that pods run with."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, replace
from datetime import datetime

from ansible.module_utils.common.yaml import yaml_dump

from .. import _cluster
from .._errors import DeployError
from .._flags.apply import KillSwitch
from .._flags.pods import STALE, UNKNOWN, Asker, FlagsProbe, container_of
from .._flags.values import only_flags
from .._release.store import ReleaseStore
from .._rollout.diagnosis import Extent, diagnose
from .._rollout.evaluate import Evaluation, explain
from .._rollout.failures import Suspicion, refusal_sign, rule_for, signs_of
from .._rollout.follow import as_kill
from .._rollout.models import Deployment, Pod, ReplicaSet, current_replica_set, owned_by
from .._rollout.observer import observe_deployment
from .._time import now as wall_clock
from .._time import parse_time
from .evidence import Notebook, file_name
from .rules import LastWords, LinePlace

ERROR_LINE = re.compile(
    r"\b(?:ERROR|FATAL|CRITICAL|PANIC)\b|\b\w*(?:Error|Exception)\b|^panic:|Traceback", re.M
)
UNHEALTHY = "Unhealthy"
DEPLOYMENTS = "kubernetes/deployments.txt"


@dataclass(frozen=True)
class WorkloadStatus:
    deployment: Deployment
    replica_sets: tuple[ReplicaSet, ...]
    current: ReplicaSet | None
    """That of the present template."""
    pods: tuple[Pod, ...]
    """Of the current ReplicaSet."""

    @property
    def state(self) -> str:
        """In one word or two, for the list of all."""
        troubles = troubles_of(self)
        if not self.deployment.complete or any(not trouble.over for trouble in troubles):
            return "in trouble"
        return "was in trouble" if troubles else "well"

    @property
    def unready(self) -> list[Pod]:
        return [pod for pod in self.pods if not pod.ready and not pod.deleting]


def look_at_deployments(
    notes: Notebook,
    cluster: _cluster.Cluster,
    *,
    services: t.Sequence[str],
    only: str = "",
    clock: _cluster.Clock | None = None,
) -> None:
    """Those of `services` in trouble, or the one that was asked for whatever its state."""
    standings = observe(cluster)
    wanted = [only] if only else [*services]
    for name in wanted:
        if name not in standings:
            notes.see("deployment_missing", name, file=DEPLOYMENTS)
    chosen = [standings[name] for name in wanted if name in standings]
    for standing in chosen:
        deployment = standing.deployment
        notes.write(DEPLOYMENTS, f"{deployment.name}: {standing.state}, {deployment.counts}")
    troubled = chosen if only else [entry for entry in chosen if entry.state != "well"]
    limit = notes.limits.deployments
    for standing in troubled[:limit]:
        _look_closely(notes, cluster, standing, clock or _cluster.MonotonicClock())
    for standing in troubled[limit:]:
        _tell_trouble(notes, DEPLOYMENTS, standing, None, {})
    if len(troubled) > limit:
        names = ", ".join(entry.deployment.name for entry in troubled[limit:])
        notes.cut(f"{len(troubled)} Deployments are in trouble: no logs and events are of {names}.")


def observe(cluster: _cluster.Cluster) -> dict[str, WorkloadStatus]:
    """All Deployments by name, in three requests."""
    deployments = [Deployment.from_json(entry) for entry in cluster.list_objects("Deployment")]
    replica_sets = [ReplicaSet.from_json(entry) for entry in cluster.list_objects("ReplicaSet")]
    pods = [Pod.from_json(entry) for entry in cluster.list_objects("Pod")]
    results = {}
    for deployment in deployments:
        current = current_replica_set(deployment, replica_sets)
        results[deployment.name] = WorkloadStatus(
            deployment,
            owned_by(deployment, replica_sets),
            current,
            tuple(pod for pod in pods if current is not None and pod.owner == current.uid),
        )
    return results


@dataclass(frozen=True)
class Trouble:
    """`over`: the pods that show it are ready again. `dooms`: a rollout would give up for it."""

    verdict: Evaluation
    dooms: bool
    over: bool


def troubles_of(standing: WorkloadStatus) -> list[Trouble]:
    """What a rollout would say of each kind of trouble, of pods that are not ready first."""
    deployment = standing.deployment
    ready = {pod.uid for pod in standing.pods if pod.ready}
    refused = refusal_sign(deployment, None)
    signs = [*signs_of(standing.pods, standing.current), *signs_of(standing.pods, crashes=1)]
    results: dict[str, Trouble] = {}
    for sign in sorted(
        [*signs, *([refused] if refused else [])], key=lambda entry: entry.pod in ready
    ):
        rule = rule_for(sign, restarts=1)
        if rule is not None and rule.name not in results:
            suspicion = Suspicion(sign, rule, first_seen=0, snapshots=1)
            verdict = explain(suspicion, deployment, container_of(deployment))
            dooms = rule.dwell is not None
            if rule.node_bound and _is_alone(sign.node, standing.pods):
                sentence = (
                    f"{verdict.sentence}, on node {sign.node}, and its pods elsewhere are ready"
                )
                hint = f"Look at node {sign.node}, or cordon it."
                verdict, dooms = replace(verdict, sentence=sentence, hint=hint), False
            results[rule.name] = Trouble(verdict, dooms, sign.pod in ready)
    return [*results.values()]


def _is_alone(node: str, pods: t.Iterable[Pod]) -> bool:
    """Whether all pods of the same template are ready on other nodes, of which there are some, and none on this one."""
    ready = {(pod.node == node, pod.ready) for pod in pods if not pod.deleting}
    return ready == {(True, False), (False, True)}


def _look_closely(
    notes: Notebook, cluster: _cluster.Cluster, standing: WorkloadStatus, clock: _cluster.Clock
) -> None:
    deployment, name = standing.deployment, standing.deployment.name
    sheet = f"kubernetes/{file_name(name)}.txt"
    troubles = troubles_of(standing)
    main = troubles[0].verdict if troubles else Evaluation("waiting")
    limits = notes.limits
    diagnosis = diagnose(
        cluster,
        deployment,
        main,
        container=container_of(deployment),
        clock=clock,
        extent=Extent(limits.lines, limits.bytes, limits.pods, limits.lines, limits.seconds),
    )
    for entry in diagnosis["missing"]:
        (notes.cut if "were read" in entry or "was read" in entry else notes.blind)(str(entry))
    if len(standing.pods) > limits.pods:
        notes.cut(f"{name} has {len(standing.pods)} pods: logs are of the worst {limits.pods}.")
    _tell_template(notes, sheet, standing, diagnosis)
    last = _keep_logs(notes, name, diagnosis["logs"])
    events = _tell_events(notes, name, diagnosis["events"])
    _tell_trouble(notes, sheet, standing, last, events)


def _tell_trouble(
    notes: Notebook,
    sheet: str,
    standing: WorkloadStatus,
    last: LastWords | None,
    events: t.Mapping[str, str],
) -> None:
    deployment, unready = standing.deployment, standing.unready
    name, troubles = deployment.name, troubles_of(standing)
    sentences = [{"message": message} for message in events.values()]
    for trouble in troubles:
        verdict = as_kill(trouble.verdict, sentences)
        notes.see(
            "trouble_over" if trouble.over else "trouble",
            name,
            file=sheet,
            last=last,
            reason=verdict.reason,
            cause=verdict.sentence,
            hint=verdict.hint,
            dooms=trouble.dooms,
        )
    if not all(trouble.over for trouble in troubles):
        return
    if deployment.paused:
        notes.see("paused", name, file=sheet, resume=deployment.resume)
    elif unready:
        answer, pods = events.get(UNHEALTHY, "no events of its probe"), len(unready)
        notes.see("unready", name, file=sheet, pods=pods, of=len(standing.pods), answer=answer)
    elif not deployment.complete:
        notes.see("incomplete", name, file=sheet, counts=str(deployment.counts))


def _tell_template(
    notes: Notebook, sheet: str, standing: WorkloadStatus, results: t.Mapping[str, t.Any]
) -> None:
    deployment = standing.deployment
    changed = (
        _cluster.RELEASE_ANNOTATION,
        _cluster.CHANGE_CAUSE_ANNOTATION,
        _cluster.ACTOR_ANNOTATION,
    )
    sets = sorted(standing.replica_sets, key=lambda entry: -entry.revision)
    known = {
        "deployment": f"{deployment.name}: {deployment.counts}",
        "annotations": {key: deployment.annotations.get(key, "-") for key in changed},
        "replica_sets": [f"{e.name} of {e.replicas}: {', '.join(e.images.values())}" for e in sets],
        **{name: results[name] for name in ("containers", "image_digests", "conditions", "pods")},
    }
    notes.write(sheet, yaml_dump(known, sort_keys=False, allow_unicode=True))


def _keep_logs(
    notes: Notebook, name: str, logs: t.Mapping[str, t.Sequence[str]]
) -> LastWords | None:
    """Each log as a file; the last words of the sickest container, those from before a crash first."""
    words: list[tuple[bool, LastWords]] = []
    for label, lines in logs.items():
        pod, _slash, rest = label.partition("/")
        container, _blank, previous = rest.partition(" ")
        parts = filter(None, (pod, container if container != name else "", previous))
        file = f"kubernetes/{file_name(*parts)}.log"
        stored = notes.keep_log(file, lines)
        number = last_error(stored)
        if number:
            last = LastWords(LinePlace(file, number), stored[number - 1].strip())
            words.append((not previous, last))
    return min(words, key=lambda entry: entry[0])[1] if words else None


def last_error(lines: t.Sequence[str]) -> int:
    """Number of the last line that tells of an error, 0 without one."""
    numbers = (
        number for number in range(len(lines), 0, -1) if ERROR_LINE.search(lines[number - 1])
    )
    return next(numbers, 0)


def _tell_events(
    notes: Notebook, name: str, events: t.Sequence[t.Mapping[str, t.Any]]
) -> dict[str, str]:
    """The events, newest first, into a file, and the last message of each reason."""
    file = f"kubernetes/{file_name(name)}.events.txt"
    for event in events:
        notes.write(
            file,
            f"{event['last_seen']} {event['type']} {event['object']} {event['reason']} (seen {event['count']} times): "
            f"{event['message']}",
        )
    return {str(event["reason"]): str(event["message"]) for event in reversed(events)}


LATELY = 24 * 60
"""Minutes."""


def look_at_record(notes: Notebook, cluster: _cluster.Cluster, release: str) -> None:
    """Which phase failed, and when which phase ran."""
    file = "kubernetes/record.txt"
    record = ReleaseStore(cluster, release, clock=_cluster.MonotonicClock()).read()
    if record is None:
        notes.write(file, f"There is no record of release {release}.")
        return
    notes.write(file, f"release {record.version}, attempt {record.attempt}: {record.status}")
    for name, phase in record.phases.items():
        notes.write(file, f"  {name}: {phase.status}, {phase.started} to {phase.finished or '…'}")
        at = phase.finished or phase.started
        for failure in phase.evidence.failures if phase.failed else ():
            host, answer = failure.name, failure.message
            notes.see("phase_failed", name, file=file, at=at, host=host, answer=answer)


def look_at_changes(notes: Notebook, cluster: _cluster.Cluster, services: t.Sequence[str]) -> None:
    file, now = "kubernetes/changes.txt", wall_clock()
    for name, standing in observe(cluster).items():
        if name not in services:
            continue
        deployment, counts = standing.deployment, standing.deployment.counts
        notes.see("standing", name, file=file, ready=counts.ready, desired=counts.desired)
        minutes = _age(standing.current.created if standing.current else "", now)
        if minutes is not None and minutes <= LATELY:
            cause = deployment.annotations.get(
                _cluster.CHANGE_CAUSE_ANNOTATION, "no reason recorded"
            )
            actor = deployment.annotations.get(_cluster.ACTOR_ANNOTATION, "somebody")
            notes.see("change", name, file=file, minutes=minutes, cause=cause, actor=actor)


def _tell_flags_map(notes: Notebook, file: str, name: str, metadata: _cluster.Object) -> None:
    """By whom it is held, and when it was written."""
    written = metadata.get("annotations") or {}
    switch = KillSwitch.from_annotations(written)
    if switch is not None:
        notes.see("kill_switch", name, file=file, switch=str(switch))
    if written.get(_cluster.RAMP_ANNOTATION):
        notes.write(file, f"ramp: {written[_cluster.RAMP_ANNOTATION]}")
    times = (entry.get("time", "") for entry in metadata.get("managedFields") or [])
    minutes = _age(max(times, default=""), wall_clock())
    if minutes is not None and minutes <= LATELY:
        notes.see("flags_change", name, file=file, minutes=minutes)


def look_at_flags(
    notes: Notebook,
    cluster: _cluster.Cluster,
    config_map: str,
    consumers: t.Sequence[str],
    probe: FlagsProbe,
) -> None:
    """When the ConfigMap was changed, and what each pod runs with against it."""
    file = "kubernetes/flags.txt"
    body = cluster.read("ConfigMap", config_map)
    if body is None:
        notes.see("no_flags", config_map, file=file)
    else:
        _tell_flags_map(notes, file, config_map, body["metadata"])
    wanted = dict((body or {}).get("data") or {})
    for name, value in sorted(wanted.items()):
        notes.write(file, f"{config_map}: {name}={value}")
    about = (only_flags(wanted), _cluster.MonotonicClock(), wall_clock)
    for consumer in consumers:
        try:
            deployment = observe_deployment(cluster, consumer)
            pods = Asker(cluster, deployment, *about, probe=probe).ask()
        except DeployError as exc:
            notes.blind(str(exc))
            continue
        for pod in pods:
            notes.write(file, f"pod {pod.pod}: {pod.state} {pod.detail}")
            if pod.state == UNKNOWN:
                notes.blind(f"Pod {pod.pod} could not show its flags: {pod.detail}.")
        stale = [pod for pod in pods if pod.state == STALE]
        if stale:
            count, detail = len(stale), stale[0].detail
            notes.see("stale_flags", consumer, file=file, pods=count, of=len(pods), detail=detail)


def _age(moment: str, now: datetime) -> int | None:
    result = parse_time(moment) if moment else None
    return None if result is None else max(int((now - result).total_seconds() // 60), 0)
