# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the checks of a preflight, and judge their rows together: waivers, one sentence of all problems, the verdict.

Those of the release itself are here, too: its plan, files, values, launch window and first users.
"""

from __future__ import annotations

import functools
import json
import os
import typing as t
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from .._arguments import decided_by
from .._doc_fragments._module import nested
from .._doc_fragments._release_run import WINDOW
from .._errors import HoldError, InputError, NotReadyError, NotReadyToReleaseError, UnreachableError
from .._release.order import Waiver
from .._release.plan import merge
from .._release.record import Act
from .._time import format_time
from .._variable_check import placeholders, placeholders_told
from .._window import Window, closed_sentence, describe, outlook, read_window
from . import models
from .models import (
    FAIL,
    HOLD,
    STOPPING,
    WAIVED,
    Check,
    Finding,
    Ground,
    Kind,
    Kinds,
    Options,
    ended,
    failed,
    held,
    passed,
    skipped,
)

GO, STOP = "go", "stop"
OF_THE_DAY = frozenset({"launch_window", "sign_offs"})
"""Kinds that a rehearsal tells of and does not stop at: it may be made at any hour and before anybody has signed."""
OF_MESSAGES = frozenset({"slack", "pagerduty"})
"""Kinds that look at how people are told. What is released runs without them."""


def run_preflight(
    checks: t.Sequence[Check], kinds: Kinds, ground: Ground, *, report: t.Callable[[Finding], None]
) -> list[Finding]:
    """The rows in the order of the checks. `report` hears of each as it ends."""
    return models.run_checks(
        checks,
        lambda check: _unmet(check) or kinds[check.kind].look(check.options, ground),
        lambda problem: models.error_finding(problem, UnreachableError, NotReadyError),
        report=report,
    )


def _unmet(check: Check) -> Finding | None:
    """Why it is not looked at. What is missing is a problem of its own, told elsewhere and once."""
    if check.unless:
        return skipped(check.unless)
    missing = [name for name, value in check.needs.items() if not str(value or "").strip()]
    if missing:
        return skipped(f"not known from here: {', '.join(missing)} has no value")
    left = list(placeholders(check.kind, check.options))
    return skipped(f"not known before {', '.join(left)} is filled in") if left else None


def waive(
    rows: t.Sequence[Finding],
    waivers: t.Mapping[str, Waiver],
    known: t.Mapping[str, Act],
    at: str,
) -> list[Finding]:
    """What is well needs no waiver; one that nothing is called by is a problem of its own.

    The facts of a row that was waived have what the record keeps of that; `known` is what it has of it already.
    """

    def waived(row: Finding) -> Finding:
        waiver = waivers.get(row.name)
        if waiver is None or row.status not in STOPPING:
            return row
        what = f"{row.item or row.name}: {row.detail}"
        override = {row.name: waiver.to_override(what, known.get(row.name), at)}
        why = f"{waiver.reason} (was {row.status}: {row.detail})"
        return replace(
            row,
            status=WAIVED,
            detail=f"waived by {waiver.by}, because: {why}",
            facts=merge(row.facts or {}, {"overrides": override}),
        )

    results = [waived(row) for row in rows]
    names = {row.name for row in rows}
    if strange := sorted(set(waivers) - names):
        detail = f"no row is called {', '.join(strange)}; there are {', '.join(sorted(names))}"
        results.append(failed(detail, name="waivers", kind="waivers"))
    return results


def sentence(rows: t.Sequence[Finding], stops: t.Sequence[Finding]) -> str:
    """Every problem, the definite ones first, and how to go without messages. Empty when there is none."""
    parts = []
    for status, words in ((FAIL, "failed"), (HOLD, "have no answer")):
        results = [row for row in rows if row.status == status]
        if results:
            listed = " ".join(f"({n}) {ended(str(row))}" for n, row in enumerate(results, 1))
            parts.append(f"{len(results)} of {len(rows)} checks {words}: {listed}")
    if stops and all(row.status == HOLD and row.kind in OF_MESSAGES for row in stops):
        waiver = {"by": "your name", "reason": "why"}
        waivers = json.dumps({"release_waivers": {row.name: waiver for row in stops}})
        parts.append(
            "Only messages depend on that: to release without them, run it again with -e "
            f"'{waivers}'; it is recorded."
        )
    return " ".join(parts)


def facts_of(rows: t.Sequence[Finding]) -> dict[str, t.Any]:
    """What the release record is to keep of them."""
    return functools.reduce(merge, [row.facts or {} for row in rows], {})


def conclude(
    rows: t.Sequence[Finding], *, check_mode: bool, untouched: str = ""
) -> dict[str, t.Any]:
    """The result of the task; raises when something stops the release, and says what is `untouched`."""
    stops = [
        row
        for row in rows
        if row.status in STOPPING and not (check_mode and row.kind in OF_THE_DAY)
    ]
    definite = any(row.status == FAIL for row in stops)
    text = sentence(rows, stops)
    result: dict[str, t.Any] = {
        "verdict": STOP if definite else HOLD if stops else GO,
        "results": [row.to_result("item") for row in rows],
        "lines": [row.line for row in rows],
        "facts": facts_of(rows),
    }
    if stops:
        error = NotReadyToReleaseError if definite else HoldError
        raise error(f"{text} {untouched}".strip(), **result)
    return {"changed": False, "sentence": text, **result}


def look_plan(options: Options, _ground: Ground) -> Finding:
    """Whether the phases of a release are those of the deployment, in its order, and have something to work on.

    `needs`: by phase, `what` it works on, in words, and what is `found` of it.
    """
    phases, known, needs = options["phases"], options["known"], options["needs"]
    problems = [
        f"{name} is not a phase: write one of {', '.join(known)} into release_plan"
        for name in phases
        if name not in known
    ]
    twice = sorted({name for name in phases if phases.count(name) > 1})
    problems += [f"release_plan has {name} twice: keep one" for name in twice]
    ours = [name for name in phases if name in known]
    ordered = sorted(ours, key=known.index)
    if ours != ordered:
        problems.append(
            f"release_plan has its phases in another order than they run in: {', '.join(ordered)}"
        )
    if known and known[-1] not in phases:
        problems.append(
            f"without {known[-1]} the release never ends: add it as the last of release_plan"
        )
    problems += [
        f"phase {name} has nothing to do: give the release {needs[name]['what']}, "
        "or leave the phase out of release_plan"
        for name in phases
        if name in needs and not needs[name]["found"]
    ]
    if problems:
        return failed("; ".join(problems))
    return passed(f"{len(phases)} phases: {', '.join(phases)}")


def look_paths(options: Options, _ground: Ground) -> Finding:
    """Whether the files and folders that a release is made of are here."""
    missing = [path for path in options["paths"] if not Path(path).exists()]
    if missing:
        return failed(
            f"missing: {', '.join(missing)}; check out the application at the release's tag and "
            "set release_checkout"
        )
    if options["written"] and (why := _unwritable(Path(options["written"]))):
        return failed(f"{why}, so the report could not be written: correct it")
    return passed(f"{len(options['paths'])} files and folders exist")


ROOM = 16 << 20
"""Bytes that the files of a release have room in, many times over."""


def _unwritable(folder: Path) -> str:
    """Why no file can be made in a folder, which itself may still have to be made; "" where it can."""
    there = next(path for path in (folder, *folder.absolute().parents) if os.access(path, os.F_OK))
    if not there.is_dir():
        return f"{there} is no folder"
    if not os.access(there, os.W_OK | os.X_OK):
        return f"{there} can't be written"
    system = os.statvfs(there)
    left = system.f_bavail * system.f_frsize
    return f"{there} has no room ({left >> 20} MiB left)" if left < ROOM else ""


def look_placeholders(options: Options, _ground: Ground) -> Finding:
    """What of an inventory its owner still has to fill in."""
    left = options["left"]
    return failed(placeholders_told(left)) if left else passed("every value is filled in")


def look_unknowable(options: Options, _ground: Ground) -> Finding:
    """What is unknown here before it happens. A list without problems would look complete without it."""
    return skipped(options["why"])


OVERRIDE = "launch_window"
HOW = "-e release_window_override=true -e by=name -e \"reason='why'\" overrides this"


def look_launch_window(options: Options, ground: Ground) -> Finding:
    """Whether the launch window is open, for long enough, or who lets the release go outside of it."""
    window, now = read_window(options["window"]), ground.now
    # Neither a person who overrules it nor a rehearsal waits.
    waits = not options["override_by"] and not ground.check_mode
    opens = outlook(window, now).opens
    if waits and opens and opens - now <= timedelta(minutes=options["wait_minutes"]):
        why = f"The launch window opens {describe(opens, window)}: waiting for it."
        ground.wait((opens - now).total_seconds(), why)
        ground = replace(ground, now=opens)
    finding = judge_launch_window(window, ground.now, options)
    by, reason = (str(options[key] or "").strip() for key in ("override_by", "override_reason"))
    return overrule(finding, {"by": by, "reason": reason}, ground) if by or reason else finding


def judge_launch_window(window: Window, now: datetime, options: Options) -> Finding:
    """So long before it opens one may begin (`lead_minutes`), and so much of it must be left (`needed_minutes`)."""
    observed, since, text = outlook(window, now), now, "open"
    minute, needed = timedelta(minutes=1), options["needed_minutes"]
    if not observed.open:
        if observed.opens is None or observed.opens - now > options["lead_minutes"] * minute:
            return failed(f"{closed_sentence(window, observed)}. {HOW}")
        since, text = observed.opens, f"it opens {describe(observed.opens, window)}"
        observed = outlook(window, since)
    if observed.closes is None:
        return passed(f"{text}, no closing time")
    text = f"{text} and closes {describe(observed.closes, window)}"
    left = (observed.closes - since) / minute
    if left < needed:
        return held(f"{text}: {int(left)} minutes are left, the plan needs {needed}. {HOW}")
    return passed(f"{text}, {int(left)} minutes later")


def overrule(finding: Finding, given: t.Mapping[str, str], ground: Ground) -> Finding:
    """By a name with a reason; it is recorded. An open window needs no override."""
    by, reason = decided_by("release_window_override", given)
    if not by or not reason:
        raise InputError(f"The override of 'launch_window' lacks a name or a reason: {HOW}.")
    if finding.status not in STOPPING:
        return finding
    why = finding.detail.removesuffix(f". {HOW}")
    record = ground.record.get()
    known = record.overrides.get(OVERRIDE) if record else None
    # What it was lets go may differ from phase to phase; who did it, and why, does not.
    stored = known and (known.by, known.reason) == (by, reason)
    what = known.what if known and stored else why
    override = Waiver(by, reason).to_override(what, known, format_time(ground.now))
    return replace(
        finding,
        status=WAIVED,
        detail=f"{by} overrides the launch window, because: {reason} ({why})",
        facts={"overrides": {OVERRIDE: override}},
    )


PLAN_OPTIONS = """  description:
    - Whether the phases of the release are phases of the deployment, in its order, end with its last one, and have
      something to work on.
  suboptions:
    phases:
      description: The names of the release's phases, in order.
      type: list
      elements: str
      required: true
    known:
      description: Those of the deployment, in order.
      type: list
      elements: str
      required: true
    needs:
      description:
        - By phase, C(what) it can't do without, in words, and what is C(found) of it, a list.
        - Phases that always have something to do are left out.
      type: dict
      default: {}
