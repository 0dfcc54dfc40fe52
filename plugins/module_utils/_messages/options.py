# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""The argument spec of announce: one dict of options for each channel."""

from __future__ import annotations

import typing as t

Spec = dict[str, t.Any]


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
