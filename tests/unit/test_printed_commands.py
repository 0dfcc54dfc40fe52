"""Every command that a message tells somebody to type can be typed, and a test does type it.

Messages are read from the source, with `x` for what only a run knows. A command is typed as it is printed, or the test
that is named carries the same one out.
"""

import ast
import functools
import importlib
import json
import re
import shlex
import typing as t
from itertools import pairwise
from pathlib import Path

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.common.yaml import yaml_load
from ansible.parsing.splitter import parse_kv

from ansible_collections.easymo.deploy.plugins.module_utils._story.next_step import (
    _OPTION,
    MENTIONED,
)
from ansible_collections.easymo.deploy.plugins.module_utils._variable_check import typed_unchanged

ROOT = Path(__file__).parents[2]
STORY, PARTS = "stories/test_story_of", "integration/test"
PREFLIGHT, PLAYED = f"{PARTS}_preflight_check.py", "simulation/plays/scenarios.py"
CLONE = f"{PREFLIGHT}::test_a_clone_of_the_tag_alone_learns_the_branch_by_what_is_printed"
ON_ITS_WAY = f"{PREFLIGHT}::test_a_checkout_on_its_way_to_the_release"
IN_THE_WAY = f"{PARTS}_diagnosis.py::test_what_stands_in_the_way_of_pending_migrations_is_named"
BASELINE = f"{STORY}_a_restore.py::test_tables_without_a_history_are_baselined_by_the_commands_on_the_screen"
REPAIRED = (
    "interop/test_supabase_cli.py::test_both_refuse_the_same_histories_until_repaired_as_printed"
)
SPOILT = (
    f"{PARTS}_rollout_scale.py::test_a_number_that_somebody_spoilt_is_put_right_as_it_is_printed"
)
RESUMED = f"{PARTS}_rollout.py::test_a_preflight_tells_every_problem_at_once_and_touches_nothing"
ONE_BACK = (
    f"{STORY}_a_green_release.py::test_one_service_goes_back_alone_and_every_pod_keeps_its_flags"
)
FLAGS_ALONE = (
    f"{STORY}_a_green_release.py::test_the_flags_go_off_alone_and_come_back_with_their_phase"
)
TYPED = {
    "ALTER DATABASE … ALLOW_CONNECTIONS true": (
        f"{PARTS}_pg_restore_faults.py::"
        "test_a_database_that_others_closed_is_opened_by_what_is_printed"
    ),
    "SELECT pg_terminate_backend({blocker})": IN_THE_WAY,
    "diagnose.yml -e diagnose=crash_loop -e service={subject}": (
        f"{PARTS}_diagnosis_playbook.py::test_a_cause_s_hint_to_look_at_one_service_can_be_typed"
    ),
    "git checkout x": ON_ITS_WAY,
    "git fetch --tags": CLONE,
    "git fetch --unshallow": CLONE,
    "git fetch origin x": CLONE,
    "git stash --include-untracked": ON_ITS_WAY,
    "kill_switch.yml -e reset=true -e \"reason='WHY'\"": PLAYED,
    "kubectl describe nodes": "contract/test_nodes.py",
    "kubectl describe pods --selector": f"{PARTS}_kubectl.py",
    "kubectl xannotate --overwrite deployment/x x=<count>": SPOILT,
    "kubectl xrollout resume deployment/x": RESUMED,
    "resolve_migrations.yml -e prisma_migrate_resolution=x -e x": BASELINE,
    "rollback.yml --tags edge_functions": PLAYED,
    "status.yml -e follow=true": (
        f"{STORY}_a_restore.py::"
        "test_of_two_runs_at_once_one_deploys_and_the_other_says_who_and_both_keep_whole_files"
    ),
    "supabase migration repair --status applied <version>": REPAIRED,
    "supabase migration repair --status reverted {}": REPAIRED,
    "supabase secrets set {subject}=…": (
        "interop/test_supabase_functions.py::"
        "test_a_missing_secret_is_set_by_the_command_that_a_diagnosis_prints"
    ),
    "unlock.yml -e deploy_lock_force=true -e \"reason='WHY'\"": PLAYED,
}
"""By command the test that types it as it is printed, or nearly: with a name for WHY and <count>."""
THE_SAME = {
    "rollback.yml --tags services -e '{\"service_rollback_names\": []}'": ONE_BACK,
    "approve.yml -e sign_off=x -e by=$USER": PLAYED,
    "SELECT pg_terminate_backend({pid})": IN_THE_WAY,
    "decide.yml -e feedback=x -e answer=good -e by=$USER -e \"reason='WHAT WAS SEEN'\"": PLAYED,
    "deploy.yml --tags database": BASELINE,
    "deploy.yml --tags edge_functions": f"{STORY}_a_missing_image.py::test_phases_run_alone_by_their_tags",
    "deploy.yml --tags feature_flags": FLAGS_ALONE,
    "deploy.yml --tags sign_off -e release_archive_war_room=true": PLAYED,
    "deploy.yml --tags {subject}": FLAGS_ALONE,
    "kill_switch.yml -e \"reason='error rate'\"": f"{STORY}_the_ramp.py",
    "ramp.yml -e ramp_release=true -e \"reason='WHY'\" -e by=$USER": (
        f"{STORY}_the_ramp.py::test_a_held_gate_lets_nobody_in_until_a_person_says_so"
    ),
    "rollback.yml --tags services -e '{{\"service_rollback_names\": [{names}]}}'": ONE_BACK,
}
"""By command the test, or the story, that types the same with other words."""
PROGRAM = re.compile(
    r"\b(?:kubectl (?:x)?(?:rollout resume|annotate|describe)|supabase (?:migration repair --|secrets set)"
    r"|git (?:fetch|checkout|stash)|SELECT pg_terminate_backend|ALTER DATABASE …)[^,;:.']*"
)
PLACEHOLDERS = {"x", "name", "{subject}", "_raw_params"}


