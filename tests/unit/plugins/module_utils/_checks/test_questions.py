"""Only a yes with a name to it passes; silence is never one."""

import typing as t

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._checks.smoke import (
    SEVERITY,
    PersonAnswer,
    Question,
    read_answers,
    read_word,
)
from ansible_collections.easymo.deploy.plugins.module_utils._errors import InputError
from tests.tables import cases

QUESTION = Question("phone", "Do buttons appear?", "the team", "2 Traditional Flow")
NOW = "2026-11-24T09:00:00Z"


def answers(given: dict[str, t.Any], by: str = "Jane Doe") -> dict[str, PersonAnswer]:
    return read_answers(given, [QUESTION], by=by, now=NOW)


@cases(
    ("answer", "status"),
    {
        "yes": (PersonAnswer("yes", "Jane", NOW), "pass"),
        "no": (PersonAnswer("no", "Jane", NOW), "fail"),
        "silence": (PersonAnswer(), "hold"),
    },
)
def test_only_a_yes_passes(answer, status):
    found = QUESTION.result_of(answer, 1.5)
    assert (found["status"], found["scenario"]) == (status, "2 Traditional Flow")
    assert ("Jane" in found["detail"]) is bool(answer.word)


@pytest.mark.parametrize("word", [True, "yes", "YES", " y ", "true"])
def test_a_yes_is_a_yes_however_it_is_written(word):
    assert answers({"phone": word})["phone"] == PersonAnswer("yes", "Jane Doe", NOW, "variable")


def test_an_answer_may_bring_name_time_and_note():
    given = {"phone": {"answer": "no", "by": "Joe", "at": "09:41", "note": "no buttons"}}
    found = QUESTION.result_of(answers(given)["phone"], 0)
    assert found["detail"] == "Joe said no at 09:41, no buttons, asked: Do buttons appear?"
    assert found["facts"]["how"] == "variable"


@cases(
    ("given", "by", "said"),
    {
        "typo": ({"fone": "yes"}, "Jane", "There is no question fone; the questions are phone"),
        "no name": ({"phone": "yes"}, "", "has no name"),
        "no word": ({"phone": "maybe"}, "Jane", "is 'maybe'; it is yes or no"),
        "no answer": ({"phone": {"by": "Jane"}}, "", "is ''; it is yes or no"),
        "unknown key": ({"phone": {"answer": "yes", "who": "Jane"}}, "", "unknown: who"),
    },
)
def test_an_answer_that_is_none_is_refused(given, by, said):
    with pytest.raises(InputError, match=said):
        answers(given, by)


@pytest.mark.parametrize(("word", "status"), [("good", "pass"), ("Minor", "hold"), ("bad", "fail")])
def test_what_users_say_has_three_answers(word, status):
    question = Question("tickets", "How many?", "the team", scale=SEVERITY)
    given = {"tickets": {"answer": word, "note": "slow"}}
    found = question.result_of(read_answers(given, [question], by="Joe", now=NOW)["tickets"], 0)
    assert (found["status"], found["facts"]["answer"]) == (status, word.lower())
    assert (found["facts"]["note"], "Joe said" in found["detail"]) == ("slow", True)
    with pytest.raises(InputError, match="is 'yes'; it is good, minor or bad"):
        read_answers({"tickets": "yes"}, [question], by="Joe", now=NOW)


def test_an_empty_line_is_no_yes():
    with pytest.raises(InputError):
        read_word("", "The answer")
