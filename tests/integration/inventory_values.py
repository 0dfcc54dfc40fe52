"""What a variable of a playbook is for other values of an inventory, many questions in one start of Ansible.

A program of its own, for Ansible's finder of collections and that of pytest exclude each other in one process.

Reads from standard input a list of questions, each an expression and values as of --extra-vars, and writes a list of
what the expressions are then. A value `{"$deep": {path: value}}` changes parts of what the inventory has, by paths such
as `0.query`.
"""

import importlib
import json
import os
import subprocess
import sys
import typing as t
from pathlib import Path

from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import init_plugin_loader
from ansible.template import Templar, trust_as_template
from ansible.vars.hostvars import HostVars
from ansible.vars.manager import VariableManager

from tests.inline_tasks import CAN_RUN_INLINE, find_once

COMPILED = "ansible_collections.easymo.deploy.plugins.plugin_utils._compiled"
ROOT = Path(__file__).parents[2]


def evaluated(
    inventory: Path,
    role: str,
    questions: t.Sequence[tuple[str, t.Mapping[str, t.Any]]],
    state: Path,
) -> list[t.Any]:
    """For each question the value, or what Ansible says that is wrong, as a text."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.integration.inventory_values", inventory, role],
        input=json.dumps(list(questions)),
        cwd=ROOT,
        env={
            **os.environ,
            "EASYMO_SANDBOX_STATE": str(state),
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        },
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    answers: list[t.Any] = json.loads(done.stdout)
    return answers


def main() -> None:
    inventory, role = sys.argv[1:3]
    init_plugin_loader([str(ROOT / "playbooks" / "collections")])
    if CAN_RUN_INLINE:
        find_once()
        importlib.import_module(COMPILED).CompiledTemplates().install()
    loader = DataLoader()
    loader.set_basedir(str(ROOT / "playbooks"))
    manager = InventoryManager(loader, sources=[inventory])
    variables = VariableManager(loader, manager, version_info={})
    host = manager.get_host("localhost")

    def file(name: str) -> dict[str, t.Any]:
        read = loader.load_from_file(str(ROOT / "roles" / role / name)) or {}
        return {key: trust(value, trust_as_template) for key, value in read.items()}

    def values() -> dict[str, t.Any]:
        seen = variables.get_vars(host=host)
        hostvars = HostVars(manager, variables, loader)
        return {
            **file("defaults/main.yml"),
            **seen,
            "hostvars": hostvars,
            **file("vars/main.yml"),
            **variables._extra_vars,
        }

    answers: list[t.Any] = []
    for expression, question in json.load(sys.stdin):
        variables._extra_vars = {}
        known = values() if any(map(_is_deep, question.values())) else {}
        variables._extra_vars = {
            name: trust(_changed(known.get(name), value), trust_as_template)
            for name, value in question.items()
        }
        try:
            found = Templar(loader=loader, variables=values()).template(
                trust_as_template(expression)
            )
            answers.append(json.loads(json.dumps(found, default=str)))
        except Exception as exc:
            answers.append(f"{type(exc).__name__}: {exc}"[:2000])
    json.dump(answers, sys.stdout)


def _is_deep(value: t.Any) -> bool:
    return isinstance(value, dict) and "$deep" in value


def _changed(was: t.Any, value: t.Any) -> t.Any:
    if not _is_deep(value):
        return value
    whole = json.loads(json.dumps(was, default=str))
    for path, new in value["$deep"].items():
        *parents, last = path.split(".")
        place = whole
        for part in parents:
            place = place[int(part) if isinstance(place, list) else part]
        last = int(last) if isinstance(place, list) else last
        place[last] = new
    return whole


def trust(value: t.Any, mark: t.Callable[[str], str]) -> t.Any:
    """Templates in it are templates, as in a file of the inventory."""
    if isinstance(value, str):
        return mark(value)
    if isinstance(value, dict):
        return {key: trust(inner, mark) for key, inner in value.items()}
    return [trust(inner, mark) for inner in value] if isinstance(value, list) else value


if __name__ == "__main__":
    main()
