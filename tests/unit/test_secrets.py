"""Every option that may hold a secret says so: of modules, and of roles; and no task writes one into its own name."""

import functools
import importlib
import json
import re
import typing as t
from pathlib import Path

import pytest
from ansible.module_utils.common.yaml import yaml_load

from ansible_collections.easymo.deploy.plugins.module_utils._secret_forms import SECRET_NAME

ROOT = Path(__file__).parents[2]
COLLECTION = "ansible_collections.easymo.deploy.plugins.modules"
MODULES = sorted(path.stem for path in (ROOT / "plugins/modules").glob("*.py"))
SECRETIVE = re.compile(rf"{SECRET_NAME.pattern}|service_role|webhook_url", re.I)
NO_SECRET = {
    "release_variables.secrets": "names, environment variables and purposes",
    "edge_functions.required_secrets": "names of secrets",
    "preflight_check.checks.functions.secrets": "names of secrets",
    "diagnosis.secrets": "names, environment variables and purposes",
    "diagnosis.functions.required_secrets": "names of secrets",
    "preflight_check.checks.token": "a kind of check, whose own token is hidden",
    "secret_registry_user": "a name; hidden, it would blank out the image names that it is a part of",
    "secret_smtp_user": "a name",
    "smoke_tests_results": "results; of the metrics it only asks whether there are any",
}
"""What is called like a secret, or is made of one, and holds none."""
HARMLESS = re.compile(
    r"\w+(?:\.\w+)*(?:\.(?:login_host|login_port|login_user|login_db|ca_cert)\b|\s+is\s+defined\b)"
)
"""The parts of a connection that are no secret, and whether there is one."""

Found = tuple[str, t.Mapping[str, t.Any]]


def options(spec: t.Mapping[str, t.Any], where: str) -> t.Iterator[Found]:
    """Every option, those inside of others too."""
    for name, option in spec.items():
        yield f"{where}.{name}", option
        yield from options(option.get("options") or {}, f"{where}.{name}")


def spec_of(name: str) -> t.Mapping[str, t.Any]:
    module = importlib.import_module(f"{COLLECTION}.{name}")
    return t.cast("t.Mapping[str, t.Any]", module.module_spec()["argument_spec"])


SPECS = {name: spec_of(name) for name in MODULES}
ALL = [one for name, spec in SPECS.items() for one in options(spec, name)]


@pytest.mark.parametrize(
    ("where", "option"),
    [one for one in ALL if SECRETIVE.search(one[0].rpartition(".")[2])],
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_an_option_that_is_called_like_a_secret_is_hidden(where, option):
    assert hides(option) or where in NO_SECRET


def hides(option: t.Mapping[str, t.Any]) -> bool:
    """The whole of it, or what is secret in it. Where a key lies is no secret."""
    inside = (option.get("options") or {}).values()
    told = option.get("no_log") is True or option.get("type") == "path"
    return told or any(hides(one) for one in inside)


def texts(value: t.Any) -> str:
    """All templates inside of a value."""
    found = re.findall(r"{{.*?}}|{%.*?%}", json.dumps(value), re.S)
    return HARMLESS.sub("", "\n".join(found))


def mentions(text: str, names: set[str]) -> set[str]:
    return names.intersection(re.findall(r"\w+", text))


def secretive_variables() -> set[str]:
    """Every variable of the inventories and of the roles that is made of a secret, however many steps away."""
    files = [*ROOT.glob("inventories/*/*.yml"), *ROOT.glob("inventories/*/*_vars/**/*.yml")]
    files += ROOT.glob("playbooks/group_vars/**/*.yml")
    files += ROOT.glob("roles/*/defaults/main.yml")
    files += ROOT.glob("roles/*/vars/main.yml")
    variables: dict[str, str] = {}
    for path in files:
        for name, value in (yaml_load(path.read_text("utf-8")) or {}).items():
            variables[name] = variables.get(name, "") + texts(value)
    found = {name for name in variables if name.startswith("secret_")} - set(NO_SECRET)
    known = {n: text for n, text in variables.items() if n not in NO_SECRET}
    while more := {n for n, text in known.items() if n not in found and mentions(text, found)}:
        found |= more
    return found


SECRETIVE_VARIABLES = secretive_variables()
Task = t.Mapping[str, t.Any]


def tasks(entries: t.Sequence[t.Any], inherited: Task) -> t.Iterator[tuple[Task, Task]]:
    """Each task with the variables that it and the blocks around it bring along."""
    for entry in entries or ():
        brought = {**inherited, **(entry.get("vars") or {})}
        yield entry, brought
        for part in ("block", "rescue", "always", "tasks", "pre_tasks", "post_tasks"):
            yield from tasks(entry.get(part), brought)


@functools.cache
def every_task() -> tuple[tuple[str, Task, set[str]], ...]:
    return tuple(_every_task())


def _every_task() -> t.Iterator[tuple[str, Task, set[str]]]:
    """Where it stands, the task, and the names in it that hold secrets."""
    for path in [*ROOT.glob("roles/*/tasks/*.yml"), *ROOT.glob("playbooks/*.yml")]:
        for task, brought in tasks(yaml_load(path.read_text("utf-8")), {}):
            local = {n for n, v in brought.items() if mentions(texts(v), SECRETIVE_VARIABLES)}
            loops = {k: v for k, v in task.items() if k == "loop" or k.startswith("with_")}
            looped = {"item"} if mentions(texts(loops), SECRETIVE_VARIABLES | local) else set()
            yield str(path.relative_to(ROOT)), task, SECRETIVE_VARIABLES | local | looped


def test_what_is_made_of_secrets_only_goes_where_it_is_hidden():
    shown = []
    for where, task, secretive in every_task():
        for module, arguments in task.items():
            if not module.startswith("easymo.deploy.") or not isinstance(arguments, dict):
                continue
            spec = SPECS[module.rpartition(".")[2]]
            for name, value in arguments.items():
                found = mentions(texts(value), secretive)
                if found and name in spec and not hides(spec[name]):
                    shown.append(f"{where}: {module}.{name} gets {sorted(found)}")
    assert shown == []


TELLING = (
    "ansible.builtin.debug",
    "ansible.builtin.fail",
    "ansible.builtin.assert",
    "ansible.builtin.set_fact",
    "name",
)


def test_nothing_that_is_made_of_secrets_is_told():
    told = [
        f"{where}: {key} tells {sorted(found)}"
        for where, task, secretive in every_task()
        for key in TELLING
        if key in task and (found := mentions(texts(task[key]), secretive - {"item"}))
    ]
    assert told == []
