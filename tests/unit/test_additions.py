"""Adding a service, a metric, a secret, a phase or a kind of check touches few files, and those that the page names.

Counted are the files of the product in which the name of one that exists must stand: not its own role and module, not
documentation, comments and examples.
"""

import ast
import functools
import re
import typing as t
from pathlib import Path

import pytest
from ansible.module_utils.common.yaml import yaml_load

from ansible_collections.easymo.deploy.plugins.doc_fragments import _checks
from ansible_collections.easymo.deploy.plugins.module_utils import _module
from ansible_collections.easymo.deploy.plugins.module_utils._checks import cluster
from ansible_collections.easymo.deploy.plugins.module_utils._checks import task as checks_of_a_task
from ansible_collections.easymo.deploy.plugins.module_utils._checks.models import (
    Kind,
    options_of,
    passed,
)
from ansible_collections.easymo.deploy.plugins.module_utils._release import models
from ansible_collections.easymo.deploy.plugins.module_utils._report import build
from ansible_collections.easymo.deploy.plugins.modules import preflight_check
from tests.module_runner import run_module

ROOT = Path(__file__).parents[2]
PRODUCT = ("plugins", "roles", "playbooks", "inventories")
DOCUMENTATION = {"DOCUMENTATION", "EXAMPLES", "RETURN"}


@functools.cache
def product() -> dict[str, str]:
    """What each file says, without comments and documentation, by its path."""
    files = (path for top in PRODUCT for path in sorted((ROOT / top).rglob("*.*")))
    return {
        str(path.relative_to(ROOT)): code_of(path) if path.suffix == ".py" else lines_of(path)
        for path in files
        if path.suffix in (".py", ".yml", ".j2")
        and not path.is_symlink()
        # What it drafts is an example.
        and not {"collections", "_inventory_draft"} & {*path.relative_to(ROOT).parts}
    }


def lines_of(path: Path) -> str:
    return re.sub(r"(^|\s)#.*", "", path.read_text("utf-8"))


def code_of(path: Path) -> str:
    tree = ast.parse(path.read_text("utf-8"))
    told = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) or (isinstance(node, ast.Assign) and name_of(node) in DOCUMENTATION)
    }  # fmt: skip
    said = [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in told
    ]
    named = [
        one.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for one in node.names
    ]
    return "\n".join((*said, *named))


def name_of(assignment: ast.Assign) -> str:
    target = assignment.targets[0]
    return target.id if isinstance(target, ast.Name) else ""


def places(name: str) -> list[str]:
    """The files that say `name`, but its own module and role."""
    own = (f"roles/{name}/", f"plugins/modules/{name}", f"plugins/action/{name}")
    # Neither `easymo.deploy.name` nor a longer name.
    word = re.compile(rf"(?<![\w.-]){re.escape(name)}(?![\w-])")
    return [
        path
        for path, text in product().items()
        if not path.startswith(own) and (Path(path).stem == name or word.search(text))
    ]


def read_yaml(path: str) -> t.Any:
    return yaml_load((ROOT / path).read_text("utf-8"))


PLAN = [entry["name"] for entry in read_yaml("inventories/shared/release.yml")["release_plan"]]


@pytest.mark.parametrize("service", ["property-service", "voice-bridge", "driver-service"])
def test_a_service_stands_in_one_file(service):
    assert places(service) == ["inventories/shared/hosts.yml"]


@pytest.mark.parametrize("metric", ["fallback_rate", "redis_hit_rate", "agent_core_errors"])
def test_a_metric_stands_in_one_file(metric):
    assert places(metric) == ["inventories/shared/metrics.yml"]


def test_a_secret_is_listed_in_two_files():
    secret = "secret_statuspage_token"
    listed = re.compile(rf"^{secret}:|name: {secret}\b", re.M)
    assert [path for path in places(secret) if listed.search(product()[path])] == [
        "inventories/sandbox/group_vars/all/secrets_of_the_sandbox.yml",
        "inventories/shared/secrets.yml",
    ]


@pytest.mark.parametrize("phase", ["edge_functions", "smoke_tests"])
def test_a_phase_stands_in_at_most_eight_files(phase):
    """One with a way back and the launch window; and one with nothing of that."""
    assert len(places(phase)) <= 8, places(phase)


