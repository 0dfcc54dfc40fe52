# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs ansible-lint, with the syntax of all playbooks and roles checked by one ansible-playbook.

ansible-lint starts one for each of them, seventy in all, and another for each playbook that one imports, which took
most of its time. It has no option for that, so both are replaced from outside. So is the kind of a file, which it finds
anew, by a hundred patterns, for each task that it looks at.
"""

from __future__ import annotations

import functools
import subprocess
import sys
import tempfile
import typing as t
from pathlib import Path

import yaml
from ansiblelint import app, file_utils, runner
from ansiblelint.__main__ import main

ROOT = Path(__file__).resolve().parents[1]
IMPORT = "ansible.builtin.import_role"


def syntax_of_all() -> int:
    """The exit code of ansible-playbook over every playbook, molecule's too, and every role's entry points."""
    roles = [
        {IMPORT: {"name": f"easymo.deploy.{path.parts[-3]}", "tasks_from": path.name}}
        for path in sorted((ROOT / "roles").glob("*/tasks/*.yml"))
    ]
    playbooks = [*(ROOT / "playbooks").glob("*.yml")]
    playbooks += [
        path
        for path in (ROOT / "molecule").glob("*/*.yml")
        if path.name != "molecule.yml" and path.parent.name != "shared"
    ]
    with tempfile.NamedTemporaryFile("w", suffix=".yml", encoding="utf-8") as every_role:
        yaml.safe_dump([{"hosts": "localhost", "tasks": roles}], every_role)
        every_role.flush()
        command = ["ansible-playbook", "--syntax-check", "--inventory=localhost,"]
        return subprocess.run(
            [*command, every_role.name, *map(str, sorted(playbooks))],
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            check=False,
        ).returncode


def no_syntax_check(started: t.Any, _matches: list[t.Any]) -> list[t.Any]:
    """What it would have checked, for the phase behind it reads those first."""
    files: list[t.Any] = started._collect_syntax_check_files()
    return files


if __name__ == "__main__":
    failed = syntax_of_all()
    if not hasattr(runner.Runner, "_run_syntax_check_phase"):
        sys.exit(
            "This ansible-lint has no phase of syntax checks: see what scripts/ansible_lint.py may leave alone."
        )
    runner.Runner._run_syntax_check_phase = no_syntax_check
    # What is imported was loaded by then, with the playbook that imports it.
    app.Runtime.has_playbook = lambda _self, _playbook, *, basedir=None: basedir is None
    file_utils.kind_from_path = functools.cache(file_utils.kind_from_path)
    sys.argv[1:] = ["--profile", "production", "--offline", "-q", *sys.argv[1:]]
    sys.exit(main(sys.argv) or failed)
