"""The recorded rollouts once more, in the simulated world: what its watches show of them, as JSON.

tests/contract/test_rollout_timelines.py runs this in a process of its own, and holds it against what a real control
plane showed.
"""

import json
import typing as t

from tests.contract.rollout_cluster import SERVICE, complete, deployment, timed_out
from tests.contract.timelines import QUOTA, SCENARIOS, Object, Timeline, reduced
from tests.simulation import run as _run  # puts the world's time and chance in their places
from tests.simulation.client import Session
from tests.simulation.plan import Plan
from tests.simulation.world import NAMESPACE, World

__all__ = ["_run"]

APPS, CORE = (f"/apis/apps/v1/namespaces/{NAMESPACE}", f"/api/v1/namespaces/{NAMESPACE}")
WATCHED = (f"{APPS}/deployments", f"{APPS}/replicasets", f"{CORE}/pods", f"{CORE}/events")
"""EndpointSlices are not: the product reads none, so nobody keeps them here."""
DEADLINE = 30
"""Seconds without progress, more than any pod takes to become ready here."""
PATIENCE = 600.0
AT_ONCE = (0.002, 0.005)
"""The recorded control plane had nothing else to do; one that is late shows counters in between."""
IMAGE = f"easymo/{SERVICE}"


class Stage:
    """One Deployment, and what watches saw of it and of its pods."""

    def __init__(self) -> None:
        self._world = World(Plan(1, {}, (), ()), lambda _text: None)
        self._world.plane.delays = AT_ONCE
        self._session = Session(self._world)
        self._seen: list[tuple[int, Object]] = []
        """By resourceVersion: each watch has latencies of its own, longer than a controller's steps."""
        self._ask("POST", f"{APPS}/deployments", deployment(f"{IMAGE}:v1.9.0", deadline=DEADLINE))
        self._settle(complete)
        for path in WATCHED:
            self._start(lambda path=path: self._watch(path))
        self._pass(1.0)

    def play(self, name: str) -> Timeline:
        self._seen.clear()
        if name == "quota":
            self._ask("POST", f"{CORE}/resourcequotas", QUOTA)
        if name == "quota-lifted":
            self._ask("DELETE", f"{CORE}/resourcequotas/q")
        else:
            tag = {"crash": "v2.0.0-crashes", "quota": "v1.9.0"}.get(name, "v2.0.0")
            self._release(f"{IMAGE}:{tag}", note="third" if name == "quota" else "")
        self._settle(timed_out if name in ("crash", "quota") else complete)
        return [entry for _version, entry in sorted(self._seen, key=lambda one: one[0])]

    def _release(self, image: str, note: str) -> None:
        containers = self._body()["spec"]["template"]["spec"]["containers"]
        containers[0]["image"] = image
        template: Object = {"spec": {"containers": containers}}
        if note:
            template["metadata"] = {"annotations": {"note": note}}
        patch = {"spec": {"template": template}}
        self._ask("PATCH", f"{APPS}/deployments/{SERVICE}", patch)

    def _body(self) -> Object:
        return self._world.store.get("deployments", NAMESPACE, SERVICE)

    def _start(self, work: t.Callable[[], object]) -> None:
        def live() -> None:
            work()

        self._world.start("kubectl", "laptop", live, rate=1.0, ahead=0.0)

    def _ask(self, method: str, path: str, body: t.Any = None) -> None:
        form = "application/merge-patch+json" if method == "PATCH" else "application/json"
        self._start(lambda: self._session.request(method, path, body=body, content_type=form))
        self._pass(0.5)

    def _watch(self, path: str) -> None:
        listed = json.loads(self._session.request("GET", path).read())
        following = {
            "watch": "true",
            "resourceVersion": listed["metadata"]["resourceVersion"],
            "timeoutSeconds": "86400",
        }
        stream = self._session.request("GET", path, query_params=[*following.items()])
        for chunk in stream.stream(None, decode_content=False):
            for event in map(json.loads, chunk.splitlines()):
                if (entry := reduced(event)) is not None:
                    self._seen.append((int(event["object"]["metadata"]["resourceVersion"]), entry))

    def _pass(self, seconds: float) -> None:
        self._world.scheduler.run(until=self._world.scheduler.now + seconds)

    def _settle(self, reached: t.Callable[[Object], bool]) -> None:
        def rested() -> bool:
            body = self._body()
            return bool(body.get("status")) and reached(body)

        self._world.scheduler.run(until=self._world.scheduler.now + PATIENCE, rested=rested)
        assert rested(), self._body()
        self._pass(1.0)


if __name__ == "__main__":
    stage = Stage()
    print(json.dumps({name: stage.play(name) for name in SCENARIOS}))
