# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Argument spec builders, one for each doc fragment of the same name. Each call returns a fresh dict."""

from __future__ import annotations

import typing as t

Spec = dict[str, t.Any]


def kubernetes_options() -> Spec:
    return {
        "kubeconfig": {"type": "path"},
        "context": {"type": "str"},
        "host": {"type": "str"},
        "api_key": {"type": "str", "no_log": True},
        "ca_cert": {"type": "path"},
        "validate_certs": {"type": "bool", "default": True},
        "namespace": {"type": "str", "required": True},
    }


def postgres_options() -> Spec:
    return {
        "login_host": {"type": "str", "required": True},
        "login_port": {"type": "int", "default": 5432},
        "login_user": {"type": "str", "required": True},
        "login_password": {"type": "str", "no_log": True},
        "login_db": {"type": "str", "required": True},
        "ssl_mode": {
            "type": "str",
            "choices": ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"],
            "default": "verify-full",
        },
        "ca_cert": {"type": "path"},
        "connect_timeout": {"type": "int", "default": 10},
    }


def migrations_options() -> Spec:
    return {
        "additive_only": {"type": "bool", "default": True},
        "waivers": {"type": "dict", "default": {}},
        "lock_retries": {"type": "int", "default": 5},
        **lock_check_options(),
    }


def file_migrations_options() -> Spec:
    return {
        "state": {"type": "str", "choices": ["applied"], "default": "applied"},
        "expect_tables": {"type": "list", "elements": "str", "default": []},
        "drift": {"type": "str", "choices": ["fail", "warn"], "default": "fail"},
        "include_all": {"type": "bool", "default": False},
        "lock_timeout": {"type": "float", "default": 5},
        "statement_timeout": {"type": "float", "default": 0},
        "advisory_lock_timeout": {"type": "float", "default": 30},
    }


def s3_options() -> Spec:
    return {
        "bucket": {"type": "str", "required": True},
        "prefix": {"type": "str", "default": ""},
        "endpoint_url": {"type": "str"},
        "region": {"type": "str"},
        "access_key": {"type": "str", "no_log": True},
        "secret_key": {"type": "str", "no_log": True},
        "session_token": {"type": "str", "no_log": True},
        "profile": {"type": "str"},
        "path_style": {"type": "bool", "default": False},
        "s3_ca_cert": {"type": "path"},
    }


def supabase_options() -> Spec:
    return {
        "api_url": {"type": "str", "default": "https://api.supabase.com"},
        "project_ref": {"type": "str", "required": True},
        "access_token": {"type": "str", "required": True, "no_log": True},
        "ca_cert": {"type": "path"},
        "request_timeout": {"type": "int", "default": 60},
    }


def monitoring_options() -> Spec:
    return {
        "url": {"type": "str", "required": True},
        "token": {"type": "str", "no_log": True},
        "username": {"type": "str"},
        "password": {"type": "str", "no_log": True},
        "ca_cert": {"type": "path"},
        "client_cert": {"type": "path"},
        "client_key": {"type": "path", "no_log": False},
        "tenant": {"type": "str"},
    }


def wait_options(*, timeout: int = 300) -> Spec:
    return {
        "wait_timeout": {"type": "int", "default": timeout},
        "wait_sleep": {"type": "float", "default": 1.0},
    }


def secrets_options() -> Spec:
    return {
        "secrets": {
            "type": "list",
            "elements": "dict",
            "default": [],
            "no_log": False,
            "options": {
                "name": {"type": "str", "required": True},
                "environment": {"type": "str", "required": True},
                "purpose": {"type": "str", "required": True},
                "needed": {"type": "bool", "default": True},
            },
        },
    }


def variables_options() -> Spec:
    return {
        **secrets_options(),
        "placeholders": {"type": "str", "choices": ["refuse", "tell"], "default": "refuse"},
        "contracts": {
            "type": "list",
            "elements": "dict",
            "default": [],
            "options": {
                "role": {"type": "str", "default": ""},
                "reads": {"type": "list", "elements": "str", "default": []},
                "entry_points": {"type": "list", "elements": "str", "default": ["main"]},
                "hosts": {"type": "list", "elements": "str"},
                "later": {"type": "list", "elements": "str", "default": []},
            },
        },
    }


def functions_options() -> Spec:
    names: Spec = {"type": "list", "elements": "str"}
    return {
        "state": {
            "type": "str",
            "choices": ["deployed", "staged", "saved", "restored"],
            "default": "deployed",
        },
        "directory": {"type": "path"},
        "names": {**names},
        "verify_jwt": {"type": "bool"},
        "verify_jwt_by_name": {"type": "dict", "default": {}},
        "import_map": {"type": "path"},
        "required_secrets": {**names, "default": [], "no_log": False},
        "prune": {"type": "bool", "default": False},
        "force": {**names, "default": []},
        "archive": {"type": "path"},
        "archive_key": {"type": "str", "no_log": False},
        "archive_sha256": {"type": "str"},
        "release": {"type": "str"},
        "known": {"type": "dict", "default": {}},
        "staged": {"type": "dict"},
        **lock_check_options(),
        **s3_options(),
        "bucket": {"type": "str"},
    }