"""
PATHS_OPTIONS = """  description: Whether files and folders exist.
  suboptions:
    paths:
      description: The files and folders.
      type: list
      elements: path
      required: true
    written:
      description: A folder that must take files, or have a parent in which it can be made. Empty for none.
      type: path
"""
LAUNCH_WINDOW_OPTIONS = f"""  description: Whether the launch window is open for long enough.
  suboptions:
{nested(WINDOW, 4, "checks[].launch_window")}"""
PLACEHOLDERS_OPTIONS = """  description: Whether everything of an inventory is filled in.
  suboptions:
    left:
      description: What is not, as RV(easymo.deploy.release_variables#module:placeholders).
      type: list
      elements: dict
      required: true
      suboptions:
        name:
          description: The path to the value.
          type: str
          required: true
        file:
          description: The file that it stands in.
          type: str
          default: ""
"""
UNKNOWABLE_OPTIONS = """  description: A fact that is unknown here before it happens. It is listed as skipped.
  suboptions:
    why:
      description: Why, and where it will be seen.
      type: str
      required: true
"""

KINDS: Kinds = {
    "plan": Kind(look_plan, PLAN_OPTIONS),
    "paths": Kind(look_paths, PATHS_OPTIONS),
    "placeholders": Kind(look_placeholders, PLACEHOLDERS_OPTIONS),
    "unknowable": Kind(look_unknowable, UNKNOWABLE_OPTIONS),
    "launch_window": Kind(look_launch_window, LAUNCH_WINDOW_OPTIONS, reads_record=True),
}
