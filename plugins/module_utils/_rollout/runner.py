# SPDX-License-Identifier: GPL-3.0-or-later
"""One rollout from first look to last: observe, plan, patch, follow, soak, verify, and undo if failing."""

from __future__ import annotations

import typing as t
from contextlib import suppress
from dataclasses import dataclass, replace

from .._cluster import SOAK_ANNOTATION, Clock, Cluster, Object, read_object
from .._errors import ConflictError, DeployError, EarlierWaveError, RefusedError, UnreachableError
from .._formats import listed
from .._lock.apply import WriteCheck
from .apply import GuardedCluster, apply_plan, deleted, loss, require, require_for_undo
from .changes import describe_changes
from .diagnosis import diagnose, find_log_line
from .evaluate import CONTROLLER_SILENCE, Evaluation, RolloutProgress, is_another, start_course
from .failures import signs_of
from .follow import (
    HELD_LOOK,
    RESTARTS,
    Follower,
    Report,
    RolloutStatus,
    as_kill,
    recalled,
    with_answer,
)
from .models import Deployment, Pod, PodTemplate
from .observer import RolloutObserver, find_deployment, observe_all_pods, observe_deployment
from .overlap import ALONE, PROVEN, RETURNING, Place
from .plan import (
    Pin,
    RolloutPlan,
    RolloutRequest,
    check_fence,
    plan_return,
    plan_rollout,
    plan_soaked,
    released_container,
    runs_release,
    superseded,
    unchanged,
)
from .watches import SharedWatches

HINTS: t.Mapping[str, str] = {
    "succeeded": "",
    "no_change": "",
    "rolled_back": "Back as before: fix the cause, then try again.",
    "rollback_failed": "Check its pods now.",
    "failed_no_undo": "Nothing was undone: undo it by hand.",
    "superseded": "Find out who else changed it.",
    "blocked": "Nothing was written: fix what is named, then try again.",
    "lease_lost": "Another run is deploying now: leave it, or ask.",
    "paused": "Resume its rollout, then try again.",
    "rejected": "The server refused the change: read its message.",
    "controller_silent": "Check kube-controller-manager, then run it again.",
    "deleted": "Apply its manifest if it should exist.",
    "indeterminate": "Run the same task again: it continues.",
}
"""What to do, by every value of a rollout's `result`."""

Result = dict[str, t.Any]
"""As the module returns it."""

HANDS_OFF = {
    "superseded": "superseded",
    "paused": "paused",
    "deleted": "deleted",
    "silent": "controller_silent",
    "unproven": "failed_no_undo",
}
"""Verdicts after which nothing is undone, with the result they give."""
TAKEN = ("superseded", "paused", "deleted")
"""Those of them that another writer caused."""
LAST_LOOK = 5.0
"""Seconds that the look at the deadline may take."""


