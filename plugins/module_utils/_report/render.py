# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""A report as a self-contained page, as text, and as JSON. What stands in a record is never taken for HTML."""

from __future__ import annotations

import json
import traceback
import typing as t
from dataclasses import asdict

from ansible_collections.easymo.deploy.plugins.module_utils._library import Library
from ansible_collections.easymo.deploy.plugins.module_utils._report.models import PhaseRow, Report
from ansible_collections.easymo.deploy.plugins.module_utils._report.page import (
    HTML,
    MACROS,
    STYLE,
    TEXT,
)
from ansible_collections.easymo.deploy.plugins.module_utils._report.times import lasting

try:
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    IMPORT_ERROR: str | None = None
except ImportError:
    IMPORT_ERROR = traceback.format_exc()

JINJA2 = Library("jinja2 >= 3.1", IMPORT_ERROR)


def files_of(report: Report, record: t.Mapping[str, t.Any]) -> dict[str, str]:
    """The files of a report, content by name."""
    return {
        "report.html": as_html(report),
        "report.txt": as_text(report),
        "report.json": json.dumps(
            {"report": asdict(report), "record": record},
            indent=1,
            sort_keys=True,
            ensure_ascii=False,
            default=str,
        )
        + "\n",
    }


def as_html(report: Report) -> str:
    longest = max([1, *(max(row.planned, row.actual or 0) for row in report.phases)])
    template = environment(autoescape=True).from_string(MACROS + HTML)
    return template.render(
        report=report,
        style=Markup(STYLE),  # noqa: S704 - our own constant
        took=took,
        width=lambda seconds: round(100 * seconds / longest, 1),
    )


def as_text(report: Report) -> str:
    return environment(autoescape=False).from_string(TEXT).render(report=report, took=took)


def took(phase: PhaseRow) -> str:
    actual = lasting(phase.actual) or "-"
    return f"{actual} of {lasting(phase.planned)}" if phase.planned else actual


def environment(*, autoescape: bool) -> Environment:
    return Environment(
        autoescape=autoescape,  # noqa: S701 - off only for the text file
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
