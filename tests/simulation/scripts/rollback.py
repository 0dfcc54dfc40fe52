"""playbooks/rollback.yml: the feature off, the flags, the services and the functions as they were."""

from ..platform import FLAGS_ON, PERCENTAGE
from ..tasks import Result
from . import functions
from .flags import keep_off, read_by, switch_off
from .script import Script

UNVERIFIED = "VerificationFailed"
"""The ConfigMap is written, and who goes back replaces the pods."""


def rollback(script: Script) -> None:
    _refuse_below_later(script)
    script.do(
        "sign_off/asked",
        "Note who asked for the rollback, when and why",
        name=script.version,
        parts=["all"],
        deployments=[],
        by=script.actor.name,
        reason="errors",
    )
    services = "microservices" in script.phases
    returned: Result = {}
    off = switch_off(script, _reason(script)) if services else {}
    script.lock("undo")
    if services:
        _refuse_below_later(script)
        again = (switch_off if off.get("failed") else keep_off)(script, _reason(script))
        if again.get("reason") != UNVERIFIED:
            script.require(again)
        _restore_flags(script)
        returned = _return_services(script)
    if script.world.plan.functions:
        functions.restore(script)
    # A service that did not return has kept nothing else from it, and the rollback stays open.
    if not returned.get("failed"):
        close(script, "all")
    script.unlock("undo")
    script.require(returned)


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


def _return_services(script: Script) -> Result:
    return script.task(
        "service_rollback/main",
        "Return the services to their previous versions",
        name=script.version,
        deployments=[],
        first=script.services[:1],
        fence=script.epoch,
    )


def close(script: Script, part: str) -> None:
    script.do(
        "sign_off/rolled_back",
        "Mark in the release record what was rolled back",
        name=script.version,
        parts=[part],
        plan=script.phases,
        ways_back={"all": ["feature_flags", "edge_functions"], "database": ["database"]},
        left_out="",
        fence=script.epoch,
    )
