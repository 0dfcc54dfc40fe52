# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Whether a mail server would take a mail. None is sent: the conversation ends before its text."""

from __future__ import annotations

import typing as t

from .._messages.mail import would_take
from .._messages.models import Mail
from .._time import Deadline
from .models import Finding, Ground, Kind, Options, passed
from .options import names


def look(options: Options, ground: Ground) -> t.Sequence[Finding]:
    given = {name: options[name] for name in ("host", "port", "starttls", "sender")}
    mail = Mail(
        **given,
        recipients=tuple(options["recipients"]),
        username=options["username"] or "",
        password=options["password"] or "",
        subject="",
        text="",
    )
    would_take(mail, Deadline(ground.timeout), options["ca_cert"])
    told = ", ".join(options["recipients"])
    return [passed(f"{options['host']}:{options['port']} takes mail for {told}")]


KIND = Kind(
    look,
    {
        "host": {"type": "str", "required": True},
        "port": {"type": "int", "default": 587},
        "starttls": {
            "type": "str",
            "choices": ["required", "optional", "never"],
            "default": "required",
        },
        "username": {"type": "str"},
        "password": {"type": "str", "no_log": True},
        "sender": {"type": "str", "required": True},
        "recipients": names(required=True),
        "ca_cert": {"type": "path"},
    },
)
