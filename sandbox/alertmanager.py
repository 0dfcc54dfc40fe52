# SPDX-License-Identifier: GPL-3.0-or-later
"""The real Alertmanager: takes Prometheus's alerts to whom their label `notify` names."""

from __future__ import annotations

import json
import shutil
import typing as t
import urllib.request
from pathlib import Path

from sandbox.cache import cached, unpack
from sandbox.component import Component, Process
from sandbox.errors import SandboxError
from sandbox.sinks.component import MANAGER, ON_CALL, routing_key, webhook_url
from sandbox.world import write_private

if t.TYPE_CHECKING:
    from sandbox.world import Facts, World

NAME = "alertmanager"
PACKAGE = "prometheus-alertmanager"
SHARE = "shared"
ALERTS = "engineering-alerts"

# Seconds instead of minutes, so that a rehearsal sees who is told.
_GROUPING = {"group_wait": "1s", "group_interval": "5s", "repeat_interval": "4h"}


class Alertmanager(Component):
    name = NAME
    ports = (NAME,)

    def prepare(self, world: World) -> None:
        program(world)
        # JSON is YAML. It holds routing keys and a webhook.
        config = json.dumps(configuration(world), indent=1)
        write_private(world.folder(NAME) / "alertmanager.json", config.encode())

    def process(self, world: World) -> Process:
        folder = world.folder(NAME)
        argv = (
            program(world),
            f"--config.file={folder / 'alertmanager.json'}",
            f"--storage.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{world.port(NAME)}",
            f"--web.external-url={world.url(NAME)}",
            # One alone: without it a cluster would listen on a port of its own.
            "--cluster.listen-address=",
            "--log.level=warn",
        )
        return Process(argv, {"GOGC": "50"}, cwd=Path(argv[0]).parent)

    def ready(self, world: World) -> bool:
        with urllib.request.urlopen(f"{world.url(NAME)}/api/v2/status", timeout=2) as answer:  # noqa: S310
            return "config" in json.load(answer)

    def facts(self, world: World) -> Facts:
        return {"url": world.url(NAME)}


def configuration(world: World) -> dict[str, t.Any]:
    """A receiver for each whom a rule's label `notify` may name."""

    def paged(who: str) -> dict[str, t.Any]:
        event = {
            "routing_key": routing_key(world, who),
            "url": f"{world.url('sinks')}/pagerduty/v2/enqueue",
            "severity": "critical",
        }
        return {"name": who, "pagerduty_configs": [event]}

    channel = f"#{ALERTS}"
    posted = {
        "api_url": webhook_url(world, ALERTS),
        "channel": channel,
        "send_resolved": True,
        "title": "{{ .Status | toUpper }}: {{ .CommonLabels.alertname }}",
        "text": "{{ range .Alerts }}{{ .Annotations.summary }}\n{{ end }}",
    }
    receivers = [paged(ON_CALL), paged(MANAGER), {"name": channel, "slack_configs": [posted]}]
    routes = [{"receiver": r["name"], "matchers": [f'notify="{r["name"]}"']} for r in receivers]
    route = {
        "receiver": channel,
        "group_by": ["alertname"],
        **_GROUPING,
        "routes": routes,
    }
    return {"route": route, "receivers": receivers}


def program(world: World) -> str:
    if path := shutil.which("alertmanager") or shutil.which(PACKAGE):
        return path
    made = cached(world.cache, f"{NAME}-{SHARE}", lambda folder: _relocate(world.cache, folder))
    return str(made / NAME)


def amtool(cache: Path) -> str:
    return shutil.which("amtool") or str(unpack(cache, PACKAGE) / "usr/bin/amtool")


def _relocate(cache: Path, folder: Path) -> None:
    """Debian's program reads its templates from where the package would be installed, whatever its
    configuration says. A name of the same length, seen from the folder it is started in, takes its place.
    """
    unpacked = unpack(cache, PACKAGE)
    program = (unpacked / "usr/bin" / PACKAGE).read_bytes()
    installed = b"/usr/share/prometheus/alertmanager"
    if installed not in program:
        raise SandboxError(
            f"Debian's {PACKAGE} reads its templates from a place of which the sandbox does not know: "
            f"install it (apt-get install {PACKAGE}) or put 'alertmanager' on PATH."
        )
    here = b"./" * ((len(installed) - len(SHARE)) // 2) + SHARE.encode()
    (folder / NAME).write_bytes(program.replace(installed, here))
    (folder / NAME).chmod(0o755)
    shutil.copytree(unpacked / "usr/share/prometheus/alertmanager", folder / SHARE)


COMPONENT = Alertmanager()
