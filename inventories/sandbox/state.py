#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the sandbox is: all of it comes from the state file that 'make sandbox-up' wrote.

An inventory script, for it is read once in a run. A variable with a lookup would be read and parsed again
wherever a template names it, which was a fifth of the CPU that a deployment took.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

# Undefined only for whoever asks, so that --syntax-check and --list-tasks work without a sandbox.
NOT_UP = "{{ undef(hint='The sandbox is not up: run make sandbox-up.') }}"


def main() -> None:
    here = Path(__file__).resolve().parents[2]
    directory = os.environ.get("EASYMO_SANDBOX_STATE") or here / ".sandbox"
    try:
        text = Path(directory, "run", "state.json").read_text(encoding="utf-8")
    except FileNotFoundError:
        sandbox = NOT_UP
    else:
        sandbox = json.loads(text)["components"]
    # Without its hostvars, empty as they are, Ansible would start this once more for each host.
    print(json.dumps({"all": {"vars": {"sandbox": sandbox}}, "_meta": {"hostvars": {}}}))


if __name__ == "__main__":
    main()
