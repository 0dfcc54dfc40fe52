# SPDX-License-Identifier: GPL-3.0-or-later
"""One task of the rollout module: its options, checked before any read, and the rollout itself."""

from __future__ import annotations

import typing as t

from .._cluster import Cluster, MonotonicClock
from .._documentation import fragment_spec
from .._errors import InputError
from .._flags.values import BOOLEANS
from .._kubernetes_module import actor_of, cluster_for
from .._lock.fence import lease_check_for
from .._module import Module, Result, emit_progress
from .._release.packing import record_name
from .._release.pins import Pins, read_pins
from .._time import utc_now
from .._words import counted, listed
from .changes import describe_changes
from .models import LAST_APPLIED, ReplicaCounts
from .plan import Pin, RolloutRequest
from .runner import Rollout, Settings


def options_of(wave: t.Mapping[str, t.Any], service: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """The options of one rollout of a wave, with defaults for what a wave does not have."""
    shared = fragment_spec("_kubernetes") | fragment_spec("_guard") | fragment_spec("_rollout")
    common = {name: value for name, value in wave.items() if name in shared}
    own = {name: value for name, value in service.items() if name in shared and name != "host"}
    defaults = {name: option.get("default") for name, option in shared.items()}
    return {**defaults, **common, **own, "state": "released"}


Params = t.Mapping[str, t.Any]


PinsReader = t.Callable[[Cluster, Params], "Pins | None"]


def release_pins(cluster: Cluster, params: Params) -> Pins | None:
    """Those of the release that a rollout belongs to, if it belongs to one."""
    if not (params["record"] or params["release"]):
        return None
    return read_pins(cluster, params["record"] or record_name(params["release"]))


def roll_one(module: Module, pins: PinsReader = release_pins) -> Result:
    params, clock = module.params, MonotonicClock()
    wanted, settings = to_wanted(params), to_settings(params)
    # Every look may take as long as the rollout: an API server that stumbles is waited for.
    cluster = cluster_for(module).until(clock.now() + settings.wait_timeout)
    rollout = Rollout(
        cluster,
        params["name"],
        wanted,
        find_pin(cluster, params, pins),
        settings=settings,
        clock=clock,
        report=lambda text, counts: emit_counts(module, params["name"], text, counts),
        guard=lease_check_for(cluster, params["fence"], clock=clock, name=params["lock"]),
    )
    plan = rollout.plan()
    if plan.changed and LAST_APPLIED in plan.before.annotations:
        module.warn(applied_by_kubectl(params["name"]))
    outcome = rollout.predict(plan) if module.check_mode else rollout.carry_out(plan)
    if plan.takes:
        module.warn(describe_changes(plan.takes))
    if pods := outcome.failing_before:
        module.warn(
            f"{counted(len(pods), 'pod')} of {params['name']!r} had trouble before this rollout: {listed(pods)}."
        )
    result = outcome.to_result()
    if module._diff:
        result["diff"] = plan.to_diff()
    return result


def applied_by_kubectl(name: str) -> str:
    return (
        f"Deployment {name!r} was made with 'kubectl apply': the next apply of a manifest with "
        "another image undoes this. Update its manifest."
    )


def to_wanted(params: Params) -> RolloutRequest:
    # Ansible counts an option as given even when it is empty.
    for state, needed in (("released", "image"), ("rolled_back", "release")):
        if params["state"] == state and not params[needed]:
            raise InputError(f"{needed!r} is required when 'state' is {state!r}.")
    return RolloutRequest(
        state=params["state"],
        container=params["container"] or params["name"],
        image=params["image"] or "",
        environment=to_environment(params["environment"]),
        release=params["release"] or "",
        checksum=params["checksum"] or "",
        actor=actor_of(params),
        at=utc_now(),
        fence=params["fence"],
        allow_no_replicas=params["allow_no_replicas"],
        soak=params["soak"],
    )


def to_environment(given: t.Mapping[str, t.Any]) -> dict[str, str]:
    """As a container has it, in texts. Raises InputError."""
    for name, value in given.items():
        if not isinstance(value, (bool, int, float, str)):
            raise InputError(
                f"{name} in 'environment' is a {type(value).__name__}: it may be true, false, a number or a text."
            )
    return {
        name: BOOLEANS[value] if isinstance(value, bool) else str(value)
        for name, value in given.items()
    }


def to_settings(params: Params) -> Settings:
    for name, least in (("wait_timeout", 1), ("soak", 0)):
        if params[name] is not None and params[name] < least:
            raise InputError(f"{name!r} is {params[name]}: it must be at least {least} s.")
    if params["fence"] < 0:
        raise InputError(f"'fence' is {params['fence']}: it is an epoch, 1 or more, or 0 for none.")
    undo = params["undo_on_failure"]
    return Settings(
        wait_timeout=params["wait_timeout"],
        undo_on_failure=params["state"] == "released" if undo is None else undo,
        log_line=params["log_line"] or "",
        quorum=params["quorum"],
        wait_for_old=params["wait_for_old"],
    )


def find_pin(cluster: Cluster, params: Params, pins: PinsReader) -> Pin | None:
    """The Deployment's pin in the release record. A restart returns to the restarted template."""
    pinned = None if params["state"] == "restarted" else pins(cluster, params)
    return None if pinned is None else pinned.deployment(params["name"])


def emit_counts(module: Module, name: str, text: str, counts: ReplicaCounts) -> None:
    """One line for each change of a Deployment's counts, for the terminal and the callbacks."""
    emit_progress(
        module,
        "RolloutProgress",
        f"{name}: {text}",
        {
            "deployment": name,
            "desired": counts.desired,
            "updated": counts.updated,
            "ready": counts.ready,
            "available": counts.available,
        },
    )
