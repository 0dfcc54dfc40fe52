"""playbooks/feature_flags.yml and kill_switch.yml: the flags, and the feature off."""

import typing as t

from ..platform import FLAGS, OFF, PERCENTAGE, SWITCH
from ..tasks import Result
from .script import Script, StopError

FOLLOWED = 120
"""Seconds until pods have to follow what was written, or others have to be in their places."""


def feature_flags(script: Script) -> None:
    phase = "feature_flags"
    done = _set_flags(script, script.begin(phase)["ramped"])
    if done.get("failed"):
        if script.failed(phase, done):
            switch_off(script, "the flags could not be set")
        raise StopError(str(done.get("msg")))
    script.close(phase, changed=done["written"], flags=done)


def _set_flags(script: Script, ramped: t.Container[str]) -> Result:
    return script.task(
        "feature_flags/main",
        "Set the flags, and bring them to the pods",
        module_defaults={
            **read_by(script),
            "kill_switch": "reset_automatic",
            "release": script.version,
        },
        flags={name: value for name, value in script.flags.items() if name not in ramped},
        bounds={PERCENTAGE: [0, 100]},
        choices={SWITCH: [True, False]},
        wait_timeout=FOLLOWED,
        fence=script.epoch,
    )


def read_by(script: Script) -> dict[str, t.Any]:
    """Where the flags are, which pods have them, and how: module_defaults of their group."""
    return {
        "name": FLAGS,
        "consumers": script.consumers,
        "delivery": script.delivery,
        "probe": script.flags_probe,
    }


def switch_off(
    script: Script,
    reason: str,
    where: tuple[str, str] = ("feature_flags/off", "Switch the feature off"),
) -> Result:
    given = {"flags": OFF[script.version], "reason": reason}
    return script.task(*where, module_defaults=read_by(script), **given)


def keep_off(script: Script, reason: str) -> Result:
    where = ("feature_flags/off_later", "Switch the feature off in the ConfigMap")
    return switch_off(script, reason, where)


def kill_switch(script: Script, state: str = "set") -> None:
    percentage = script.actor.options.get("percentage") if state == "set" else None
    script.do(
        "kill_switch/main",
        "{{ __kill_switch_title }}",
        module_defaults=read_by(script),
        state=state if percentage is None else "lowered",
        flags=OFF[script.version],
        percentage=percentage,
        percentage_flag=PERCENTAGE,
        release=script.version,
        reason="errors",
        by=script.actor.name,
    )
