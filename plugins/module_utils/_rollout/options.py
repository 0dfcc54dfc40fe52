# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""The options of one rollout, which a wave of them has too."""

from __future__ import annotations

import typing as t

from .._checks.kinds import checks_options
from .._options import guard_options, kubernetes_options
from .quorum import QUORUMS


def rollout_options() -> dict[str, t.Any]:
    return {
        **kubernetes_options(),
        "name": {"type": "str", "required": True},
        "container": {"type": "str"},
        "state": {
            "type": "str",
            "choices": ["released", "restarted", "rolled_back"],
            "default": "released",
        },
        "image": {"type": "str"},
        "environment": {"type": "dict", "default": {}},
        "release": {"type": "str"},
        "record": {"type": "str"},
        "checksum": {"type": "str"},
        "undo_on_failure": {"type": "bool"},
        "wait_timeout": {"type": "int", "default": 300},
        "soak": {"type": "int"},
        "log_line": {"type": "str"},
        "actor": {"type": "str"},
        "quorum": {"type": "str", "choices": [*QUORUMS], "default": "nodes"},
        "wait_for_old": {"type": "bool", "default": False},
        "allow_no_replicas": {"type": "bool", "default": False},
        **guard_options(),
    }


def wave_options() -> dict[str, t.Any]:
    """Of several rollouts: what all of them have in common, and a list of what is each one's own."""
    one = rollout_options()
    common = ("release", "wait_timeout", "quorum", "soak", "wait_for_old", "actor")
    own = ("name", "container", "environment", "log_line")
    services = {name: one[name] for name in own} | {
        "host": {"type": "str"},
        "image": {"type": "str", "required": True},
    }
    return {
        **kubernetes_options(),
        **guard_options(),
        **{name: one[name] for name in common},
        "undo_on_failure": {"type": "bool", "default": True},
        "services": {"type": "list", "elements": "dict", "required": True, "options": services},
        "waves": {"type": "list", "elements": "list"},
        "pinned": {"type": "dict", "default": {}},
        "checks": {**checks_options()["checks"], "required": False, "default": []},
        "health_timeout": {"type": "int", "default": 30},
        "fail": {"type": "bool", "default": True},
    }


def options_of(wave: t.Mapping[str, t.Any], service: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """The options of one rollout of a wave, with defaults for what a wave does not have."""
    one = rollout_options()
    common = {name: value for name, value in wave.items() if name in one}
    own = {name: value for name, value in service.items() if name in one and name != "host"}
    defaults = {name: option.get("default") for name, option in one.items()}
    return {**defaults, **common, **own, "state": "released"}