@dataclass
class Rollout:
    """One Deployment's rollout to `wanted`. `pin`: its state in the release record, if recorded."""

    cluster: Cluster
    name: str
    wanted: RolloutRequest
    pin: Pin | None
    clock: Clock
    report: Report
    guard: WriteCheck
    place: Place = ALONE
    watches: SharedWatches | None = None

    def __post_init__(self) -> None:
        self.wanted = replace(self.wanted, provisional=self.place.is_held())
        self._started = self.clock.now()
        self._deadline = self._started + self.wanted.wait_timeout
        self.cluster = self.cluster.until(self._deadline)
        self._goes_back = self.wanted.state == "rolled_back"
        ask = require_for_undo if self._goes_back else require
        self._guarded = GuardedCluster(
            self.cluster, lambda: ask(self.guard), self.clock, self._deadline
        )
        self._failing_before: tuple[str, ...] = ()
        self._failing: frozenset[str] = frozenset()

    def plan(self) -> RolloutPlan:
        try:
            deployment = observe_deployment(self.cluster, self.name)
        except UnreachableError as exc:
            raise UnreachableError(str(exc), **{**exc.details, "result": "indeterminate"}) from exc
        container = released_container(deployment, self.wanted.container)
        self.wanted = replace(self.wanted, container=container)
        try:
            return plan_rollout(deployment, self.wanted, self.pin)
        except DeployError as exc:
            raise self._refused(exc, deployment) from exc

    def predict(self, plan: RolloutPlan) -> Result:
        """Let the server judge the patch without keeping it."""
        if plan.writes:
            try:
                self.cluster.patch("Deployment", self.name, plan.operations, dry_run=True)
            except RefusedError as exc:
                rejected = RefusedError(str(exc), **{**exc.details, "result": "rejected"})
                raise self._refused(rejected, plan.before) from exc
        if plan.refusal is not None:
            raise self._refused(plan.refusal, plan.before)
        before = plan.before
        template = read_object(PodTemplate, plan.template, "pod template")
        # Only the controller numbers revisions.
        numbered = {} if plan.changed else before.annotations
        after = replace(before, pod_template=template, annotations=numbered)
        return self._outcome(self._done if plan.changed else "no_change", plan, after)

    def carry_out(self, plan: RolloutPlan) -> Result:
        stands = not plan.changed and plan.before.complete and not self._is_unproven(plan.before)
        if stands and not plan.writes:
            return self._outcome("no_change", plan, plan.before)
        try:
            patched = self._patch(plan)
        except UnreachableError as exc:
            raise self._lost_sight(plan, plan.before, exc) from exc
        except DeployError as exc:
            raise self._refused(exc, plan.before) from exc
        if stands:
            return self._outcome("no_change", plan, patched)
        needs_pods = self.wanted.state == "released" and not self.wanted.allow_no_replicas
        progress = self._course(plan.before, patched, needs_pods=needs_pods)
        if not plan.changed:
            # No patch now: the template is of an earlier run's rollout, which this run resumes.
            progress = replace(progress, patched=None, stale_refusal=None)
        try:
            if not plan.changed:
                in_trouble = signs_of(observe_all_pods(self.cluster, patched))
                progress = replace(progress, inherited=frozenset(sign.pod for sign in in_trouble))
            # Those of earlier waves may soak for longer.
            longest = max(self._longest_soak(patched), self.place.overlap.longest)
            with self._observer(patched, self._deadline + longest) as observer:
                status = self._prove(progress, observer)
                if status.completed:
                    return self._succeed(plan, status.completed, observer)
        except (UnreachableError, RefusedError) as exc:
            # A run without the right to read knows as little as a run without a connection.
            raise self._lost_sight(plan, patched, exc) from exc
        raise self._fail(plan, progress, status)

    def _patch(self, plan: RolloutPlan) -> Deployment:
        if not plan.writes:
            return plan.before
        if verdict := recalled(self.place):
            sentence = f"Deployment {self.name!r} was not rolled: {verdict.sentence}."
            raise EarlierWaveError(sentence, result="blocked")
        if plan.changed:
            self._note_trouble(observe_all_pods(self.cluster, plan.before))
        if plan.takes:
            self.report(describe_changes(plan.takes), plan.before.counts)
        return apply_plan(
            self._guarded,
            plan,
            self.wanted,
            replan=lambda current: plan_rollout(current, self.wanted, self.pin),
        )

    def _note_trouble(self, pods: t.Sequence[Pod]) -> None:
        """Which pods the rollout is not to blame for, by their uids."""
        self._failing = frozenset(sign.pod for sign in signs_of(pods))
        failing = sorted(pod.name for pod in pods if pod.uid in self._failing)
        self._failing_before = tuple(failing)

    def _course(
        self, before: Deployment, patched: Deployment, *, needs_pods: bool = False
    ) -> RolloutProgress:
        return replace(
            start_course(before, patched, self.wanted.container, self.clock.now()),
            quorum=self.wanted.quorum,
            stall=self.wanted.stall_timeout,
            needs_pods=needs_pods,
            failing_before=self._failing,
        )

    def _prove(self, progress: RolloutProgress, observer: RolloutObserver) -> RolloutStatus:
        follower = replace(self._follower(observer, self._guarded), place=self.place)
        # What is complete by a watch may begin its soak, and is confirmed when that is over.
        status = follower.follow(progress, confirm=False)
        if status.completed:
            status = self._soak(progress, status.completed, follower)
        if status.completed and self.wanted.log_line:
            status = self._verify_log(status, status.completed)
        if status.completed:
            self.place.reach(PROVEN)
        return status

    def _soak(
        self,
        progress: RolloutProgress,
        deployment: Deployment,
        follower: Follower,
    ) -> RolloutStatus:
        """Soak in extra time. A failure in it has the rest of `wait_timeout` to clear."""
        longest = self._longest_soak(deployment)
        if not longest and not self.place.is_held():
            confirmed = follower.follow(progress)
            noted = (
                self._note_soaked(progress, deployment, follower) if confirmed.completed else None
            )
            return noted or confirmed
        self.place.soak(longest)
        after = follower.soaking(self.clock.now() + longest + 1.0).soak(
            progress, self.wanted.soak or 0.0, self.wanted.patience(deployment.template)
        )
        if after.verdict.outcome not in ("waiting", "complete"):
            return after
        # Watches may be late: a direct read confirms the end of the soak.
        last = follower.follow(progress)
        if after.verdict.outcome == last.verdict.outcome == "complete":
            return self._note_soaked(progress, deployment, follower) or last
        return last

    def _longest_soak(self, deployment: Deployment) -> float:
        return self.wanted.longest_soak(deployment.template) if deployment.counts.desired else 0.0

    def _note_soaked(
        self, progress: RolloutProgress, deployment: Deployment, follower: Follower
    ) -> RolloutStatus | None:
        """Note the soak for later runs. A failed note costs only another soak.

        `deployment`: as it was when the soak began. Returns its status when another writer has changed it meanwhile.
        """
        if self.place.is_in_doubt() or not self._may_soak(deployment):
            return None
        operations = plan_soaked(deployment, self.wanted)
        if not operations:
            return None
        with suppress(DeployError):
            noted = Deployment.from_json(self._guarded.patch_deployment(self.name, operations))
            # To the controller it is another generation, which is observed when the task ends.
            now = self.clock.now()
            noted_progress = replace(progress, generation=noted.generation, started=now)
            noting = follower.soaking(now + CONTROLLER_SILENCE)
            # It was confirmed before the note, which only another writer could undo.
            since = noting.follow(noted_progress, confirm=False)
            return since if since.verdict.outcome in TAKEN else None
        return None

    def _is_unproven(self, deployment: Deployment) -> bool:
        """Whether an earlier run did not finish its soak, or that of an earlier wave."""
        return SOAK_ANNOTATION in deployment.annotations and self._may_soak(deployment)

    def _may_soak(self, deployment: Deployment) -> bool:
        """A restart has to prove nothing of the release."""
        releases = self.wanted.state == "released" and self.wanted.soak != 0
        return releases and deployment.counts.desired > 0

    def _observer(self, deployment: Deployment, deadline: float) -> RolloutObserver:
        # The last look comes at the deadline, and a server that stumbles just then is asked again.
        return RolloutObserver(
            self.cluster,
            deployment,
            clock=self.clock,
            deadline=deadline + LAST_LOOK,
            watches=self.watches,
        )

    def _follower(self, observer: RolloutObserver, guarded: GuardedCluster) -> Follower:
        return Follower(
            observer,
            clock=self.clock,
            deadline=guarded.deadline,
            report=self.report,
            replace_pod=guarded.delete_pod,
        )

    def _verify_log(self, status: RolloutStatus, deployment: Deployment) -> RolloutStatus:
        line = self.wanted.log_line
        silent = find_log_line(
            self.cluster, deployment, self.wanted.container, line, clock=self.clock
        )
        if not silent:
            return status
        sentence = f"the log of {', '.join(silent)} does not say {line!r}"
        verdict = Evaluation("failing", "LogLineMissing", sentence, "Read its log.")
        return replace(status, verdict=verdict)

    @property
    def _done(self) -> str:
        return "rolled_back" if self._goes_back else "succeeded"

    def _succeed(self, plan: RolloutPlan, after: Deployment, observer: RolloutObserver) -> Result:
        old: t.Sequence[Pod] | None = ()
        if self.wanted.wait_for_old:
            if left := self._follower(observer, self._guarded).wait_for_old(after):
                raise self._old_remain(plan, after, left)
        else:
            # The rollout succeeded, also when its old pods cannot be counted.
            old = None
            with suppress(UnreachableError, RefusedError):
                old = observer.old_pods(after)
        return self._outcome(self._done, plan, after, old)

    def _named(self, verdict: Evaluation) -> Evaluation:
        """Whether a restart was the kubelet's doing is in the events of its pod alone."""
        if verdict.reason not in RESTARTS or not verdict.pod:
            return verdict
        try:
            by_uid = f"involvedObject.uid={verdict.pod}"
            return as_kill(verdict, self.cluster.list_objects("Event", field_selector=by_uid))
        except (UnreachableError, RefusedError):
            return verdict

    def _pin_for_undo(self, plan: RolloutPlan) -> Pin | None:
        """The template that this run replaced. Where the same release wrote it: the template before that release."""
        release = self.wanted.release
        if plan.changed and not (release and runs_release(plan.before, release)):
            return Pin.of(plan.before)
        return self.pin or (Pin.of(plan.before) if plan.changed else None)

    def _fail(
        self, plan: RolloutPlan, progress: RolloutProgress, status: RolloutStatus
    ) -> DeployError:
        verdict, deployment = status.verdict, status.deployment
        if deployment is None or verdict.outcome in HANDS_OFF:
            result = HANDS_OFF.get(verdict.outcome, "failed_no_undo")
            return self._failure(plan, verdict, result, deployment or plan.before)
        pin, why = self._pin_for_undo(plan), ""
        if not self.wanted.undo_on_failure or self._goes_back:
            why = "It was not undone."
        elif pin is None:
            why = "It was not undone, because nothing is pinned."
        else:
            # Those of later waves begin their way back while what happened here is looked at.
            self.place.reach(RETURNING)
        verdict = self._named(verdict)
        diagnosis: t.Mapping[str, t.Any] = {}
        if verdict.reason != EarlierWaveError.reason:
            diagnosis = diagnose(
                self.cluster, deployment, verdict, container=self.wanted.container, clock=self.clock
            )
            verdict = with_answer(verdict, diagnosis)
            diagnosis = {**diagnosis, "cause": verdict.sentence}
        if why or pin is None:
            result = "rollback_failed" if self._goes_back else "failed_no_undo"
            return self._failure(plan, verdict, result, deployment, diagnosis, why)
        self.report(f"failing, undoing: {verdict.sentence}", deployment.counts)
        while not self.place.is_last_back():
            self.clock.sleep(HELD_LOOK)
        return self._undo(plan, pin, progress.template, verdict, diagnosis)

    def _undo(
        self,
        plan: RolloutPlan,
        pin: Pin,
        template: Object,
        verdict: Evaluation,
        diagnosis: t.Mapping[str, t.Any],
    ) -> DeployError:
        """Undo what `plan` wrote, in as much time again. Returns the error that describes the failure and its undo."""
        latest = plan.before

        def failure(result: str, why: str) -> DeployError:
            return self._failure(plan, verdict, result, latest, diagnosis, why)

        deadline = self.clock.now() + self.wanted.wait_timeout
        guarded = GuardedCluster(
            self.cluster.until(deadline),
            lambda: require_for_undo(self.guard),
            self.clock,
            deadline,
        )
        try:
            current = find_deployment(guarded.cluster, plan.before.name)
            if current is None:
                raise deleted(plan.before)
            latest = current
            if plan.changed and is_another(template, current.template):
                raise superseded(current, self.wanted)
            status = self._return(guarded, current, pin, ours=plan.changed)
        except ConflictError as exc:
            return failure(exc.details.get("result", "rollback_failed"), str(exc))
        except DeployError as exc:
            return failure("rollback_failed", f"Undoing it failed too: {exc}")
        latest, outcome = status.deployment or latest, status.verdict.outcome
        if outcome == "complete":
            image = latest.images.get(self.wanted.container, "")
            return failure("rolled_back", f"It was rolled back to {image} and serves as before.")
        result = outcome if outcome in TAKEN else "rollback_failed"
        how = f"Undoing it failed too: {status.verdict.sentence}."
        if status.deployment and latest.counts.serving:
            how += f" Yet {latest.counts.available} of {latest.counts.desired} pods are available."
        return failure(result, how)

    def _return(
        self, guarded: GuardedCluster, current: Deployment, pin: Pin, *, ours: bool
    ) -> RolloutStatus:
        def back(deployment: Deployment) -> RolloutPlan:
            undo = plan_return(deployment, self.wanted, pin, ours=ours)
            if undo.changed:
                check_fence(deployment, self.wanted)
            return undo

        undo = back(current)
        restored = current
        if undo.writes:
            restored = apply_plan(guarded, undo, self.wanted, replan=back)
        way_back = self._course(current, restored)
        with self._observer(restored, guarded.deadline) as observer:
            return self._follower(observer, guarded).follow(way_back)

    def _outcome(
        self,
        result: str,
        plan: RolloutPlan,
        after: Deployment,
        old: t.Sequence[Pod] | None = (),
        diagnosis: t.Mapping[str, t.Any] | None = None,
    ) -> Result:
        """`old`: pods of older revisions, ending ones included; None when they could not be counted."""
        return {
            # A rollback is a change, also of an earlier run's patch.
            "changed": plan.changed or result == "rolled_back",
            "result": result,
            "hint": HINTS[result],
            "before": self._side(plan.before),
            "after": self._side(after),
            "replicas": {
                **after.counts.shown(),
                "terminating": sum(pod.deleting for pod in old or ()),
                "old": None if old is None else len(old),
            },
            "duration": round(self.clock.now() - self._started, 1),
            "diagnosis": dict(diagnosis or {}),
            "failing_before": list(self._failing_before),
            "taken_away": [change._asdict() for change in plan.takes],
            "fenced": plan.fences,
        }

    def _side(self, deployment: Deployment) -> dict[str, str]:
        image = deployment.images.get(self.wanted.container, "")
        return {"image": image, "revision": deployment.revision}

    def _error(
        self,
        message: str,
        reason: str,
        result: str,
        plan: RolloutPlan,
        after: Deployment,
        *,
        old: t.Sequence[Pod] = (),
        diagnosis: t.Mapping[str, t.Any] | None = None,
        **details: t.Any,
    ) -> DeployError:
        """A failure, in other words where the other writer is the run that holds the deploy lock by now."""
        lost = loss(self.guard) if result == "superseded" else None
        if lost is not None:
            message = f"Deployment {self.name!r} was changed by somebody else. {lost}"
            reason, result = lost.reason, "lease_lost"
        outcome = self._outcome(result, plan, after, old, diagnosis)
        outcome["fenced"] |= bool(details.get("fenced"))
        failure = DeployError(message, **{**details, **outcome})
        failure.reason = reason
        return failure

    def _failure(
        self,
        plan: RolloutPlan,
        verdict: Evaluation,
        result: str,
        after: Deployment,
        diagnosis: t.Mapping[str, t.Any] | None = None,
        what_was_done: str = "",
    ) -> DeployError:
        release = f" of release {self.wanted.release!r}" if self.wanted.release else ""
        sentence = f"The rollout{release} of {self.name!r} failed: {verdict.sentence}."
        text = " ".join(part for part in (sentence, what_was_done, verdict.hint) if part)
        return self._error(text, verdict.reason, result, plan, after, diagnosis=diagnosis)

    def _refused(self, exc: DeployError, before: Deployment) -> DeployError:
        """The failure for an error before any write, when it carries a `result`."""
        if "result" not in exc.details:
            return exc
        details = {**exc.details}
        result, plan = details.pop("result"), unchanged(before)
        return self._error(str(exc), exc.reason, result, plan, before, **details)

    def _lost_sight(self, plan: RolloutPlan, patched: Deployment, exc: DeployError) -> DeployError:
        return self._error(
            f"Deployment {self.name!r} could not be seen during its rollout, so the result is "
            f"unknown and nothing was undone: {exc} Run the same task again to continue.",
            exc.reason,
            "indeterminate",
            plan,
            patched,
        )

    def _old_remain(
        self, plan: RolloutPlan, after: Deployment, old: t.Sequence[Pod]
    ) -> DeployError:
        """It rolled out, but code of the old revision is not gone."""
        names = listed([pod.name for pod in old])
        return self._error(
            f"Deployment {self.name!r} rolled out, but {len(old)} pods of older revisions are still "
            f"there after 'wait_timeout' ({names}): find out why they do not end. Nothing was "
            "undone.",
            "OldPodsRemain",
            "failed_no_undo",
            plan,
            after,
            old=old,
        )
