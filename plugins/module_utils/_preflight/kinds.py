# SPDX-License-Identifier: GPL-3.0-or-later
"""The kinds of checks, and the options of a task that has some of them."""

from __future__ import annotations

import typing as t

from .._library import Library
from .._module import refuse_twice
from . import (
    alert_rules,
    backup_age,
    bucket,
    certificate,
    clock,
    commit_status,
    flags_readers,
    flags_start,
    functions,
    git,
    health,
    images,
    launch_window,
    load_test,
    mail,
    pagerduty,
    paths,
    pins,
    placeholders,
    plan,
    programs,
    queries,
    rbac,
    rights,
    rollout,
    rollout_share,
    series,
    sign_offs,
    slack_people,
    test_results,
    token,
    unknowable,
    webhook,
)
from .models import Check, Kind

KINDS: t.Mapping[str, Kind] = {
    "plan": plan.KIND,
    "paths": paths.KIND,
    "health": health.KIND,
    "rollout": rollout.KIND,
    "pins": pins.KIND,
    "rbac": rbac.KIND,
    "flags_start": flags_start.KIND,
    "backup_age": backup_age.KIND,
    "images": images.KIND,
    "test_results": test_results.KIND,
    "load_test": load_test.KIND,
    "git": git.KIND,
    "commit_status": commit_status.KIND,
    "alert_rules": alert_rules.KIND,
    "clock": clock.KIND,
    "certificate": certificate.KIND,
    "token": token.KIND,
    "slack": slack_people.KIND,
    "pagerduty": pagerduty.KIND,
    "launch_window": launch_window.KIND,
    "sign_offs": sign_offs.KIND,
    "placeholders": placeholders.KIND,
    "programs": programs.KIND,
    "queries": queries.KIND,
    "series": series.KIND,
    "mail": mail.KIND,
    "bucket": bucket.KIND,
    "webhook": webhook.KIND,
    "functions": functions.KIND,
    "rights": rights.KIND,
    "flags_readers": flags_readers.KIND,
    "rollout_share": rollout_share.KIND,
    "unknowable": unknowable.KIND,
}


def read_checks(entries: t.Sequence[t.Mapping[str, t.Any]]) -> list[Check]:
    checks = [
        Check(
            entry["name"],
            entry["kind"],
            entry[entry["kind"]],
            entry["item"],
            entry["cure"],
            entry["needs"],
            entry["unless"],
        )
        for entry in entries
    ]
    refuse_twice("Checks", checks)
    return checks


def libraries(checks: t.Iterable[Check]) -> list[Library]:
    """Those that the checks need, and no others."""
    found: list[Library] = []
    for check in checks:
        kind = KINDS[check.kind]
        found += [*kind.libraries, *kind.components(check.options)]
    return list(dict.fromkeys(found))
