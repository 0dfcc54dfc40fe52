"""What people say of users counts beside the metrics: good proceeds, minor and silence hold, bad goes back."""

import typing as t

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._checks.smoke import (
    SEVERITY,
    PersonAnswer,
    Question,
)
from ansible_collections.easymo.deploy.plugins.module_utils._gate.verdict import (
    newest_answers,
    with_feedback,
)
from tests.tables import cases

BEGAN, MEANWHILE, ENDED = "2026-11-25T09:05:00Z", "2026-11-25T09:40:00Z", "2026-11-25T10:05:00Z"
WATCH = {
    "verdict": "proceed",
    "sentence": "Proceed: all metrics are good after 3600 s.",
    "reasons": [],
    "started": BEGAN,
    "ended": ENDED,
}
HELD = {
    **WATCH,
    "verdict": "hold",
    "sentence": "kafka_lag is 120.",
    "reasons": [{"metric": "kafka_lag", "verdict": "hold", "text": "kafka_lag is 120"}],
}


def row(name: str, said: str, note: str = "") -> dict[str, t.Any]:
    question = Question(name, f"How is {name}?", "the team", scale=SEVERITY)
    answer = PersonAnswer(said, "Jane Doe", ENDED, "terminal", note) if said else PersonAnswer()
    return question.result_of(answer, 0)


@pytest.mark.parametrize(
    ("watch", "said", "verdict"),
    [
        pytest.param(WATCH, ["good", "good"], "proceed", id="good"),
        pytest.param(WATCH, ["good", "minor"], "hold", id="minor"),
        pytest.param(WATCH, ["good", ""], "hold", id="silence"),
        pytest.param(WATCH, ["", "bad"], "rollback", id="bad-beside-silence"),
        pytest.param(HELD, ["good", "good"], "hold", id="good-and-metrics-hold"),
        pytest.param(HELD, ["bad", ""], "rollback", id="bad-and-metrics-hold"),
    ],
)
def test_the_worse_of_both_verdicts_decides(watch, said, verdict):
    rows = [row(name, word) for name, word in zip(("tickets", "bugs"), said, strict=True)]
    found = with_feedback(watch, rows, gate="monitoring")
    assert (found["verdict"], found["feedback"]["watched"]) == (verdict, watch["verdict"])


def test_the_sentence_names_who_said_what_and_when_the_worst_first():
    rows = [row("tickets", ""), row("bugs", "bad", "payments are lost")]
    found = with_feedback(WATCH, rows, gate="monitoring")
    assert found["sentence"].startswith(
        f"bugs: Jane Doe said bad at {ENDED}, payments are lost, asked: How is bugs?; tickets: no answer came"
    )
    assert [one["metric"] for one in found["reasons"]] == ["bugs", "tickets"]
    assert found["feedback"]["answers"][1]["note"] == "payments are lost"


def test_a_hold_says_how_to_answer_and_for_which_watch():
    found = with_feedback(WATCH, [row("tickets", "")], gate="ramp")
    assert "playbooks/decide.yml -e feedback=tickets -e answer=good" in found["sentence"]
    assert "-e gate=ramp (or minor, bad), then run the same command again." in found["sentence"]


def test_of_two_reasons_alike_what_was_measured_comes_first():
    found = with_feedback(HELD, [row("tickets", "minor"), row("bugs", "bad")], gate="monitoring")
    assert [one["metric"] for one in found["reasons"]] == ["bugs", "kafka_lag", "tickets"]


def test_what_holds_for_its_metrics_is_not_said_to_wait_for_an_answer():
    found = with_feedback(HELD, [row("tickets", "")], gate="monitoring")
    assert (found["sentence"], found["reasons"]) == (HELD["sentence"], HELD["reasons"])
    assert found["feedback"]["answers"] == []


def recorded(*entries: tuple[str, str, str, str]) -> dict[str, dict[str, str]]:
    return {
        f"{at} {nth}": {
            "gate": gate,
            "name": "tickets",
            "answer": answer,
            "by": by,
            "at": at,
            "note": "",
        }
        for nth, (gate, answer, by, at) in enumerate(entries)
    }


def counts(known: dict[str, dict[str, str]], given: dict[str, t.Any] | None = None) -> t.Any:
    found = newest_answers(known, given or {}, gate="monitoring", since=BEGAN, by="Joe Roe")
    return {name: (one["answer"], one["by"]) for name, one in found.items()}


@cases(("known", "given", "expected"), {
    "nobody": (recorded(), {}, {}),
    "before-the-watch": (recorded(("monitoring", "good", "Ann", "2026-11-25T09:04:59Z")), {}, {}),
    "about-another-watch": (recorded(("ramp", "good", "Ann", MEANWHILE)), {}, {}),
    "the-newest": (recorded(("monitoring", "good", "Eve", ENDED), ("monitoring", "bad", "Ann",
                   MEANWHILE)), {}, {"tickets": ("good", "Eve")}),
    "given": (recorded(), {"tickets": "good"}, {"tickets": ("good", "Joe Roe")}),
    "recorded-before-given": (recorded(("monitoring", "bad", "Ann", MEANWHILE)),
                              {"tickets": "good"}, {"tickets": ("bad", "Ann")}),
    "given-with-a-later-time": (recorded(("monitoring", "bad", "Ann", MEANWHILE)),
                                {"tickets": {"answer": "minor", "by": "Eve", "at": ENDED}},
                                {"tickets": ("minor", "Eve")}),
    "given-in-another-zone": (recorded(("monitoring", "bad", "Ann", MEANWHILE)),
                              {"tickets": {"answer": "good", "at": "2026-11-25T12:00:00+03:00"}},
                              {"tickets": ("bad", "Ann")}),
    "given-with-a-word-for-a-time": (recorded(("monitoring", "bad", "Ann", MEANWHILE)),
                                     {"tickets": {"answer": "good", "at": "yesterday"}},
                                     {"tickets": ("bad", "Ann")}),
})  # fmt: skip
def test_the_newest_answer_about_this_watch_counts(known, given, expected):
    assert counts(known, given) == expected
