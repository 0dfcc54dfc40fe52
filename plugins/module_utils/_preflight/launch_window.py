# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the launch window is open, for long enough, or who lets the release go outside of it."""

from __future__ import annotations

import typing as t
from dataclasses import replace
from datetime import timedelta

from .._time import format_time
from .._window import Outlook, Window, closed_sentence, describe, outlook, read_window
from .models import STOPPING, WAIVED, Finding, Ground, Kind, Options, failed, held, passed
from .outcome import read_waivers

OVERRIDE = "launch_window"
HOW = (
    "-e release_window_override_by=name -e \"release_window_override_reason='why'\" overrides this"
)


def look(options: Options, ground: Ground) -> t.Sequence[Finding]:
    window = read_window(options["window"])
    # Whoever overrules it does not want to wait.
    patience = 0 if options["override_by"] else options["wait_minutes"]
    ground = wait_for(window, ground, timedelta(minutes=patience))
    found = judge(
        window,
        outlook(window, ground.now),
        ground,
        lead=timedelta(minutes=options["lead_minutes"]),
        needed=timedelta(minutes=options["needed_minutes"]),
    )
    by, reason = (str(options[key] or "").strip() for key in ("override_by", "override_reason"))
    if not by and not reason:
        return [found]
    return [overrule(found, {"by": by, "reason": reason}, ground)]


def wait_for(window: Window, ground: Ground, most: timedelta) -> Ground:
    """The ground as it is when the window has opened, if it opens soon. A rehearsal does not wait."""
    seen = outlook(window, ground.now)
    if seen.open or seen.opens is None or seen.opens - ground.now > most or ground.check_mode:
        return ground
    left = (seen.opens - ground.now).total_seconds()
    ground.wait(left, f"The launch window opens {describe(seen.opens, window)}: waiting for it.")
    return replace(ground, now=seen.opens)


def judge(
    window: Window, seen: Outlook, ground: Ground, *, lead: timedelta, needed: timedelta
) -> Finding:
    """`lead`: so long before it opens one may begin; `needed`: so much of it must be left."""
    if not seen.open:
        if seen.opens is None or seen.opens - ground.now > lead:
            return failed(f"{closed_sentence(window, seen)}. {HOW}")
        opened = outlook(window, seen.opens)
        later = f"it opens {describe(seen.opens, window)}"
        return _enough(window, opened, max(seen.opens, ground.now), needed, later)
    return _enough(window, seen, ground.now, needed, "open")


def _enough(window: Window, seen: Outlook, since: t.Any, needed: timedelta, told: str) -> Finding:
    if seen.closes is None:
        return passed(f"{told}, no closing time")
    left = seen.closes - since
    if left < needed:
        return held(
            f"{told} and closes {describe(seen.closes, window)}: {_minutes(left)} minutes are "
            f"left, the plan needs {_minutes(needed)}. {HOW}"
        )
    return passed(
        f"{told} and closes {describe(seen.closes, window)}, {_minutes(left)} minutes later"
    )


def overrule(found: Finding, given: t.Mapping[str, str], ground: Ground) -> Finding:
    """By a name with a reason; it is recorded. What is open needs nobody."""
    waiver = read_waivers({OVERRIDE: given})[OVERRIDE]
    if found.status not in STOPPING:
        return found
    why = found.detail.removesuffix(f". {HOW}")
    record = ground.record.get()
    known = record.overrides.get(OVERRIDE) if record else None
    at = format_time(ground.now)
    # What it was lets go may differ from phase to phase; who did it, and why, does not.
    kept = isinstance(known, dict) and (known.get("by"), known.get("reason")) == (
        waiver.by,
        waiver.reason,
    )
    override = known if kept else waiver.to_override(why, None, at)
    return replace(
        found,
        status=WAIVED,
        detail=f"{waiver.by} overrides the launch window, because: {waiver.reason} ({why})",
        facts={"overrides": {OVERRIDE: override}},
    )


def _minutes(span: timedelta) -> int:
    return int(span.total_seconds() // 60)


KIND = Kind(
    look,
    {
        "window": {"type": "dict", "required": True},
        "lead_minutes": {"type": "int", "default": 0},
        "needed_minutes": {"type": "int", "default": 0},
        "wait_minutes": {"type": "int", "default": 0},
        "override_by": {"type": "str", "default": ""},
        "override_reason": {"type": "str", "default": ""},
    },
    reads_record=True,
)