def function_secrets_options() -> Spec:
    return {
        "values": {"type": "dict", "default": {}, "no_log": True},
        "absent": {"type": "list", "elements": "str", "default": []},
    }


def function_probe_options() -> Spec:
    return {
        "functions_url": {"type": "str", "required": True},
        "names": {"type": "list", "elements": "str", "required": True},
        "probes": {"type": "dict", "default": {}},
        "version": {"type": "str"},
        "ca_cert": {"type": "path"},
        "request_timeout": {"type": "int", "default": 10},
        **wait_options(timeout=30),
    }


def webhook_options() -> Spec:
    return {
        "url": {"type": "str", "required": True},
        "verify_token": {"type": "str", "required": True, "no_log": True},
        "app_secret": {"type": "str", "required": True, "no_log": True},
        "guards": {"type": "bool", "default": True},
        "oversized_bytes": {"type": "int", "default": 2 * 1024 * 1024},
        "messages": {
            "type": "list",
            "elements": "dict",
            "default": [],
            "options": message_options(),
        },
        "answer": {"type": "dict", "options": answer_options()},
        "without_reply": {"type": "str", "choices": ["hold", "accept"], "default": "hold"},
        "message_prefix": {"type": "str", "default": "easymo-deploy"},
        "logs": {"type": "dict", "options": supabase_options()},
        "database": {"type": "dict", "options": postgres_options()},
        "message_column": {"type": "str", "default": "message_id"},
        "seen_timeout": {"type": "float", "default": 30},
        "ca_cert": {"type": "path"},
        "request_timeout": {"type": "int", "default": 30},
    }


def answer_options() -> Spec:
    return {
        "reply": {"type": "str", "default": "replies[?message_id=='{message_id}'] | [0]"},
        **{
            name: {"type": "str", "default": name} for name in ("route", "text", "buttons", "agent")
        },
    }


def message_options() -> Spec:
    tables = {"type": "list", "elements": "str", "default": []}
    return {
        "name": {"type": "str", "required": True},
        "from": {"type": "str", "required": True},
        "text": {"type": "str", "required": True},
        "route": {"type": "str", "choices": ["agent", "menu", "fallback"]},
        "reply_contains": {"type": "str", "default": ""},
        "buttons": {"type": "bool"},
        "recorded_in": {**tables},
        "not_recorded_in": {**tables},
    }


def guard_options() -> Spec:
    return {"fence": {"type": "int", "default": 0}, "lock": {"type": "str"}}


def lock_check_options() -> Spec:
    """For what is not in the cluster of the deploy lock."""
    return {**guard_options(), "kubernetes": {"type": "dict", "options": kubernetes_options()}}


def flags_probe_options() -> Spec:
    http = {
        "port": {"type": "int", "required": True},
        "path": {"type": "str", "required": True},
        "scheme": {"type": "str", "choices": ["http", "https"], "default": "http"},
    }
    return {
        "probe": {
            "type": "dict",
            "options": {
                "http": {"type": "dict", "options": http},
                "command": {"type": "list", "elements": "str"},
                "files": {"type": "str"},
                "values": {"type": "str", "default": "@"},
            },
        }
    }


def flagd_options() -> Spec:
    return {
        "flagd": {
            "type": "dict",
            "options": {
                "key": {"type": "str", "default": "flags.flagd.json", "no_log": False},
                "template": {"type": "str", "default": ""},
            },
        }
    }


def ramp_options() -> Spec:
    return {
        "name": {"type": "str", "default": "feature-flags"},
        "flag": {"type": "str", "required": True},
        "enabled_by": {"type": "str", "default": ""},
        "schedule": {
            "type": "list",
            "elements": "dict",
            "required": True,
            "options": {
                "day": {"type": "int", "required": True},
                "percentage": {"type": "int", "required": True},
                "users": {"type": "int"},
                "must_detect": {"type": "float"},
            },
        },
        "watch_duration": {"type": "float", "default": 7200},
        "day_length": {"type": "float", "default": 86400},
        "lock": {"type": "str"},
    }


def start_options() -> Spec:
    """What a release record knows of a ramp's first step."""
    return {
        "started": {"type": "str"},
        "watched": {"type": "str"},
        "blocked": {"type": "str", "default": ""},
        "unguarded": {"type": "str", "default": ""},
    }
