"""Holds the rules that make the tree readable: imports point one way, names agree wherever they stand."""

import ast
import functools
import os
import re
import subprocess
import sys
import typing as t
from graphlib import TopologicalSorter
from importlib.util import resolve_name
from pathlib import Path

import pytest
from ansible.module_utils.common.yaml import yaml_load

ROOT = Path(__file__).parents[2]
PLUGINS = ROOT / "plugins"
COLLECTION = "ansible_collections.easymo.deploy.plugins."


def package_of(path: Path) -> str:
    parts = path.relative_to(PLUGINS).parent.parts if path.is_relative_to(PLUGINS) else ()
    return COLLECTION + ".".join(parts)


@functools.cache
def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            found.add(resolve_name(f"{'.' * node.level}{node.module or ''}", package_of(path)))
        elif isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
    return found


def imported_names(path: Path) -> set[str]:
    tree = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    return {alias.name for node in tree if isinstance(node, ast.ImportFrom) for alias in node.names}


def modules_below(*folders: str) -> list[Path]:
    """A link is no file of its own: what it leads to is below too."""
    paths = (path for folder in folders for path in (PLUGINS / folder).rglob("*.py"))
    return sorted(path for path in paths if not path.is_symlink())


@pytest.mark.parametrize("path", modules_below("module_utils"), ids=lambda path: path.name)
def test_module_utils_know_nothing_of_modules_and_little_of_ansible(path):
    for name in imports(path):
        ours = name.removeprefix(COLLECTION)
        assert not ours.startswith(("modules", "action", "callback", "plugin_utils")), name
    if path.name != "_module.py":
        assert "AnsibleModule" not in imported_names(path), (
            "AnsibleModule belongs to the modules' shell"
        )


@pytest.mark.parametrize("depth", [1, None], ids=["subjects", "files"])
def test_imports_within_module_utils_make_no_circle(depth):
    """A subject is a folder, or a file beside the folders."""
    place = f"{COLLECTION}module_utils."
    graph: dict[tuple[str, ...], set[tuple[str, ...]]] = {}
    for path in modules_below("module_utils"):
        parts = path.relative_to(PLUGINS / "module_utils").with_suffix("").parts[:depth]
        names = (name.removeprefix(place) for name in imports(path) if name.startswith(place))
        others = {tuple(name.split(".")[:depth]) for name in names}
        graph.setdefault(parts, set()).update(others - {parts})
    TopologicalSorter(graph).prepare()


@pytest.mark.parametrize(
    "path", sorted(PLUGINS.glob("module_utils/_*/plan.py")), ids=lambda path: path.parent.name
)
def test_a_plan_does_no_input_or_output(path):
    forbidden = {"socket", "subprocess", "requests", "kubernetes", "psycopg2", "boto3", "time"}
    assert not {name.split(".")[0] for name in imports(path)} & forbidden


def test_one_file_knows_the_sql_parser():
    knowing = [
        path.name
        for path in modules_below(".")
        if "pglast" in {n.split(".")[0] for n in imports(path)}
    ]
    assert knowing == ["parser.py"]


def test_one_file_imports_requests():
    """It keeps passwords of this machine away from every server, and its own certificates with each request."""
    importing = [
        path.name
        for path in modules_below(".")
        if "requests" in {name.split(".")[0] for name in imports(path)}
    ]
    assert importing == ["_http.py"]


def test_nothing_in_the_collection_knows_the_sandbox():
    for folder in ("plugins", "roles", "playbooks"):
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in (".py", ".yml") and "collections" not in path.parts:
                text = path.read_text(encoding="utf-8")
                assert "sandbox" not in text, f"{path.relative_to(ROOT)} names the sandbox"


def load(path: str) -> dict[str, object]:
    loaded: dict[str, object] = yaml_load((ROOT / path).read_text(encoding="utf-8"))
    return loaded


SECRETS = "inventories/shared/secrets.yml"


def every_secret() -> set[str]:
    return {name for name in load(SECRETS) if name.startswith("secret_")}


def test_the_sandbox_has_every_secret():
    path = "inventories/sandbox/group_vars/all/secrets_of_the_sandbox.yml"
    assert set(load(path)) == every_secret()