@functools.cache
def read_yaml(path: Path) -> t.Any:
    return yaml_load(path.read_text("utf-8"))


class Texts(ast.NodeVisitor):
    """The texts of a file, each whole, without documentation."""

    def __init__(self, tree: ast.Module) -> None:
        self.found: list[str] = []
        self.names = {"PLAY": "playbooks"}
        for one in tree.body:
            if isinstance(one, ast.Assign) and isinstance(one.targets[0], ast.Name):
                self.names[one.targets[0].id] = self.text(one.value)
        self.visit(tree)

    def visit_Expr(self, node: ast.Expr) -> None:
        if not isinstance(node.value, ast.Constant):
            self.generic_visit(node)

    def visit_Assign(self, node: ast.Assign) -> None:
        if getattr(node.targets[0], "id", "") not in ("DOCUMENTATION", "EXAMPLES", "RETURN"):
            self.visit(node.value)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        self.found.append(self.text(node))

    def visit_BinOp(self, node: ast.BinOp) -> None:
        self.found.append(self.text(node))

    def visit_Constant(self, node: ast.Constant) -> None:
        self.found.append(self.text(node))

    def text(self, node: ast.AST | None) -> str:
        match node:
            case ast.Constant(value=str(text)):
                return text
            case ast.JoinedStr(values=parts):
                return "".join(map(self.text, parts))
            case ast.BinOp(left=left, right=right):
                return self.text(left) + self.text(right)
            case ast.FormattedValue(
                value=ast.Call(func=ast.Attribute(attr="dumps"), args=[ast.Dict() as body])
            ):
                return json.dumps(self.literal(body))
            case ast.FormattedValue(value=value):
                return self.text(value)
            case ast.Name(id=name):
                return self.names.get(name, "x")
        return "x"

    def literal(self, node: ast.AST) -> t.Any:
        if isinstance(node, ast.Dict):
            pairs = zip(node.keys, node.values, strict=True)
            return {self.text(key): self.literal(value) for key, value in pairs}
        return [] if isinstance(node, ast.List) else self.text(node)


def strings(body: t.Any) -> t.Iterator[str]:
    if isinstance(body, str):
        yield re.sub(r"{{.*?}}", "x", body, flags=re.DOTALL)
    for one in body.values() if isinstance(body, dict) else body if isinstance(body, list) else ():
        yield from strings(one)


@functools.cache
def messages() -> list[str]:
    code = [path for path in ROOT.glob("plugins/**/*.py") if path.parent.name != "doc_fragments"]
    texts = [text for path in code for text in Texts(ast.parse(path.read_text("utf-8"))).found]
    written = (
        "roles/*/tasks/*.yml",
        "roles/*/vars/*.yml",
        "playbooks/*.yml",
        "inventories/shared/*.yml",
    )
    files = [path for pattern in written for path in ROOT.glob(pattern)]
    return [*texts, *(text for path in files for text in strings(read_yaml(path)))]


@functools.cache
def commands() -> list[str]:
    """Playbooks with their options as they are printed, options alone, and other programs."""
    found = set()
    for text in messages():
        found |= {f"{one['playbook']}{one['options']}" for one in MENTIONED.finditer(text)}
        rest = MENTIONED.sub("", text)
        found |= {one[0] for one in re.finditer(rf"(?<!\S){_OPTION}(?: {_OPTION})*", rest)}
        found |= {one[0].split(" ends ")[0].strip() for one in PROGRAM.finditer(text)}
    return sorted(found)


