# SPDX-License-Identifier: GPL-3.0-or-later
"""One task of the module availability: a prober of its own process that lives as long as the run, and its end."""

from __future__ import annotations

import gc
import os
import signal
import threading
import time
import typing as t
from dataclasses import dataclass, replace

from .._cluster import Cluster, MonotonicClock
from .._errors import (
    ConflictError,
    DeployError,
    InputError,
    RefusedError,
    VerificationError,
)
from .._kubernetes import KubernetesCluster
from .._kubernetes_client import Connection, connect
from .._lock.models import Lock
from .._module import refuse_twice
from .._release.models import DONE, ROLLED_BACK
from .._release.record import Record
from .._release.store import ReleaseStore
from .._run_process import Run, alive, detach, end, identified, wait_for_end
from .._time import Deadline
from . import plan
from .claims import RELEASE, ROLLBACK, MeasuredStore
from .plan import WRITE_EVERY, Measured, ProberState, Target
from .prober import Address, Door, Prober, split

CALL = 5.0
LAST_CALL = 30.0
"""Seconds that a write of the prober may take, and its last one."""
SETTLING = 15.0
"""Seconds in which a prober shows that it works, or ends when it is told to."""
API_SERVER = "the API server"
CONTROL = "a control address"


@dataclass(frozen=True)
class Order:
    """What is to be asked and where it is kept. `interval` and `timeout` in seconds."""

    connection: Connection
    release: str
    subject: str
    targets: tuple[Target, ...]
    controls: tuple[str, ...]
    interval: float
    timeout: float
    off: str
    lock: str
    fence: int

    @classmethod
    def from_params(cls, params: t.Mapping[str, t.Any]) -> Order:
        if params["rate"] <= 0 or params["timeout"] <= 0:
            raise InputError("'rate' and 'timeout' must be above 0: probes a second, and seconds.")
        if not params["enabled"] and not (params["reason"] or "").strip():
            raise InputError("'reason' is missing: say why nothing is measured.")
        targets = tuple(Target(**target) for target in params["targets"])
        if params["state"] == "started" and params["enabled"] and not targets:
            raise InputError("'targets' is empty: name the public addresses to ask.")
        refuse_twice("Targets", targets)
        for url in (*(target.url for target in targets), *params["controls"]):
            split(url)
        names = ("release", "subject", "timeout", "lock", "fence")
        return cls(
            connection=Connection.from_params(params),
            targets=targets,
            controls=tuple(params["controls"]),
            interval=1 / params["rate"],
            off="" if params["enabled"] else params["reason"].strip(),
            **{name: params[name] for name in names},
        )

    @property
    def what(self) -> str:
        rate = 1 / self.interval
        often = "once a second" if rate == 1 else f"{rate:g} times a second"
        return f"{len(self.targets)} public addresses {often} each"


@dataclass(frozen=True)
class Outcome:
    """`measured` afterwards, None for nothing. `sentence` tells what was done, or would be in check mode."""

    changed: bool
    sentence: str
    measured: Measured | None = None
    warning: str = ""


def measure(cluster: Cluster, order: Order, run: Run | None, *, check_mode: bool) -> Outcome:
    """See to it that a prober asks until the run ends. What cannot be kept is a warning: no run fails for it."""
    record, store = _places(cluster, order)
    attempt = record.attempt if record else 1
    if record and record.status == ROLLED_BACK and order.subject == RELEASE:
        attempt += 1  # which the phase begins that is opened next
    known, damaged = store.of_attempt(attempt)
    if order.subject == RELEASE and record is not None and record.status == DONE:
        return Outcome(False, "The release is signed off: measuring has ended.", known)
    if known is not None and known.off and known.off == order.off:
        return Outcome(False, f"Nothing is measured: {order.off}.", known)
    running = Run.from_text(known.prober) if known is not None and not known.closed else None
    if known is not None and known.fence == order.fence and running and alive(running):
        return Outcome(False, f"Asks {order.what} already.", known)
    if check_mode:
        would = f"measure nothing: {order.off}" if order.off else f"ask {order.what}"
        return Outcome(True, f"Would {would}.", known)
    now = time.time()
    if order.off:
        off = plan.switch_off(known, now, attempt=attempt, reason=order.off)
        return _kept(store, off, f"Nothing is measured: {order.off}.")
    if run is None:
        reason = "Only ansible-playbook's own machine probes addresses: use a local connection."
        return Outcome(False, reason, known, reason)
    # The rollback that was taken before is told by itself.
    before = None if order.subject == ROLLBACK and known and known.closed else known
    begun = plan.begin(
        before, now, attempt=attempt, interval=order.interval, fence=order.fence, damaged=damaged
    )
    return _begin(store, order, begun, run)