def test_the_command_of_the_guide_makes_a_vault_of_every_secret():
    guide = (ROOT / "docs" / "first-release.md").read_text("utf-8")
    (command,) = re.findall(r"^(sed -n \"s/\^.*?) \\\n", guide, re.M)
    vault = subprocess.run(["sh", "-c", command], cwd=ROOT, capture_output=True, check=True).stdout
    assert set(yaml_load(vault.decode())) == every_secret()


def test_a_release_needs_every_secret_but_those_that_the_page_calls_optional():
    needed = load(SECRETS)["release_secrets"]
    checked = {entry["name"] for entry in needed}  # type: ignore[attr-defined]
    told = (ROOT / "docs" / "secrets.md").read_text("utf-8")
    listed = re.search(r"The others are optional: ([^.]*)\.", told)
    assert listed
    optional = set(re.findall(r"`(secret_\w+)`", listed[1]))
    assert not checked & optional
    assert checked | optional == every_secret()


def test_the_inventories_differ_in_endpoints_and_secrets_alone():
    prod = set(load("inventories/prod/group_vars/all/endpoints.yml"))
    assert set(load("inventories/staging/group_vars/all/endpoints.yml")) == prod
    own = {"sandbox_directory"}
    assert set(load("inventories/sandbox/group_vars/all/endpoints.yml")) - own == prod


def test_every_action_group_names_modules_that_exist():
    runtime = load("meta/runtime.yml")
    for group, names in runtime["action_groups"].items():  # type: ignore[attr-defined]
        for name in names:
            assert (PLUGINS / "modules" / f"{name}.py").exists(), f"{group} names {name}"


def test_every_module_without_an_action_plugin_is_routed_to_the_one_in_the_controller():
    """Not by a redirect of the action: a task would have the plugin's groups of module_defaults, which are none."""
    routing = load("meta/runtime.yml")["plugin_routing"]["modules"]  # type: ignore[index]
    routed = {name for name, entry in routing.items() if "action_plugin" in entry}
    modules, actions = ({p.stem for p in modules_below(kind)} for kind in ("modules", "action"))
    assert routed == modules - actions


def test_every_task_of_a_role_that_talks_names_its_module_in_full():
    for path in sorted((ROOT / "roles").glob("*/tasks/*.yml")):
        used = re.findall(r"^\s+(easymo\.deploy\.[a-z_]+):", path.read_text("utf-8"), re.M)
        for name in used:
            assert (PLUGINS / "modules" / f"{name.rsplit('.', 1)[1]}.py").exists(), (
                f"{path}: {name}"
            )


