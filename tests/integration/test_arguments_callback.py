"""The callback arguments over the real playbooks and inventories: ansible-playbook alone would end well."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def play(playbook: str, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).parent / "ansible-playbook"
    return subprocess.run(
        [program, f"playbooks/{playbook}", *words],
        cwd=ROOT,
        env={**os.environ, "ANSIBLE_NOCOLOR": "1", "COLUMNS": "1000", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["status.yml"], "no inventory was given: use -i"),
        (["rollback.yml", "-i", "inventories/prod", "--limit", ""], "--limit is empty, which"),
        (["status.yml", "-i", "inventories/prod", "--tags", "databse"], "--tags 'databse' matches"),
    ],
)
def test_a_run_that_would_do_nothing_fails_before_its_first_task(words, said):
    done = play(*words)
    assert done.returncode == 5
    assert said in done.stderr
    assert "TASK" not in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_what_a_person_says_is_neither_evaluated_nor_kept_where_it_looks_like_a_secret(tmp_path):
    token, ran = "ghp_" + "a1B2" * 9, tmp_path / "ran"
    given = (f"by=\"{{{{ lookup('pipe', 'touch {ran}; echo ann') }}}}\"", f"note={token}")
    words = ("-vvv", "--check", "-i", "inventories/example", "-e", "sign_off=qa")
    said = []
    for callback in ("arguments", "lean"):
        enabled = {"ANSIBLE_CALLBACKS_ENABLED": f"easymo.deploy.{callback}"}
        done = play("approve.yml", *words, "-e", given[0], "-e", given[1], **enabled)
        assert token not in done.stdout + done.stderr
        told = ("'note' looks as if" in done.stdout, "'by' is a template" in done.stdout)
        said.append((ran.exists(), *told))
    assert said == [(False, True, False), (True, True, True)]
