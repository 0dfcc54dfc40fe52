"""Deployments and their pods: what rollouts and rollbacks write, and what they say of it."""

import typing as t

from ansible_collections.easymo.deploy.plugins.module_utils._cluster import (
    ADMITTED_ANNOTATION,
    ROLLOUT_ID_ANNOTATION,
    Object,
)
from sandbox.kubernetes.controllers.objects import condition, pod_ready, seconds, terminating
from sandbox.kubernetes.controllers.revisions import REVISION
from sandbox.kubernetes.requests import parse_path

from ..control_plane import WEBHOOKS, News
from ..kubelet import RESTARTS, SLOW, UNLIVE
from ..platform import FLAGS, NAMESPACE, VERSION
from ..scheduler import Process
from ..tasks import Did
from ..world import Request
from .history import (
    LEASE,
    PINNING,
    SCALES,
    History,
    Part,
    Write,
    annotations_of,
    epoch_of,
    fence_of,
    template_of,
)

STALE = 3.0
"""Seconds that a task needs, after its last look, to say what it saw."""
DELIVERING = ("feature_flags", "feature_ramp")
"""They restart what reads the flags."""
ROLLOUTS = ("rollout_wave", "release_rollback", *DELIVERING)
DEADLINE = "it made no progress within its progressDeadlineSeconds"
"""What a rollout says of itself and, after `UNDOING`, of its undo."""
UNDOING = "Undoing it failed too: "
BY_ANY_CLOCK = 0.85
"""Of a deadline the least that has passed when a run says so."""


