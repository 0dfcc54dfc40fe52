"""Playbooks as commands of the world, and an inventory that has what a plan has.

An actor's options: `playbook`, `arguments`, and `next` of one who types what another's screen said last.
"""

from __future__ import annotations

import functools
import os
import re
import shlex
import shutil
import tempfile
import typing as t
from multiprocessing.util import Finalize
from pathlib import Path

import yaml

from ..bucket import CONNECTION as BUCKET
from ..databases import begin_own_server
from ..functions import API, CHECKOUT, GATEWAY, REF, TOKEN
from ..monitoring import URL
from ..plan import BEGINS, Plan
from ..platform import (
    FLAGS,
    FLAGS_ON,
    GATE,
    NAMESPACE,
    PERCENTAGE,
    RAMP,
    SCHEDULE,
    SWITCH,
    image_of,
)
from ..run import ACTING
from ..scripts import COMMANDS, PLAY
from ..scripts.script import WATCH, Script, StopError, phases_of
from ..scripts.stores import CONNECTION
from ..scripts.watch import METRIC
from ..stores import KINDS
from . import ROOT
from .alerting import Alerting
from .engine import Play, install
from .receivers import VARIABLES, Receivers
from .registry import HOST, answer
from .rights import act_as

PLACEHOLDERS = {"WHAT WAS SEEN": "few", "WHY": "it was looked at", "NAME": "", "$USER": ""}
"""What people put in their place, "" for their name."""
REPORT, RULES = "report", "rules.yml"
COMMAND = re.compile(
    r"ansible-playbook \S*?(\w+)\.yml -i \S+((?: (?:-e|--tags|--limit) (?:'[^']*'|\"[^\"]*\"|\S+))*)"
)


@functools.cache
def folder() -> Path:
    """Of this process: inventories and reports. By a name of one length, for a screen breaks its lines by it."""
    short = "/tmp"
    made = Path(tempfile.mkdtemp("", "deploy-play-", short if os.access(short, os.W_OK) else None))
    Finalize(None, shutil.rmtree, (made, True), exitpriority=0)
    return made


def begin_worker() -> None:
    """Of a pool: what a process has for itself."""
    folder.cache_clear()
    begin_own_server()


class Task(t.NamedTuple):
    """One task of a run on one host. `nth`: which time that it ran there; the rest are counts of calls until then."""

    name: str
    host: str
    nth: int
    before: t.Mapping[str, int]
    after: t.Mapping[str, int]

    @property
    def place(self) -> str:
        return f"{self.name}|{self.host}"


install(ACTING)


def play(script: Script) -> None:
    """Raises StopError where the program's exit code is not 0."""
    options, world = script.actor.options, script.world
    world.sites[HOST] = answer
    if world.receivers is None:
        world.receivers = Receivers(world)
        Alerting(world, folder() / RULES)
        shutil.rmtree(folder() / REPORT, ignore_errors=True)
    lines = world.screens.setdefault(script.actor.name, [])

    def shown(line: str) -> None:
        lines.append(line)
        script.task.say(line)

    def ran(task: str, host: str, before: dict[str, int], after: dict[str, int]) -> None:
        world.tasks.append((script.actor.name, Task(task, host, after[BEGINS], before, after)))

    playbook, arguments = options["playbook"], [*options.get("arguments", ())]
    if "next" in options:
        if world.codes.get(options["next"]) == 0:
            return
        before = world.screens[options["next"]]
        playbook, arguments = typed(before, script.actor.name) or (playbook, arguments)
    code = _run(script, playbook, arguments, Play(script.task.carry_out, shown, ran))
    if code and options.get("goes_on"):
        after = typed(lines, script.actor.name)
        if after and after != (playbook, arguments):
            playbook, arguments = after
            code = _run(script, playbook, arguments, Play(script.task.carry_out, shown, ran))
    world.codes[script.actor.name] = code
    world.play_ended(script.actor.name)
    if code:
        raise StopError(f"{playbook}.yml ended with {code}: {cause(lines)}")


def _run(script: Script, playbook: str, arguments: t.Sequence[str], run: Play) -> int:
    """The exit code."""
    act_as(script.world, script.actor.name, playbook)
    command = [str(ROOT / "playbooks" / f"{playbook}.yml"), "-i", str(inventory(script))]
    return run.run(*command, *arguments)


def cause(lines: t.Sequence[str]) -> str:
    """What the last block of a screen says of it."""
    text = " ".join(" ".join(lines).split())
    return text.rpartition(" cause ")[2].partition(" next ")[0][:400]


