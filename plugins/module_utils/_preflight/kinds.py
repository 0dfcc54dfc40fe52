# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""How each kind of check looks, and which libraries it needs for that."""

from __future__ import annotations

import typing as t

from .. import _s3
from .._checks.kinds import LIBRARIES as COMPONENTS
from .._http import REQUESTS
from .._kubernetes_client import KUBERNETES
from .._library import Library
from .._messages.slack import SLACK_SDK
from . import (
    alert_rules,
    backup_age,
    certificate,
    clock,
    commit_status,
    flags_start,
    git,
    health,
    launch_window,
    load_test,
    pagerduty,
    paths,
    pins,
    rbac,
    rollout,
    sign_offs,
    slack_people,
    test_results,
    token,
)
from .models import Check, Runner

RUNNERS: dict[str, Runner] = {
    "paths": paths.look,
    "health": health.look,
    "rollout": rollout.look,
    "pins": pins.look,
    "rbac": rbac.look,
    "flags_start": flags_start.look,
    "backup_age": backup_age.look,
    "test_results": test_results.look,
    "load_test": load_test.look,
    "git": git.look,
    "commit_status": commit_status.look,
    "alert_rules": alert_rules.look,
    "clock": clock.look,
    "certificate": certificate.look,
    "token": token.look,
    "slack": slack_people.look,
    "pagerduty": pagerduty.look,
    "launch_window": launch_window.look,
    "sign_offs": sign_offs.look,
}

LIBRARIES: dict[str, tuple[Library, ...]] = {
    "rollout": (KUBERNETES,),
    "pins": (KUBERNETES,),
    "rbac": (KUBERNETES,),
    "flags_start": (KUBERNETES,),
    "backup_age": (_s3.BOTO3,),
    "test_results": (REQUESTS,),
    "load_test": (REQUESTS,),
    "commit_status": (REQUESTS,),
    "alert_rules": (REQUESTS,),
    "clock": (REQUESTS,),
    "certificate": (REQUESTS,),
    "slack": (SLACK_SDK,),
    "pagerduty": (REQUESTS,),
}

NEED_RECORD = frozenset({"pins", "flags_start", "launch_window", "sign_offs"})
"""Kinds that look into the release record, where one can be read."""


def libraries(checks: t.Iterable[Check]) -> list[Library]:
    """Those that the checks need, and no others."""
    found: list[Library] = []
    for check in checks:
        found += LIBRARIES.get(check.kind, ())
        if check.kind == "health":
            found += [COMPONENTS[entry["kind"]] for entry in check.options["checks"]]
    return list(dict.fromkeys(found))
