# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Questions that only a person can answer, and what an answer, or none, means."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._errors import InputError

YES = frozenset({"yes", "y", "true"})
NO = frozenset({"no", "n", "false"})


@dataclass(frozen=True)
class Question:
    name: str
    text: str
    asked_of: str = ""
    scenario: str = ""


@dataclass(frozen=True)
class Answer:
    """`yes` is None when nobody said yes or no; `how` is `terminal`, `variable` or `nobody`."""

    yes: bool | None
    by: str = ""
    at: str = ""
    how: str = "nobody"
    note: str = ""


def read_questions(entries: t.Sequence[t.Mapping[str, t.Any]]) -> list[Question]:
    questions = [
        Question(entry["name"], entry["question"], entry["asked_of"], entry["scenario"])
        for entry in entries
    ]
    names = [question.name for question in questions]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(f"Questions share a name: give each its own: {', '.join(twice)}.")
    return questions


def read_answers(
    given: t.Mapping[str, t.Any], questions: t.Sequence[Question], *, by: str, now: str
) -> dict[str, Answer]:
    """Answers by the question's name. An answer is yes or no, or a dictionary with `answer`, `by`, `at` and `note`."""
    known = {question.name for question in questions}
    strange = sorted(set(given) - known)
    if strange:
        raise InputError(
            f"There is no question {', '.join(strange)}; the questions are "
            f"{', '.join(sorted(known)) or 'none'}."
        )
    answers = {}
    for name, entry in given.items():
        said = entry if isinstance(entry, dict) else {"answer": entry}
        excess = sorted(set(said) - {"answer", "by", "at", "note"})
        if excess:
            raise InputError(
                f"The answer to {name!r} has {excess[0]!r}; it may have answer, by, at and note."
            )
        who = str(said.get("by") or by).strip()
        if not who:
            raise InputError(f"The answer to {name!r} has no name: set 'by' or 'answered_by'.")
        answers[name] = Answer(
            yes=read_word(str(said.get("answer", "")), f"The answer to {name!r}"),
            by=who,
            at=str(said.get("at") or now),
            how="variable",
            note=str(said.get("note") or ""),
        )
    return answers


def read_word(word: str, what: str) -> bool:
    lowered = word.strip().lower()
    if lowered in YES or lowered in NO:
        return lowered in YES
    raise InputError(f"{what} is {word!r}; it is yes or no.")


def to_result(question: Question, answer: Answer, seconds: float) -> dict[str, t.Any]:
    """A row like that of a smoke test. Only a yes passes, a no fails, and silence holds."""
    whom = f" (asked of {question.asked_of})" if question.asked_of else ""
    if answer.yes is None:
        status, detail = "hold", f"nobody answered{whom}: {answer.note or question.text}"
    else:
        status = "pass" if answer.yes else "fail"
        said = "yes" if answer.yes else "no"
        note = f", {answer.note}" if answer.note else ""
        detail = f"{answer.by} said {said} at {answer.at}{note}"
        detail += "" if answer.yes else f", asked: {question.text}"
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
            "answer": {True: "yes", False: "no", None: "none"}[answer.yes],
            "by": answer.by,
            "at": answer.at,
            "how": answer.how,
        },
    }


def planned(question: Question) -> dict[str, t.Any]:
    """The row in check mode, where nobody is asked."""
    whom = f" {question.asked_of}" if question.asked_of else " whoever runs this"
    row = to_result(question, Answer(None), 0.0)
    return {**row, "status": "planned", "detail": f"would ask{whom}: {question.text}"}