class ServiceInvariants(Part):
    def __init__(self, history: History) -> None:
        super().__init__(history)
        self._read: dict[tuple[str, str], float] = {}
        """When a run last saw a Deployment."""
        self._overtaken: dict[tuple[str, str], tuple[t.Any, Object | None, float]] = {}
        """The options of the task in which a run's write of a Deployment was refused, for another had written it, the
        template over which it would have written, and when."""
        self._ended: dict[str, tuple[str, float]] = {}
        """By pod, the run that ended it, and when its task had begun."""
        self._pinned_at: dict[str, float] = {}
        """When a run last began to look what is to be pinned."""
        self._up: dict[str, set[str]] = {}
        """The pods that were ever ready, by their ReplicaSet."""
        self._ending: dict[str, dict[str, float]] = {}
        """By ReplicaSet and pod, since when it ends, by whatever hand."""
        self._world.plane.listeners.append(self._noticed)

    def _noticed(self, news: News) -> None:
        for event in news["pods"]:
            pod = event.record.body
            if not pod["metadata"].get("ownerReferences"):
                continue
            of, uid = pod["metadata"]["ownerReferences"][0]["name"], pod["metadata"]["uid"]
            if pod_ready(pod):
                self._up.setdefault(of, set()).add(uid)
            if event.type == "DELETED" or terminating(pod):
                self._ending.setdefault(of, {}).setdefault(uid, self._world.scheduler.now)

    def _replica_sets(self, deployment: Object) -> list[str]:
        """Those of its template, by name."""
        sets = [one.body["metadata"] for one in self._world.store.records("replicasets", NAMESPACE)]
        revision = annotations_of(deployment).get(REVISION)
        uid = deployment["metadata"]["uid"]
        return [
            one["name"]
            for one in sets
            if one["ownerReferences"][0]["uid"] == uid
            and (one.get("annotations") or {}).get(REVISION) == revision
        ]

    def requested(self, request: Request) -> None:
        if "/deployments" not in request.path or request.process is None:
            return
        target = parse_path(request.path)
        if target is None or target.resource.plural != "deployments":
            return
        by, now = request.process.name, self._world.scheduler.now
        names = [target.name] if target.name else [*self._world.plan.services]
        for name in names:
            if request.method == "PATCH" and request.status >= 400:
                seen = self._read.get((by, name), 0.0)
                if self._changed_since(name, by, seen):
                    looked_at = template_of(self._others_since(name, by, seen)[0].before)
                    self._overtaken[by, name] = self._history.doing(by)[1], looked_at, now
            elif request.method == "GET" and request.status < 400:
                self._read[by, name] = now

    def pod_ended(self, name: str, by: str) -> None:
        """Called after we deleted it, so the pod is marked already, or gone."""
        app = name.rpartition("-")[0].rpartition("-")[0]
        deployment = self._history.find("deployments", app)
        if deployment is None:
            return
        pods = [
            one.body
            for one in self._world.store.records("pods", NAMESPACE)
            if one.body["metadata"].get("labels", {}).get("app") == app
        ]
        ended = next((one for one in pods if one["metadata"]["name"] == name), None)
        if ended is None or not pod_ready(ended):
            return
        now = self._world.scheduler.now
        task = self._ended[name] = by, self._history.began(by)
        slow = self._world.plan.bad_images.get(app) == SLOW
        if slow and any(one != task for one in self._ended.values()):
            return  # it starts for longer than a task waits for what another one ended
        wall = self._world.now()
        moved = [_went_at(one) for one in pods if one["metadata"]["name"] not in self._ended]
        moved.append(
            seconds(t.cast("Object", condition(ended["status"], "Ready"))["lastTransitionTime"])
        )
        if any(at > wall - STALE for at in moved):
            return  # since it was looked at
        ready = sum(pod_ready(one) and not terminating(one) for one in pods)
        # As few as were asked for since it was looked at: somebody may have scaled it up in between.
        lately = [
            one.before
            for one in self._history.writes("deployments", app)
            if one.before is not None and one.at > now - STALE
        ]
        wanted = min(one["spec"]["replicas"] for one in (deployment, *lately))
        out_of_reach = self._world.kubelet.unreachable
        lost = sum(
            one["spec"].get("nodeName") in out_of_reach and (terminating(one) or not pod_ready(one))
            for one in pods
        )
        self._check(
            "capacity",
            ready >= wanted - lost - 1,
            f"{name} was ended while {ready + 1} of {wanted} were ready, and {lost} out of reach",
        )

    def written(self, write: Write) -> None:
        after, before = write.after, write.before
        if write.plural != "deployments" or before is None or after is None:
            return
        name, check = write.name, self._check
        fences = [fence_of(one) for one in (before, after)]
        check(
            "epochs_rise",
            fences[1] >= fences[0],
            f"the fence on {name} fell from {fences[0]} to {fences[1]}",
        )
        if not write.ours:
            return
        release = self._history.release_of(write.by)
        released = annotations_of(after).get(ROLLOUT_ID_ANNOTATION)
        if released != annotations_of(before).get(ROLLOUT_ID_ANNOTATION) and _runs(after, release):
            check(
                "pinned_first",
                name in self._history.pins(release).get("deployments", {}),
                f"{name} was released and is not pinned",
            )
            self._check_kept(write, before)
            self._history.check_freeze(write, f"released {write.name}")
        self._check_note(write, before, after)
        self._check_not_undone(write, before, after)
        module, params = self._history.doing(write.by)
        lets_out = module == "feature_ramp" and self._history.lets_out(write.by)
        # A count that is set carries no epoch: only the lock is looked at.
        scales = module == "rollout" and params["state"] in SCALES
        fence = 0 if lets_out or scales else params.get("fence") or 0
        if fence and template_of(before) != template_of(after) and _runs(after, release):
            lease = self._history.find("leases", LEASE)
            lost = lease is not None and epoch_of(lease) > fence
            back = self._history.record(release).get("status") == "rolled_back"
            check(
                "stays_back", not (lost and back), f"{write.by} released {name} after it went back"
            )
        if fence:
            check(
                "fenced",
                fences[1] == fence,
                f"{write.by} wrote {name} under epoch {fence}, and it has {fences[1]}",
            )
        if template_of(before) != template_of(after) and module in ROLLOUTS:
            seen = self._read.get((write.by, name), 0.0)
            unseen = self._changed_since(name, write.by, seen)
            check(
                "looked_first",
                not unseen and not self._is_overtaken(write, params),
                f"{write.by} wrote over what another wrote on {name}",
            )

    def _check_note(self, write: Write, before: Object, after: Object) -> None:
        """What is noted of an image that a webhook changed is of the release, or comes back with a pin."""
        release = self._history.release_of(write.by)
        note = annotations_of(after).get(ADMITTED_ANNOTATION)
        if note in (None, annotations_of(before).get(ADMITTED_ANNOTATION)):
            return
        pin = self._history.pins(release).get("deployments", {}).get(write.name) or {}
        self._check(
            "true_claims",
            _runs(after, release) or pin.get("annotations", {}).get(ADMITTED_ANNOTATION) == note,
            f"{write.by} noted {_images(after)} of {write.name} as what release {release} asked for",
        )

    def _check_kept(self, write: Write, before: Object) -> None:
        """What another wrote since the run looked what is to be pinned, no pin can keep."""
        looked, release = self._pinned_at.get(write.by, 0.0), self._history.release_of(write.by)
        pin = self._history.pins(release).get("deployments", {}).get(write.name)
        known = pin is not None and not _runs(before, release)
        if not known or self._changed_since(write.name, write.by, looked):
            return
        self._check(
            "pin_keeps",
            _bare(pin["template"]) == _bare(before["spec"]["template"]),
            f"{write.by} replaced {_images(before)} of {write.name}, and its pin keeps {pin['images']}",
        )

    def _check_not_undone(self, write: Write, before: Object, after: Object) -> None:
        release = self._history.release_of(write.by)
        if _runs(after, release) or _images(before) == _images(after):
            return
        moved = [
            one
            for one in self._history.writes("deployments", write.name)[:-1]
            if one.before and one.after and _images(one.before) != _images(one.after)
        ]
        if moved:
            self._check(
                "not_undone",
                _runs(before, release)
                or (moved[-1].ours and self._history.release_of(moved[-1].by) == release),
                f"{write.by} took {write.name} from {_images(before)}, which {moved[-1].by} wrote, to {_images(after)}",
            )

    def claimed(self, process: Process, did: Did) -> None:
        if did.module in PINNING and did.params["pin"] and did.params["phase"]:
            self._pinned_at[process.name] = did.began
        closes = did.module == "release_rollback" and did.params["state"] == "closed"
        if closes and "all" in did.params["parts"] and not did.failed:
            self._check_all_back(process, did)
        if did.params.get("state") in SCALES:
            return
        if did.module in DELIVERING and not did.failed:
            for name, consumer in (did.result.get("consumers") or {}).items():
                if "restart" in consumer:
                    self._check_rolled(process, did, name, "")
        elif did.module in DELIVERING and did.params["fence"]:
            self._check_loss_told(process, did.result)
        elif did.module == "release_rollback":
            self._check_returned(process, did)
        elif did.module == "rollout_wave":
            self._check_told(process, did)
            self._check_later_first(process, did)

    def wave_rolled(self, process: Process, did: Did) -> None:
        for service in did.params["services"]:
            if not did.result["services"][service["name"]]["failed"]:
                self._check_rolled(process, did, service["name"], service["image"])

    def _check_later_first(self, process: Process, did: Did) -> None:
        """What could not be taken back is told by its result. Those that stood at the release before it stay."""
        found = did.result.get("services") or {}
        for name in (one for one in found if found[one].get("result") == "rolled_back"):
            released, undone = self._moved_at(process, name)
            for later, one in found.items():
                moved = self._moved_at(process, later)
                if one["wave"] <= found[name]["wave"] or moved[0] <= released:
                    continue
                self._check(
                    "later_first",
                    one["failed"] and moved[1] <= undone,
                    f"{process.name} took back {name}, and {later} is: {one.get('msg') or one['result']}",
                )

    def _moved_at(self, process: Process, name: str) -> tuple[float, float]:
        """When a command released it last, and when it last took it back, be it in several runs; 0 for never."""
        release = self._history.release_of(process.name)
        released = undone = 0.0
        for one in self._history.writes("deployments", name):
            if one.by != process.name or template_of(one.before) == template_of(one.after):
                continue
            if _runs(one.after, release):
                released = one.at
            else:
                undone = one.at
        return released, undone

    def _check_told(self, process: Process, did: Did) -> None:
        """Why a rollout failed. What ended earlier in a wave saw less than what is seen now."""
        found = did.result.get("services") or {}
        for name, result in found.items():
            if not (did.failed or result.get("failed")):
                continue
            if len(found) == 1 and did.params["fence"]:
                self._check_loss_told(process, result)
            self._check_deadline(process, name, str(result.get("msg")))

    def _check_loss_told(self, process: Process, result: t.Mapping[str, t.Any]) -> None:
        history = self._history
        if history.is_troubled(process.name):
            return
        lost = history.lost_before(process.name, self._world.scheduler.now - STALE)
        history.check(
            "loss_is_told",
            not lost or result.get("result") != "superseded",
            f"{process.name} lost the lock, and says: {result.get('msg')}",
        )

    def _check_deadline(self, process: Process, name: str, said: str) -> None:
        """One that the controller counts from before an undo is none of the undo's."""
        deployment = self._history.find("deployments", name)
        own = [
            one.at
            for one in self._history.writes("deployments", name)
            if one.by == process.name and template_of(one.before) != template_of(one.after)
        ]
        _before, _undoing, undoing = said.partition(UNDOING)
        if not own or deployment is None or DEADLINE not in undoing:
            return
        late = self._world.scheduler.now - own[-1]
        self._check(
            "true_claims",
            late >= BY_ANY_CLOCK * deployment["spec"]["progressDeadlineSeconds"],
            f"{process.name} wrote {name} {late:.1f} s ago, and says: {said}",
        )

    def _check_rolled(self, process: Process, did: Did, name: str, image: str) -> None:
        deployment = self._history.find("deployments", name)
        if deployment is None:
            return
        alone = len(did.params.get("services") or ()) == 1
        lately = STALE if alone else None
        if self._history.others_wrote("deployments", name, did, process.name, lately=lately):
            return
        images = _images(deployment)
        said = f"{did.module} of {name} succeeded"
        if image:
            plan = self._world.plan
            asked = [WEBHOOKS[plan.webhook](image)]
            self._check("true_claims", images == asked, f"{said}, and it runs {images}")
            bad = plan.bad_images.get(name) if f":{VERSION}" in image else None
            if name in plan.probed and bad != RESTARTS:
                self._check(
                    "outlives", bad != UNLIVE, f"{said}, and its pods fail their liveness probe"
                )
            self._check(
                "true_claims",
                bad not in ("never-ready", "absent"),
                f"{said}, and no pod of it can become ready",
            )
        else:
            marks = deployment["spec"]["template"]["metadata"].get("annotations") or {}
            self._check(
                "true_claims",
                did.result["checksum"] in marks.values(),
                f"{said}, and its template has not the checksum",
            )
        status, wanted = deployment.get("status") or {}, deployment["spec"]["replicas"]
        observed = status.get("observedGeneration") or 0
        last = self._history.last_write("deployments", name)
        noted = last is not None and last.ours and last.before is not None
        # What is noted at the end of a soak makes another generation, which is waited for, but not without end.
        is_note = noted and last.before["spec"] == deployment["spec"]
        self._check(
            "true_claims",
            observed >= (last.before if is_note else deployment)["metadata"]["generation"],
            f"{said}, and the controller has not seen it",
        )
        counts = [status.get(one) or 0 for one in ("updatedReplicas", "availableReplicas")]
        # After the last look a pod may fall ill or be ended; one that never came up may not.
        sets = self._replica_sets(deployment)
        since = self._history.need_not_know(did, process.name, lately)
        ended = sum(at >= since for one in sets for at in self._ending.get(one, {}).values())
        self._check("true_claims", counts[0] >= wanted - ended, f"{said} at {counts} of {wanted}")
        up = sum(len(self._up.get(one, ())) for one in sets)
        self._check(
            "true_claims", up >= wanted, f"{said}, and {up} of {wanted} pods were ever ready"
        )

    def _check_returned(self, process: Process, did: Did) -> None:
        pins = self._history.pins(did.params["name"]).get("deployments", {})
        for name, one in (did.result.get("services") or {}).items():
            if one["message"] or self._history.others_wrote("deployments", name, did, process.name):
                continue
            template = template_of(self._history.find("deployments", name))
            fence = did.params.get("fence") or 0
            if template is not None and fence:
                written = fence_of(t.cast("Object", self._history.find("deployments", name)))
                self._check(
                    "fenced", written >= fence, f"{name} went back under {fence}, and has {written}"
                )
            if template is not None:
                self._check(
                    "back_at_pins",
                    template == pins[name]["template"],
                    f"{name} differs: {template}",
                )

    def _check_all_back(self, process: Process, did: Did) -> None:
        """What went back, or was never rolled, may be another's by now: nothing of it is this release's."""
        release = did.params["name"]
        for name, pin in self._history.pins(release).get("deployments", {}).items():
            deployment = self._history.find("deployments", name)
            if deployment is None or self._changed_since(name, process.name, did.began - 300.0):
                continue
            self._check(
                "back_at_pins",
                not _runs(deployment, release) or pin["template"] == template_of(deployment),
                f"the release is called rolled back, and {name} runs {_images(deployment)}",
            )

    def _changed_since(self, name: str, by: str, since: float) -> bool:
        """Whether its template is another by somebody else's hand. One that was undone is what it was."""
        others = self._others_since(name, by, since)
        return bool(others) and template_of(others[0].before) != template_of(others[-1].after)

    def _others_since(self, name: str, by: str, since: float) -> list[Write]:
        return [
            one
            for one in self._history.writes("deployments", name)
            if one.at > since and one.by != by and template_of(one.before) != template_of(one.after)
        ]

    def _is_overtaken(self, write: Write, params: t.Mapping[str, t.Any]) -> bool:
        """Whether it was refused in this task for another's template, and what stood before is not back since.

        That is what stood when the task began, too: of a write whose answer was lost, no run knows. Once it has put the
        flags back, its pods have to come to those, whoever restarted them: they may have read what it gave up.
        """
        options, looked_at, at = self._overtaken.get((write.by, write.name), (None, None, 0.0))
        flags = self._history.writes("configmaps", FLAGS)
        if options is not params or any(one.by == write.by and one.at > at for one in flags):
            return False
        began = self._history.began(write.by)
        since = (one for one in self._history.writes("deployments", write.name) if one.at >= began)
        stood = next((template_of(one.before) for one in since), None)
        return template_of(write.before) not in (looked_at, stood)


def _went_at(pod: Object) -> float:
    """When a pod was deleted or ceased to be ready; 0 for one that serves or never did. To the second."""
    metadata = pod["metadata"]
    if terminating(pod):
        grace = float(metadata.get("deletionGracePeriodSeconds") or 0)
        return seconds(metadata["deletionTimestamp"]) - grace
    ready = condition(pod.get("status") or {}, "Ready")
    if ready is None or ready["status"] == "True":
        return 0.0
    return seconds(ready["lastTransitionTime"])


def _images(deployment: Object) -> list[str]:
    return [one["image"] for one in deployment["spec"]["template"]["spec"]["containers"]]


def _bare(template: Object) -> Object:
    """Without annotations: a restart writes some."""
    return {**template, "metadata": {**template["metadata"], "annotations": {}}}


def _runs(deployment: Object, release: str) -> bool:
    return any(f":{release}" in image for image in _images(deployment))
