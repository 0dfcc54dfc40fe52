# SPDX-License-Identifier: GPL-3.0-or-later
"""One step of the ramp: what stands against it, the write, the pods, the rollback, the record and the news."""

from __future__ import annotations

import typing as t
from dataclasses import replace

from ._arguments import read_if_given, read_who_and_why
from ._cluster import MonotonicClock
from ._delivery import FlagsDelivery, WrittenFlags, has_moved, retold, take_diffs
from ._errors import DeployError
from ._gate.state import evidence_before
from ._guard.apply import start_of
from ._guard.memory import MemoryStore
from ._guard.tell import looks, when
from ._kubernetes import actor_of, cluster_for
from ._lock.apply import LEASE
from ._module import Module, Result, emit_progress
from ._ramp import plan as ramp
from ._ramp.apply import Ramp, RampFlags, RampOutcome, WatchFinding
from ._ramp.options import describe, read_schedule, to_diff, went_back
from ._ramp.plan import Start, StepRequest
from ._release.models import DONE
from ._release.plan import RecordChange
from ._release.record import Record
from ._release.store import ReleaseStore
from ._release.task import plain
from ._run_process import alive
from ._time import moment_of, now, utc_now

EVIDENCE = ("verdict", "reasons", "samples", "alerts", "sensitivity", "feedback")


