# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether enough tests passed and none failed, as JUnit XML or a summary in JSON tells."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from xml.etree import ElementTree

from .._errors import VerificationError
from .._http import REQUESTS
from .documents import (
    DOCUMENT,
    Origin,
    number,
    origin_of,
    parse_json,
    place_of,
    read_document,
    strangeness,
)
from .models import Finding, Ground, Kind, Options, failed, held, passed


@dataclass(frozen=True)
class Results:
    """None for a number that the document does not tell."""

    passed: int | None
    failed: int | None
    skipped: int
    origin: Origin


def look(options: Options, ground: Ground) -> t.Sequence[Finding]:
    where = place_of(options)
    results = read_results(read_document(options, ground), where)
    return [judge(results, options["least"], ground, where)]


def read_results(text: str, where: str) -> Results:
    return _of_junit(text, where) if text.lstrip().startswith("<") else _of_json(text, where)


def judge(results: Results, least: int, ground: Ground, where: str) -> Finding:
    strange = strangeness(results.origin, ground, where)
    if strange is not None:
        return strange
    if results.passed is None or results.failed is None:
        return held(f"{where} has no numbers of passed and failed tests")
    if results.failed:
        return failed(
            f"{results.failed} tests failed and {results.passed} passed, says {where}: fix them, "
            "and test again"
        )
    if results.passed < least:
        aside = f", {results.skipped} were skipped" if results.skipped else ""
        return failed(
            f"{results.passed} tests passed, {least} are required{aside}, says {where}: run all "
            "of them"
        )
    return passed(f"{results.passed} passed, 0 failed, at least {least} required")


def _of_json(text: str, where: str) -> Results:
    body = parse_json(text, where)
    good, bad, errors = (number(body, key) for key in ("passed", "failed", "errors"))
    return Results(
        passed=None if good is None else int(good),
        failed=None if bad is None else int(bad + (errors or 0)),
        skipped=int(number(body, "skipped") or 0),
        origin=origin_of(body),
    )


def _of_junit(text: str, where: str) -> Results:
    """Counted by the cases: the sums that writers put into attributes differ from one to the next."""
    try:
        root = ElementTree.fromstring(text)  # noqa: S314 - expat itself refuses entities that explode
    except ElementTree.ParseError as exc:
        raise VerificationError(f"{where} is not XML ({exc}): check its writer.") from None
    cases = list(root.iter("testcase"))
    bad = sum(any(case.find(tag) is not None for tag in ("failure", "error")) for case in cases)
    aside = sum(case.find("skipped") is not None for case in cases)
    named = {
        str(one.get("name")): one.get("value") or one.text or "" for one in root.iter("property")
    }
    return Results(
        passed=len(cases) - bad - aside if cases else None,
        failed=bad if cases else None,
        skipped=aside,
        origin=origin_of(named),
    )


KIND = Kind(look, {**DOCUMENT, "least": {"type": "int", "default": 1}}, (REQUESTS,))
