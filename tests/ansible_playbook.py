"""Run ansible-playbook as somebody would who reads what it prints."""

import os
import subprocess
import typing as t
from pathlib import Path

from tests import ansible_server
from tests.ansible_server import PROGRAM, ROOT

__all__ = ["PROGRAM", "ROOT", "run_playbook"]

ITS_OWN_OUTPUT = {"ANSIBLE_NOCOLOR": "1", "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.default"}


def run_playbook(
    *words: str | Path,
    cwd: Path = ROOT,
    timeout: float = 300,
    environment: t.Mapping[str, str] = os.environ,
    **variables: str,
) -> subprocess.CompletedProcess[str]:
    """Ansible's own output, whole, without colours and without an answer to any question.

    `variables` are added to the environment.
    """
    return ansible_server.run(
        [PROGRAM, *words],
        cwd=cwd,
        env={**environment, **ITS_OWN_OUTPUT, **variables},
        timeout=timeout,
    )
