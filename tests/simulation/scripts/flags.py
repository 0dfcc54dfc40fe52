"""playbooks/feature_flags.yml and kill_switch.yml: the flags, and the feature off."""

import typing as t

from ..platform import FLAGS, FLAGS_ON, OFF, PERCENTAGE, SWITCH
from ..tasks import Result
from .script import Script, StopError, lease_lost

FOLLOWED = 120
"""Seconds until pods have to follow what was written, or others have to be in their places."""


def feature_flags(script: Script) -> None:
    phase = "feature_flags"
    script.begin(phase)
    done = _set_flags(script, phase, standing=_standing(script))
    if done.get("failed"):
        script.failed(phase, done)
        if not lease_lost(done):
            switch_off(script, "the flags could not be set")
        raise StopError(str(done.get("msg")))
    script.close(phase, changed=done["changed"], flags=done)


def _set_flags(script: Script, phase: str, *, standing: bool) -> Result:
    opened = script.open(phase)
    if opened.get("failed"):
        return opened
    wanted = {**FLAGS_ON[script.version], **({} if standing else {PERCENTAGE: 1})}
    done = script.task(
        "feature_flags/main",
        "Set the flags",
        name=FLAGS,
        flags=wanted,
        bounds={PERCENTAGE: [0, 100]},
        choices={SWITCH: [True, False]},
        flagd=None,
        kill_switch="reset_automatic",
        fence=script.epoch,
    )
    if done.get("failed"):
        return done
    for consumer in script.consumers:
        failure = roll_out(script, consumer, done, wanted)
        if failure is not None:
            _put_back(script, done, wanted)
            return failure
    return done


def _standing(script: Script) -> bool:
    """Whether the percentage is others' to move, after this phase was done in this attempt."""
    where = "feature_flags/standing"
    record = script.require(
        script.task(where, "Check whether this attempt has set the flags", name=script.version)
    )
    seen = script.require(script.task(where, "Read the flags", name=FLAGS))
    phases = (record.get("record") or {}).get("phases") or {}
    done = (phases.get("feature_flags") or {}).get("status") == "done"
    percentage = seen["before"].get(PERCENTAGE)
    return bool(done and not seen["kill_switch"] and percentage != "0")


def roll_out(
    script: Script,
    consumer: str,
    moved: Result,
    wanted: dict[str, t.Any],
    *,
    undo: bool = True,
    fence: int | None = None,
) -> Result | None:
    if script.delivery == "environment":
        rolled = _restart(
            script,
            "feature_flags/reach",
            "Restart the readers of changed flags",
            consumer,
            moved,
            undo_on_failure=undo,
            fence=script.epoch if fence is None else fence,
        )
        if rolled.get("failed"):
            return rolled
    where, text = "feature_flags/reach", "Check the flags in every pod"
    seen = check_pods(script, where, text, consumer, wanted, moved=moved["changed"])
    return seen if seen.get("failed") else None


def _restart(
    script: Script, where: str, text: str, consumer: str, moved: Result, **more: t.Any
) -> Result:
    """With what the write of the flags said."""
    return script.task(
        where, text, name=consumer, release=script.version, checksum=moved["checksum"], **more
    )


def check_pods(
    script: Script, where: str, text: str, consumer: str, wanted: dict[str, t.Any], **more: t.Any
) -> Result:
    return script.task(
        where,
        text,
        name=consumer,
        flags=wanted,
        probe=script.flags_probe,
        config_map=FLAGS,
        wait_timeout=FOLLOWED,
        replace=script.delivery == "environment",
        **more,
    )


def _put_back(script: Script, done: Result, wanted: dict[str, t.Any]) -> None:
    if done["before"] == done["after"]:
        return
    back = script.task(
        "feature_flags/put_back",
        "Restore the flags from before this task",
        name=FLAGS,
        flags={name: done["before"].get(name) for name in wanted},
        flagd=None,
        fence=script.epoch,
    )
    if back.get("failed"):
        return
    where = "feature_flags/put_back"
    for consumer in script.consumers if script.delivery == "environment" else ():
        text = "Restart the pods with the restored flags"
        rolled = _restart(script, where, text, consumer, back, fence=script.epoch)
        if rolled.get("failed"):
            return
    left = {name: value for name, value in back["asked"].items() if name not in back["left_off"]}
    for consumer in script.consumers:
        check_pods(script, where, "Wait until pods run the restored flags", consumer, left)


def switch_off(script: Script, reason: str) -> Result:
    return script.task(
        "feature_flags/off",
        "Switch the feature off",
        name=FLAGS,
        flags=OFF[script.version],
        flagd=None,
        consumers=script.consumers,
        delivery=script.delivery,
        probe=script.flags_probe,
        reason=reason,
    )


def keep_off(script: Script, reason: str) -> Result:
    return script.task(
        "feature_flags/off_later",
        "Switch the feature off in the ConfigMap",
        name=FLAGS,
        flags=OFF[script.version],
        flagd=None,
        reason=reason,
    )


def kill_switch(script: Script) -> None:
    _kill_switch(script, "set")


def reset(script: Script) -> None:
    _kill_switch(script, "reset")


def _kill_switch(script: Script, state: str) -> None:
    percentage = script.actor.options.get("percentage") if state == "set" else None
    done = script.task(
        "kill_switch/main",
        "{{ __kill_switch_title }}",
        state=state if percentage is None else "lowered",
        name=FLAGS,
        flags=OFF[script.version],
        percentage=percentage,
        percentage_flag=PERCENTAGE,
        flagd=None,
        consumers=script.consumers,
        delivery=script.delivery,
        probe=script.flags_probe,
        reason="errors",
        by=script.actor.name,
    )
    if "sentence" in done:
        _record_switch(script, done)
    script.require(done)


def _record_switch(script: Script, done: Result) -> None:
    """In a block whose rescue goes on."""
    where = "kill_switch/record"
    found = script.task(where, "Find the release record", name=script.version)
    if not found.get("exists"):
        return
    switch = done["kill_switch"]
    told = {name: switch[name] for name in ("by", "reason")} if switch else {}
    facts = {"kill_switches": {switch["set_at"]: {"what": "set", **told}}} if switch else {}
    script.task(where, "Record it", name=script.version, notes=[done["sentence"]], facts=facts)
