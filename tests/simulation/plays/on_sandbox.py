"""The same scenarios on the sandbox: real processes, pods, sockets and clocks, run by ansible-playbook itself.

Each is played in the simulated world too, and compared. Each scenario has a namespace of its own there.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import typing as t
from contextlib import closing

import yaml

from tests.benchmarks.kubectl import Kubectl
from tests.benchmarks.stage import stage

from ..invariants.history import record_of, unpacked
from ..kubelet import CRASHES
from ..platform import FLAGS, FLAGS_BEFORE, OLD, VERSION
from ..run import Running
from ..scripts.script import Script
from . import ROOT
from .outcomes import Outcome, changed, differences, items, outcome_now, steady, written_in
from .playing import inventory
from .scenarios import BAD, SCENARIOS, TARGET, Scenario

if t.TYPE_CHECKING:
    from pathlib import Path

    from tests.benchmarks.stage import Stage

COMPONENTS = "postgres,seaweedfs,node,gateway,prometheus,sinks"
PATIENCE = 300
BIN = ROOT / ".venv" / "bin"
CHANNEL = "#v2-deployment"
COPIED = (
    "environment_name", "release_launch_window", "release_watch_duration", "release_watch_interval",
)  # fmt: skip
"""Variables that the sandbox would have of its own."""
CRASH = ("node.crash-loop", BAD)
_OWN = re.compile(
    r"( -i \S+)+| · locked by \S+|\S*/(?=[\w#-]+\.(?:yml|html|json|md|txt|ics)\b)|[ ,·]+ commit [\w#]+|"
    r"(?<=system:serviceaccount:)[\w:-]+| \d{4}-\d\d-\d\d|"
    r"[\w.-]+@[\w.-]+(?:/\d+)?|(?<=Slack )\S+| #(?= |$)|Read \S+(?: \S+)?\.txt$"
)
"""Of a screen, what names this machine, its user, its folders and channels, and how long something took."""
_ELSEWHERE = re.compile(
    r"checks? (waived|\d)|page |Remove the banner|Show the banner|differs |log "
)
"""Items about what only one of the two worlds has: probes, the API of the banner, and the words of a program."""


OTHERWISE = (
    *("unlock", "sign", "readiness", "alerts", "draft", "no webhook"),
    *("closes", "back while closed"),
)
"""Here one person types all, by another account, before Deployments with probes and a Prometheus that answers.

Nor is there an Alertmanager of theirs, and what asks a webhook is asked for its availability too. It is another day.
"""


def can_be_played(scenario: Scenario) -> bool:
    """Whether the sandbox has all that its world has, and nothing befalls a run that is no fault of the sandbox."""
    world = {name for name, value in scenario.world.items() if value}
    # There a service crashes, not an image: it would not come back in a later run.
    crashes = not scenario.before and {*scenario.world.get("bad_images", {}).values()} <= {CRASHES}
    befallen = world - {"bad_images"} or scenario.refused or scenario.beside
    return not (befallen or scenario.name in OTHERWISE) and (crashes or "bad_images" not in world)


def differences_of(names: t.Sequence[str]) -> t.Iterator[tuple[str, list[str]]]:
    """By the scenario's name, what is not as in the simulated world."""
    with stage() as place:
        place.sandbox("up", "--only", COMPONENTS, "--seed-mb", "1", "--kubelet-sync", "2")
        for number, name in enumerate(names, 1):
            outcome = _Played(place, f"shop-{number}", SCENARIOS[name]).outcome()
            expected = {
                where: [*map(_common, filter(_is_of_both, lines))]
                for where, lines in outcome_now(SCENARIOS[name]).items()
                if where in LOOKED_AT
            }
            yield name, differences(expected, outcome)


LOOKED_AT = (
    "exit", "screen", "release", "phases", "facts", "pins", "announced", "backups", "flags",
    "images",
)  # fmt: skip
"""Not the lock: a keeper gives it back a moment after its run has ended, of which a simulated outcome is."""


def _is_of_both(line: str) -> bool:
    return not _ELSEWHERE.search(line) and line != "overrides.rollout"


def _common(line: str) -> str:
    return _OWN.sub("", line)


