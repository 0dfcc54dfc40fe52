"""playbooks/ramp.yml: the feature for more people, or for fewer."""

import typing as t

from ..monitoring import URL
from ..platform import CLUSTER, LOOKS, PERCENTAGE, RAMP, WATCHED
from ..tasks import Result
from .flags import check_pods, roll_out
from .script import WATCH, Script, StopError
from .watch import METRIC


def ramp(script: Script) -> None:
    record = script.require(
        script.task("feature_ramp/look", "Read the time of the first step", name=script.version)
    )
    kept = record.get("record") or {}
    began = _done(kept, "feature_flags")
    guard = script.require(
        script.task(
            "feature_ramp/look",
            "Read when the guard looked last",
            release=script.version,
            max_silence=0,
        )
    )
    known = {
        **RAMP,
        "unguarded": guard["silent"],
        "started": began,
        # Where no release watches, its first step counts as good, as if it had.
        "watched": _done(kept, WATCH) if script.world.plan.watched else began,
        "blocked": "" if kept.get("status") == "done" else "not signed off",
    }
    wanted = script.actor.options.get("percentage")
    releases = bool(script.actor.options.get("release"))
    seen = script.require(
        script.task("feature_ramp/look", "Read the ramp's state", percentage=wanted, **known)
    )
    if seen["needs_lock"]:
        script.lock()
    moved = script.require(
        script.task(
            "feature_ramp/main",
            "Change the ramp",
            flagd=None,
            percentage=wanted,
            reason="",
            release_reason=f"{script.actor.name} looked at it" if releases else "",
            released_by=script.actor.name if releases else "",
            fence=script.epoch,
            **known,
        )
    )
    if moved["action"] not in ("wait", "done"):
        _deliver(script, moved)
    if moved["action"] in ("raise", "lower") or (moved["changed"] and moved["action"] != "watch"):
        _tell(script, record, moved["ramp"], {})
    if moved["action"] in ("raise", "watch"):
        _watch(script, moved, record)
    if seen["needs_lock"]:
        script.unlock()


def _done(record: dict[str, t.Any], name: str) -> str:
    """When this phase of the release was done, "" for one that is not."""
    phase = (record.get("phases") or {}).get(name) or {}
    return phase.get("finished", "") if phase.get("status") == "done" else ""


def _watch(script: Script, moved: Result, record: Result) -> None:
    step = f"{moved['percentage']} % since {moved['ramp']['since']}"
    gate = script.require(
        script.task(
            "feature_ramp/watch",
            "Watch the metrics, in seconds: {{ ramp_watch_duration }}",
            prometheus={"url": URL},
            metrics=[METRIC],
            duration=WATCHED,
            interval=LOOKS,
            initial_delay=0,
            kubernetes=CLUSTER,
            release=script.version if record.get("exists") else None,
            gate=f"ramp at {step}",
            must_detect=None,
            treated_share=moved["percentage"] / 100,
            evidence_before={},
            hold_for=0,
        )
    )
    verdict = gate["verdict"]
    judged = script.require(
        script.task(
            "feature_ramp/watch",
            "Store the verdict, and go back one step after a breach",
            percentage=moved["percentage"],
            since=moved["ramp"]["since"],
            verdict=verdict,
            verdict_reasons=[one["text"] for one in gate["reasons"]],
            flagd=None,
            fence=script.epoch,
            **RAMP,
        )
    )
    if verdict == "rollback":
        for consumer in script.consumers:
            wanted = {PERCENTAGE: str(judged["percentage"])}
            failed = roll_out(script, consumer, judged, wanted, undo=False, fence=0)
            if failed is not None:
                raise StopError(str(failed.get("msg")))
    _tell(script, record, judged["ramp"], {step: {"verdict": verdict}})
    if verdict != "proceed":
        raise StopError(gate["sentence"])


def _tell(
    script: Script, record: Result, ramp: dict[str, t.Any], watches: dict[str, t.Any]
) -> None:
    if record.get("exists"):
        script.require(
            script.task(
                "feature_ramp/tell",
                "Record the ramp and its samples",
                name=script.version,
                facts={"ramp": ramp, "ramp_watches": watches},
            )
        )


def _go_back(script: Script, moved: Result) -> None:
    where = "feature_ramp/back"
    back = script.require(
        script.task(
            where,
            "Return to the previous step, because this one failed",
            percentage=moved["before"]["percentage"],
            reason="it did not reach every pod",
            flagd=None,
            **RAMP,
        )
    )
    wanted = {PERCENTAGE: str(back["percentage"])}
    for consumer in script.consumers if script.delivery == "environment" else ():
        text = "Find pods with another percentage"
        seen = script.task(where, text, name=consumer, flags=wanted, probe=script.flags_probe)
        if "reason" in seen:
            script.task(where, "Restart them", name=consumer, release=script.version)
    for consumer in script.consumers:
        check_pods(script, where, "Wait until pods run the previous step", consumer, wanted)


def _deliver(script: Script, moved: Result) -> None:
    for consumer in script.consumers:
        failed = roll_out(
            script,
            consumer,
            moved,
            {PERCENTAGE: str(moved["percentage"])},
            undo=moved["action"] == "raise",
            fence=0 if moved["action"] == "lower" else script.epoch,
        )
        if failed is None:
            continue
        if moved["action"] == "raise":
            _go_back(script, moved)
        raise StopError(str(failed.get("msg")))
