# SPDX-License-Identifier: GPL-3.0-or-later
"""Count the lines of a Deployment's logs that match."""

from __future__ import annotations

from dataclasses import dataclass, field

from .._cluster import Clock, Cluster, MonotonicClock
from .._errors import DeployError, InputError, RefusedError
from .._rollout.observer import observe_all_pods, observe_deployment
from .models import Sample, failed_sample
from .options import read_pattern

_LIMIT = 1_000_000
"""Bytes of one container's log that are read at a look. More in one window count as far as they were read."""


@dataclass(frozen=True)
class LogSource:
    """The running containers of all pods that the Deployment's selector finds, as of the last `window` seconds."""

    cluster: Cluster
    deployment: str
    window: int
    timeout: float
    clock: Clock = field(default_factory=MonotonicClock)

    def sample(self, query: str) -> Sample:
        """InputError for a wrong pattern or Deployment; a log that cannot be read is a missing sample."""
        pattern = read_pattern(query)
        texts = self._texts(self.window)
        if isinstance(texts, Sample):
            return texts
        found = sum(1 for text in texts for line in text.splitlines() if pattern.search(line))
        return Sample(float(found))

    def users(self, query: str, seconds: int) -> Sample:
        """How many different values the first group of the pattern has, within so many seconds. Errors as above."""
        pattern = read_pattern(query)
        if not pattern.groups:
            raise InputError(f"{query!r} has no group: put what tells users apart in parentheses.")
        texts = self._texts(seconds)
        if isinstance(texts, Sample):
            return texts
        if any(len(text.encode()) >= _LIMIT for text in texts):
            return failed_sample("a container logged more than is read since the watch began, 1 MB")
        return Sample(float(len({found[1] for text in texts for found in pattern.finditer(text)})))

    def _texts(self, window: int) -> list[str] | Sample:
        try:
            texts = self._logs(self.cluster.until(self.clock.now() + self.timeout), window)
        except InputError:
            raise
        except DeployError as exc:
            return failed_sample(str(exc).rstrip("."))
        return texts or Sample(None, f"no container of {self.deployment!r} runs")

    def _logs(self, cluster: Cluster, window: int) -> list[str]:
        deployment = observe_deployment(cluster, self.deployment)
        running = [
            (pod.name, container.name)
            for pod in observe_all_pods(cluster, deployment)
            for container in pod.containers
            if container.state == "running"
        ]
        read = [self._log(cluster, pod, container, window) for pod, container in running]
        return [text for text in read if text is not None]

    def _log(self, cluster: Cluster, pod: str, container: str, window: int) -> str | None:
        try:
            return cluster.log(pod, container, since_seconds=window, limit_bytes=_LIMIT)
        except RefusedError as exc:
            if exc.details.get("status") == 404:  # the pod went meanwhile
                return None
            raise
