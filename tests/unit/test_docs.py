"""Holds the modules' documentation to what they are: examples that would be accepted, attributes that are true.

ansible-test compares options with argument specs, but reads neither the examples nor the attributes.
"""

import functools
import json
import re
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
import yaml
from ansible.module_utils.common.yaml import yaml_load

from tests.ansible_playbook import run_playbook

ROOT = Path(__file__).parents[2]
MODULES = sorted((ROOT / "plugins/modules").glob("*.py"))
Options = t.Mapping[str, t.Mapping[str, t.Any]]
Tasks = t.Sequence[t.Mapping[str, t.Any]]


@functools.cache
def rendered() -> dict[str, dict[str, t.Any]] | str:
    """All of it by ansible-doc in a process of its own: the plugin loader can't be begun twice in one.

    A text, instead, says why there is none. It is asked once, whatever comes of it.
    """
    names = [f"easymo.deploy.{path.stem}" for path in MODULES]
    argv = [Path(sys.executable).parent / "ansible-doc", "--type", "module", "--json", *names]
    try:
        asked = subprocess.run(
            argv, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False
        )
    except subprocess.TimeoutExpired as exc:
        return str(exc)
    if asked.returncode != 0:
        return asked.stderr
    return json.loads(asked.stdout)


def read(path: Path) -> tuple[dict[str, t.Any], Tasks]:
    """The documentation with its fragments, and the examples."""
    everything = rendered()
    if isinstance(everything, str):
        pytest.skip("ansible-doc renders nothing, which another test tells")
    documented = everything[f"easymo.deploy.{path.stem}"]
    return documented["doc"], yaml_load(documented["examples"])


def test_ansible_doc_renders_every_module():
    assert not isinstance(everything := rendered(), str), everything
    assert len(everything) == len(MODULES)


def problems(given: t.Any, options: Options, where: str) -> t.Iterator[str]:
    """What an argument spec would refuse, as far as names go."""
    for entry in given if isinstance(given, list) else [given]:
        if not isinstance(entry, dict):
            continue  # a template: only a run knows what it holds
        yield from (f"{where} knows no {name}" for name in entry.keys() - options.keys())
        yield from (
            f"{where} needs {name}"
            for name, option in options.items()
            if option.get("required") and name not in entry
        )
        for name in entry.keys() & options.keys():
            yield from value_problems(entry[name], options[name], f"{where}.{name}")


def value_problems(value: t.Any, option: t.Mapping[str, t.Any], where: str) -> t.Iterator[str]:
    if option.get("suboptions"):
        yield from problems(value, option["suboptions"], where)
    for one in value if isinstance(value, list) else [value]:
        if "choices" in option and one not in option["choices"]:
            yield f"{where} can't be {one}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_every_example_would_be_accepted(path):
    documentation, examples = read(path)
    name = f"easymo.deploy.{path.stem}"
    tasks = [task for task in examples if name in task]
    assert tasks, "no example shows the module"
    for task in tasks:
        assert not list(problems(task[name], documentation["options"], task["name"]))


ROUTED = yaml_load((ROOT / "meta/runtime.yml").read_text("utf-8"))["plugin_routing"]["modules"]


DIFFS_OF_OTHERS = {"metrics_gate": False, "wave_result": True}
"""Whether a module shows a difference, where its sources do not tell: another task makes it."""


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_attributes_are_true(path):
    documentation, _examples = read(path)
    support = {name: one["support"] for name, one in documentation["attributes"].items()}
    source = path.read_text(encoding="utf-8")
    assert support["check_mode"] != "none"  # `execute` says so for all of them
    differs = any(re.search(r'"diff"(:|] =)', text) for text in (source, *imported(source)))
    shows = DIFFS_OF_OTHERS.get(path.stem, differs)
    assert (support["diff_mode"] in ("full", "partial")) == shows
    action = ROOT / "plugins/action" / path.name
    own = action.exists() and "ActionModule(ControllerActionBase)" in action.read_text("utf-8")
    assert ("action" in support) == (own or "action_plugin" in ROUTED.get(path.stem, {}))


def tasks_of(document: t.Any) -> t.Iterator[dict[str, t.Any]]:
    """Every task in a file of tasks or a playbook, those of its blocks too."""
    for entry in document or ():
        yield entry
        for part in ("tasks", "pre_tasks", "post_tasks", "handlers", "block", "rescue", "always"):
            yield from tasks_of(entry.get(part))


TASK_FILES = sorted([*ROOT.glob("playbooks/*.yml"), *ROOT.glob("roles/*/tasks/*.yml")])
FENCED = "edge_functions feature_flags feature_ramp migrations pg_restore release_rollback release_run rollout_wave"
"""Modules of which a task of ours hands on the lock's epoch, but in states that change nothing of another run's."""
UNFENCED = ("absent", "begun", "configured", "described", "proven", "read", "staged", "verified")


