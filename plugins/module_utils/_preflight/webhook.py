# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Whether a webhook answers challenges and refuses what it must. No message is sent, so nobody is answered."""

from __future__ import annotations

import typing as t

from .._http import REQUESTS
from .._webhook.check import check_without_messages
from .models import Finding, Ground, Kind, Options, failed, held, passed


def look(options: Options, ground: Ground) -> t.Sequence[Finding]:
    outcomes = check_without_messages({**options, "request_timeout": ground.timeout})
    wrong = [one for one in outcomes if not one.passed]
    if not wrong:
        return [passed(f"{len(outcomes)} exchanges went as expected, none with a message")]
    judge = failed if any(one.status for one in wrong) else held
    return [judge("; ".join(f"{one.name}: {one.evidence}" for one in wrong))]


KIND = Kind(look, (REQUESTS,))
