# SPDX-License-Identifier: GPL-3.0-or-later
"""The beginning of a phase, or of another run that changes a release: what refuses it, and what lives until it ends."""

from __future__ import annotations

import typing as t
from dataclasses import replace

from ._availability.claims import RELEASE, ROLLBACK
from ._availability.task import Order, measure
from ._checks.task import check_window
from ._cluster import Cluster, MonotonicClock
from ._errors import DeployError
from ._flags.apply import RESET_AUTOMATIC, refuse_switched_off, wish_under
from ._flags.plan import FlagsMap
from ._flags.values import to_values
from ._kubernetes import actor_of, cluster_for
from ._live.page import write_pages
from ._lock.apply import LEASE
from ._lock.models import UNDO, LeaseLostError, LockClaim
from ._lock.task import claim_of, locking_of, take
from ._module import Module, emit_progress, in_controller, refuse_below
from ._release.models import FAILED, NO_RECORD, RUNNING, phase_failure
from ._release.order import PhaseOrder, ramped_since, read_order
from ._release.plan import RecordChange
from ._release.store import ReleaseStore
from ._release.task import ReleaseOutcome, carry_out, plain, take_pins
from ._run_process import Run, current_run
from ._time import utc_now

Result = dict[str, t.Any]
PINNING = "Pin what a rollback returns to"
"""What a record calls the work in which a phase failed that could not be opened whole."""
CONTROLLER = "localhost"


def begin(module: Module) -> Result:
    """Carry out the module release_run.

    Nothing is started before everything that may refuse the run was asked. The order of phases comes first, for it
    takes no lock, and the phase is recorded last. Raises the DeployError of what refuses.
    """
    params, cluster = module.params, cluster_for(module)
    run = current_run() if in_controller(module) else None
    change = RecordChange(version=params["release"], actor=actor_of({"actor": None}), now=utc_now())
    order = read_order(params["order"] or {})
    opening = replace(change, phase=params["phase"] or "", phase_status=RUNNING, order=order)
    ramped: dict[str, int] = {}
    if opening.opens:
        record = carry_out(cluster, opening, {}, check_mode=True).after
        if order.flags and (params["ramped"] or params["flags"]):
            config_map = cluster.read("ConfigMap", order.flags)
            refuse_killed(FlagsMap.from_json(order.flags, config_map), params["flags"])
            ramped = ramped_since(record, config_map, params["ramped"])
    result = hold(module, cluster, run)
    fence = result["fence"]
    if fence and params["purpose"] == UNDO:
        # A phase does the same as it is opened, and services get their epoch as they return.
        store = ReleaseStore(cluster, change.version, clock=MonotonicClock())
        store.read()
        store.leave_epoch(fence)
    window = params["launch_window"]
    overrides = check_window(module, window) if window else {}
    places = begin_page(module, run) if params["page"] and not params["fence"] else []
    if params["availability"]:
        begin_probes(module, cluster, run, fence)
    # All that it takes and starts ends with the run.
    result |= {"changed": False, "places": places, "measures": bool(params["availability"])}
    if not opening.opens:
        return {**result, **NO_RECORD}
    facts = plain({**params["facts"], **overrides, **forced_lock(params["lock"], result)})
    opening = replace(opening, now=utc_now(), fence=fence, facts=facts)
    opened = open_phase(cluster, opening, params["pin"], check_mode=module.check_mode)
    return {**result, **opened.to_result(), "ramped": ramped, "diff": opened.to_diff()}


def refuse_killed(observed: FlagsMap, flags: t.Mapping[str, t.Any]) -> None:
    """Raise KilledError for flags that a person's kill switch holds off: the phase would end at them as failed."""
    refuse_switched_off(observed, wish_under(RESET_AUTOMATIC, observed, to_values(flags, {})))


def forced_lock(given: t.Mapping[str, t.Any], held: Result) -> dict[str, t.Any]:
    """The fact of a record that makes a lock taken by force a deviation of the report."""
    if not (given["force"] and held["stolen_from"]):
        return {}
    entry = {"by": held["lock"]["holder"], "reason": given["reason"]}
    return {"forced_locks": {str(held["fence"]): {**entry, "stolen_from": held["stolen_from"]}}}


def open_phase(
    cluster: Cluster, opening: RecordChange, pin: t.Mapping[str, t.Any], *, check_mode: bool
) -> ReleaseOutcome:
    """Record that the phase runs, then pin.

    Raises the DeployError of what cannot be pinned, and the record says before that the phase failed of it.
    """
    outcome = carry_out(cluster, opening, {}, check_mode=check_mode)
    store = ReleaseStore(cluster, opening.version, clock=MonotonicClock())
    try:
        pinned = take_pins(store, opening, pin, outcome.after, check_mode=check_mode)
    except LeaseLostError:
        raise
    except DeployError as exc:
        failure = phase_failure({"msg": str(exc), "reason": exc.reason}, PINNING, CONTROLLER)
        failed = replace(
            opening,
            now=utc_now(),
            phase_status=FAILED,
            phase_started=opening.now,
            facts={},
            order=PhaseOrder(),
            evidence={"failures": failure["by_host"]},
        )
        carry_out(cluster, failed, {}, check_mode=check_mode)
        raise
    return replace(outcome, pinned=pinned)


def hold(module: Module, cluster: Cluster, run: Run | None) -> Result:
    """Take the lock, or renew it. Check mode only tells who has it."""
    params, given = module.params, module.params["lock"]
    claim = claim_of(
        {
            **given,
            "state": "held",
            "manual": False,
            "holder": None,
            "release": params["release"],
            "purpose": params["purpose"],
            "duration": LockClaim.duration,
        },
        run,
    )
    locking = locking_of(module, cluster, LEASE, claim)
    if module.check_mode:
        described = locking.describe()
        emit_progress(module, "Deploy lock", described["sentence"], {})
        return {"fence": 0, "stolen_from": "", **described}
    change = take(
        module, locking, claim, wait=given["wait"], fence=params["fence"], force=given["force"]
    )
    return change.to_result()


def begin_page(module: Module, run: Run | None) -> list[str]:
    """Start what writes the page. Returns its places, none in check mode."""
    page = module.params["page"]
    refuse_below(page, interval=1)
    if module.check_mode:
        return []
    return write_pages(module, {**module.params, **page}, run)


def begin_probes(module: Module, cluster: Cluster, run: Run | None, fence: int) -> None:
    """Have the public addresses asked, unless somebody asks them for this run already."""
    params = module.params
    subject = ROLLBACK if params["purpose"] == UNDO else RELEASE
    order = Order.from_params(
        {**params, **params["availability"], "subject": subject, "state": "started"}
        | {"lock": LEASE, "fence": fence}
    )
    outcome = measure(cluster, order, run, check_mode=module.check_mode)
    if outcome.warning:
        module.warn(outcome.warning)
    elif outcome.changed:
        emit_progress(module, "Availability", outcome.sentence, {"release": order.release})
