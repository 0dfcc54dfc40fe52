"""playbooks/guard.yml: one look at what is wrong with a feature on its way to its users."""

from ..monitoring import URL
from ..platform import FLAGS_OFF, QUIET, RAMP, SETTLE
from .flags import read_by
from .script import Script, StopError
from .watch import METRIC


def guard(script: Script) -> None:
    alerts = [one.name for one in script.world.plan.alerts]
    metrics = [METRIC] if script.world.plan.metric else []
    look = script.do(
        "feature_guard/main",
        "Look once, and act on what calls for it",
        module_defaults={**read_by(script), "actor": script.actor.name},
        **RAMP,
        flags_off=FLAGS_OFF,
        release=script.version,
        prometheus={"url": URL},
        metrics=[{"name": "alerts", "kind": "alerts", "query": "|".join(alerts)}, *metrics],
        settle=SETTLE,
        quiet=QUIET,
        blind_after=900,
        max_silence=0,
    )
    script.world.say(f"{script.actor.name}: {look['sentence']}")
    if look["not_reached"]:
        raise StopError(look["not_reached"])