def given(printed: str) -> dict[str, t.Any]:
    """The extra variables, as ansible-playbook reads them."""
    values: dict[str, t.Any] = {}
    for option, value in pairwise(shlex.split(printed)):
        if option == "-e":
            # A rule's sentence is a template: its braces are doubled.
            body = value.replace("{{", "{").replace("}}", "}") if "{{" in value else value
            values |= (
                json.loads(body.replace("{names}", "")) if value[0] == "{" else parse_kv(value)
            )
    return {name: value for name, value in values.items() if name not in PLACEHOLDERS}


@functools.cache
def role_options() -> dict[str, dict[str, t.Any]]:
    specs = [
        read_yaml(path)["argument_specs"] for path in ROOT.glob("roles/*/meta/argument_specs.yml")
    ]
    entries = [entry.get("options") or {} for spec in specs for entry in spec.values()]
    return {name: option for entry in entries for name, option in entry.items()}


@functools.cache
def variables() -> set[str]:
    files = [*ROOT.glob("playbooks/group_vars/all/*.yml"), *ROOT.glob("inventories/shared/*.yml")]
    return {name for path in files for name in read_yaml(path)} | {*role_options()}


@functools.cache
def module_options() -> set[str]:
    """Of all modules, those within options too."""
    names: set[str] = set()

    def walk(spec: dict[str, t.Any]) -> None:
        for name, option in spec.items():
            names.add(name)
            walk(option.get("options") or {})

    for path in sorted((ROOT / "plugins/modules").glob("*.py")):
        module = importlib.import_module(
            f"ansible_collections.easymo.deploy.plugins.modules.{path.stem}"
        )
        walk(module.module_spec()["argument_spec"] if hasattr(module, "module_spec") else {})
    return names


def tags_of(playbook: str) -> set[str]:
    found: set[str] = set()
    for play in read_yaml(ROOT / "playbooks" / playbook):
        if "ansible.builtin.import_playbook" in play:
            found |= tags_of(play["ansible.builtin.import_playbook"])
        tags = play.get("tags") or []
        found |= {tags} if isinstance(tags, str) else {*tags}
    return found


@pytest.mark.parametrize("printed", commands())
def test_what_a_message_tells_to_type_is_there(printed: str) -> None:
    """The playbook, its tags, the variables and what they may be."""
    playbook = (
        printed.split(maxsplit=1)[0]
        if printed.split(maxsplit=1)[0].endswith(".yml")
        else "deploy.yml"
    )
    assert (ROOT / "playbooks" / playbook).is_file()
    for tags in re.findall(r"--tags ([\w,]+)", printed):
        assert {*tags.split(",")} - PLACEHOLDERS <= tags_of(playbook)
    for name, value in given(printed).items():
        assert name in variables()
        option = role_options().get(name)
        if option and value != "x":
            spec = {
                key: one for key, one in option.items() if key in ("type", "elements", "choices")
            }
            assert ArgumentSpecValidator({name: spec}).validate({name: value}).error_messages == []


TO_FILL_IN = ("NAME", "name", "$USER", "WHY", "why", "WHAT WAS SEEN")
"""Each printed as a variable's value. A shell puts a person's name in the place of $USER, and these tests do not."""


@pytest.mark.parametrize(
    "printed", [one for one in commands() if {*TO_FILL_IN} & {*map(str, given(one).values())}]
)
def test_a_printed_placeholder_typed_unchanged_is_refused(printed: str) -> None:
    # The databases refuse a migration of that name: the scenario "resolve unknown".
    values = {k: v for k, v in given(printed).items() if k != "prisma_migrate_resolved"}
    left = [name for name, value in values.items() if value in TO_FILL_IN]
    refused = list(typed_unchanged(values))
    assert [sentence.partition(" is ")[0] for sentence in refused] == [repr(name) for name in left]
    assert all("in the place of" in sentence for sentence in refused)


def test_each_command_is_typed_by_a_test_that_is_there() -> None:
    whole = {one for one in commands() if " " in one and not one.startswith("-")}
    assert whole == {*TYPED, *THE_SAME}
    for named in (*TYPED.values(), *THE_SAME.values()):
        file, _separator, test = named.partition("::")
        assert (f"def {test}" if test else "") in (ROOT / "tests" / file).read_text("utf-8")


def test_an_option_that_a_message_names_is_one_of_a_module() -> None:
    named = {name for text in messages() for name in re.findall(r"\b[Oo]ption '(\w+)'", text)}
    assert named - module_options() - PLACEHOLDERS == set()
    assert len(named) > 20
