"""Alerts of a test's own in the sandbox's Prometheus, that fire or do not."""

import contextlib
import json
import typing as t
from pathlib import Path

import requests

from sandbox.world import World
from tests.waiting import until

GUARD = ("step_down", "kill_switch", "tell")
Fire = t.Callable[..., None]
"""Has alerts by these names fire, or just be loaded: Name=("hold", True). The word is their annotation `gate`, or
`guard` where it is one of GUARD."""


@contextlib.contextmanager
def firing_alerts(world: World) -> t.Iterator[Fire]:
    facts = world.facts("prometheus")
    path = Path(facts["rules_folder"]) / "alerts-of-a-gate.yml"

    def reload() -> None:
        requests.post(f"{facts['url']}/-/reload", timeout=20).raise_for_status()

    def known() -> dict[str, tuple[str, bool]]:
        listed = requests.get(f"{facts['url']}/api/v1/rules?type=alert", timeout=20).json()
        return {
            rule["name"]: (rule["health"], rule["state"] == "firing")
            for group in listed["data"]["groups"]
            if group["name"] == "gate"
            for rule in group["rules"]
        }

    def load(**gates: tuple[str, bool]) -> None:
        rules = [
            {
                "alert": name,
                "expr": f'label_replace(vector(1), "service", "s", "", "") == {int(fires)}',
                "labels": {"severity": "critical"},
                "annotations": {"guard" if gate in GUARD else "gate": gate},
            }
            for name, (gate, fires) in gates.items()
        ]
        groups = [{"name": "gate", "interval": "1s", "rules": rules}]
        path.write_text(json.dumps({"groups": groups}), "utf-8")
        reload()
        until(lambda: known() == {name: ("ok", fires) for name, (_gate, fires) in gates.items()})

    yield load
    path.unlink(missing_ok=True)
    reload()