@pytest.mark.parametrize(
    "kind", ["commit_status", "flags_start", "load_test", "kafka", "backup_age"]
)
def test_a_kind_of_check_stands_in_one_file(kind):
    used = {
        "inventories/shared/checklist.yml",
        "inventories/staging/group_vars/all/staging.yml",
        "roles/preflight/vars/main.yml",
    }
    found = [Path(path).parent.name for path in places(kind) if path not in used]
    assert found == ["_checks"]


MOON = Kind(
    lambda options, _ground: passed(f"it is {options['phase']}"),
    """  description: Whether it is well lit.
  suboptions:
    phase: {description: Of the moon., type: str, choices: [full, new], default: full}
""",
)


@pytest.fixture
def with_moon(monkeypatch):
    """The module preflight_check with one row more in the table of its kinds."""
    kinds = {**checks_of_a_task.PREFLIGHT, "moon": MOON}
    options = options_of(checks_of_a_task.OF_PREFLIGHT, "What is checked", kinds)
    monkeypatch.setattr(checks_of_a_task, "PREFLIGHT", kinds)
    monkeypatch.setattr(_module, "ADDED", {**_module.ADDED})
    monkeypatch.setattr(_module, "_fragment", _module._fragment.__wrapped__)
    _module.add_fragment("_checks.preflight", "checks", options)
    spec = _module.documented(preflight_check.DOCUMENTATION)
    monkeypatch.setattr(preflight_check, "module_spec", spec)
    return yaml_load(_module.ADDED["_checks.preflight"])["options"]["checks"]["suboptions"]


def test_a_row_of_the_table_is_all_that_a_kind_needs_to_be_documented_run_and_refused(with_moon):
    assert with_moon["kind"]["choices"][-1] == "moon"
    assert with_moon["moon"]["description"] == "Whether it is well lit."
    check = {"name": "night", "kind": "moon", "moon": {}}
    done = run_module(preflight_check, release="2.0.0", checks=[check])
    assert [(row["name"], row["detail"]) for row in done["results"]] == [("night", "it is full")]
    bare = {"name": "night", "kind": "moon"}
    for wrong in (bare, {**bare, "moon": {"phase": "old"}}, {**bare, "moon": {"light": True}}):
        refused = run_module(preflight_check, release="2.0.0", checks=[wrong])
        assert refused["failed"]
        assert "moon" in refused["msg"]


@pytest.mark.parametrize("part", ["DOCUMENTATION", "PREFLIGHT", "SMOKE_TESTS"])
def test_each_kind_has_a_description(part):
    ((option, told),) = yaml_load(getattr(_checks.ModuleDocFragment, part))["options"].items()
    options = told["suboptions"]
    assert option in {"checks", "tests"}
    assert all(options[kind]["description"] for kind in options["kind"]["choices"])


def plays_of(playbook: str) -> list[dict[str, t.Any]]:
    return read_yaml(f"playbooks/{playbook}")


def test_the_deployment_runs_the_phases_of_the_plan_in_their_order():
    imported = [play["ansible.builtin.import_playbook"] for play in plays_of("deploy.yml")]
    assert imported == [f"{name}.yml" for name in PLAN]
    for name in PLAN:
        for play in plays_of(f"{name}.yml"):
            assert play["vars"]["release_phase_name"] == name
            assert play["tags"] == name


def test_readiness_knows_every_phase():
    (file,) = plays_of("readiness.yml")[0]["vars_files"]
    contracts = read_yaml(f"playbooks/{file}")["release_phase_contracts"]
    assert [*contracts] == ["every", *PLAN]


def test_who_names_a_phase_names_one_of_the_plan():
    wiring = read_yaml("playbooks/group_vars/all/wiring.yml")
    back = read_yaml("roles/sign_off/defaults/main.yml")["sign_off_ways_back"]
    named = {
        *wiring["release_phase_changing"],
        *(phase for phases in back.values() for phase in phases),
        cluster.PHASE,
        models.CHECKS_PHASE,
        models.FLAGS_PHASE,
        models.SERVICES_PHASE,
        models.WATCH_PHASE,
    }
    assert named <= set(PLAN)
    assert PLAN[-1] == build.LAST_PHASE


def test_the_page_for_contributors_names_every_place():
    page = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    named = set(re.findall(r"`([^`]+)`", page))
    for path in {*places("edge_functions"), *places("commit_status")} - {
        "plugins/module_utils/_checks/git.py",
        "playbooks/edge_functions.yml",
    }:
        assert any(path.endswith(one) for one in named if one.endswith((".yml", ".py"))), path
