# SPDX-License-Identifier: GPL-3.0-or-later
"""Run smoke tests, and what their results mean together: the verdict, the words, and JUnit XML for CI servers.

Some questions only a person can answer: what an answer, or none, means is here too.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass
from xml.etree import ElementTree

from .._arguments import as_meant
from .._errors import HoldError, InputError, VerificationError
from .._module import refuse_twice
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
    """A failed test calls for the way back; an unclear test holds."""
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


YES_NO, SEVERITY = "yes_no", "severity"
SCALES: t.Mapping[str, t.Mapping[str, str]] = {
    YES_NO: {"yes": "pass", "no": "fail"},
    SEVERITY: {"good": "pass", "minor": "hold", "bad": "fail"},
}
"""By scale what may be answered, and the status that the answer is."""
_SHORT = {"y": "yes", "true": "yes", "n": "no", "false": "no"}


@dataclass(frozen=True)
class PersonAnswer:
    """`word` is one of the question's scale, empty without an answer.

    `how` is `terminal`, `variable` or `nobody`.
    """

    word: str = ""
    by: str = ""
    at: str = ""
    how: str = "nobody"
    note: str = ""


@dataclass(frozen=True)
class Question:
    """`scale` is one of SCALES."""

    name: str
    text: str
    asked_of: str = ""
    scenario: str = ""
    scale: str = YES_NO

    def result_of(self, answer: PersonAnswer, seconds: float) -> dict[str, t.Any]:
        """A row like that of a smoke test. Only a yes or a good passes, a no or a bad fails, and silence holds."""
        addressee = f" (asked of {self.asked_of})" if self.asked_of else ""
        status = SCALES[self.scale].get(answer.word, "hold")
        if not answer.word:
            detail = f"no answer came{addressee}: {answer.note or self.text}"
        else:
            note = f", {answer.note}" if answer.note else ""
            detail = f"{answer.by} said {answer.word} at {answer.at}{note}"
            detail += "" if status == "pass" else f", asked: {self.text}"
        return {
            "name": self.name,
            "kind": "person",
            "scenario": self.scenario,
            "status": status,
            "seconds": round(seconds, 3),
            "detail": detail,
            "steps": [],
            "facts": {
                "question": self.text,
                "asked_of": self.asked_of,
                "answer": answer.word or "none",
                "by": answer.by,
                "at": answer.at,
                "how": answer.how,
                "note": answer.note if answer.word else "",
            },
        }

    def planned(self) -> dict[str, t.Any]:
        """The row in check mode, where no person is asked."""
        addressee = f" {self.asked_of}" if self.asked_of else " the operator"
        row = self.result_of(PersonAnswer(), 0.0)
        return {**row, "status": "planned", "detail": f"would ask{addressee}: {self.text}"}


def read_questions(entries: t.Sequence[t.Mapping[str, t.Any]]) -> list[Question]:
    questions = [
        Question(
            entry["name"], entry["question"], entry["asked_of"], entry["scenario"], entry["scale"]
        )
        for entry in entries
    ]
    refuse_twice("Questions", questions)
    return questions


def read_answers(
    given: t.Mapping[str, t.Any], questions: t.Sequence[Question], *, by: str, now: str
) -> dict[str, PersonAnswer]:
    """Answers by the question's name. An answer is a word, or a dictionary with `answer`, `by`, `at` and `note`."""
    known = {question.name: question for question in questions}
    strange = sorted(set(given) - set(known))
    if strange:
        raise InputError(
            f"There is no question {', '.join(strange)}; the questions are "
            f"{', '.join(sorted(known)) or 'none'}."
        )
    answers = {}
    for name, entry in given.items():
        stated = entry if isinstance(entry, dict) else {"answer": entry}
        excess = sorted(set(stated) - {"answer", "by", "at", "note"})
        if excess:
            raise InputError(
                f"The answer to {name!r} has {excess[0]!r}; it may have answer, by, at and note."
            )
        who = as_meant(stated.get("by") or by, name=True)
        if not who:
            raise InputError(f"The answer to {name!r} has no name: set 'by' or 'answered_by'.")
        answers[name] = PersonAnswer(
            word=read_word(
                str(stated.get("answer", "")), f"The answer to {name!r}", known[name].scale
            ),
            by=who,
            at=str(stated.get("at") or now),
            how="variable",
            note=str(stated.get("note") or ""),
        )
    return answers


def read_word(word: str, what: str, scale: str = YES_NO) -> str:
    lowered = word.strip().lower()
    result = _SHORT.get(lowered, lowered)
    if result in SCALES[scale]:
        return result
    *others, last = SCALES[scale]
    raise InputError(f"{what} is {word!r}; it is {', '.join(others)} or {last}.")