@pytest.mark.parametrize("path", TASK_FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_our_tasks_give_our_modules_the_options_that_they_have_and_the_epoch(path):
    """Ansible itself says so only when the task runs, which for some is on a bad day."""
    for task in tasks_of(yaml_load(path.read_text("utf-8"))):
        for module in MODULES:
            given = task.get(f"easymo.deploy.{module.stem}") or {}
            options = read(module)[0]["options"] if given else {}
            assert {*given} <= {*options}, task.get("name")
            harmless = task.get("check_mode") or given.get("method") == "scratch"
            if given and module.stem in FENCED.split() and given.get("state") not in UNFENCED:
                assert harmless or "fence" in given, task.get("name")


ROLES = sorted(path.parent for path in ROOT.glob("roles/*/README.md"))
ALONE = {
    *("db_backup", "supabase_migrate", "edge_functions"),
    *("rolling_update", "feature_flags", "smoke_tests"),
}
"""Roles whose example is a playbook. The pages of the others show what a playbook of ours has around it."""
ROLE_TASKS = ("ansible.builtin.import_role", "ansible.builtin.include_role")


@functools.cache
def read_yaml(path: Path) -> t.Any:
    return yaml_load(path.read_text("utf-8"))


def examples_of(role: Path) -> list[t.Any]:
    page = (role / "README.md").read_text("utf-8")
    return [yaml_load(text) for text in re.findall(r"```yaml\n(.*?)```", page, re.S)]


def plays_of(role: Path) -> t.Iterator[dict[str, t.Any]]:
    """Those of a role's page, each as a play."""
    for listed in examples_of(role):
        if isinstance(listed, list):
            yield from listed if "hosts" in listed[0] else [{"tasks": listed}]


def named(condition: t.Any) -> list[str]:
    return re.findall(r"\w+", str(condition))


def unset(module: Path, task: t.Any, connections: t.Container[str]) -> t.Iterator[str]:
    """The options that a module needs and neither a task nor a connection gives."""
    documented = read(module)[0]
    groups = documented["attributes"].get("action_group", {}).get("membership", [])
    for name, option in documented["options"].items():
        if option.get("required") and name not in task and name not in connections:
            yield f"{module.stem} needs {name}, of {' or '.join(groups)}"


def example_problems(role: Path) -> t.Iterator[str]:
    inventory = {
        name: value
        for one in examples_of(role)
        if isinstance(one, dict)
        for name, value in one.items()
    }
    for play in plays_of(role):
        defaults = play.get("module_defaults") or {}
        connections = {name for one in defaults.values() for name in one}
        for task in tasks_of(play.get("tasks")):
            (used,) = [task[name] for name in ROLE_TASKS if name in task] or [{}]
            name, entry = used.get("name", ""), used.get("tasks_from", "main")
            if not name.startswith("easymo.deploy."):
                continue
            here = ROOT / "roles" / name.rpartition(".")[2]
            spec = read_yaml(here / "meta/argument_specs.yml")["argument_specs"][entry]
            given = {**inventory, **(play.get("vars") or {}), **(task.get("vars") or {})}
            yield from problems(given, spec.get("options") or {}, f"{name} {entry}")
            for step in tasks_of(read_yaml(here / f"tasks/{entry}.yml")):
                if any(given.get(name) is False for name in named(step.get("when", ""))):
                    continue
                for module in MODULES:
                    if args := step.get(f"easymo.deploy.{module.stem}"):
                        yield from unset(module, args, connections)


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_the_example_of_a_role_would_run(role):
    found = sorted({*example_problems(role)})
    if role.name in ALONE:
        assert all("hosts" in play for play in plays_of(role))
        assert found == []
    assert [one for one in found if " needs " not in one] == []


def test_the_examples_that_are_playbooks_are_some_to_ansible(tmp_path):
    files = []
    for role in ROLES:
        if role.name in ALONE:
            files.append(tmp_path / f"{role.name}.yml")
            files[-1].write_text(yaml.safe_dump([*plays_of(role)]), encoding="utf-8")
    checked = run_playbook("--syntax-check", "-i", "localhost,", *files)
    assert checked.returncode == 0, checked.stderr
    assert [one for one in files if f"playbook: {one}" not in checked.stdout] == []


def imported(source: str) -> t.Iterator[str]:
    """The files of module_utils that a module names, in one of which its `run` may be."""
    for name in re.findall(r"\.module_utils\.(_[a-z_]+(?:\.[a-z_]+)?) import", source):
        path = ROOT / "plugins/module_utils" / f"{name.replace('.', '/')}.py"
        yield path.read_text("utf-8") if path.exists() else ""


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_a_module_says_in_which_action_groups_it_is(path):
    groups = yaml_load((ROOT / "meta/runtime.yml").read_text("utf-8"))["action_groups"]
    told = read(path)[0]["attributes"].get("action_group", {}).get("membership", [])
    assert told == [f"easymo.deploy.{name}" for name in sorted(groups) if path.stem in groups[name]]


def test_each_module_is_promised_or_is_said_not_to_be():
    """By docs/versions.md, which has each of them once."""
    page = (ROOT / "docs/versions.md").read_text("utf-8")
    listed = re.findall(r"`(\w+)`", "".join(re.findall(r"^\| `.*", page, re.MULTILINE)))
    assert sorted(listed) == [path.stem for path in MODULES]


FRAGMENTS = sorted((ROOT / "changelogs/fragments").glob("*.yml"))
SECTIONS = dict(yaml_load((ROOT / "changelogs/config.yaml").read_text("utf-8"))["sections"])


@pytest.mark.parametrize("path", FRAGMENTS, ids=lambda path: path.stem)
def test_changelog_fragments_are_lists_of_sentences_by_section(path):
    for section, entries in yaml_load(path.read_text("utf-8")).items():
        assert section in SECTIONS
        assert [one for one in entries if not isinstance(one, str)] == []
