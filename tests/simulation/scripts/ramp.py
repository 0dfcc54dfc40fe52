# SPDX-License-Identifier: GPL-3.0-or-later
"""playbooks/ramp.yml: the feature for more people, or for fewer."""

from __future__ import annotations

import typing as t

from ..platform import PERCENTAGE, RAMP, WATCHED
from .flags import roll_out
from .script import Script, StopError

if t.TYPE_CHECKING:
    from ..tasks import Result


def ramp(script: Script) -> None:
    record = script.require(
        script.task("feature_ramp/look", "Read the time of the first step", name=script.version)
    )
    kept = record.get("record") or {}
    first = (kept.get("phases") or {}).get("feature_flags") or {}
    began = first.get("finished", "") if first.get("status") == "done" else ""
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
        "watched": began,
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


def _watch(script: Script, moved: Result, record: Result) -> None:
    verdict = script.actor.options.get("verdict", "proceed")
    script.world.sleep(WATCHED)
    judged = script.require(
        script.task(
            "feature_ramp/watch",
            "Store the verdict, and go back one step after a breach",
            percentage=moved["percentage"],
            since=moved["ramp"]["since"],
            verdict=verdict,
            verdict_reasons=[] if verdict == "proceed" else ["errors"],
            flagd=None,
            fence=script.epoch,
            **RAMP,
        )
    )
    if verdict == "rollback":
        for consumer in script.consumers:
            wanted = {PERCENTAGE: str(judged["percentage"])}
            failed = roll_out(script, consumer, judged["checksum"], wanted, undo=False, fence=0)
            if failed is not None:
                raise StopError(str(failed.get("msg")))
    _tell(script, record, judged["ramp"], {f"{moved['percentage']} %": {"verdict": verdict}})
    if verdict != "proceed":
        raise StopError(f"the verdict is {verdict}")


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


def _deliver(script: Script, moved: Result) -> None:
    for consumer in script.consumers:
        failed = roll_out(
            script,
            consumer,
            moved["checksum"],
            {PERCENTAGE: str(moved["percentage"])},
            undo=moved["action"] == "raise",
            fence=0 if moved["action"] == "lower" else script.epoch,
        )
        if failed is None:
            continue
        if moved["action"] == "raise":
            script.task(
                "feature_ramp/back",
                "Return to the previous step, because this one failed",
                percentage=moved["before"]["percentage"],
                reason="it did not reach every pod",
                flagd=None,
                **RAMP,
            )
        raise StopError(str(failed.get("msg")))
