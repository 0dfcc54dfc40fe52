# SPDX-License-Identifier: GPL-3.0-or-later
"""Says what of the demo failed, and where to look: the report, the page of the sinks, kubectl."""

from __future__ import annotations

import json
import os
import shlex
import sys
import typing as t
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from sandbox.names import NAMESPACE, RELEASE_VERSION
from sandbox.world import World


def proofs(record: dict[str, t.Any]) -> list[str]:
    """What stands in the record of backups that were read back, and of rehearsals on them."""
    backups = record.get("backups") or {}
    database = (record.get("phases") or {}).get("database") or {}
    rehearsals = (database.get("evidence") or {}).get("rehearsals") or {}
    told = [f"{name} {one['size'] / 1e6:.1f} MB" for name, one in sorted(backups.items())]
    tried = [f"{name} {one['status']}" for name, one in sorted(rehearsals.items())]
    return [
        *([f"  backups      {', '.join(told)}; each read back"] if told else []),
        *([f"  rehearsals   {', '.join(tried)}"] if tried else []),
    ]


def main() -> int:
    failed = sys.argv[1]
    directory = Path(os.environ.get("EASYMO_SANDBOX_STATE", ".sandbox"))
    world = World(directory)
    report = world.directory / "report" / RELEASE_VERSION / "report.html"
    record = report.with_suffix(".json")
    proven = proofs(json.loads(record.read_text("utf-8"))["record"]) if record.exists() else []
    kubeconfig = shlex.quote(world.facts("kubernetes")["kubeconfig"])
    print(f"""
{f"FAILED: {failed}." if failed else "All went well."} Look at it:
  report       {report if report.exists() else "none: the run stopped before the sign-off"}
  Slack page   {world.facts("sinks")["url"]}
  dashboard    {world.facts("gateway")["url"]}/agents/dashboard
  kubectl      .venv/bin/kubectl --kubeconfig {kubeconfig} -n {NAMESPACE} get deployments
  a shell      eval "$(.venv/bin/python -m sandbox env)"
  next step    .venv/bin/ansible-playbook playbooks/ramp.yml -i inventories/sandbox
  kill switch  .venv/bin/ansible-playbook playbooks/kill_switch.yml -i inventories/sandbox -e reason=rehearsal
  rollback     .venv/bin/ansible-playbook playbooks/rollback.yml -i inventories/sandbox
  the end      make sandbox-down""")
    for line in proven:
        print(line)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
