# SPDX-License-Identifier: GPL-3.0-or-later
"""Run smoke tests, and what their results mean together: the verdict, the words, and JUnit XML for CI servers."""

from __future__ import annotations

import re
import typing as t
from xml.etree import ElementTree

from .._errors import HoldError, VerificationError
from . import models
from .models import Check, Kinds, Options, Row

PROCEED, HOLD, ROLLBACK = "proceed", "hold", "rollback"

WORDS = {
    "pass": "✅ {name}: PASS",
    "fail": "❌ {name}: FAIL",
    "hold": "⏸️ {name}: HOLD",
    "skip": "⏭️ {name}: SKIPPED",
    "planned": "🔎 {name}: PLANNED",
}


def run_tests(
    tests: t.Sequence[Check], kinds: Kinds, *, report: t.Callable[[Row], None]
) -> list[Row]:
    """In the order of the tests; `report` hears of each as it ends."""
    return models.run_checks(
        tests, lambda test: kinds[test.kind].look(test.options), models.error_finding, report=report
    )


def planned(test: Check, kinds: Kinds) -> Row:
    """The row in check mode, where nothing runs."""
    intention = kinds[test.kind].intention(test.options)
    return Row(test.name, "", test.kind, "planned", intention, 0.0, test.scenario)


def to_result(row: Row) -> dict[str, t.Any]:
    result = {**row.to_result("scenario"), "steps": [dict(step) for step in row.steps]}
    return {**result, "facts": dict(row.facts)} if row.facts else result


def verdict(results: t.Iterable[Options]) -> str:
    """A failed test calls for the way back; what nobody can tell holds."""
    statuses = {result["status"] for result in results}
    if "fail" in statuses:
        return ROLLBACK
    return HOLD if "hold" in statuses else PROCEED


def line(result: Options) -> str:
    """One line, as the runbook words it: "✅ Agent routing: PASS (1% traffic)"."""
    seconds = result.get("seconds")
    took = f"{seconds:.2f} s" if isinstance(seconds, (int, float)) and seconds else ""
    evidence = "; ".join(part for part in (str(result.get("detail") or ""), took) if part)
    head = WORDS.get(str(result.get("status", "pass")), WORDS["hold"]).format(name=result["name"])
    return f"{head} ({evidence})" if evidence else head


def sentence(results: t.Sequence[Options]) -> str:
    """Every test that failed or holds, for the failure of a task."""
    parts = []
    for status, words in (("fail", "failed"), ("hold", "are unclear")):
        matching = [result for result in results if result["status"] == status]
        if matching:
            listed = " ".join(
                f"{match['name']}: {_ended(str(match['detail']))}" for match in matching
            )
            parts.append(f"{len(matching)} of {len(results)} smoke tests {words}. {listed}")
    return " ".join(parts)


def _ended(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."


def conclude(results: t.Sequence[dict[str, t.Any]], fail_on: t.Collection[str]) -> dict[str, t.Any]:
    """The result of the task; raises when its verdict is one of `fail_on`."""
    outcome = {
        "verdict": verdict(results),
        "results": list(results),
        "lines": [line(result) for result in results],
    }
    if outcome["verdict"] in fail_on:
        error = VerificationError if outcome["verdict"] == ROLLBACK else HoldError
        raise error(sentence(results), **outcome)
    return {"changed": False, "sentence": sentence(results), **outcome}


NO_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 has no place for, even escaped."""


def junit_xml(suite: str, results: t.Sequence[Options]) -> str:
    """A failed test is a failure, one that holds an error, and one that was left out is skipped."""
    statuses = [str(result.get("status")) for result in results]
    root = ElementTree.Element(
        "testsuite",
        {
            "name": _text(suite),
            "tests": str(len(results)),
            "failures": str(statuses.count("fail")),
            "errors": str(statuses.count("hold")),
            "skipped": str(statuses.count("skip") + statuses.count("planned")),
            "time": _seconds(sum(_took(result) for result in results)),
        },
    )
    for result in results:
        root.append(_case(suite, result))
    suites = ElementTree.Element("testsuites")
    suites.append(root)
    ElementTree.indent(suites)
    head = '<?xml version="1.0" encoding="UTF-8"?>\n'
    return head + ElementTree.tostring(suites, encoding="unicode") + "\n"


def _case(suite: str, result: Options) -> ElementTree.Element:
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
    lines = [_text(f"{step.get('name')}: {_worded(step)}") for step in result.get("steps") or []]
    out = ElementTree.SubElement(case, "system-out")
    out.text = "\n".join([detail, *lines])
    return case


def _worded(step: Options) -> str:
    outcome = step.get("outcome") or step.get("status") or ""
    return f"{outcome}, {step.get('evidence') or step.get('detail') or ''} ({_took(step):.3f} s)"


def _took(row: Options) -> float:
    seconds = row.get("seconds")
    return float(seconds) if isinstance(seconds, (int, float)) else 0.0


def _seconds(value: float) -> str:
    return f"{value:.3f}"


def _text(value: t.Any) -> str:
    return NO_XML.sub("\ufffd", str(value))