def conclude(cluster: Cluster, order: Order, *, check_mode: bool) -> Outcome:
    """End the prober, and close what was measured."""
    record, store = _places(cluster, order)
    known, damaged = store.of_attempt(record.attempt if record else 1)
    if damaged:
        # A prober that lives writes it anew before long.
        known = _wait_for(store, lambda _found: True, WRITE_EVERY + CALL)
    if known is None or known.closed:
        return Outcome(False, "Nothing is being measured.", known)
    if check_mode:
        return Outcome(True, "Would stop measuring.", known)
    running = Run.from_text(known.prober)
    if running is not None and alive(running):
        end(running)
        known = _wait_for(store, lambda result: not result.prober) or known
    closed = replace(plan.close(known, time.time()), prober="")
    return _kept(store, closed, "Measuring has stopped.")


def _begin(store: MeasuredStore, order: Order, begun: Measured, run: Run) -> Outcome:
    stored = _kept(store, begun, f"Asks {order.what}.")
    if stored.warning:
        return stored
    addresses = {target.name: Address(target) for target in order.targets}
    detach(lambda: probe(store, order, addresses, begun, run))
    measured = _wait_for(store, lambda result: bool(result.prober))
    if measured is None:
        late = (
            f"The prober did not start within {SETTLING:g} s: see whether availability is measured."
        )
        return replace(stored, warning=late)
    return replace(stored, measured=measured)


def _kept(store: MeasuredStore, measured: Measured, sentence: str) -> Outcome:
    try:
        store.write(measured)
    except DeployError as exc:
        warning = f"Availability is not kept with the release. {exc}"
        return Outcome(False, sentence, measured, warning)
    return Outcome(True, sentence, measured)


def _places(cluster: Cluster, order: Order) -> tuple[Record | None, MeasuredStore]:
    releases = ReleaseStore(cluster, order.release, clock=MonotonicClock())
    return releases.read(), MeasuredStore(releases, order.subject)


def _wait_for(
    store: MeasuredStore, observed: t.Callable[[Measured], bool], seconds: float = SETTLING
) -> Measured | None:
    deadline = Deadline(seconds)
    while deadline.left() > 0:
        try:
            result = store.read()
        except DeployError:
            result = None
        if result is not None and observed(result):
            return result
        deadline.sleep(0.1)
    return None


def probe(
    store: MeasuredStore,
    order: Order,
    addresses: t.Mapping[str, Address],
    begun: Measured,
    run: Run,
) -> None:
    """The life of the prober: a process of its own, with connections of its own."""
    # What came with the fork is not to be looked through again and again: that would copy it, page by page.
    gc.freeze()
    me = identified(os.getpid()).to_text()
    named = {f"{CONTROL} {number}": url for number, url in enumerate(order.controls, 1)}
    api_server = {API_SERVER: connect(order.connection).configuration.host}
    controls = {name: Door(url) for name, url in {**api_server, **named}.items()}
    # Without a control address a blind prober looks like an outage, so it counts as failed.
    known = {*addresses, *controls, *([] if order.controls else [CONTROL])}
    prober = Prober(
        addresses,
        controls,
        plan.start(replace(begun, prober=me), known),
        interval=order.interval,
        timeout=order.timeout,
    )
    signal.signal(signal.SIGTERM, lambda *_: prober.stop())
    over = threading.Event()
    writing = threading.Thread(target=_keep_writing, args=(store, order, me, prober, over))
    writing.start()
    try:
        prober.run(lambda: wait_for_end(run, 0))
    finally:
        over.set()
        writing.join()


def _keep_writing(
    store: MeasuredStore, order: Order, me: str, prober: Prober, over: threading.Event
) -> None:
    cluster, clock = KubernetesCluster(order.connection), MonotonicClock()
    while _write(store, order, me, cluster.until(clock.now() + CALL), _so_far(prober.state)):
        if over.wait(WRITE_EVERY):
            last = replace(_so_far(prober.state), prober="")
            _write(store, order, me, cluster.until(clock.now() + LAST_CALL), last)
            return
    # Another run has taken over.
    prober.stop()


def _write(
    store: MeasuredStore, order: Order, me: str, cluster: Cluster, measured: Measured
) -> bool:
    """False when it is another's to write. Trouble with the API is sat out: the next write has it all."""
    store.file.store = ReleaseStore(cluster, order.release, clock=MonotonicClock())
    try:
        lock = cluster.read("Lease", order.lock) if order.fence else None
        # The run may have given the lock back already; no other run has taken it since.
        if order.fence and (lock is None or Lock.from_json(lock).fence != order.fence):
            return False
        try:
            store.write(measured)
        except (ConflictError, RefusedError):
            # Somebody wrote or deleted it: another prober of this run, or a hand, whose work does not count.
            try:
                result = store.read()
            except VerificationError:
                result = None
            if result is not None and (result.closed or result.prober not in ("", me)):
                return False
            store.write(measured)
    except DeployError:
        pass
    return True


def _so_far(state: ProberState) -> Measured:
    return plan.at(state, state.measured.until or time.time())
