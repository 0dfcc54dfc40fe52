# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a webhook answers challenges and refuses what it must. No message is sent, so nobody is answered."""

from __future__ import annotations

import typing as t

from .._http import REQUESTS
from .._options import webhook_options
from .._webhook.check import check_without_messages
from .models import Finding, Ground, Kind, Options, failed, held, passed


def look(options: Options, ground: Ground) -> t.Sequence[Finding]:
    outcomes = check_without_messages({**options, "request_timeout": ground.timeout})
    wrong = [one for one in outcomes if not one.passed]
    if not wrong:
        return [passed(f"{len(outcomes)} exchanges went as expected, none with a message")]
    judge = failed if any(one.status for one in wrong) else held
    return [judge("; ".join(f"{one.name}: {one.evidence}" for one in wrong))]


_NEEDED = ("url", "verify_token", "app_secret", "oversized_bytes", "ca_cert")
_ALL = webhook_options()
KIND = Kind(look, {name: _ALL[name] for name in _NEEDED}, (REQUESTS,))
