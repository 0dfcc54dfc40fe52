"""playbooks/ramp.yml: the feature for more people, or for fewer."""

import typing as t

from ..monitoring import URL
from ..platform import CLUSTER, LOOKS, RAMP, WATCHED
from ..tasks import Result
from .flags import FOLLOWED, read_by
from .script import Script, StopError
from .watch import METRIC


def ramp(script: Script) -> None:
    defaults = {
        **RAMP,
        **read_by(script),
        "wait_timeout": FOLLOWED,
        "release": script.version,
        "max_silence": 0,
    }
    wanted = script.actor.options.get("percentage")
    releases = bool(script.actor.options.get("release"))
    released = {
        "release_reason": f"{script.actor.name} looked at it" if releases else "",
        "released_by": script.actor.name if releases else "",
    }
    state = script.do(
        "feature_ramp/look",
        "Read the ramp's state",
        module_defaults=defaults,
        percentage=wanted,
        **released,
    )
    if state["needs_lock"]:
        script.lock()
    moved = script.do(
        "feature_ramp/main",
        "Change the ramp",
        module_defaults=defaults,
        percentage=wanted,
        reason="",
        **released,
        fence=script.epoch,
    )
    if moved["action"] in ("raise", "watch"):
        _watch(script, defaults, moved, recorded=state["recorded"])
    if state["needs_lock"]:
        script.unlock()


def _watch(
    script: Script, defaults: t.Mapping[str, t.Any], moved: Result, *, recorded: bool
) -> None:
    since = moved["ramp"]["since"]
    gate = script.do(
        "feature_ramp/watch",
        "Watch the metrics, in seconds: {{ release_ramp_watch_duration | default(7200) }}",
        prometheus={"url": URL},
        metrics=[METRIC],
        duration=WATCHED,
        interval=LOOKS,
        initial_delay=0,
        kubernetes=CLUSTER,
        identity=None,
        release=script.version if recorded else None,
        gate=f"ramp at {moved['percentage']} % since {since}",
        must_detect=None,
        treated_share=moved["percentage"] / 100,
        evidence_before={},
        hold_for=0,
    )
    verdict = gate["verdict"]
    script.do(
        "feature_ramp/watch",
        "Store the verdict, and go back one step after a breach",
        module_defaults=defaults,
        percentage=moved["percentage"],
        since=since,
        verdict=verdict,
        verdict_reasons=[reason["text"] for reason in gate["reasons"]],
        evidence={"verdict": verdict},
        fence=script.epoch,
    )
    if verdict != "proceed":
        raise StopError(gate["sentence"])
