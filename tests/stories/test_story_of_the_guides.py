"""Pages, typed word for word in a fresh clone with an empty home: no command fails. The sandbox plays production."""

import json
import os
import re
import shutil
import subprocess
import typing as t
from pathlib import Path

import pytest
import yaml

from tests.caches import SANDBOX_CACHE
from tests.stories.guides import ROOT, Shell, blocks, replace_entries

pytestmark = pytest.mark.nightly

THROUGH = ("PIP_", "UV_", "SSL_", "CURL_", "REQUESTS_", "HTTP", "NO_PROXY")
"""Beginnings of what a machine sets so that packages can be had at all."""
OWN = (
    "environment_name", "sandbox_directory", "release_checkout", "staging_results", "report_directory",
)  # fmt: skip
"""What production's inventory says itself."""
LEFT_OUT = ("make demo", "make sandbox-down")
"""Within a sentence, about what a block has typed or what comes at the end."""


@pytest.fixture
def shell(tmp_path) -> t.Iterator[Shell]:
    variables = {
        **{name: value for name, value in os.environ.items() if name.upper().startswith(THROUGH)},
        "UV_CACHE_DIR": os.environ.get("UV_CACHE_DIR", str(Path.home() / ".cache/uv")),
        "EASYMO_SANDBOX_CACHE": str(SANDBOX_CACHE),
        "EASYMO_SANDBOX_STATE": str(tmp_path / "easymo.deploy/.sandbox"),
        "ANSIBLE_VAULT_PASSWORD_FILE": str(tmp_path / "vault-password"),
    }
    (tmp_path / "vault-password").write_text("a password", encoding="utf-8")
    clone = tmp_path / "published"
    subprocess.run(["git", "clone", "--quiet", "--bare", ROOT, clone], check=True)
    meant = {
        "<this repository>": str(clone),
        "<the application>": ".sandbox/run/application/origin.git",
        "my-namespace": "easymo-prod",
        "$EDITOR ": "cp ~/vault.yml ",
        "git commit": "git -c user.name=Ann -c user.email=ann@example.com commit",
    }
    made = Shell(tmp_path, variables, meant)
    try:
        yield made
    finally:
        made.types(
            "cd ~; [ ! -d easymo.deploy ] || cd easymo.deploy\n"
            '"$(ls -d .venv venv 2> /dev/null || true)/bin/python" -m sandbox down'
        )


def typed(shell: Shell, page: str, *sections: str) -> None:
    for block in blocks(page):
        if block.section.startswith(sections) and block.text not in LEFT_OUT:
            if block.language == "sh":
                shell.types(block.text)
            elif block.language == "yaml":
                replace_entries(shell.home / "easymo.deploy", block.text)


def read(path: Path) -> dict[str, t.Any]:
    return yaml.safe_load(path.read_text("utf-8"))


def fill_in(checkout: Path) -> None:
    """As a person would, with the sandbox's addresses. `state.py` has them."""
    ours = checkout / "inventories/sandbox"
    names = ("endpoints", "shorter_watch", "contacts")
    values = {k: v for n in names for k, v in read(ours / f"group_vars/all/{n}.yml").items()}
    values = {name: value for name, value in values.items() if name not in OWN}
    values["release_launch_window"] = {"timezone": "UTC"}
    for name in ("prod", "staging"):
        theirs = checkout / "inventories" / name
        shutil.copy(ours / "state.py", theirs)
        shutil.copytree(ours / "host_vars", theirs / "host_vars", dirs_exist_ok=True)
        (theirs / "group_vars/all/zz_filled_in.yml").write_text(json.dumps(values), "utf-8")


def fill_the_vault(checkout: Path) -> None:
    secrets = read(checkout / "inventories/sandbox/group_vars/all/secrets_of_the_sandbox.yml")
    del secrets["secret_kubernetes_token"]
    (checkout.parent / "vault.yml").write_text(json.dumps(secrets), "utf-8")


def sign(shell: Shell, checkout: Path) -> None:
    """`Once for each name`."""
    (block,) = (one for one in blocks("first-release.md") if one.section.startswith("9."))
    for entry in read(checkout / "inventories/shared/checklist.yml")["release_sign_offs"]:
        shell.types(block.text.replace("=qa", f"={entry['name']}"))


def results(shell: Shell) -> None:
    shell.types("cp .sandbox/run/application/staging-results/* ../staging-results/")


