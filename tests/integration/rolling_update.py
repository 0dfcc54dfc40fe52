"""What Prometheus scrapes of a Deployment that is rolled, as Kubernetes documents the strategy RollingUpdate."""

import typing as t
from dataclasses import dataclass, field

SCRAPE = 15
"""Seconds."""


@dataclass
class Pod:
    """In seconds since the beginning; `ready` is when it answers first, `gone` when it is no target any more."""

    created: int
    ready: int
    deleted: int | None = None
    gone: int | None = None


@dataclass
class Rollout:
    """`start` is how long a new pod takes to answer, `drain` how long one that ends is still a target and does not."""

    pods: int
    surge: int
    unavailable: int
    start: int
    drain: int
    begins: int = 3600
    seen: list[Pod] = field(default_factory=list)

    def run(self) -> int:
        """The second in which all is new and the old is gone."""
        old = [Pod(-SCRAPE, -SCRAPE) for _ in range(self.pods)]
        new: list[Pod] = []
        self.seen = [*old]
        now = self.begins
        while True:
            available = [one for one in old if one.deleted is None]
            ready = [one for one in new if one.ready <= now]
            may_go = len(available) + len(ready) - (self.pods - self.unavailable)
            for one in available[: max(0, may_go)]:
                one.deleted, one.gone = now, now + self.drain
            left = sum(one.deleted is None for one in old)
            room = min(self.pods - len(new), self.pods + self.surge - left - len(new))
            made = [Pod(now, now + self.start) for _ in range(max(0, room))]
            new += made
            self.seen += made
            if len(ready) == self.pods and not left:
                return max([now, *(one.gone or 0 for one in old)])
            now += 1

    def series(self, until: int) -> list[dict[str, str]]:
        return [
            {
                "series": f'up{{job="pods",service="rolled",pod="p{number}"}}',
                "values": " ".join(self._value(pod, at) for at in range(0, until, SCRAPE)),
            }
            for number, pod in enumerate(self.seen)
        ]

    def _value(self, pod: Pod, at: int) -> str:
        if at < pod.created:
            return "_"
        if pod.gone is not None and at >= pod.gone:
            return "stale" if at - SCRAPE < pod.gone else "_"
        answers = at >= pod.ready and (pod.deleted is None or at < pod.deleted)
        return str(int(answers))


def promtool_test(rules: str, rollout: Rollout) -> dict[str, t.Any]:
    """A test file of promtool: no alert at any moment, from before the rollout to ten minutes after it."""
    end = rollout.run() + 600
    return {
        "rule_files": [rules],
        "evaluation_interval": f"{SCRAPE}s",
        "tests": [
            {
                "name": f"{rollout.pods} pods",
                "interval": f"{SCRAPE}s",
                "input_series": rollout.series(end + 60),
                "alert_rule_test": [
                    {"eval_time": f"{at}s", "alertname": "Service Down", "exp_alerts": []}
                    for at in range(rollout.begins, end, 30)
                ],
            }
        ],
    }
