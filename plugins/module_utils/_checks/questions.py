# SPDX-License-Identifier: GPL-3.0-or-later
"""Questions that only a person can answer, and what an answer, or none, means."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._errors import InputError
from .._module import refuse_twice
from .._user import as_meant

YES_NO, SEVERITY = "yes_no", "severity"
SCALES: t.Mapping[str, t.Mapping[str, str]] = {
    YES_NO: {"yes": "pass", "no": "fail"},
    SEVERITY: {"good": "pass", "minor": "hold", "bad": "fail"},
}
"""By scale what may be answered, and the status that the answer is."""
_SHORT = {"y": "yes", "true": "yes", "n": "no", "false": "no"}


@dataclass(frozen=True)
class Question:
    """`scale` is one of SCALES."""

    name: str
    text: str
    asked_of: str = ""
    scenario: str = ""
    scale: str = YES_NO


@dataclass(frozen=True)
class Answer:
    """`said` is a word of the question's scale, empty when nobody answered.

    `how` is `terminal`, `variable` or `nobody`.
    """

    said: str = ""
    by: str = ""
    at: str = ""
    how: str = "nobody"
    note: str = ""


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
) -> dict[str, Answer]:
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
        answers[name] = Answer(
            said=read_word(
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


def to_result(question: Question, answer: Answer, seconds: float) -> dict[str, t.Any]:
    """A row like that of a smoke test. Only a yes or a good passes, a no or a bad fails, and silence holds."""
    whom = f" (asked of {question.asked_of})" if question.asked_of else ""
    status = SCALES[question.scale].get(answer.said, "hold")
    if not answer.said:
        detail = f"nobody answered{whom}: {answer.note or question.text}"
    else:
        note = f", {answer.note}" if answer.note else ""
        detail = f"{answer.by} said {answer.said} at {answer.at}{note}"
        detail += "" if status == "pass" else f", asked: {question.text}"
    return {
        "name": question.name,
        "kind": "person",
        "scenario": question.scenario,
        "status": status,
        "seconds": round(seconds, 3),
        "detail": detail,
        "steps": [],
        "facts": {
            "question": question.text,
            "asked_of": question.asked_of,
            "answer": answer.said or "none",
            "by": answer.by,
            "at": answer.at,
            "how": answer.how,
            "note": answer.note if answer.said else "",
        },
    }


def planned(question: Question) -> dict[str, t.Any]:
    """The row in check mode, where nobody is asked."""
    whom = f" {question.asked_of}" if question.asked_of else " whoever runs this"
    row = to_result(question, Answer(), 0.0)
    return {**row, "status": "planned", "detail": f"would ask{whom}: {question.text}"}