def test_the_client_of_kubernetes_is_used_without_its_models():
    """They would be in every process that talks to a cluster, and in every fork of the controller."""
    looking = (
        f"import sys, {COLLECTION}module_utils._kubernetes; "
        "print(sum(name.startswith('kubernetes.client.models.') for name in sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", looking],
        env={**os.environ, "PYTHONPATH": str(ROOT / "playbooks" / "collections")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(done.stdout) == 0


REACHED_THROUGH_OTHERS = {"restore_databases"}
"""Playbooks that only rollback.yml runs, whose first play has refused bad variables already."""
OURS = "easymo.deploy."


class Use(t.NamedTuple):
    """One import or include of a role of this collection."""

    role: str
    entry_point: str
    validates: bool
    conditions: tuple[object, ...]


def uses(
    tasks: t.Sequence[dict[str, t.Any]], conditions: tuple[object, ...] = ()
) -> t.Iterator[Use]:
    for task in tasks:
        seen = (*conditions, *([task["when"]] if "when" in task else []))
        for part in ("block", "rescue", "always"):
            yield from uses(task.get(part, []), seen)
        if "ansible.builtin.include_tasks" in task:
            # Its condition is asked once, before the first of its tasks. A variable may decide which file it is.
            files = re.sub(r"\{\{.*?\}\}", "*", task["ansible.builtin.include_tasks"])
            for path in sorted((ROOT / "playbooks").glob(files)):
                yield from uses(read_yaml(path))
        for how in ("ansible.builtin.import_role", "ansible.builtin.include_role"):
            given = task.get(how)
            if given and given["name"].startswith(OURS):
                yield Use(
                    given["name"].removeprefix(OURS),
                    given.get("tasks_from", "main"),
                    given.get("rolespec_validate", True),
                    seen,
                )


def read_yaml(path: Path) -> t.Any:
    return yaml_load(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    "path",
    sorted(p for p in ROOT.glob("playbooks/*.yml") if p.stem not in REACHED_THROUGH_OTHERS),
    ids=lambda path: path.stem,
)
def test_every_playbook_refuses_unknown_variables_before_it_does_anything(path):
    first = read_yaml(path)[0]
    while "ansible.builtin.import_playbook" in first:
        first = read_yaml(ROOT / "playbooks" / first["ansible.builtin.import_playbook"])[0]
    task = first["tasks"][0]
    begins = next(uses([task]), ("", ""))[:2]
    assert begins in {("release_variables", "main"), ("release_phase", "main")} or (
        "easymo.deploy.release_variables" in task
    )


@pytest.mark.parametrize("path", sorted((ROOT / "playbooks").glob("*.yml")), ids=lambda p: p.stem)
def test_no_condition_keeps_a_failed_phase_from_being_noted(path):
    """A phase whose failure is not noted counts as done. A block's condition holds for its `always` too.

    In phase 4 one host notes what failed on it, or each service that failed: these may be conditions of an include.
    """
    plays = [play for play in read_yaml(path) if "hosts" in play]
    assert all("any_errors_fatal" in play for play in plays)
    used = [use for play in plays for use in uses(play["tasks"])]
    of_phases = [use for use in used if use.role == "release_phase"]
    noting = [use.conditions for use in of_phases if use.entry_point == "failed"]
    assert bool(noting) == any(use.entry_point == "close" for use in of_phases)
    off = [use.conditions for use in used if use.entry_point == "off"]
    assert all(off), "a run that lost the lock, or only waits, switches nothing off"
    services = "release_phase_failure is not defined"
    assert set(noting) <= {(), ("inventory_hostname == leading_host",), (services,)}


TRAPS = (
    "ignore_errors",
    "ignore_unreachable",
    "run_once",
    "rescue",
    "any_errors_fatal",
    "max_fail_percentage",
    "serial",
    "ansible.builtin.meta",
)
"""By which a failure of some hosts is another one of others. None matters in a play of one host."""
EVERY_TASK = "simulation/plays/cases.py::cases_of"
"""By night each task fails in each way."""
RESTORE = (
    "stories/test_story_of_a_restore.py::"
    "test_a_restore_that_fails_midway_leaves_what_serves_and_says_what_that_is"
)
BASELINE = (
    "stories/test_story_of_a_restore.py::"
    "test_tables_without_a_history_are_baselined_by_the_commands_on_the_screen"
)
HELD = {
    "playbooks/database.yml": EVERY_TASK,
    "playbooks/microservices.yml": EVERY_TASK,
    "playbooks/tasks/settle_microservices.yml": EVERY_TASK,
    "roles/release_phase": EVERY_TASK,
    "roles/release_variables": EVERY_TASK,
    "roles/service_rollback": EVERY_TASK,
    "playbooks/restore_databases.yml": RESTORE,
    "roles/database_restore": RESTORE,
    "playbooks/resolve_migrations.yml": BASELINE,
}
"""By the file of a trap, or its role, what makes tasks there fail."""


def traps(node: t.Any) -> t.Iterator[str]:
    """The keywords of plays of several hosts, or of a file of tasks."""
    for entry in node if isinstance(node, list) else ():
        if entry.get("hosts") in ("control", "localhost"):
            continue
        meta = str(entry.get("ansible.builtin.meta", "end_"))
        yield from (word for word in TRAPS if entry.get(word) and "end_" in meta)
        for part in ("tasks", "block", "rescue", "always"):
            yield from traps(entry.get(part))


def test_whatever_makes_a_failure_another_one_for_other_hosts_is_known_and_tried():
    """A task that runs once and fails takes all hosts out of the play, and only one of them through the rescue.

    ansible-core's linear strategy marks every host of the batch as failed. So a failed phase went on as done.
    """
    plays = {path: read_yaml(path) for path in (ROOT / "playbooks").glob("*.yml")}
    several = {path: traps_of for path, play in plays.items() if (traps_of := [*traps(play)])}
    roles = {
        use.role for path in several for play in plays[path] if play.get("hosts") != "control"
        for use in uses(play.get("tasks", []))
    }  # fmt: skip
    files = [*(ROOT / "playbooks/tasks").glob("*.yml")]
    files += [path for role in roles for path in (ROOT / "roles" / role / "tasks").glob("*.yml")]
    several |= {path: traps_of for path in files if (traps_of := [*traps(read_yaml(path))])}
    names = {str(path.relative_to(ROOT)) for path in several}
    held = {key: {name for name in names if name.startswith(key)} for key in HELD}
    assert names == set().union(*held.values())
    assert all(held.values()), held
    assert not {"serial", "max_fail_percentage"} & {
        word for all_of in several.values() for word in all_of
    }
    for test in HELD.values():
        file, _, name = test.partition("::")
        assert f"def {name}(" in (ROOT / "tests" / file).read_text("utf-8")


def test_what_ansible_does_not_check_at_each_include_is_checked_when_the_run_begins():
    checked = {
        (contract.get("role"), entry_point)
        for contracts in read_yaml(ROOT / "roles/release_phase/defaults/main.yml")[
            "release_phase_contracts"
        ].values()
        for contract in contracts
        for entry_point in contract.get("entry_points", ["main"])
    }
    unchecked = {
        (use.role, use.entry_point)
        for path in (ROOT / "playbooks").glob("*.yml")
        for play in read_yaml(path)
        for use in uses(play.get("tasks", []))
        if not use.validates
    }
    assert {use for use in unchecked if has_a_spec(*use)} <= checked


def has_a_spec(role: str, entry_point: str) -> bool:
    specs = ROOT / "roles" / role / "meta/argument_specs.yml"
    return specs.exists() and entry_point in read_yaml(specs)["argument_specs"]


def test_that_something_is_on_hold_is_read_from_text_in_old_records_alone():
    reading = [
        str(path.relative_to(ROOT))
        for top in ("plugins", "roles", "playbooks", "inventories")
        for path in sorted((ROOT / top).rglob("*.*"))
        if path.suffix in (".py", ".yml", ".j2")
        and "collections" not in path.parts
        and re.search(r"Hold: |HoldError\.reason}: ", path.read_text("utf-8"))
    ]
    assert reading == ["plugins/module_utils/_release/record.py"]


def test_the_lowest_version_of_a_library_stands_once_in_the_code_and_once_in_the_documentation():
    guarded = [
        requirement
        for path in modules_below(".")
        for requirement in re.findall(r'= Library\("([^"]+)"', path.read_text(encoding="utf-8"))
    ]
    fragment = (PLUGINS / "doc_fragments/_libraries.py").read_text(encoding="utf-8")
    told = re.findall(r"requirements: \[(.+)\]", fragment)
    assert sorted(guarded) == sorted(told)
    names = "|".join(one.partition(" ")[0] for one in told)
    elsewhere = [
        path.name
        for path in modules_below(".")
        if re.search(rf"(?:{names}) >= \d", re.sub(r"= Library\(.*", "", path.read_text("utf-8")))
    ]
    assert elsewhere == ["_libraries.py"]


SHIPPED = {
    "CHANGELOG.rst", "CODE_OF_CONDUCT.md", "CONTRIBUTING.md", "LICENSE", "LICENSES", "MAINTAINERS.md",
    "README.md", "REUSE.toml", "SECURITY.md", "bindep.txt", "changelogs", "docs", "extensions",
    "galaxy.yml", "inventories", "manifests", "meta", "playbooks", "plugins", "requirements",
    "requirements.txt", "roles", "tests",
}  # fmt: skip


def test_the_tarball_has_what_users_need_and_of_the_tests_what_ansible_test_reads():
    ignored = read_yaml(ROOT / "galaxy.yml")["build_ignore"]
    tracked = subprocess.check_output(("git", "ls-files"), cwd=ROOT, text=True).splitlines()
    shipped = {name.partition("/")[0] for name in tracked} - {*ignored}
    assert shipped == SHIPPED
    folders = {
        path.parent.name for path in (ROOT / "tests").glob("*/*") if path.suffix in (".py", ".txt")
    }
    assert {name for name in folders if f"tests/{name}" not in ignored} == {"sanity"}
