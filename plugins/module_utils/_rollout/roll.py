# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""One rollout from first look to last: observe, plan, patch, follow, soak, verify, and undo if doomed."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace

from ansible_collections.easymo.deploy.plugins.module_utils._cluster import Clock, Cluster
from ansible_collections.easymo.deploy.plugins.module_utils._errors import (
    ConflictError,
    DeployError,
    UnreachableError,
)
from ansible_collections.easymo.deploy.plugins.module_utils._rollout.apply import apply_plan
from ansible_collections.easymo.deploy.plugins.module_utils._rollout.diagnosis import diagnose
from ansible_collections.easymo.deploy.plugins.module_utils._rollout.follow import (
    Arrival,
    Follower,
    Report,
)
from ansible_collections.easymo.deploy.plugins.module_utils._rollout.judge import (
    Course,
    Verdict,
    start_course,
)
from ansible_collections.easymo.deploy.plugins.module_utils._rollout.models import Deployment
from ansible_collections.easymo.deploy.plugins.module_utils._rollout.observe import (
    observe_all_pods,
    observe_deployment,
)
from ansible_collections.easymo.deploy.plugins.module_utils._rollout.outcome import (
    Outcome,
    RolloutError,
    Side,
)
from ansible_collections.easymo.deploy.plugins.module_utils._rollout.plan import (
    Pin,
    Plan,
    Wanted,
    plan_return,
    plan_rollout,
    superseded,
)
from ansible_collections.easymo.deploy.plugins.module_utils._rollout.verify import find_log_line

HANDS_OFF = {
    "superseded": "superseded",
    "paused": "paused",
    "deleted": "deleted",
    "silent": "failed_no_undo",
}
"""Verdicts after which nothing is undone, with the result they give."""


@dataclass(frozen=True)
class Settings:
    wait_timeout: float
    soak: float = 0.0
    undo_on_failure: bool = True
    log_line: str = ""


