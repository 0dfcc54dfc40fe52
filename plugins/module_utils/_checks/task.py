# SPDX-License-Identifier: GPL-3.0-or-later
"""The kinds of checks of a preflight and of smoke tests, and the checks of one task.

A task is one of the module preflight_check, or looks at the launch window before a phase.
"""

from __future__ import annotations

import time
import typing as t
from datetime import datetime

from .._cluster import MonotonicClock
from .._errors import InputError, refuse_missing
from .._kubernetes import KubernetesCluster
from .._kubernetes_client import Connection
from .._module import Module, add_fragment, emit_progress, refuse_twice
from .._release.order import read_waivers
from .._release.record import Record
from .._release.store import ReleaseStore
from .._release.task import change_record, plain
from .._time import UTC, utc_now
from . import (
    cluster,
    database,
    documents,
    git,
    health,
    metrics,
    models,
    payment,
    people,
    preflight,
    web,
    webhook,
)
from .models import Check, Finding, Ground, Kinds, Known
from .preflight import OVERRIDE, conclude, facts_of, run_preflight, waive

PREFLIGHT: Kinds = {
    **preflight.KINDS,
    **health.KINDS,
    **webhook.KINDS,
    **cluster.KINDS,
    **database.KINDS,
    **git.KINDS,
    **documents.KINDS,
    **web.KINDS,
    **metrics.KINDS,
    **people.KINDS,
}
SMOKE_TESTS: Kinds = {**health.TESTS, **webhook.TESTS, **payment.TESTS, **metrics.TESTS}

OF_PREFLIGHT = """name:
  description: What the row is called. Kinds that end in several rows name them themselves.
  type: str
  required: true
item:
  description: The line of the checklist that it proves, or what the release needs it for.
  type: str
  default: ""
cure:
  description: What to do when it is not well, beside what its kind says.
  type: str
  default: ""
needs:
  description:
    - Values without which nothing can be seen, by the names of their variables, such as secrets. When one is empty
      the row is V(skipped) and names it.
  type: dict
  default: {}
unless:
  description: Why nothing needs it here. The row is V(skipped) then, and tells it.
  type: str
  default: ""
"""
_OF_SMOKE_TESTS = """name:
  description: What the test is called.
  type: str
  required: true
scenario:
  description: The scenario of a runbook that it plays, kept with its result.
  type: str
  default: ""
note:
  description: What its line says first when it passes, for example V(1% traffic).
  type: str
  default: ""
"""
add_fragment(
    "_checks.preflight", "checks", models.options_of(OF_PREFLIGHT, "What is checked", PREFLIGHT)
)
add_fragment(
    "_checks.smoke_tests", "tests", models.options_of(_OF_SMOKE_TESTS, "What it does", SMOKE_TESTS)
)


def read_tests(entries: t.Sequence[t.Mapping[str, t.Any]]) -> list[Check]:
    tests = models.read_checks(entries)
    refuse_twice("Smoke tests", tests)
    for test in tests:
        SMOKE_TESTS[test.kind].refuse(test.name, test.options)
    return tests


Params = t.Mapping[str, t.Any]


def check_window(module: Module, window: Params) -> dict[str, t.Any]:
    """The overrides to record, for a `window` as the options of the check's kind. Raises what stops the release."""
    check = {"name": OVERRIDE, "kind": OVERRIDE, OVERRIDE: window}
    defaults = {"checkout": "", "commit": "", "timeout": 10.0, "waivers": {}}
    result = check_release(module, {**module.params, **defaults, "checks": [check]})
    return t.cast("dict[str, t.Any]", result["facts"])


def check_release(module: Module, params: Params) -> dict[str, t.Any]:
    """Carry out `checks` of `params`, and return the result of the module preflight_check."""
    waivers = read_waivers("release_waivers", params["waivers"])
    checks = models.read_checks(params["checks"])
    refuse_twice("Checks", checks)
    refuse_missing(models.libraries(checks, PREFLIGHT))
    ground = survey(module, params, checks, uses_record=bool(waivers))

    def report(row: Finding) -> None:
        emit_progress(module, "CheckEnded", row.line, {"name": row.name, "status": row.status})

    rows = run_preflight(checks, PREFLIGHT, ground, report=report)
    for warning in (each for row in rows for each in row.warnings):
        module.warn(warning)
    record = ground.record.value
    rows = waive(rows, waivers, record.overrides if record else {}, utc_now())
    if params.get("record"):
        store = ReleaseStore(ground.cluster(), params["release"], clock=MonotonicClock())
        change = {"git_sha": ground.commit.value, "facts": plain(facts_of(rows))}
        change_record(store, check_mode=module.check_mode, **change)
    result = conclude(rows, check_mode=module.check_mode, untouched=params.get("untouched", ""))
    if result["sentence"]:
        module.warn(f"It would stop: {result['sentence']}")
    return {**result, "commit": ground.commit.value}


def survey(
    module: Module, params: Params, checks: t.Sequence[Check], *, uses_record: bool
) -> Ground:
    """What is looked up once for all of them."""
    wants = uses_record or any(PREFLIGHT[check.kind].reads_record for check in checks)

    def cluster() -> KubernetesCluster:
        if not params["namespace"]:
            raise InputError("'namespace' is missing, so the cluster cannot be asked: set it.")
        return KubernetesCluster(Connection.from_params(params))

    def record() -> Record | None:
        if not (wants and params["namespace"]):
            return None
        return ReleaseStore(cluster(), params["release"], clock=MonotonicClock()).read()

    def wait(seconds: float, why: str) -> None:
        emit_progress(module, "Waiting", why, {"seconds": round(seconds)})
        time.sleep(seconds)

    def commit() -> str:
        return params["commit"] or (params["checkout"] and git.head_of(params["checkout"])) or ""

    return Ground(
        release=params["release"],
        checkout=params["checkout"] or "",
        now=datetime.now(UTC),
        timeout=params["timeout"],
        check_mode=module.check_mode,
        commit=Known.of(commit, ""),
        record=Known.of(record, None),
        cluster=cluster,
        wait=wait,
    )
