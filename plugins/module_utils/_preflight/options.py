# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""The options of a check, those of each kind under the name of its kind."""

from __future__ import annotations

import typing as t

from .._checks.options import checks_options
from .._errors import InputError
from .._options import Spec, s3_options
from .models import Check


def readiness_options() -> Spec:
    """A fresh spec at each call."""
    return {
        "name": {"type": "str", "required": True},
        "item": {"type": "str", "default": ""},
        "kind": {"type": "str", "required": True, "choices": list(kind_options())},
        # Sanity takes the kind `token` for one; what is secret in any kind is hidden by itself.
        **{
            kind: {"type": "dict", "no_log": False, "options": spec}
            for kind, spec in kind_options().items()
        },
    }


def kind_options() -> dict[str, Spec]:
    return {
        "paths": {"paths": {"type": "list", "elements": "path", "required": True}},
        "health": checks_options(),
        "rollout": {"services": _names(required=True)},
        "pins": {"services": _names(required=True)},
        "rbac": {},
        "flags_start": {
            "name": {"type": "str", "default": "feature-flags"},
            "flag": {"type": "str", "default": "FEATURE_AI_AGENTS_ROLLOUT_PERCENTAGE"},
            "enabled_by": {"type": "str", "default": "FEATURE_AI_AGENTS"},
        },
        "backup_age": {
            **s3_options(),
            "names": _names(required=True),
            "max_age": {"type": "int", "default": 3600},
            "required": {"type": "bool", "default": False},
        },
        "test_results": {**_document(), "least": {"type": "int", "default": 1}},
        "load_test": {
            **_document(),
            "least_users": {"type": "float"},
            "error_rate": {"type": "float"},
            "p95": {"type": "float"},
        },
        "git": {
            "tag": {"type": "str", "required": True},
            "branch": {"type": "str", "default": "main"},
            "changelog": {"type": "str", "default": "CHANGELOG.md"},
            "items": {"type": "dict", "default": {}},
        },
        "commit_status": {
            **_service("https://api.github.com"),
            "repository": {"type": "str", "required": True},
            "contexts": _names(),
            "ignore": _names(),
        },
        "alert_rules": {
            "prometheus_url": {"type": "str", "required": True},
            "alertmanager_url": {"type": "str"},
            "alerts": _names(required=True),
            "receivers": _names(),
            **_access(),
        },
        "clock": {
            "url": {"type": "str", "required": True},
            "ca_cert": {"type": "path"},
            "max_skew": {"type": "float", "default": 5},
        },
        "certificate": {
            "url": {"type": "str", "required": True},
            "ca_cert": {"type": "path"},
            "days": {"type": "int", "default": 14},
        },
        "token": {
            "token": {"type": "str", "required": True, "no_log": True},
            "minutes": {"type": "int", "default": 0},
        },
        "slack": {
            **_service("https://slack.com/api/"),
            "people": _names(),
            "channels": _names(),
        },
        "pagerduty": {
            **_service("https://api.pagerduty.com"),
            "schedules": _names(required=True),
            "minutes": {"type": "int", "default": 0},
        },
        "launch_window": _launch_window(),
        "sign_offs": {
            "required": sign_offs_wanted(),
            "given": {"type": "dict", "default": {}},
        },
    }


def sign_offs_wanted() -> Spec:
    return {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "name": {"type": "str", "required": True},
            "what": {"type": "str", "required": True},
            "of": {"type": "str", "default": ""},
            "section": {"type": "str", "default": ""},
        },
    }


def read_checks(entries: t.Sequence[t.Mapping[str, t.Any]]) -> list[Check]:
    checks = [
        Check(entry["name"], entry["kind"], entry[entry["kind"]], entry["item"])
        for entry in entries
    ]
    names = [check.name for check in checks]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(f"Checks share a name, give each its own: {', '.join(twice)}.")
    return checks


def _launch_window() -> Spec:
    return {
        "window": {"type": "dict", "required": True},
        "lead_minutes": {"type": "int", "default": 0},
        "needed_minutes": {"type": "int", "default": 0},
        "wait_minutes": {"type": "int", "default": 0},
        "override_by": {"type": "str", "default": ""},
        "override_reason": {"type": "str", "default": ""},
    }


def _document() -> Spec:
    return {"path": {"type": "path"}, "url": {"type": "str"}, **_access()}


def _service(url: str) -> Spec:
    return {"api_url": {"type": "str", "default": url}, **_access()}


def _access() -> Spec:
    return {"token": {"type": "str", "no_log": True}, "ca_cert": {"type": "path"}}


def _names(*, required: bool = False) -> Spec:
    names: Spec = {"type": "list", "elements": "str"}
    return {**names, "required": True} if required else {**names, "default": []}