class Rollout:
    """One Deployment's way to `wanted`. `pin` is what its release record keeps of it, if anything."""

    def __init__(
        self,
        cluster: Cluster,
        name: str,
        wanted: Wanted,
        pin: Pin | None,
        *,
        settings: Settings,
        clock: Clock,
        report: Report,
    ) -> None:
        self._cluster = cluster
        self._name = name
        self._wanted = wanted
        self._pin = pin
        self._settings = settings
        self._clock = clock
        self._report = report
        self._started = clock.now()

    def plan(self) -> Plan:
        deployment = observe_deployment(self._cluster, self._name)
        return plan_rollout(deployment, self._wanted, self._pin)

    def predict(self, plan: Plan) -> Outcome:
        """Let the server judge the patch without keeping it."""
        if plan.changed:
            self._cluster.patch("Deployment", self._name, plan.operations, dry_run=True)
        revision = "" if plan.changed else plan.before.revision  # only the controller numbers them
        after = replace(plan.before, template=plan.template, revision=revision)
        done = "rolled_back" if self._wanted.state == "rolled_back" else "succeeded"
        return self._outcome(done if plan.changed else "no_change", plan, after)

    def carry_out(self, plan: Plan) -> Outcome:
        if not plan.changed and plan.before.complete:
            return self._outcome("no_change", plan, plan.before)
        deadline = self._started + self._settings.wait_timeout
        patched = plan.before
        if plan.changed:
            patched = apply_plan(
                self._cluster.until(deadline),
                plan,
                self._wanted,
                replan=lambda current: plan_rollout(current, self._wanted, self._pin),
                clock=self._clock,
            )
        course = self._course(plan, patched)
        try:
            arrival = self._prove(course, deadline)
        except UnreachableError as exc:
            raise self._lost_sight(plan, patched, exc) from exc
        if arrival.verdict.outcome == "complete" and arrival.deployment is not None:
            done = "rolled_back" if self._wanted.state == "rolled_back" else "succeeded"
            return self._outcome(done, plan, arrival.deployment, gone=True)
        raise self._fail(plan, course, arrival)

    def _course(self, plan: Plan, patched: Deployment) -> Course:
        course = start_course(plan.before, patched, self._wanted.container, self._clock.now())
        # Nothing was patched now: a deadline that has passed is of the rollout we take up again.
        return course if plan.changed else replace(course, stale_deadline=None)

    def _prove(self, course: Course, deadline: float) -> Arrival:
        follower = self._follower(deadline)
        arrival = follower.follow(course)
        if arrival.verdict.outcome == "complete" and self._settings.soak:
            soak_end = self._clock.now() + self._settings.soak
            follower = self._follower(max(deadline, soak_end))
            arrival = follower.soak(course, self._settings.soak)
            if arrival.verdict.outcome == "waiting":
                arrival = follower.follow(course)
        if arrival.verdict.outcome == "complete" and self._settings.log_line:
            arrival = self._verify_log(arrival)
        return arrival

    def _follower(self, deadline: float) -> Follower:
        return Follower(
            self._cluster, self._name, clock=self._clock, deadline=deadline, report=self._report
        )

    def _verify_log(self, arrival: Arrival) -> Arrival:
        if arrival.deployment is None:
            return arrival
        silent = find_log_line(
            self._cluster,
            arrival.deployment,
            self._wanted.container,
            self._settings.log_line,
            clock=self._clock,
        )
        if not silent:
            return arrival
        return replace(
            arrival,
            verdict=Verdict(
                "doomed",
                "LogLineMissing",
                f"the log of {', '.join(silent)} does not say {self._settings.log_line!r}",
                "Read what it says instead below.",
            ),
        )

    def _fail(self, plan: Plan, course: Course, arrival: Arrival) -> DeployError:
        verdict, deployment = arrival.verdict, arrival.deployment
        if deployment is None or verdict.outcome in HANDS_OFF:
            result = HANDS_OFF.get(verdict.outcome, "failed_no_undo")
            return self._error(plan, verdict, result, deployment or plan.before)
        diagnosis = diagnose(
            self._cluster,
            deployment,
            verdict,
            container=self._wanted.container,
            clock=self._clock,
        )
        pin = self._pin or (Pin.of(plan.before) if plan.changed else None)
        if not self._settings.undo_on_failure or self._wanted.state == "rolled_back":
            return self._error(
                plan, verdict, self._unsuccessful(), deployment, diagnosis, "It was not undone."
            )
        if pin is None:
            why = "It was not undone, because nothing is pinned that it could return to."
            return self._error(plan, verdict, "failed_no_undo", deployment, diagnosis, why)
        return self._undo(plan, course, pin, verdict, diagnosis)

    def _unsuccessful(self) -> str:
        return "rollback_failed" if self._wanted.state == "rolled_back" else "failed_no_undo"

    def _undo(
        self, plan: Plan, course: Course, pin: Pin, verdict: Verdict, diagnosis: dict[str, t.Any]
    ) -> DeployError:
        self._report(f"doomed, undoing: {verdict.sentence}", plan.before.counts)
        deadline = self._clock.now() + self._settings.wait_timeout
        current = plan.before
        try:
            current = observe_deployment(self._cluster.until(deadline), self._name)
            arrival = self._return(current, plan, course, pin, deadline)
        except ConflictError as exc:
            result = exc.details.get("result", "rollback_failed")
            return self._error(plan, verdict, result, current, diagnosis, str(exc))
        except DeployError as exc:
            why = f"Undoing it failed too: {exc}"
            return self._error(plan, verdict, "rollback_failed", current, diagnosis, why)
        after = arrival.deployment or current
        if arrival.verdict.outcome == "complete":
            image = after.images.get(self._wanted.container, "")
            why = f"It was rolled back to {image} and serves as before."
            return self._error(plan, verdict, "rolled_back", after, diagnosis, why)
        why = f"Undoing it failed too: {arrival.verdict.sentence}."
        return self._error(plan, verdict, "rollback_failed", after, diagnosis, why)

    def _return(
        self, current: Deployment, plan: Plan, course: Course, pin: Pin, deadline: float
    ) -> Arrival:
        ours = plan.changed and current.template == course.template

        def back(deployment: Deployment) -> Plan:
            return plan_return(deployment, self._wanted, pin, ours=ours)

        if plan.changed and not ours:
            raise superseded(current, self._wanted)
        undo = back(current)
        restored = current
        if undo.changed:
            cluster = self._cluster.until(deadline)
            restored = apply_plan(cluster, undo, self._wanted, replan=back, clock=self._clock)
        course = start_course(current, restored, self._wanted.container, self._clock.now())
        return self._follower(deadline).follow(course)

    def _lost_sight(self, plan: Plan, patched: Deployment, exc: UnreachableError) -> RolloutError:
        return RolloutError(
            f"Deployment {self._name!r} was lost sight of while it rolled out, so nothing is known and "
            f"nothing was undone: {exc} Run the same task again to take it up where it stands.",
            reason="Unreachable",
            outcome=self._outcome("indeterminate", plan, patched),
        )

    def _error(
        self,
        plan: Plan,
        verdict: Verdict,
        result: str,
        after: Deployment,
        diagnosis: t.Mapping[str, t.Any] | None = None,
        what_was_done: str = "",
    ) -> RolloutError:
        release = f" of release {self._wanted.release!r}" if self._wanted.release else ""
        sentence = f"The rollout{release} of {self._name!r} failed: {verdict.sentence}."
        return RolloutError(
            " ".join(part for part in (sentence, what_was_done, verdict.hint) if part),
            reason=verdict.reason,
            outcome=replace(self._outcome(result, plan, after), diagnosis=diagnosis or {}),
        )

    def _outcome(
        self, result: str, plan: Plan, after: Deployment, *, gone: bool = False
    ) -> Outcome:
        container = self._wanted.container
        leaving = 0
        if gone:
            pods = observe_all_pods(self._cluster, after)
            leaving = sum(pod.deleting for pod in pods)
        return Outcome(
            result=result,
            changed=plan.changed,
            before=Side.of(plan.before, container),
            after=Side.of(after, container),
            counts=after.counts,
            terminating=leaving,
            duration=self._clock.now() - self._started,
        )
