"""playbooks/rollback.yml: the feature off, the flags, the services and the functions as they were."""

import typing as t

from ..platform import CLUSTER, FLAGS_ON, PERCENTAGE
from ..tasks import Result
from . import functions
from .flags import keep_off, read_by, switch_off
from .script import Script, StopError

UNVERIFIED = "VerificationFailed"
"""The ConfigMap is written, and who goes back replaces the pods."""
LEFT_OUT = "not everything is as before the release"


def rollback(script: Script) -> None:
    _refuse_below_later(script)
    script.do(
        "sign_off/asked",
        "Note who asked for the rollback, when and why",
        name=script.version,
        by=script.actor.name,
        reason="errors",
    )
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
    script.do(
        "release_phase/going_back",
        "Refuse to go back below a later release",
        name=script.version,
        order=script.order(),
    )


def _restore_flags(script: Script) -> None:
    script.do(
        "feature_flags/restore",
        "Restore the previous flags",
        module_defaults=read_by(script),
        release=script.version,
        flags={**FLAGS_ON[script.version], PERCENTAGE: 1},
        fence=script.epoch,
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
    back = [name for name, one in returned.get("services", {}).items() if not one["message"]]
    found: list[str] = []
    if back:
        found = _check_pods(
            script,
            "service_rollback/main",
            "Check the pods and the health of every returned service",
            deployments=back,
        )
    return returned, found


def _close_rollback(script: Script, *, services: bool) -> list[str]:
    """What the pods are not as they should be, which ends the run when all is closed."""
    found: list[str] = []
    if services:
        found = _check_pods(
            script,
            "sign_off/verify_rollback",
            "Check that every pod runs",
            deployments=script.services,
        )
    close(script, "all")
    return found


def _check_pods(script: Script, where: str, name: str, **which: t.Any) -> list[str]:
    checked = script.task(
        where,
        name,
        checks=[{"name": "pods", "kind": "kubernetes", "kubernetes": {**CLUSTER, **which}}],
    )
    return [str(checked["msg"])] if checked.get("failed") else []


def close(script: Script, part: str) -> None:
    script.do(
        "sign_off/rolled_back",
        "Mark in the release record what was rolled back",
        name=script.version,
        parts=[part],
        plan=script.phases,
        ways_back={"all": ["feature_flags", "edge_functions"], "database": ["database"]},
        fence=script.epoch,
    )