class _Played:
    def __init__(self, place: Stage, namespace: str, scenario: Scenario) -> None:
        self._place, self._namespace, self._scenario = place, namespace, scenario
        self._folder = place.state / namespace
        self._kubectl = Kubectl(place, namespace)

    def outcome(self) -> Outcome:
        plan = self._scenario.plan_of(goes_on=False)
        sources = self._host(plan)
        *before, (_name, target) = [(actor.name, actor.options) for actor in plan.actors]
        for _name, options in before:
            self._run(sources, options)
        earlier = self._left()
        if plan.bad_images:
            self._place.sandbox("fault", "set", *CRASH)
        try:
            ended = self._run(sources, target)
        finally:
            if plan.bad_images:
                self._place.sandbox("fault", "clear", CRASH[0])
        lines = map(_common, map(steady, items(ended.stdout)))
        outcome = {
            "exit": [str(ended.returncode)],
            "screen": [line for line in lines if _is_of_both(line)],
        }
        for where, lines in changed(earlier, self._left()).items():
            outcome[where] = [*map(_common, map(steady, lines))]
        return outcome

    def _host(self, plan: t.Any) -> list[Path]:
        """The inventories, in the order in which ansible-playbook takes them.

        A day of the ramp is over when its next command is typed, as in the simulated world.
        """
        with closing(Running(plan)) as running:
            target = next(actor for actor in plan.actors if actor.name == TARGET)
            tree = yaml.safe_load(inventory(Script(running.world, target, None)).read_text("utf-8"))
        self._folder.mkdir()
        team, last = self._folder / "team.yml", self._folder / "last"
        variables = tree["all"]["vars"]
        variables["sandbox_previous_tag"] = OLD
        for metric in variables["release_metrics"]:
            metric["query"] = "vector(0)"
        team.write_text(yaml.safe_dump(tree), "utf-8")
        self._place.sandbox("host", str(team), "--namespace", self._namespace)
        own = {name: variables[name] for name in COPIED}
        own |= {"report_directory": str(self._folder / "report"), "release_banner": {}}
        own |= {"contract_health_url": "", "release_ramp_day_length": 1}
        if "release_war_room" in variables:
            own["release_war_room"] = CHANNEL
        (last / "group_vars").mkdir(parents=True)
        (last / "group_vars/all.yml").write_text(yaml.safe_dump(own), "utf-8")
        (last / "hosts.yml").write_text("all: {}\n", "utf-8")
        for service, replicas in plan.services.items():
            self._kubectl.run("scale", "deployment", service, f"--replicas={replicas}")
            self._kubectl.run("rollout", "status", f"deployment/{service}")
        for data in (None, FLAGS_BEFORE):
            patch = json.dumps({"data": data})
            self._kubectl.run("patch", "configmap", FLAGS, "--type=merge", "-p", patch)
        return [team, self._place.state / "run/hosted" / self._namespace, last]

    def _run(
        self, sources: t.Sequence[Path], options: t.Mapping[str, t.Any]
    ) -> subprocess.CompletedProcess[str]:
        argv = ["ansible-playbook", f"playbooks/{options['playbook']}.yml"]
        for source in sources:
            argv += ["-i", str(source)]
        environment = {**self._place.environment(), "PATH": f"{BIN}:{os.environ['PATH']}"}
        return subprocess.run(
            [*argv, *options["arguments"]], cwd=ROOT, env=environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=sys.stderr, text=True, timeout=PATIENCE, check=False,
        )  # fmt: skip

    def _left(self) -> Outcome:
        listed = self._kubectl.objects("configmaps,deployments")
        bodies = {(body["kind"], body["metadata"]["name"]): body for body in listed}
        record_map = bodies.get(("ConfigMap", f"release-{VERSION}"))
        pins_map = bodies.get(("ConfigMap", f"release-{VERSION}-pins"))
        record = record_of(record_map) if record_map else {}
        pins = unpacked(pins_map) if pins_map else {}
        return {
            **written_in(record, pins, bodies["ConfigMap", FLAGS]["data"]),
            "images": [
                bodies["Deployment", name]["spec"]["template"]["spec"]["containers"][0]["image"]
                for name in self._scenario.plan_of().services
            ],
        }
