"""playbooks/monitoring.yml and decide.yml: the metric of a release, and what people say of it."""

from ..monitoring import URL
from ..platform import BREACH, CLUSTER, GATE, GOOD
from ..tasks import Result, tasks_of
from .flags import switch_off
from .script import WATCH, Script, StopError

METRIC = {"name": "errors", "query": "errors", "pass": {"max": GOOD}, "rollback": {"above": BREACH}}


def monitoring(script: Script) -> None:
    opened = script.begin(WATCH)
    where = "monitoring/main"
    failure = script.task(
        where,
        next(name for name in tasks_of(where) if "Watch the metrics" in name),
        prometheus={"url": URL},
        metrics=[METRIC],
        release=script.version,
        gate=WATCH,
        kubernetes=CLUSTER,
        identity=None,
        treated_share=None,
        must_detect=None,
        **GATE,
    )
    verdict = failure.get("verdict", "hold")
    if failure.get("failed") or verdict != "proceed":
        told = {"msg": failure.get("sentence"), **failure}
        if verdict == "rollback":
            switch_off(script, str(told["msg"])[:500])
        script.failed(WATCH, told)
        raise StopError(str(told["msg"]), failure)
    script.close(WATCH, changed=_precedes_flags(opened["record"]["phases"]))


def watched_elsewhere(script: Script) -> None:
    """The record of a release whose watch is not simulated."""
    script.close(WATCH, changed=True)


def _precedes_flags(phases: Result) -> bool:
    """As watch_precedes_flags of playbooks/group_vars/all/wiring.yml."""
    watched, flags = (phases.get(name, {}).get("finished", "") for name in (WATCH, "feature_flags"))
    return bool(watched < flags)


def decide(script: Script) -> None:
    decided = script.do(
        "playbooks/decide",
        "Record the decision",
        name=script.version,
        identity=None,
        decision={
            "gate": WATCH,
            "decision": script.actor.options["decision"],
            "by": script.actor.name,
            "reason": "it was looked at",
        },
    )
    script.world.say(f"{script.actor.name}: {decided['sentence']}")
