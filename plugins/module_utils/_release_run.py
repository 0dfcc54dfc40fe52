# SPDX-License-Identifier: GPL-3.0-or-later
"""The beginning of a run that changes a release: what refuses it, and what lives until it ends."""

from __future__ import annotations

import typing as t

from ._availability.claims import RELEASE, ROLLBACK
from ._availability.task import Order, measure
from ._checks.task import check_window
from ._cluster import Cluster
from ._kubernetes import actor_of, cluster_for
from ._live.writer import write_pages
from ._lock.apply import LEASE
from ._lock.models import UNDO, LockClaim
from ._lock.task import claim_of, locking_of, take
from ._module import Module, emit_progress, in_controller, refuse_below
from ._release.models import NO_RECORD, RUNNING
from ._release.order import read_order
from ._release.plan import RecordChange
from ._release.task import ReleaseTask, carry_out
from ._run_process import Run, current_run
from ._time import utc_now

Result = dict[str, t.Any]


def begin(module: Module) -> Result:
    """Carry out the module release_run.

    Nothing is started before everything that may refuse the run was asked. The order of phases comes first, for it
    takes no lock. Raises the DeployError of what refuses.
    """
    params, cluster = module.params, cluster_for(module)
    run = current_run() if in_controller(module) else None
    change = RecordChange(
        version=params["release"],
        actor=actor_of({"actor": None}),
        now=utc_now(),
        phase=params["phase"] or "",
        phase_status=RUNNING if params["phase"] else "",
        order=read_order(params["order"] or {}),
    )
    record: Result = NO_RECORD
    if params["phase"]:
        opening = carry_out(cluster, ReleaseTask(change, writes=True), check_mode=True)
        record = opening.after.to_result() if opening.after else NO_RECORD
    result = hold(module, cluster, run)
    fence = result["fence"]
    if fence and params["purpose"] == UNDO:
        # A phase does the same as it is opened, and services get their epoch as they return.
        fencing = RecordChange(
            version=change.version, actor=change.actor, now=change.now, fence=fence
        )
        carry_out(cluster, ReleaseTask(fencing, writes=False, fences=True), check_mode=False)
    window = params["launch_window"]
    facts = check_window(module, window) if window else {}
    places = begin_page(module, run) if params["page"] and not params["fence"] else []
    if params["availability"]:
        begin_probes(module, cluster, run, fence)
    return {
        **result,
        **record,
        "facts": facts,
        "places": places,
        "measures": bool(params["availability"]),
    }


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
        return {"fence": 0, "stolen_from": "", **locking.describe()}
    change = take(
        module, locking, claim, wait=given["wait"], fence=params["fence"], force=given["force"]
    )
    return {**change.to_result(), "diff": change.to_diff()}


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
