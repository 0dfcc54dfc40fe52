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
