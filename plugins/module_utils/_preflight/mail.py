# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a mail server would take a mail. None is sent: the conversation ends before its text."""

from __future__ import annotations

import typing as t

from .._messages import plan
from .._messages.mail import would_take
from .._messages.options import mail_server_options
from .._time import Deadline
from .models import Finding, Ground, Kind, Options, passed


def look(options: Options, ground: Ground) -> t.Sequence[Finding]:
    mail = plan.mail({**options, "subject": ""}, text="")
    would_take(mail, Deadline(ground.timeout), options["ca_cert"])
    return [passed(f"{mail.host}:{mail.port} takes mail for {mail.target}")]


KIND = Kind(look, {**mail_server_options(), "ca_cert": {"type": "path"}})
