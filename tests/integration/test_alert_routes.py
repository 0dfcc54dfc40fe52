"""Routes as we walk them beside Alertmanager's own tool: the same receivers, in the same order."""

import itertools
import os
import subprocess
from pathlib import Path

import pytest
import yaml

from ansible_collections.easymo.deploy.plugins.module_utils._alerts.apply import stops
from ansible_collections.easymo.deploy.plugins.module_utils._alerts.plan import Route
from ansible_collections.easymo.deploy.plugins.module_utils._decode import restored
from sandbox.alertmanager import amtool, configuration
from sandbox.world import CACHE_VARIABLE, World

ROOT = Path(__file__).parents[2]
CACHE = Path(os.environ.get(CACHE_VARIABLE) or ROOT / ".sandbox" / "cache")

ROUTES = """
- receiver: a
  matchers: [severity="page", notify=~"on-call.*|manager"]
  routes:
  - {receiver: b, matchers: [notify="manager"], continue: true}
  - receiver: c
    match_re: {notify: "man.+"}
    routes: [{matchers: ['service!=""'], receiver: d}]
- {receiver: e, continue: true, match: {severity: warning}}
- {matchers: [severity=~"warn|warning", 'notify!~"#.*"'], routes: [{receiver: f, matchers: [service="wallet"]}]}
- {receiver: g, matchers: ['severity = ""', 'notify=~".*engineering.*"']}
"""


@pytest.mark.parametrize("labels", [
    dict(zip(("severity", "notify", "service"), one, strict=True))
    for one in itertools.product(
        ("page", "warning", "warn", ""),
        ("on-call-engineer", "manager", "#engineering-alerts", ""),
        ("wallet", ""),
    )
], ids=lambda one: ", ".join(one.values()))  # fmt: skip
def test_an_alert_ends_where_alertmanagers_own_tool_says(labels, tmp_path):
    config = {
        "route": {"receiver": "root", "routes": yaml.safe_load(ROUTES)},
        "receivers": [{"name": name} for name in ("root", *"abcdefg")],
    }
    assert [
        one.receiver for one in stops(restored(Route, config["route"], "route"), labels)
    ] == told(config, labels, tmp_path)


def test_so_do_the_routes_of_the_sandbox(tmp_path):
    config = configuration(World(tmp_path))
    labels = {"alertname": "Service Down", "notify": "engineering-manager"}
    found = [one.receiver for one in stops(restored(Route, config["route"], "route"), labels)]
    assert found == told(config, labels, tmp_path) == ["engineering-manager"]


def told(config: dict[str, object], labels: dict[str, str], folder: Path) -> list[str]:
    path = folder / "alertmanager.yml"
    path.write_text(yaml.safe_dump(config), "utf-8")
    words = [amtool(CACHE), "config", "routes", "test", f"--config.file={path}"]
    given = [f"{name}={value}" for name, value in labels.items() if value]
    done = subprocess.run([*words, *given], capture_output=True, text=True, check=True, timeout=60)
    # Before it: what it thinks of the way in which labels are quoted.
    return done.stdout.strip().splitlines()[-1].split(",")
