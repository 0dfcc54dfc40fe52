# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""The options of a check, those of each kind under the name of its kind."""

from __future__ import annotations

import typing as t

from .._options import kubernetes_options, postgres_options

KINDS = ("postgres", "redis", "kafka", "http", "kubernetes")


def checks_options() -> dict[str, t.Any]:
    """Several checks, and how long they may take to be well."""
    return {
        "checks": {
            "type": "list",
            "elements": "dict",
            "required": True,
            "options": check_options(),
            "required_if": [("kind", kind, [kind]) for kind in KINDS],
        },
        "wait_timeout": {"type": "float", "default": 0},
        "wait_sleep": {"type": "float", "default": 1.0},
    }


def check_options() -> dict[str, t.Any]:
    return {
        "name": {"type": "str", "required": True},
        "kind": {"type": "str", "choices": list(KINDS), "required": True},
        "timeout": {"type": "float", "default": 10},
        "postgres": {
            "type": "dict",
            "options": {
                **postgres_options(),
                "query": {"type": "str", "default": "SELECT 1"},
                "expect": {"type": "str", "default": "1"},
            },
        },
        "redis": {"type": "dict", "options": redis_options()},
        "kafka": {"type": "dict", "options": kafka_options()},
        "http": {"type": "dict", "options": http_options()},
        "kubernetes": {
            "type": "dict",
            "options": {
                **kubernetes_options(),
                "label_selector": {"type": "str", "default": ""},
                "log_without": {"type": "str", "default": ""},
            },
        },
    }


def redis_options() -> dict[str, t.Any]:
    return {
        "host": {"type": "str", "required": True},
        "port": {"type": "int", "default": 6379},
        "username": {"type": "str"},
        "password": {"type": "str", "no_log": True},
        "tls": {"type": "bool", "default": False},
        "ca_cert": {"type": "path"},
    }


def kafka_options() -> dict[str, t.Any]:
    return {
        "bootstrap": {"type": "str", "required": True},
        "topics": {"type": "list", "elements": "str", "default": []},
        "tls": {"type": "bool", "default": False},
        "ca_cert": {"type": "path"},
        "username": {"type": "str"},
        "password": {"type": "str", "no_log": True},
        "sasl_mechanism": {
            "type": "str",
            "choices": ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"],
            "default": "SCRAM-SHA-512",
        },
    }


def http_options() -> dict[str, t.Any]:
    return {
        "url": {"type": "str", "required": True},
        "method": {"type": "str", "default": "GET"},
        "headers": {"type": "dict", "default": {}, "no_log": True},
        "body": {"type": "raw"},
        "status": {"type": "list", "elements": "int", "default": [200]},
        "json": {"type": "dict", "default": {}},
        "text": {"type": "str"},
        "ca_cert": {"type": "path"},
    }