def inventory(script: Script) -> Path:
    planned, version = script.world.plan, script.version
    images = {n: {"service_image": image_of(n, version, planned)} for n in planned.services}
    waves = {
        f"service_wave_{n}": {"hosts": {name: images[name] for name in names}}
        for n, names in enumerate(script.waves(), 1)
    }
    databases = {name: database(name, kind) for name, kind in planned.stores.items()}
    groups: dict[str, t.Any] = {"control": {"hosts": {"localhost": None}}}
    groups["databases"] = {"hosts": databases}
    groups["microservices"] = {"children": waves}
    tree = {"all": {"children": groups, "vars": variables(script)}}
    tree["all"]["vars"] |= script.actor.options.get("variables", {})
    script.world.phases = [phase["name"] for phase in tree["all"]["vars"]["release_plan"]]
    file = folder() / f"{script.version}.yml"
    file.write_text(yaml.safe_dump(tree), "utf-8")
    return file


def database(name: str, kind: str) -> dict[str, t.Any]:
    return {
        "database_name": name,
        "database_backup_name": name,
        "database_restore_method": "swap",
        "migration_rehearsal_kind": kind,
    }


def variables(script: Script) -> dict[str, t.Any]:
    """As an inventory has them that names nothing which this world has not."""
    version, planned = script.version, script.world.plan
    watched = [name for name in phases_of(planned) if name == WATCH]
    before = [name for name in phases_of(planned) if name != WATCH]
    phases = ["preflight", *before, "smoke_tests", *watched, "sign_off"]
    return {
        "ansible_connection": "local",
        "ansible_python_interpreter": "{{ ansible_playbook_python }}",
        "environment_name": "simulated",
        "release_checkout": "",
        "report_directory": str(folder() / REPORT),
        "kubernetes_namespace": NAMESPACE,
        "kubernetes_access": {},
        "registry_url": "",
        "contract_health_url": "",
        "prometheus_url": URL,
        "release_secrets": [],
        **VARIABLES,
        "release_version": version,
        "release_title": f"Shop {version}",
        "release_image_repository": HOST + "/shop",
        "release_image_tag": version,
        "release_plan": [{"name": name, "title": name, "minutes": 5} for name in phases],
        "release_launch_window": {"timezone": "UTC"},
        "release_flags": {**FLAGS_ON[version], PERCENTAGE: 0},
        "flags_config_map": FLAGS,
        "release_feature_flag": SWITCH,
        "release_percentage_flag": PERCENTAGE,
        "release_flags_consumers": script.consumers,
        "release_flags_delivery": script.delivery,
        **({"contract_flags": script.flags_probe} if planned.mounted else {}),
        "release_ramp": SCHEDULE,
        "release_ramp_watch_duration": RAMP["watch_duration"],
        "release_ramp_day_length": RAMP["day_length"],
        "release_metrics": [METRIC],
        "release_watch_duration": GATE["duration"],
        "release_watch_interval": GATE["interval"],
        "rolling_update_soak": "" if planned.probed else 0,
        "release_smoke_tests": [],
        "preflight_checks": [],
        "release_waivers": {
            name: {"by": "Jane Doe", "reason": "this world has none"} for name in _waived(planned)
        },
        **{
            f"backup_{name}": BUCKET[name]
            for name in ("bucket", "endpoint_url", "region", "path_style")
        },
        **{f"secret_backup_{name}": BUCKET[name] for name in ("access_key", "secret_key")},
        "backup_prefix": "",
        "database_host": CONNECTION["login_host"],
        "database_port": 5432,
        "database_user": CONNECTION["login_user"],
        "database_password": CONNECTION["login_password"],
        "database_ca_cert": None,
        **{program: program for program in ("pg_dump", "pg_restore", "psql")},
        **{f"release_{kind.name}_migrations": kind.folder for kind in KINDS.values()},
        "release_expected_tables": ["loyalty", "coupons"],
        **({} if not planned.functions else functions(planned.functions)),
    }


def _waived(planned: Plan) -> list[str]:
    """Readiness probes, certificates, and Supabase's API of tables."""
    certificates = [f"certificate_{name}" for name in planned.stores]
    return ["rollout", *certificates, *(["supabase"] if planned.functions else [])]


def functions(names: t.Iterable[str]) -> dict[str, t.Any]:
    return {
        "supabase_url": f"https://{GATEWAY}",
        "supabase_api_url": f"https://{API}",
        "supabase_project_ref": REF,
        "secret_supabase_access_token": TOKEN,
        "release_functions": [*names],
        "release_functions_directory": str(CHECKOUT / "supabase" / "functions"),
        "release_functions_verify_jwt": False,
        "edge_functions_health_path": "/wa-webhook",
        "edge_functions_secrets": {"WA_TOKEN": TOKEN},
    }


def typed(lines: t.Sequence[str], by: str) -> tuple[str, list[str]] | None:
    """The first command that a screen tells next, as somebody types it: its playbook and arguments; None for none."""
    text = " ".join(" ".join(lines).split()).rpartition(" next ")[2]
    for placeholder, word in PLACEHOLDERS.items():
        text = text.replace(placeholder, word or by)
    command = COMMAND.search(text)
    return (command[1], shlex.split(command[2])) if command else None


COMMANDS[PLAY] = play