class RampTask:
    """One task of the module feature_ramp."""

    def __init__(self, module: Module) -> None:
        params = module.params
        self._module = module
        self._params = params
        self._schedule = read_schedule(params)
        self._percentage = params["percentage"]
        ramp.refuse_no_step(self._schedule, self._percentage)
        read_if_given(reason=params["reason"])
        by, why = params["released_by"].strip(), params["release_reason"].strip()
        if by or why:
            read_who_and_why(by=by, reason=why)
        self._delivery = FlagsDelivery(module)
        self._place = RampFlags(params["name"], params["flag"], params["enabled_by"])
        cluster = cluster_for(module)
        self._ramp = Ramp(
            cluster,
            self._place,
            self._schedule,
            fence=params["fence"],
            lock=params["lock"] or LEASE,
            alive=alive,
        )
        version = params["release"]
        self._store = ReleaseStore(cluster, version, clock=MonotonicClock()) if version else None
        self._record = self._store.read() if self._store else None

    def run(self) -> Result:
        state = self._params["state"]
        if state == "read":
            return self._look()
        return self._judge() if state == "judged" else self._move()

    def _look(self) -> Result:
        start, guard = self._start()
        plan, needs_lock = self._ramp.look(self._request(start))
        result = describe(self._schedule, plan)
        # A refusal says it itself.
        sentences = [] if plan.action == ramp.REFUSE else [result["sentence"]]
        return {
            "changed": False,
            **result,
            "needs_lock": needs_lock,
            "recorded": self._record is not None,
            "lines": [*sentences, *plan.notes],
            "evidence_before": evidence_before(self._record or Record(), guard.pop("watch", None)),
            "guard": guard,
        }

    def _request(self, start: Start) -> StepRequest:
        params = self._params
        return StepRequest(
            by=actor_of(params),
            reason=params["reason"],
            percentage=self._percentage,
            release_reason=params["release_reason"].strip(),
            released_by=params["released_by"].strip(),
            start=start,
        )

    def _start(self) -> tuple[Start, dict[str, t.Any]]:
        """What the record and the guard say of a step up, and the guard's looks with its watch."""
        record, store = self._record, self._store
        if store is None:
            return Start(), {}
        known = start_of(record) if record else Start()
        memory = MemoryStore(store, record.attempt).read() if record else None
        sentence, silent = when(memory, self._params["max_silence"], now().timestamp())
        start = replace(known, blocked=blocked_by(store.version, record), unguarded=silent)
        guard = {"sentence": sentence, "silent": silent, "looks": looks(memory)}
        return start, {**guard, "watch": memory.guarded} if memory else guard

    def _move(self) -> Result:
        params, request = self._params, self._request(self._start()[0])
        done = self._ramp.step(request, check_mode=self._module.check_mode)
        result = self._result(done)
        action, changed = done.plan.action, done.flags.changed
        # A step that waits for its day, or the last one, is already in the pods.
        if action not in (ramp.WAIT, ramp.DONE):
            # Going down needs no lock.
            fence = 0 if action == ramp.LOWER else params["fence"]
            try:
                self._deliver(done, result, undo=action == ramp.RAISE, fence=fence)
            except DeployError as exc:
                raise self._not_reached(done, exc) from exc
        if action in (ramp.RAISE, ramp.LOWER) or (changed and action != ramp.WATCH):
            text = " ".join([result["sentence"], *result["notes"]])
            self._tell(result, "moved", text, {})
        return result

    def _judge(self) -> Result:
        params = self._params
        finding = WatchFinding(
            percentage=self._percentage or 0,
            verdict=params["verdict"],
            by=actor_of(params),
            reasons=tuple(params["verdict_reasons"]),
            since=moment_of(params["since"]) if params["since"] else None,
        )
        done = self._ramp.judge(finding, check_mode=self._module.check_mode)
        result = self._result(done)
        if finding.verdict == ramp.ROLLBACK:
            self._deliver(done, result, undo=False, fence=0)
        evidence = {"verdict": finding.verdict, **params["evidence"]}
        watched = f"{finding.percentage} % since {params['since'] or result['ramp']['since']}"
        watches = {watched: {name: evidence[name] for name in EVIDENCE if name in evidence}}
        self._tell(result, finding.verdict, self._news(finding, result), watches)
        return result

    def _result(self, done: RampOutcome) -> Result:
        for note in done.plan.notes:
            self._module.warn(note)
        if done.flags.overruled:
            self._module.warn(
                f"The percentage in ConfigMap {self._place.config_map!r} that {', '.join(done.flags.overruled)} set "
                "was changed."
            )
        check_mode = self._module.check_mode
        result: Result = {
            "changed": done.flags.changed,
            **describe(self._schedule, done.plan, moved=not check_mode),
            "checksum": done.flags.checksum,
            "news": "",
            "announcement": "",
            "consumers": {},
        }
        if done.flags.changed and not check_mode:
            data = {"percentage": result["percentage"]}
            emit_progress(self._module, "RampMoved", result["sentence"], data)
        if self._module._diff:
            result["diff"] = to_diff(self._place.flag, done.flags.before, done.plan)
        return result

    def _deliver(self, done: RampOutcome, result: Result, *, undo: bool, fence: int) -> None:
        consumers = self._delivery.bring(self._written(done, undo=undo, fence=fence))
        result["changed"] |= has_moved(consumers)
        diffs = take_diffs(consumers)
        if diffs:
            result["diff"] = [result["diff"], *diffs]
        result["consumers"] = consumers

    def _written(self, done: RampOutcome, *, undo: bool = False, fence: int = 0) -> WrittenFlags:
        flags = {self._place.flag: str(done.plan.percentage)}
        return WrittenFlags(flags, done.flags.checksum, done.flags.changed, undo=undo, fence=fence)

    def _not_reached(self, done: RampOutcome, cause: DeployError) -> DeployError:
        """Go back one step, if it was one up, and tell what became of it."""
        failed = f"{done.plan.percentage} % did not reach every pod"
        text = f"{failed} of {self._delivery.names}: {cause}"
        before = done.plan.standing.percentage
        if self._module.check_mode:
            return cause
        if done.plan.action != ramp.RAISE or before is None:
            stays = (
                "The ConfigMap has it, so new pods run with it. Find the cause, and run this again."
            )
            return retold(cause, f"{text} {stays}")
        by = actor_of(self._params)
        request = StepRequest(by=by, percentage=before, reason=f"{failed}: {cause}")
        try:
            back = self._ramp.step(request, check_mode=False)
            strays = self._delivery.bring_back(self._written(back))
        except DeployError as exc:
            return retold(cause, f"{text} The ramp did not go back to {before} %: {exc}")
        but = f" But not every pod was seen to run that: {strays}" if strays else ""
        return retold(cause, f"{text} The ramp is back at {before} %.{but}")

    def _news(self, finding: WatchFinding, result: Result) -> str:
        at, why = f"{finding.percentage} %", "; ".join(finding.reasons)
        evidence = self._params["evidence"]
        answers = (evidence.get("feedback") or {}).get("answers") or ()
        again = f"{why}. Run the same command to watch it again, or release it with {ramp.RELEASE}."
        if any(answer["answer"] == "none" for answer in answers):
            again = f"{evidence['sentence']} Or release it with {ramp.RELEASE}."
        return {
            ramp.PROCEED: (
                f"{at} was watched for {self._params['watch_duration']:g} s and is good. "
                f"{evidence.get('sensitivity') or ''}"
            ).strip(),
            ramp.HOLD: f"{at} is held: {again}",
            ramp.ROLLBACK: went_back(finding.percentage, result["percentage"], why),
        }[finding.verdict]

    def _tell(
        self,
        result: Result,
        what: str,
        text: str,
        watches: t.Mapping[str, t.Any],
    ) -> None:
        """The ramp's own state is beside the percentage. The record is for the report."""
        result["news"] = text
        if self._store is None or self._record is None:
            return
        params, state = self._params, result["ramp"]
        change = RecordChange(
            version=self._store.version,
            actor=actor_of(params),
            now=utc_now(),
            facts=plain({"ramp": state, "ramp_watches": watches}),
        )
        self._store.change(change, check_mode=self._module.check_mode)
        at = state["history"][-1]["at"] if state["history"] else state["since"]
        step = result["percentage"] if what == "moved" else params["percentage"]
        result["announcement"] = f"ramp_{step}_{what}_{at}"


def blocked_by(version: str, record: Record | None) -> str:
    """Why the release lets nothing go up, "" once it is signed off."""
    if record is None or record.status != DONE:
        how = record.status.replace("_", " ") if record else "never begun"
        return (
            f"release {version} is not signed off ({how}): finish it first, with the phase sign_off"
        )
    if failed := [name for name, phase in record.phases.items() if phase.failed]:
        return f"release {version} failed in phase {failed[0]} after its sign-off: run that phase again first"
    return ""
