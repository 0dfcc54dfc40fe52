"""The callback arguments over the real playbooks and inventories: ansible-playbook alone would end well."""

import os
import subprocess
import sys
from pathlib import Path

from tests.tables import cases

ROOT = Path(__file__).parents[2]


@cases(("words", "said"), {
    "no-inventory": (["status.yml"], "no inventory was given: use -i"),
    "not-our-groups": (["kill_switch.yml", "-i", "localhost,", "-e", "reason=x"],
                       "runs on control, and localhost, has none of these hosts: use -i"),
    "one-tag-of-two": (["deploy_v2.yml", "-i", "inventories/prod", "--tags",
                       "database,microservice"],
                       "--tags 'microservice' matches nothing (did you mean microservices?)"),
    "an-empty-limit": (["rollback.yml", "-i", "inventories/prod", "--limit", ""],
                       "--limit is empty, which would mean all hosts"),
    "a-limit-elsewhere": (["microservices.yml", "-i", "inventories/prod", "--limit", "databases"],
        "Nothing would run: microservices.yml runs on microservices, and --limit databases"),
})  # fmt: skip
def test_a_run_that_would_do_nothing_fails_before_its_first_task(words, said):
    done = subprocess.run(
        [Path(sys.executable).parent / "ansible-playbook", f"playbooks/{words[0]}", *words[1:]],
        cwd=ROOT,
        env={**os.environ, "ANSIBLE_NOCOLOR": "1", "COLUMNS": "1000"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 5
    assert said in done.stderr
    assert "TASK" not in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_what_a_person_says_is_neither_evaluated_nor_kept_where_it_looks_like_a_secret(tmp_path):
    token, ran = "ghp_" + "a1B2" * 9, tmp_path / "ran"
    by = f"by=\"{{{{ lookup('pipe', 'touch {ran}; echo ann') }}}}\""
    said = []
    for callback in ("arguments", "lean"):
        done = subprocess.run(
            [Path(sys.executable).parent / "ansible-playbook", "playbooks/approve.yml", "-vvv", "--check",
             "-i", "inventories/example", "-e", "sign_off=qa", "-e", by, "-e", f"note={token}"],
            cwd=ROOT,
            env={**os.environ, "COLUMNS": "1000", "ANSIBLE_NOCOLOR": "1",
                 "ANSIBLE_CALLBACKS_ENABLED": f"easymo.deploy.{callback}"},
            capture_output=True,
            text=True,
            check=False,
        )  # fmt: skip
        assert token not in done.stdout + done.stderr
        said.append(
            (ran.exists(), "'note' looks as if" in done.stdout, "'by' is a template" in done.stdout)
        )
    assert said == [(False, True, False), (True, True, True)]
