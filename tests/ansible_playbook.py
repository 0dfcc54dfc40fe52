# SPDX-License-Identifier: GPL-3.0-or-later
"""Run ansible-playbook as somebody would who reads what it prints."""

from __future__ import annotations

import os
import subprocess
import sys
import typing as t
from pathlib import Path

ROOT = Path(__file__).parents[1]
PROGRAM = str(Path(sys.executable).with_name("ansible-playbook"))
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
    return subprocess.run(
        [PROGRAM, *words],
        cwd=cwd,
        env={**environment, **ITS_OWN_OUTPUT, **variables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout,
    )
