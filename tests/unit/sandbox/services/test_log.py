"""Log lines are one line each, and readable by people and by grep."""

from sandbox.services.base_service import Log, described, masked


def test_a_line_has_level_event_and_fields():
    lines: list[str] = []
    Log(lines.append).error("agent failed", agent="buyer", error='no "vendors" here', empty="")
    assert lines == ['ERROR agent failed agent=buyer error="no \\"vendors\\" here" empty=""']


def test_line_breaks_do_not_break_lines():
    lines: list[str] = []
    Log(lines.append).info("x", text="a\nb")
    assert lines == ['INFO x text="a\\nb"']


def test_numbers_are_masked():
    assert masked("250780000001") == "***0001"


def test_an_exception_without_words_is_its_name():
    assert described(TimeoutError()) == "TimeoutError"
    assert described(ValueError("a\nb")) == "ValueError: a"
