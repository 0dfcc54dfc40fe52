# SPDX-License-Identifier: GPL-3.0-or-later
"""Rollouts of many services in one process: wave after wave, those of a wave side by side, each to its own end.

A service is done when its own checks pass, too. A wave may begin while those before it soak.
"""

from __future__ import annotations

import functools
import typing as t
from contextlib import suppress

from .._checks.health import run_probes
from .._checks.models import Check, CheckError, Patience
from .._cluster import Cluster, MonotonicClock
from .._errors import DeployError, InputError
from .._flags.values import BOOLEANS
from .._formats import counted, listed
from .._kubernetes import actor_of, cluster_for
from .._lock.apply import FRESH, Look, lease_check_for
from .._module import Module, Result, emit_progress, fragment_spec, unexpected
from .._progress import WAVE_ROLLED
from .._release.pins import Pins, read_pins, record_name
from .._rollout.changes import describe_changes
from .._rollout.models import LAST_APPLIED, ReplicaCounts
from .._rollout.overlap import ALONE, ENDED, FAILED, PROVEN, ROLLED, Overlap, Place
from .._rollout.plan import RolloutRequest
from .._rollout.runner import Rollout
from .._rollout.watches import SharedWatches
from .._threads import begin
from .._time import utc_now

FRAGMENTS = ("_kubernetes", "_lock.fence", "_rollout", "_rollout.followed", "_rollout.proven")


Params = t.Mapping[str, t.Any]


def options_of(wave: Params, service: Params) -> dict[str, t.Any]:
    """The options of one rollout of a wave, with defaults for what a wave does not have."""
    shared = {name: spec for part in FRAGMENTS for name, spec in fragment_spec(part).items()}
    common = {name: value for name, value in wave.items() if name in shared}
    own = {name: value for name, value in service.items() if name in shared and name != "host"}
    defaults = {name: option.get("default") for name, option in shared.items()}
    return {**defaults, **common, **own, "state": "released"}


def rollouts_of(wave: Params) -> dict[str, dict[str, t.Any]]:
    """The options of each rollout by its host, with images as they are pinned.

    Host and Deployment have each other's name where one is not given.
    """
    rollouts: dict[str, dict[str, t.Any]] = {}
    for service in wave["services"]:
        host, pinned = service["host"] or service["name"], wave["pinned"]
        name, image = service["name"] or host, service["image"]
        if pinned and image not in pinned:
            raise InputError(
                f"'pinned' has nothing for {image}, the image of {name!r}: run images first."
            )
        _refuse_twin("host", host, rollouts)
        _refuse_twin("name", name, [rollout["name"] for rollout in rollouts.values()])
        own = {**service, "name": name, "image": pinned.get(image, image)}
        rollouts[host] = options_of(wave, own)
    return rollouts


def _refuse_twin(key: str, value: str, others: t.Collection[str]) -> None:
    """Two rollouts of one Deployment would supersede each other, and two of one host would share a result."""
    if value in others:
        raise InputError(f"'services' has more than one entry whose {key} is {value!r}.")


def look_ahead(cluster: Cluster, params: Params, last: Look) -> None:
    """One look at lock and freeze for all services of a wave, of which each would look for itself.

    It raises nothing: who writes looks again where it is not well, and tells of which service that is.
    """
    clock = MonotonicClock()
    soon = cluster.until(clock.now() + FRESH)
    with suppress(DeployError):
        lease_check_for(soon, params["fence"], clock=clock, name=params["lock"], last=last).check()


def release_pins(cluster: Cluster, params: Params) -> Pins | None:
    """Those of the release that a rollout belongs to, if it belongs to one: of a thousand services a megabyte."""
    return read_pins(cluster, record_name(params["release"])) if params["release"] else None


class Shared(t.NamedTuple):
    """What the rollouts of a task share: the pins of their release, a look at the lock, and watches."""

    pins: Pins | None = None
    look: Look | None = None
    watches: SharedWatches | None = None


NOTHING = Shared()


def roll_one(module: Module, shared: Shared = NOTHING, place: Place = ALONE) -> Result:
    params, clock = module.params, MonotonicClock()
    wanted = to_wanted(params)
    # Every look may take as long as the rollout: an API server that stumbles is waited for.
    cluster = cluster_for(module).until(clock.now() + wanted.wait_timeout)
    # A restart returns to the restarted template.
    pins = shared.pins
    if params["state"] != "restarted":
        pins = pins or release_pins(cluster, params)
    rollout = Rollout(
        cluster,
        params["name"],
        wanted,
        pins.deployment(params["name"]) if pins else None,
        clock=clock,
        report=lambda text, counts: emit_counts(module, params["name"], text, counts),
        guard=lease_check_for(
            cluster, params["fence"], clock=clock, name=params["lock"], last=shared.look
        ),
        place=place,
        watches=shared.watches,
    )
    plan = rollout.plan()
    if plan.changed and LAST_APPLIED in plan.before.annotations:
        module.warn(
            f"Deployment {params['name']!r} was made with 'kubectl apply': the next apply of a manifest with "
            "another image undoes this. Update its manifest."
        )
    result = rollout.predict(plan) if module.check_mode else rollout.carry_out(plan)
    if plan.takes:
        module.warn(describe_changes(plan.takes))
    if pods := result["failing_before"]:
        module.warn(
            f"{counted(len(pods), 'pod')} of {params['name']!r} had trouble before this rollout: {listed(pods)}."
        )
    if module._diff:
        result["diff"] = plan.to_diff()
    return result


