# SPDX-License-Identifier: GPL-3.0-or-later
"""Write the switch and the flags in one go, then bring all consumers to them side by side."""

from __future__ import annotations

import typing as t
from datetime import datetime

from .._cluster import KILL_SWITCH_ANNOTATION, Clock, Cluster
from .._errors import ConflictError, DeployError, VerificationError
from .._flags.apply import decide_flags, differing, observe_flags
from .._flags.flagd import Document
from .._flags.plan import FlagsMap, FlagsPlan, Wish
from .._flags.pods import REACHED, RUNNING
from .._lock.epoch import epoch_in
from .._lock.fence import epoch_now
from .._threads import Lock, side_by_side
from .consumer import Consumer, ConsumerState, FlagsRequest, tell_wrong

ATTEMPTS = 50
"""Enough that the switch is written despite other writers."""
LOOK = 5.0
"""Seconds that a look at the lock may take."""

Decide = t.Callable[[FlagsMap, int], Wish]
"""Decides the write from the observed flags and the epoch of the deploy lock."""
OpenCluster = t.Callable[[], Cluster]
Report = t.Callable[[str, str], None]
"""Called with the consumer's name and a text."""


class KillSwitching:
    """One task. `open_cluster` makes a new client at each call."""

    def __init__(
        self,
        open_cluster: OpenCluster,
        *,
        clock: Clock,
        wall: t.Callable[[], datetime],
        report: Report,
    ) -> None:
        self._started = clock.now()
        self._open_cluster = open_cluster
        self._clock = clock
        self._wall = wall
        self._speaking = Lock()
        self._report = report

    def write(
        self,
        name: str,
        decide: Decide,
        *,
        deadline: float,
        document: Document | None,
        check_mode: bool,
        automatic: bool = False,
    ) -> FlagsPlan:
        """Write the switch. API errors are retried until `deadline`: nothing is off before this write.

        Only an `automatic` switch reads the lock; else its epoch is 0. Without a readable lock the epoch on the flags
        counts.
        """
        cluster = self._open_cluster().until(deadline)

        def wish(observed: FlagsMap) -> Wish:
            written = epoch_in(observed.annotations)
            return decide(observed, max(self._epoch(cluster), written) if automatic else 0)

        return decide_flags(
            cluster,
            name,
            wish,
            force=True,
            check_mode=check_mode,
            document=document,
            attempts=ATTEMPTS,
        )

    def _epoch(self, cluster: Cluster) -> int:
        return epoch_now(cluster.until(self._clock.now() + LOOK))

    def overruled(self, plan: FlagsPlan) -> tuple[str, ...]:
        """The switch and the flags that differ from the write by now; none while they cannot be read."""
        try:
            current = observe_flags(self._open_cluster(), plan.before.name)
        except DeployError:
            return ()
        flags = differing(current, {name: plan.after.get(name) for name in plan.wish.flags})
        was, now = (
            KILL_SWITCH_ANNOTATION in flags_map.annotations for flags_map in (plan, current)
        )
        return (*([KILL_SWITCH_ANNOTATION] if was and not now else []), *flags)

    def switch(self, names: t.Sequence[str], request: FlagsRequest) -> list[ConsumerState]:
        return self._each(names, request, Consumer.switch)

    def look(self, names: t.Sequence[str], request: FlagsRequest) -> list[ConsumerState]:
        return self._each(names, request, Consumer.look)

    def _each(
        self,
        names: t.Sequence[str],
        request: FlagsRequest,
        act: t.Callable[[Consumer], ConsumerState],
    ) -> list[ConsumerState]:
        return side_by_side(lambda name: act(self._consumer(name, request)), names)

    def _consumer(self, name: str, request: FlagsRequest) -> Consumer:
        def report(text: str) -> None:
            with self._speaking:
                self._report(name, text)

        return Consumer(
            name,
            request,
            self._open_cluster,
            clock=self._clock,
            wall=self._wall,
            report=report,
            started=self._started,
        )


def check_reached(
    config_map: str,
    consumers: t.Sequence[ConsumerState],
    details: t.Mapping[str, t.Any],
    changed: t.Sequence[str] = (),
) -> None:
    """Raise for every pod that does not run with the flags or could not be asked.

    `changed`: flags that another writer has changed since, which is then the cause.
    """
    wrong = tell_wrong(consumers)
    if not wrong:
        return
    if changed:
        raise ConflictError(
            f"ConfigMap {config_map!r} was written, and somebody else changed it while the pods came to it: check "
            f"{', '.join(changed)}. Not as they were written run: {wrong}. Find out who does the opposite, and run the "
            "same command again if you still want this.",
            **details,
        )
    pods = [pod for consumer in consumers for pod in consumer.pods if pod.state in RUNNING]
    good = sum(pod.state == REACHED for pod in pods)
    why = " ".join(
        f"{consumer.name}: {consumer.problem}"
        for consumer in consumers
        if consumer.problem and consumer.listed
    )
    notes = " ".join(f"{consumer.name}: {consumer.note}" for consumer in consumers if consumer.note)
    raise VerificationError(
        " ".join(
            filter(
                None,
                (
                    f"ConfigMap {config_map!r} is written, so new pods have the flags, but only "
                    f"{good} of {len(pods)} pods are verified; not these: {wrong}.",
                    why,
                    notes,
                    "Run the same command again: it continues with the rest.",
                ),
            )
        ),
        **details,
    )
