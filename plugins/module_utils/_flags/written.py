# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Whether flags still stand in their ConfigMap as they were written, while pods are brought to them.

Something else may write there: a person, or what holds the ConfigMap to what is in Git. Then a pod that is behind
would read what that wrote, and neither waiting for it nor replacing it helps.
"""

from __future__ import annotations

from .._cluster import Clock, Cluster
from .._errors import DeployError
from .apply import observe_flags
from .plan import Changes, FlagsMap
from .pods import STALE, PodState

ASK_EVERY = 2.0
"""Seconds for which an answer counts."""


def differing(seen: FlagsMap, flags: Changes) -> tuple[str, ...]:
    """Which of them the ConfigMap has otherwise."""
    return tuple(sorted(name for name, value in flags.items() if seen.data.get(name) != value))


class Written:
    """`flags` as they were written to a ConfigMap; "" for its name where it is not known, and never asked."""

    def __init__(self, cluster: Cluster, config_map: str, flags: Changes, clock: Clock) -> None:
        self._cluster = cluster
        self._config_map = config_map
        self._flags = flags
        self._clock = clock
        self._asked = float("-inf")
        self._changed: tuple[str, ...] = ()

    def changed(self) -> tuple[str, ...]:
        """What somebody else has changed since. A ConfigMap that cannot be read is not known to be changed."""
        if self._config_map and self._clock.now() - self._asked >= ASK_EVERY:
            try:
                seen = observe_flags(self._cluster, self._config_map)
            except DeployError:
                return self._changed
            self._asked = self._clock.now()
            self._changed = differing(seen, self._flags)
        return self._changed

    def helps(self, pod: PodState) -> bool:
        """Whether a pod that reads the ConfigMap anew may come closer to what was written."""
        if pod.state != STALE:
            return True
        wrong = {name for name, value in self._flags.items() if pod.seen.get(name) != value}
        return not wrong <= {*self.changed()}
