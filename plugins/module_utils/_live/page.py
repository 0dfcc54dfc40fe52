# SPDX-License-Identifier: GPL-3.0-or-later
"""From a look to the page: live, or as the run left it. Pure."""

from __future__ import annotations

import typing as t
from dataclasses import replace
from datetime import datetime

from .._messages.redactor import Redactor
from .._report.build import build_report
from .._report.models import Asked, Live
from .._report.render import as_html
from .doing import doing, moment, with_watch
from .models import Sight

DEPTH = 20


def page_of(
    sight: Sight,
    asked: Asked,
    now: datetime,
    redact: Redactor,
    *,
    problems: t.Sequence[str] = (),
) -> str:
    """While the run lives. `problems`: places that could not be written."""
    plan = [{"name": one.name, "title": one.title, "minutes": one.minutes} for one in asked.plan]
    lines = (*doing(sight, plan, asked.zone, undo=asked.undo), *problems)
    live = Live(now, moment(now, asked.zone), tuple(redact(line) for line in lines))
    return _built(replace(sight, body=with_watch(sight)), asked, now, redact, live)


def last_page_of(sight: Sight, asked: Asked, ended: datetime, redact: Redactor) -> str:
    """Of a run that is over: a release that says it runs was interrupted."""
    if sight.runs(undo=asked.undo):
        return _built(replace(sight, body=with_watch(sight)), asked, ended, redact, None)
    return _built(sight, asked, None, redact, None)


def _built(
    sight: Sight, asked: Asked, now: datetime | None, redact: Redactor, live: Live | None
) -> str:
    record = redact.within(sight.body, DEPTH)
    wanted = replace(
        asked,
        pins=redact.within(sight.pins, DEPTH),
        availability=redact.within(sight.availability, DEPTH),
        flags=redact.within(sight.flags, DEPTH),
        versions={name: service.version for name, service in sight.services.items()},
        now=now,
        live=live is not None,
    )
    return as_html(replace(build_report(record, wanted), live=live))