def test_the_first_release_and_the_next(shell):
    checkout = shell.home / "easymo.deploy"
    typed(shell, "first-release.md", "1.")
    shell.types(
        "make sandbox-down && make sandbox-up && python -m sandbox traffic start --rate 20 --ease"
    )
    shell.types('eval "$(python -m sandbox env)"')
    typed(shell, "first-release.md", "2.", "4.")
    fill_in(checkout)
    fill_the_vault(checkout)
    typed(shell, "first-release.md", "5.")
    shell.types("cp inventories/prod/group_vars/all/vault.yml inventories/staging/group_vars/all/")
    shell.types("git add -A && git commit -qm 'What we filled in'")
    printed = "\n".join(block.text for block in blocks("first-release.md"))
    shell.types(re.findall(r"^export KUBERNETES_TOKEN.*", printed, re.MULTILINE)[0])
    typed(shell, "first-release.md", "6.")
    results(shell)
    typed(shell, "first-release.md", "7.")
    sign(shell, checkout)
    typed(shell, "first-release.md", "8.")
    shell.types("cd ..")
    typed(shell, "first-release.md", "10.")

    shell.types("python -m sandbox traffic stop || true")
    typed(shell, "next-release.md", "1.", "2.", "3.", "4.")
    shell.types(
        "git -C ../application fetch --quiet --tags && git -C ../application checkout v2.1.0"
    )
    results(shell)
    *before, day = (one for one in blocks("next-release.md") if one.section.startswith("5."))
    for block in before:
        shell.types(block.text)
    sign(shell, checkout)
    shell.types(day.text)
    shell.types("cd ../deploy-2.0.0")
    typed(shell, "next-release.md", "When the agents")


def facts_of(shell: Shell) -> dict[str, t.Any]:
    state = Path(shell.types('echo "$EASYMO_SANDBOX_STATE"').strip()) / "run/state.json"
    return json.loads(state.read_text("utf-8"))["components"]


def test_a_stack_of_ones_own(shell):
    shell.meant |= {"my-namespace": "shop", "/path/to/your/checkout": "$CHECKOUT"}
    shell.types("git clone <this repository> easymo.deploy && cd easymo.deploy")
    typed(shell, "your-stack.md", "See it work")
    shell.types('eval "$(python -m sandbox env)"')
    start = [one.text for one in blocks("your-stack.md") if one.section == "Start yours"]
    shell.types(start[0])
    hosted = facts_of(shell)["hosted"]["shop"]
    shell.types(f"export CHECKOUT={hosted['checkout']}")
    addresses = read(Path(hosted["inventory"]) / "group_vars/all.yml")
    decided = {name: addresses[name] for name in ("registry_url", "contract_health_url")}
    lines = [f"{name}: {json.dumps(value)}\n" for name, value in decided.items()]
    file = "# inventories/mine/group_vars/all.yml\n"
    replace_entries(
        shell.home / "easymo.deploy", file + 'release_version: "1.1.0"\n' + "".join(lines)
    )
    for text in start[1:]:
        shell.types(text)


def test_the_tarball_and_the_sandbox_s_own_package(shell):
    """No clone: a stack is hosted, deployed, taken back, and deployed by the lines of the recipes for CI."""
    uv = shutil.which("uv") or str(ROOT / ".tools/bin/uv")
    shell.meant |= {
        "my-namespace": "shop",
        "-i inventories/prod": "-i inventories/mine -i .sandbox/run/hosted/shop",
    }
    shell.types(
        f"export EASYMO_SANDBOX_STATE=$PWD/.sandbox\n{uv} venv --quiet --seed venv && . venv/bin/activate\n"
        f"pip install --quiet ansible-core\n{uv} build --quiet --wheel --out-dir . {ROOT}\n"
        f"(cd {ROOT} && ansible-galaxy collection build --output-path {shell.home})"
    )
    first, settings, sandbox, running, *_more = blocks("installed.md")
    shell.types(first.text)
    shell.home.joinpath("ansible.cfg").write_text(settings.text, "utf-8")
    collection = ".ansible/collections/ansible_collections/easymo/deploy"
    shell.types(f"cp -r {collection}/inventories . && mv inventories/example inventories/mine")
    shutil.copytree(ROOT / "sandbox/checkout/shop", shell.home / "application")
    rows = {
        "sandbox_checkout": str(shell.home / "application"),
        "sandbox_sql": [str(shell.home / "application/rows.sql")],
    }
    shell.home.joinpath("inventories/mine/group_vars/all/zz.yml").write_text(json.dumps(rows))
    shell.types(sandbox.text)
    shell.types(running.text)

    (playbook,) = (one for one in blocks("installed.md") if one.text.startswith("# site.yml"))
    shell.home.joinpath("site.yml").write_text(playbook.text, "utf-8")
    shell.types(blocks("installed.md")[-1].text)
    github, gitlab = (one.text for one in blocks("answers.md") if one.language == "yaml")
    job = yaml.safe_load(github)["jobs"]["release"]["steps"]
    for line in [
        *(step["run"] for step in job if "run" in step),
        *yaml.safe_load(gitlab)["release"]["script"],
    ]:
        shell.types(f"CI=true {line}")
    assert facts_of(shell)["hosted"].keys() == {"shop"}
