# SPDX-License-Identifier: GPL-3.0-or-later
"""Run smoke tests, and what their results mean together: the verdict and the words.

Some questions only a person can answer: what an answer, or none, means is here too.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace

from .._arguments import as_meant, read_options, refuse_secrets
from .._errors import HoldError, InputError, VerificationError
from .._formats import number
from .._module import refuse_twice
from . import models
from .models import Check, Finding, Kinds, Options, ended

PROCEED, HOLD, ROLLBACK = "proceed", "hold", "rollback"


def run_tests(
    tests: t.Sequence[Check], kinds: Kinds, *, report: t.Callable[[Finding], None]
) -> list[Finding]:
    """In the order of the tests; `report` hears of each as it ends."""
    return models.run_checks(
        tests, lambda test: kinds[test.kind].look(test.options), models.error_finding, report=report
    )


def planned(test: Check, kinds: Kinds) -> Finding:
    """The row in check mode, where nothing runs."""
    intention = kinds[test.kind].intention(test.options)
    return Finding("planned", intention, name=test.name, kind=test.kind, scenario=test.scenario)


def to_result(row: Finding) -> dict[str, t.Any]:
    result = {**row.to_result("scenario"), "steps": [dict(step) for step in row.steps]}
    return {**result, "facts": dict(row.facts)} if row.facts else result


def verdict(results: t.Iterable[Options]) -> str:
    """A failed test calls for the rollback; an unclear test holds."""
    statuses = {result["status"] for result in results}
    if "fail" in statuses:
        return ROLLBACK
    return HOLD if "hold" in statuses else PROCEED


def line(result: Options) -> str:
    """One line, as the runbook words it: "✅ Agent routing: PASS (1% traffic)"."""
    took = f"{_took(result):.2f} s" if _took(result) else ""
    evidence = "; ".join(part for part in (str(result.get("detail") or ""), took) if part)
    return models.line(str(result["name"]), str(result.get("status", "pass")), evidence)


def sentence(results: t.Sequence[Options]) -> str:
    """Every test that failed or holds, for the failure of a task."""
    parts, tried = [], [result for result in results if result["status"] != "skip"]
    for status, words in (("fail", "failed"), ("hold", "are unclear")):
        matching = [result for result in results if result["status"] == status]
        if matching:
            listed = " ".join(f"{match['name']}: {ended(match['detail'])}" for match in matching)
            parts.append(f"{len(matching)} of {len(tried)} smoke tests {words}. {listed}")
    return " ".join(parts)


def conclude(
    results: t.Sequence[dict[str, t.Any]], fail_on: t.Collection[str], hint: str = "", **more: t.Any
) -> dict[str, t.Any]:
    """The result of the task, with `more`; raises when its verdict is one of `fail_on`, and says the hint."""
    outcome = {
        "verdict": verdict(results),
        "results": list(results),
        "lines": [line(result) for result in results],
        **more,
    }
    if outcome["verdict"] in fail_on:
        error = VerificationError if outcome["verdict"] == ROLLBACK else HoldError
        raise error(f"{sentence(results)} {hint}".strip(), **outcome)
    return {"changed": False, "sentence": sentence(results), **outcome}


def _took(row: Options) -> float:
    return number(row.get("seconds")) or 0.0


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
    question: str
    asked_of: str = ""
    scenario: str = ""
    scale: str = YES_NO

    def result_of(self, answer: PersonAnswer, seconds: float) -> dict[str, t.Any]:
        """A row like that of a smoke test. Only a yes or a good passes, a no or a bad fails, and silence holds."""
        status = SCALES[self.scale].get(answer.word, "hold")
        if answer.word:
            note = f", {answer.note}" if answer.note else ""
            detail = f"{answer.by} said {answer.word} at {answer.at}{note}"
            detail += "" if status == "pass" else f", asked: {self.question}"
        else:
            addressee = f" (asked of {self.asked_of})" if self.asked_of else ""
            detail = f"no answer came{addressee}: {answer.note or self.question}"
        facts = {
            "question": self.question,
            "asked_of": self.asked_of,
            "answer": answer.word or "none",
            "by": answer.by,
            "at": answer.at,
            "how": answer.how,
            "note": answer.note if answer.word else "",
        }
        row = Finding(status, detail, self.name, kind="person", scenario=self.scenario)
        return to_result(replace(row, facts=facts, seconds=seconds))

    def planned(self) -> dict[str, t.Any]:
        """The row in check mode, where no person is asked."""
        detail = f"would ask {self.asked_of or 'the operator'}: {self.question}"
        return {**self.result_of(PersonAnswer(), 0.0), "status": "planned", "detail": detail}


def read_questions(entries: t.Sequence[t.Mapping[str, t.Any]]) -> list[Question]:
    questions = [Question(**entry) for entry in entries]
    refuse_twice("Questions", questions)
    return questions


_ANSWER = {name: {"type": "str", "default": ""} for name in ("answer", "by", "at", "note")}


def read_answers(
    given: t.Mapping[str, t.Any], questions: t.Sequence[Question], *, by: str, now: str
) -> dict[str, PersonAnswer]:
    """Answers by the question's name. An answer is a word, or a dictionary with `answer`, `by`, `at` and `note`."""
    scales = {question.name: question.scale for question in questions}
    if strange := sorted(given.keys() - scales.keys()):
        raise InputError(
            f"There is no question {', '.join(strange)}; the questions are "
            f"{', '.join(sorted(scales)) or 'none'}."
        )
    answers = {}
    for name, entry in given.items():
        what = f"The answer to {name!r}"
        stated, wrong = read_options(
            _ANSWER, entry if isinstance(entry, dict) else {"answer": entry}
        )
        if wrong:
            raise InputError(f"{what} is wrong: {' '.join(wrong)}")
        who = as_meant(stated["by"] or by, name=True)
        refuse_secrets(**{f"answers.{name}.by": who, f"answers.{name}.note": stated["note"]})
        if not who:
            raise InputError(f"{what} has no name: set 'by' or 'answered_by'.")
        word = read_word(stated["answer"], what, scales[name])
        answers[name] = PersonAnswer(word, who, stated["at"] or now, "variable", stated["note"])
    return answers


def read_word(word: str, what: str, scale: str = YES_NO) -> str:
    lowered = word.strip().lower()
    result = _SHORT.get(lowered, lowered)
    if result in SCALES[scale]:
        return result
    *others, last = SCALES[scale]
    raise InputError(f"{what} is {word!r}; it is {', '.join(others)} or {last}.")
