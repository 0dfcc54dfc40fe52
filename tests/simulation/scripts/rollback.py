"""playbooks/rollback.yml: the feature off, the flags, the services and the functions as they were."""

import typing as t

from ..platform import CLUSTER, FLAGS, FLAGS_ON, PERCENTAGE
from ..tasks import Result
from . import functions
from .flags import keep_off, switch_off
from .script import Script, StopError

UNVERIFIED = "VerificationFailed"
"""The ConfigMap is written, and who goes back replaces the pods."""
LEFT_OUT = "not everything is as before the release"


def rollback(script: Script) -> None:
    _refuse_below_later(script)
    _note_beginning(script)
    services = "microservices" in script.phases
    found: list[str] = []
    returned: Result = {}
    off = switch_off(script, _reason(script)) if services else {}
    script.lock("undo")
    if services:
        _refuse_below_later(script)
        again = (switch_off if off.get("failed") else keep_off)(script, _reason(script))
        if again.get("reason") != UNVERIFIED:
            script.require(again)
        _restore_flags(script)
        returned, found = _return_services(script)
    if script.world.plan.functions:
        functions.restore(script)
    # A service that did not return has kept nothing else from it.
    script.require(returned)
    left_out = [*found, *_close_rollback(script, services=services)]
    script.unlock("undo")
    if left_out:
        raise StopError(f"{LEFT_OUT}: {' '.join(left_out)}")


def _reason(script: Script) -> str:
    return f"release {script.version} is rolled back"


def _refuse_below_later(script: Script) -> None:
    script.require(
        script.task(
            "release_phase/going_back",
            "Refuse to go back below a later release",
            name=script.version,
            order=script.order(),
        )
    )


def _note_beginning(script: Script) -> None:
    where = "sign_off/asked"
    known = script.require(
        script.task(where, "Read whether a rollback has begun", name=script.version)
    )
    record = known.get("record") or {}
    asked = (record.get("facts") or {}).get("rollback_asked") or {}
    if known.get("exists") and record["status"] != "rolled_back" and not asked.get("open"):
        asked = {"by": script.actor.name, "reason": "errors", "at": "", "open": True}
        script.task(
            where,
            "Keep who asked for the rollback, when and why",
            name=script.version,
            facts={"rollback_asked": asked},
        )


def _restore_flags(script: Script) -> None:
    script.require(
        script.task(
            "feature_flags/restore",
            "Restore the previous flags",
            name=FLAGS,
            flags={**FLAGS_ON[script.version], PERCENTAGE: 1},
            flagd=None,
            release=script.version,
            fence=script.epoch,
        )
    )


def _return_services(script: Script) -> tuple[Result, list[str]]:
    """With what their pods are not as they should be."""
    returned = script.task(
        "service_rollback/main",
        "Return the services to their previous versions",
        name=script.version,
        deployments=[],
        first=script.services[:1],
        fence=script.epoch,
    )
    if "services" in returned and (returned.get("changed") or returned.get("failed")):
        status = "partly_rolled_back" if returned.get("failed") else "rolled_back"
        script.require(
            script.task(
                "service_rollback/main",
                "Record what returned",
                name=script.version,
                facts={"services_returned": returned["services"]},
                phase_status=status,
                fence=script.epoch,
            )
        )
    back = [name for name, one in returned.get("services", {}).items() if not one["message"]]
    found: list[str] = []
    if back:
        found = _check_pods(
            script,
            "service_rollback/verify",
            "Check the pods and the health of every returned service",
            deployments=back,
        )
    return returned, found


def _close_rollback(script: Script, *, services: bool) -> list[str]:
    """What the pods are not as they should be, which ends the run when all is closed."""
    where = "sign_off/rolled_back"
    found: list[str] = []
    if services:
        found = _check_pods(
            script,
            "sign_off/verify_rollback",
            "Check that every pod runs",
            deployments=script.services,
        )
    script.require(
        script.task(
            where,
            "Mark the release as rolled back in its record",
            name=script.version,
            fence=script.epoch,
        )
    )
    for phase in {"feature_flags", "edge_functions"}.intersection(script.phases):
        mark_as_back(script, phase)
    return found


def _check_pods(script: Script, where: str, name: str, **which: t.Any) -> list[str]:
    checked = script.task(
        where,
        name,
        checks=[{"name": "pods", "kind": "kubernetes", "kubernetes": {**CLUSTER, **which}}],
    )
    return [str(checked["msg"])] if checked.get("failed") else []


def mark_as_back(script: Script, phase: str) -> None:
    script.require(
        script.task(
            "sign_off/rolled_back",
            "Mark the phases as rolled back",
            name=script.version,
            phase=phase,
            fence=script.epoch,
        )
    )
