# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""The options of a diagnosis: each system is an option of its own, so that each may be left out."""

from __future__ import annotations

import typing as t

from .._checks.kinds import checks_options
from .._gate.options import metric_options
from .._options import (
    flags_probe_options,
    kubernetes_options,
    monitoring_options,
    postgres_options,
    s3_options,
    secrets_options,
    supabase_options,
)
from .models import ENTRIES


def diagnosis_options() -> dict[str, t.Any]:
    names: dict[str, t.Any] = {"type": "list", "elements": "str", "default": []}
    return {
        "entries": {**names, "choices": list(ENTRIES), "default": list(ENTRIES)},
        "service": {"type": "str", "default": ""},
        "function": {"type": "str", "default": ""},
        "release": {"type": "str", "required": True},
        "dest": {"type": "path", "required": True},
        "kubernetes": {"type": "dict", "options": kubernetes_options()},
        "services": {**names},
        "log_services": {**names},
        "flags_config_map": {"type": "str", "default": ""},
        "flags_consumers": {**names},
        **flags_probe_options(),
        "checks": {**checks_options()["checks"], "required": False, "default": []},
        "prometheus": {"type": "dict", "options": prometheus_options()},
        "supabase": {"type": "dict", "options": supabase_options()},
        "functions": {"type": "dict", "options": functions_options()},
        "databases": {
            "type": "list",
            "elements": "dict",
            "default": [],
            "options": database_options(),
        },
        "backups": {"type": "dict", "options": s3_options()},
        "redact": {"type": "list", "elements": "str", "default": [], "no_log": True},
        "log_lines": {"type": "int", "default": 200},
        "log_bytes": {"type": "int", "default": 256 * 1024},
        "pods": {"type": "int", "default": 5},
        "inventory": {"type": "list", "elements": "str", "default": []},
        "playbooks": {"type": "str", "default": ""},
        "program": {"type": "str", "default": ""},
        "timeout": {"type": "float", "default": 40},
        **secrets_options(),
    }


def prometheus_options() -> dict[str, t.Any]:
    return {
        "server": {"type": "dict", "required": True, "options": monitoring_options()},
        "metrics": {
            "type": "list",
            "elements": "dict",
            "default": [],
            "options": metric_options(),
            "required_if": [("kind", "postgres", ["connection"])],
        },
        "service_errors": {"type": "str", "default": ""},
        "query_timeout": {"type": "float", "default": 10},
    }


def functions_options() -> dict[str, t.Any]:
    names: dict[str, t.Any] = {"type": "list", "elements": "str"}
    return {
        "functions_url": {"type": "str", "required": True},
        "names": {**names, "required": True},
        "probes": {"type": "dict", "default": {}},
        "verify_jwt": {"type": "bool"},
        "verify_jwt_by_name": {"type": "dict", "default": {}},
        "required_secrets": {**names, "default": [], "no_log": False},
        "ca_cert": {"type": "path"},
        "request_timeout": {"type": "int", "default": 10},
    }


def database_options() -> dict[str, t.Any]:
    return {
        "name": {"type": "str", "required": True},
        "kind": {"type": "str", "choices": ["supabase", "prisma", "sql"], "required": True},
        "connection": {"type": "dict", "options": postgres_options(), "required": True},
        "directory": {"type": "path", "required": True},
        "schema": {"type": "str", "default": "public"},
        "backup": {"type": "str", "default": ""},
        "expect_tables": {"type": "list", "elements": "str", "default": []},
    }
