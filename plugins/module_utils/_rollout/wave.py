# SPDX-License-Identifier: GPL-3.0-or-later
"""Rollouts of many services in one process: wave after wave, those of a wave side by side, each to its own end.

A service is done when its own checks pass, too.
"""

from __future__ import annotations

import functools
import typing as t

from .._checks.health import run_probes
from .._checks.models import Check, CheckError
from .._cluster import Cluster
from .._errors import DeployError, InputError
from .._module import Module, Result, emit_progress, unexpected
from .._progress import WAVE_ROLLED
from .._release.pins import Pins
from .._side_by_side import Patience
from .._threads import Lock, side_by_side
from .._words import listed
from .task import Params, release_pins


class SharedPins:
    """`release_pins`, read by a wave's first rollout for all: of a thousand services they are a megabyte to unpack."""

    def __init__(self) -> None:
        self._reading = Lock()
        self._read: tuple[Pins | None] | None = None

    def __call__(self, cluster: Cluster, params: Params) -> Pins | None:
        with self._reading:
            if self._read is None:
                self._read = (release_pins(cluster, params),)
            return self._read[0]


class ServiceModule:
    """The module as one service's rollout gets it: own parameters, warnings and name, the wave's everything else."""

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


def refuse_twins(services: t.Sequence[Params]) -> None:
    """Two rollouts of one Deployment would supersede each other, and two of one host would share a result."""
    for key, values in (
        ("name", [service["name"] for service in services]),
        ("host", [host_of(service) for service in services]),
    ):
        twins = sorted({value for value in values if values.count(value) > 1})
        if twins:
            raise InputError(f"'services' has more than one entry whose {key} is {twins[0]!r}.")


def plan_waves(
    hosts: t.Sequence[str], waves: t.Sequence[t.Sequence[str]] | None
) -> list[list[str]]:
    """The hosts of each wave, in order; all in one without `waves`. Raises InputError unless each host is in one."""
    if waves is None:
        return [[*hosts]]
    placed = [str(host) for wave in waves for host in wave]
    twice = sorted({host for host in placed if placed.count(host) > 1})
    if twice:
        raise InputError(f"'waves' names {twice[0]!r} twice: a service is rolled in one wave.")
    unknown = sorted({*placed} - {*hosts})
    if unknown:
        raise InputError(f"'waves' names {unknown[0]!r}, which is no host in 'services'.")
    missing = [host for host in hosts if host not in placed]
    if missing:
        raise InputError(f"'waves' does not name {missing[0]!r} of 'services': add it to a wave.")
    return [[*wave] for wave in waves if wave]


def host_of(service: Params) -> str:
    return str(service["host"] or service["name"])


def pin_images(
    services: t.Sequence[dict[str, t.Any]], pinned: t.Mapping[str, str]
) -> list[dict[str, t.Any]]:
    """The services with the pinned images in place of their own; unchanged without pins."""
    if not pinned:
        return [*services]
    for service in services:
        if service["image"] not in pinned:
            raise InputError(
                f"'pinned' has nothing for {service['image']}, the image of {service['name']!r}: run image_info first."
            )
    return [{**service, "image": pinned[service["image"]]} for service in services]


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


def roll_all(
    wave: Module, rollouts: t.Mapping[str, dict[str, t.Any]], *steps: t.Callable[[t.Any], Result]
) -> dict[str, Result]:
    """Results of the `steps` for each service by its host; a failure as a task returns it.

    `rollouts` are the options of each by its host. One thread a service, so the slowest decides how long it takes.
    """
    done = side_by_side(
        lambda item: _settled(ServiceModule(wave, item[1], item[0]), steps), rollouts.items()
    )
    return dict(zip(rollouts, done, strict=True))


def roll_waves(
    module: Module,
    waves: t.Sequence[t.Sequence[str]],
    rollouts: t.Mapping[str, dict[str, t.Any]],
    *steps: t.Callable[[t.Any], Result],
) -> dict[str, Result]:
    """`roll_all`, wave after wave up to the first in which a service failed; each result with its `wave`, from 1 on.

    Services of later waves have no result then. Each wave is reported as it ends.
    """
    done: dict[str, Result] = {}
    for number, hosts in enumerate(waves, start=1):
        results = roll_all(module, {host: rollouts[host] for host in hosts}, *steps)
        done |= {host: {**result, "wave": number} for host, result in results.items()}
        failed = [host for host, result in results.items() if result["failed"]]
        emit_progress(
            module,
            WAVE_ROLLED,
            f"wave {number} of {len(waves)}: {f'failed: {listed(failed)}' if failed else 'done'}",
            {"wave": number, "waves": len(waves), "services": _shown(results)},
        )
        if failed:
            break
    return done


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
