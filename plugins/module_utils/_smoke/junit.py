# SPDX-License-Identifier: GPL-3.0-or-later
"""Results of tests as JUnit XML, which CI servers read."""

from __future__ import annotations

import re
import typing as t
from xml.etree import ElementTree

Row = t.Mapping[str, t.Any]

NO_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 has no place for, even escaped."""


def junit_xml(suite: str, results: t.Sequence[Row]) -> str:
    """A failed test is a failure, one that holds an error, and one that was left out is skipped."""
    statuses = [str(one.get("status")) for one in results]
    root = ElementTree.Element(
        "testsuite",
        {
            "name": _text(suite),
            "tests": str(len(results)),
            "failures": str(statuses.count("fail")),
            "errors": str(statuses.count("hold")),
            "skipped": str(statuses.count("skip") + statuses.count("planned")),
            "time": _seconds(sum(_took(one) for one in results)),
        },
    )
    for one in results:
        root.append(_case(suite, one))
    suites = ElementTree.Element("testsuites")
    suites.append(root)
    ElementTree.indent(suites)
    head = '<?xml version="1.0" encoding="UTF-8"?>\n'
    return head + ElementTree.tostring(suites, encoding="unicode") + "\n"


def _case(suite: str, result: Row) -> ElementTree.Element:
    attributes = {
        "name": _text(result["name"]),
        "classname": _text(f"{suite}.{result.get('kind', 'test')}"),
        "time": _seconds(_took(result)),
    }
    case = ElementTree.Element("testcase", attributes)
    detail = _text(result.get("detail") or "")
    outcome = {"fail": "failure", "hold": "error", "skip": "skipped", "planned": "skipped"}.get(
        str(result.get("status"))
    )
    if outcome:
        ElementTree.SubElement(case, outcome, {"message": detail})
    lines = [_text(f"{one.get('name')}: {_worded(one)}") for one in result.get("steps") or []]
    out = ElementTree.SubElement(case, "system-out")
    out.text = "\n".join([detail, *lines])
    return case


def _worded(step: Row) -> str:
    outcome = step.get("outcome") or step.get("status") or ""
    return f"{outcome}, {step.get('evidence') or step.get('detail') or ''} ({_took(step):.3f} s)"


def _took(row: Row) -> float:
    seconds = row.get("seconds")
    return float(seconds) if isinstance(seconds, (int, float)) else 0.0


def _seconds(value: float) -> str:
    return f"{value:.3f}"


def _text(value: t.Any) -> str:
    return NO_XML.sub("\ufffd", str(value))
