# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads what a status is made of: lock, freeze, record, Deployments, flags. Changes nothing."""

from __future__ import annotations

from .._availability.claims import facts_of
from .._cluster import Cluster, MonotonicClock
from .._flags.apply import KillSwitch
from .._flags.values import only_flags
from .._gate.store import watches_of
from .._lock.apply import Locking
from .._lock.models import LockClaim
from .._lock.plan import describe
from .._release.order import switched_off
from .._release.store import ReleaseStore
from .._rollout.observer import observe_standings
from .._run_process import never_alive
from .._story.record import Record
from .build import Seen


def look(cluster: Cluster, *, lock: str, release: str, config_map: str) -> Seen:
    """While somebody deploys, at the release of the lock; else at `release`. `config_map`: that of the flags."""
    clock = MonotonicClock()
    locking = Locking(cluster, lock, LockClaim(holder=""), clock=clock, alive=never_alive)
    held, freeze = locking.read(), locking.freeze()
    store = ReleaseStore(cluster, held.release or release, clock=clock)
    record = store.read()
    attempt = record.attempt if record else 1
    flags = cluster.read("ConfigMap", config_map) if config_map else None
    switch = KillSwitch.from_config_map(flags)
    return Seen(
        lock=held.to_result(),
        # Begins as a holder is called, who may be called with a small letter.
        sentence=". ".join([describe(held), *([str(freeze)] if freeze else [])]) + ".",
        record=Record.read(record.to_json() if record else None),
        deployments=observe_standings(cluster, None),
        freeze=str(freeze) if freeze else "",
        flags=only_flags(flags.get("data") or {}) if flags is not None else None,
        killed=str(switch) if switch else "",
        automatic=bool(switch and switch.automatic),
        switched_off=switched_off(record, flags),
        availability=facts_of(store, attempt, store.attachments()),
        watches=watches_of(store, attempt) if record else {},
    )