def to_wanted(params: Params) -> RolloutRequest:
    # Ansible counts an option as given even when it is empty.
    for state, needed in (("released", "image"), ("rolled_back", "release")):
        if params["state"] == state and not params[needed]:
            raise InputError(f"{needed!r} is required when 'state' is {state!r}.")
    for name, least in (("wait_timeout", 1), ("soak", 0)):
        if params[name] is not None and params[name] < least:
            raise InputError(f"{name!r} is {params[name]}: it must be at least {least} s.")
    if params["fence"] < 0:
        raise InputError(f"'fence' is {params['fence']}: it is an epoch, 1 or more, or 0 for none.")
    undo = params["undo_on_failure"]
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
        wait_timeout=params["wait_timeout"],
        undo_on_failure=params["state"] == "released" if undo is None else undo,
        log_line=params["log_line"] or "",
        quorum=params["quorum"],
        wait_for_old=params["wait_for_old"],
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


def emit_counts(module: Module, name: str, text: str, counts: ReplicaCounts) -> None:
    """One line for each change of a Deployment's counts, for the terminal and the callbacks."""
    emit_progress(
        module,
        "RolloutProgress",
        f"{name}: {text}",
        {"deployment": name, **counts.shown()},
    )


class ServiceModule:
    """The module as one service's rollout gets it: own parameters, warnings and name, the wave's everything else."""

    place = ALONE

    def __init__(self, wave: Module, params: dict[str, t.Any], host: str) -> None:
        self.params = params
        self.host = host
        self.check_mode = wave.check_mode
        self._diff = wave._diff
        self.warnings: list[str] = []
        progress_of = getattr(wave, "progress_of", None)
        if progress_of is not None:
            self.progress = functools.partial(progress_of, host)

    def warn(self, warning: str) -> None:
        self.warnings.append(warning)


def plan_waves(
    hosts: t.Sequence[str], waves: t.Sequence[t.Sequence[str]] | None
) -> list[list[str]]:
    """The hosts of each wave, in order; all in one without `waves`. Raises InputError unless each host is in one."""
    if waves is None:
        return [[*hosts]]
    placed = [str(host) for wave in waves for host in wave]
    for host in (*placed, *hosts):
        if placed.count(host) != 1 or host not in hosts:
            raise InputError(
                f"'waves' must name each host of 'services' in one wave, and no other: correct {host!r}."
            )
    return [[*wave] for wave in waves if wave]


def checks_by_host(checks: t.Iterable[Check], hosts: t.Collection[str]) -> dict[str, list[Check]]:
    """Those of each host by their names. Raises InputError for one of no host."""
    by_host: dict[str, list[Check]] = {}
    for check in checks:
        if check.name not in hosts:
            raise InputError(f"'checks' has {check.name!r}, which is no host in 'services'.")
        by_host.setdefault(check.name, []).append(check)
    return by_host


def answers(checks: t.Sequence[Check], timeout: float) -> Result:
    """Wait until all checks pass. Raises CheckError when one fails for `timeout` seconds."""
    outcomes = run_probes(checks, Patience(timeout, pause=1.0))
    sentences = [f"{outcome.name}: {outcome.detail}" for outcome in outcomes if not outcome.passed]
    if sentences:
        raise CheckError(" ".join(sentences), results=[outcome.to_result() for outcome in outcomes])
    return {}


def roll_waves(
    module: Module,
    order: Overlap,
    rollouts: t.Mapping[str, dict[str, t.Any]],
    *steps: t.Callable[[t.Any], Result],
    before: t.Callable[[], None] = lambda: None,
) -> dict[str, Result]:
    """Results of the `steps` for each service by its host, with its `wave`, from 1 on; a failure as a task returns it.

    `rollouts` are the options of each by its host. One thread a service, so the slowest decides how long a wave takes.
    The steps after the first also ask whether a service is well before the next wave begins. A wave is reported when it
    and all before it have ended. Services of waves that did not begin have no result. `before` is called before each.
    """
    done: dict[str, Result] = {}
    reported = 0

    def settle(host: str) -> None:
        service = ServiceModule(module, rollouts[host], host)
        service.place = Place(order, host, lambda: [step(service) for step in steps[1:]])
        done[host] = {**_settled(service, steps), "wave": service.place.number}
        order.reach(host, *([FAILED] if done[host]["failed"] else []), ROLLED, PROVEN, ENDED)

    while True:
        order.changed.clear()
        while reported < order.begun and order.are(ENDED, reported, reported + 1):
            results = {host: done[host] for host in order.waves[reported]}
            failed = [host for host, result in results.items() if result["failed"]]
            reported += 1
            emit_progress(
                module,
                WAVE_ROLLED,
                f"wave {reported} of {len(order.waves)}: {f'failed: {listed(failed)}' if failed else 'done'}",
                {"wave": reported, "waves": len(order.waves), "services": _shown(results)},
            )
        hosts = order.begin_next()
        if hosts:
            before()
        for host in hosts:
            begin(functools.partial(settle, host))
        if reported == order.begun:
            return {host: done[host] for hosts in order.waves[:reported] for host in hosts}
        order.changed.wait()


def _shown(results: t.Mapping[str, Result]) -> dict[str, Result]:
    """A service's result for the screen: without diagnosis and diff, which would fill a datagram."""
    keys = ("changed", "failed", "result", "reason", "replicas", "before", "after", "duration")
    return {
        host: {key: result[key] for key in keys if key in result}
        for host, result in results.items()
    }


def _settled(module: ServiceModule, steps: t.Sequence[t.Callable[[t.Any], Result]]) -> Result:
    """The results of the steps before a failing step are kept: they were done all the same."""
    result: Result = {"changed": False, "failed": False}
    try:
        for step in steps:
            result |= step(module)
    except DeployError as exc:
        result |= {**exc.to_result(), "failed": True}
    except Exception as exc:
        result |= {**unexpected(exc), "failed": True}
    return {**result, "warnings": module.warnings} if module.warnings else result
