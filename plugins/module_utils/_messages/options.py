# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""The argument spec of announce: one dict of options for each channel."""

from __future__ import annotations

import typing as t

Spec = dict[str, t.Any]

INCIDENT_STATUSES = [
    "investigating",
    "identified",
    "monitoring",
    "resolved",
    "scheduled",
    "in_progress",
    "verifying",
    "completed",
]


def announce_options() -> Spec:
    channels = {
        "slack": slack_options(),
        "email": email_options(),
        "pagerduty": pagerduty_options(),
        "statuspage": statuspage_options(),
    }
    return {
        "text": {"type": "str", "default": ""},
        "required": {"type": "bool", "default": False},
        "timeout": {"type": "int", "default": 20},
        "ca_cert": {"type": "path"},
        **{name: {"type": "dict", "options": options} for name, options in channels.items()},
    }


def slack_options() -> Spec:
    return {
        "api_url": {"type": "str", "default": "https://slack.com/api/"},
        "token": {"type": "str", "no_log": True},
        "channel": {"type": "str"},
        "webhook_url": {"type": "str", "no_log": True},
        "text": {"type": "str"},
        "mention": {"type": "list", "elements": "str"},
        "people": {"type": "dict"},
        "archive": {"type": "bool", "default": False},
    }


def mail_server_options() -> Spec:
    starttls = ["required", "optional", "never", "implicit"]
    return {
        "host": {"type": "str", "required": True},
        "port": {"type": "int", "default": 587},
        "starttls": {"type": "str", "choices": starttls, "default": "required"},
        "username": {"type": "str"},
        "password": {"type": "str", "no_log": True},
        "sender": {"type": "str", "required": True},
        "recipients": {"type": "list", "elements": "str", "required": True},
    }


def email_options() -> Spec:
    return {
        **mail_server_options(),
        "subject": {"type": "str", "required": True},
        "text": {"type": "str"},
        "html": {"type": "str"},
        "attachments": {"type": "list", "elements": "path"},
    }


def pagerduty_options() -> Spec:
    actions = ["trigger", "acknowledge", "resolve"]
    severities = ["critical", "error", "warning", "info"]
    return {
        "url": {"type": "str", "default": "https://events.pagerduty.com"},
        "routing_key": {"type": "str", "required": True, "no_log": True},
        "action": {"type": "str", "choices": actions, "default": "trigger"},
        "dedup_key": {"type": "str", "required": True, "no_log": False},
        "severity": {"type": "str", "choices": severities, "default": "critical"},
        "source": {"type": "str", "default": "easymo.deploy"},
        "summary": {"type": "str"},
        "details": {"type": "dict"},
    }


def statuspage_options() -> Spec:
    return {
        "url": {"type": "str", "default": "https://api.statuspage.io/v1"},
        "token": {"type": "str", "required": True, "no_log": True},
        "page_id": {"type": "str", "required": True},
        "name": {"type": "str", "required": True},
        "status": {"type": "str", "required": True, "choices": INCIDENT_STATUSES},
        "body": {"type": "str"},
        "components": {"type": "dict"},
        "minutes": {"type": "int", "default": 120},
    }
