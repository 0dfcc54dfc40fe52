# SPDX-License-Identifier: GPL-3.0-or-later
"""The real Prometheus: finds the pods through the Kubernetes API, as in production."""

from __future__ import annotations

import json
import re
import shutil
import time
import typing as t
import urllib.request
from pathlib import Path

from sandbox.cache import unpack
from sandbox.component import Component, Process, responds
from sandbox.names import NAMESPACE
from sandbox.services import METRICS_PORT
from sandbox.world import write_private

if t.TYPE_CHECKING:
    from sandbox.world import Facts, World

NAME = "prometheus"
RULES = Path(__file__).with_name("project") / "alerts.rules.yml"
"""What production gets."""

# Four seconds instead of the usual fifteen, so that a rehearsal need not wait minutes. Scrapes cost as much as probes.
_GLOBAL = {"scrape_interval": "4s", "scrape_timeout": "4s", "evaluation_interval": "4s"}

FIRST_SERIES_WITHIN = 30.0
"""Seconds: it looks for new targets every five. A cluster without pods has none."""


class Prometheus(Component):
    name = NAME
    needs = ("kubernetes",)
    settles_after = ("node",)
    ports = (NAME,)

    def prepare(self, world: World) -> None:
        folder = world.folder(NAME)
        program(world)
        kubernetes = world.facts("kubernetes")
        write_private(folder / "token", kubernetes["token"].encode())
        static = {
            "exporters": world.port("exporters"),
            "gateway": world.port("gateway"),
            "supabase": world.port("supabase-gateway"),
        }
        rules = shortened(RULES.read_text(encoding="utf-8"))
        (folder / RULES.name).write_text(rules, encoding="utf-8")
        (rules_folder(world) / "release.yml").write_text(rules, encoding="utf-8")
        alertmanager = f"127.0.0.1:{world.port('alertmanager')}"
        made = configuration(kubernetes, folder / "token", static, alertmanager)
        # JSON is YAML.
        (folder / "prometheus.json").write_text(json.dumps(made, indent=1), encoding="utf-8")

    def process(self, world: World) -> Process:
        folder = world.folder(NAME)
        argv = (
            program(world),
            f"--config.file={folder / 'prometheus.json'}",
            f"--storage.tsdb.path={folder / 'data'}",
            "--storage.tsdb.retention.time=1d",
            f"--web.listen-address=127.0.0.1:{world.port(NAME)}",
            # Debian's consoles are not where the program looks for them, and not wanted.
            "--web.console.templates=/nonexistent",
            "--web.console.libraries=/nonexistent",
            f"--web.external-url={world.url(NAME)}",
            "--web.enable-lifecycle",
            # What fires just after a reload reaches no Alertmanager, and is sent again a minute later by default.
            "--rules.alert.resend-delay=5s",
            "--log.level=warn",
        )
        return Process(argv, {"GOGC": "50"})

    def ready(self, world: World) -> bool:
        return responds(f"{world.url(NAME)}/-/ready")

    def settle(self, world: World) -> None:
        """As production's has it long since: series of the pods, without which no alert can fire."""
        deadline = time.monotonic() + FIRST_SERIES_WITHIN
        while not _has_series(world) and time.monotonic() < deadline:
            time.sleep(0.1)

    def facts(self, world: World) -> Facts:
        return {
            "url": world.url(NAME),
            "rules": str(world.folder(NAME) / RULES.name),
            "rules_folder": str(rules_folder(world)),
        }


def _has_series(world: World) -> bool:
    query = "/api/v1/query?query=count(http_request_duration_seconds_count)"
    with urllib.request.urlopen(world.url(NAME) + query, timeout=5) as answer:  # noqa: S310 - our own URL
        return bool(json.load(answer)["data"]["result"])


def rules_folder(world: World) -> Path:
    """What lies here is loaded at the start and at each reload."""
    folder = world.folder(NAME) / "rules"
    folder.mkdir(exist_ok=True)
    return folder


def shortened(rules: str) -> str:
    """The same alerts over windows short enough for a rehearsal, as metrics.yml and the inventory shorten the watch."""
    windows = re.sub(r"\[\d+m\]", "[1m]", rules)
    windows = re.sub(r"offset \d+m\b", "offset 1m", windows).replace("[3h:1m]", "[10m:10s]")
    windows = windows.replace("interval: 15s", "interval: 4s")
    return re.sub(r"^( +for:) \d+m$", r"\1 10s", windows, flags=re.MULTILINE)


def configuration(
    kubernetes: Facts, token_file: Path, static: t.Mapping[str, int], alertmanager: str
) -> dict[str, t.Any]:
    """Prometheus's configuration: pods of the platform that ask for it, stand-ins, and fixed targets by job."""
    pods = {
        "job_name": "pods",
        # The services say themselves which they are; targets fill in what they leave out.
        "honor_labels": True,
        "kubernetes_sd_configs": [
            {
                "role": "pod",
                "api_server": kubernetes["server"],
                "authorization": {"credentials_file": str(token_file)},
                "tls_config": {"ca_file": kubernetes["ca_cert"]},
            }
        ],
        "relabel_configs": _relabelling(),
        # Only `up` is to tell whether a pod is ready: a counter's series would end where that changes.
        "metric_relabel_configs": [{"action": "labeldrop", "regex": "ready"}],
    }
    fixed = [
        {
            "job_name": job,
            "honor_labels": True,
            "static_configs": [{"targets": [f"127.0.0.1:{port}"]}],
        }
        for job, port in static.items()
    ]
    return {
        "global": _GLOBAL,
        "rule_files": [str(token_file.parent / "rules" / "*.yml")],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [alertmanager]}]}]},
        "scrape_configs": [pods, *fixed],
    }


def _relabelling() -> list[dict[str, t.Any]]:
    pod = "__meta_kubernetes_pod_"

    def copied(source: str, target: str) -> dict[str, t.Any]:
        return {"source_labels": [source], "target_label": target}

    return [
        {
            "source_labels": [f"{pod}annotation_prometheus_io_scrape"],
            "action": "keep",
            "regex": "true",
        },
        {"source_labels": [f"{pod}phase"], "action": "keep", "regex": "Running"},
        # A stand-in has its metrics at one port, whichever its service has. Targets that are the same are one.
        {
            "source_labels": [f"{pod}ip"],
            "regex": "(.+)",
            "replacement": f"$1:{METRICS_PORT}",
            "target_label": "__address__",
        },
        {
            "source_labels": [
                "__meta_kubernetes_namespace",
                f"{pod}ip",
                f"{pod}annotation_prometheus_io_port",
            ],
            "regex": f"{NAMESPACE};(.+);(.+)",
            "replacement": "$1:$2",
            "target_label": "__address__",
        },
        copied("__meta_kubernetes_namespace", "namespace"),
        copied(f"{pod}name", "pod"),
        copied(f"{pod}label_app", "service"),
        copied(f"{pod}ready", "ready"),
    ]


def program(world: World) -> str:
    return shutil.which(NAME) or str(unpack(world.cache, NAME) / "usr/bin" / NAME)


def promtool(cache: Path) -> str:
    """The path of Prometheus's own tool for rules, a package beside it: fetched when it is first asked for."""
    return shutil.which("promtool") or str(unpack(cache, "promtool") / "usr/bin/promtool")


COMPONENT = Prometheus()
