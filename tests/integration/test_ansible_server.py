"""A run by `tests.ansible_server` is to be told from ansible-playbook itself by nothing that a test looks at."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import ansible_server
from tests.ansible_playbook import ITS_OWN_OUTPUT
from tests.ansible_server import PROGRAM, ROOT
from tests.tables import cases

SETTINGS = {**ITS_OWN_OUTPUT, "PYTHONHASHSEED": "0", "ANSIBLE_FORKS": "1"}
"""Sets and hosts are printed in the same order then."""
HOSTS = (
    "[services]\nshop\npay\nmail\n[all:vars]\nansible_connection=local\n"
    f"ansible_python_interpreter={sys.executable}\n"
)
BATCHES = """
- hosts: services
  gather_facts: false
  serial: [1, 2]
  tasks:
    - block:
        - ansible.builtin.set_fact:
            doubled: "{{ inventory_hostname * 2 }}"
        - ansible.builtin.command: printenv ASKED
          register: printed
          changed_when: false
        - ansible.builtin.debug:
            msg: "{{ doubled }} {{ printed.stdout }} {{ lookup('ansible.builtin.env', 'ASKED') }}"
        - ansible.builtin.fail:
            msg: "{{ inventory_hostname }} is not well"
          when: inventory_hostname == 'pay'
      rescue:
        - ansible.builtin.debug:
            msg: "{{ ansible_failed_result.msg }}"
    - ansible.builtin.debug:
        msg: "once for {{ ansible_play_batch }}"
      run_once: true
    - ansible.builtin.set_fact:
        total: "{{ total | default(0) | int + item }}"
      loop: [1, 2, 3]
    - ansible.builtin.debug:
        msg: "{{ sentence }}"
      loop: "{{ [total, doubled] }}"
      loop_control: {loop_var: part}
      vars:
        sentence: "{{ part }} of {{ derived }}"
        derived: "{{ total }} and {{ undefined_one | default(part) }}"
    - ansible.builtin.command: "printf %s {{ doubled }}"
      register: tried
      until: tried.attempts == 2
      retries: 3
      delay: 0
      changed_when: tried.stdout != doubled
      run_once: true
    - ansible.builtin.debug:
        msg: "{{ hostvars['shop'].total | default('not yet') }} {{ tried.attempts }} {{ undefined_two }}"
      ignore_errors: true
    - ansible.builtin.include_role:
        name: easymo.deploy.no_such_role
      when: inventory_hostname == 'mail'
"""


def both(
    *words: str | Path, cwd: Path = ROOT, **variables: str
) -> tuple[subprocess.CompletedProcess[str], subprocess.CompletedProcess[str]]:
    argv = [PROGRAM, *words]
    env = {**os.environ, **SETTINGS, **variables}
    program = subprocess.run(
        argv,
        cwd=cwd,
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    return ansible_server.run(argv, cwd=cwd, env=env, timeout=120), program


@cases(
    ("words", "status"),
    {
        "tasks": (["playbooks/rollback.yml", "-i", "inventories/example", "--list-tasks"], 0),
        "refused": (["playbooks/lock.yml", "-i", "inventories/example"], 2),
        "missing": (["playbooks/no_such_playbook.yml"], 1),
        "unknown": (["--no-such-option"], 2),
    },
)
def test_it_prints_and_ends_as_the_program(words, status):
    served, program = both(*words)

    assert (served.returncode, served.stdout, served.stderr) == (
        program.returncode,
        program.stdout,
        program.stderr,
    )
    assert program.returncode == status


def test_a_play_of_several_hosts_runs_as_by_the_program(tmp_path):
    """Batches, a block that rescues, a task that runs once, the environment, and a failure that ends it all."""
    (tmp_path / "hosts").write_text(HOSTS)
    (tmp_path / "play.yml").write_text(BATCHES)
    served, program = both("play.yml", "-i", "hosts", cwd=tmp_path, ASKED="something else")
    assert served.stdout == program.stdout
    assert (served.returncode, served.stderr) == (program.returncode, program.stderr)
    assert program.returncode == 2
    assert "shopshop something else something else" in program.stdout
    assert "pay is not well" in program.stdout


def test_a_run_that_takes_too_long_is_ended(tmp_path):
    (tmp_path / "play.yml").write_text(
        "- hosts: localhost\n  gather_facts: false\n  tasks:\n    - ansible.builtin.pause: {seconds: 300}\n"
    )
    # Each time longer, for a busy machine to begin the play.
    for patience in (3, 10, 30):
        with pytest.raises(subprocess.TimeoutExpired) as ended:
            ansible_server.run(
                [PROGRAM, "play.yml"],
                cwd=tmp_path,
                env={**os.environ, **SETTINGS},
                timeout=patience,
            )
        if "PLAY [localhost]" in ended.value.stdout:
            break
    else:
        pytest.fail(ended.value.stdout)
