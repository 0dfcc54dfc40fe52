"""Lines by what a terminal shows of them, with words that fill a line."""

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._terminal.layout import (
    fact_lines,
    folded,
    hanging,
)
from ansible_collections.easymo.deploy.plugins.module_utils._terminal.models import Fact


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("aa bb cc", ["aa bb", "cc"]),
        ("aaaaaaaa b", ["aaaaa", "aaa b"]),
        ("", [""]),
    ],
)
def test_text_is_folded_at_blanks_and_only_a_long_word_is_broken(text, lines):
    assert folded(text, 5) == lines


@pytest.mark.parametrize("columns", [1, 40, 60, 80, 140])
def test_a_fact_never_leaves_the_terminal_and_loses_no_word(columns):
    words = [f"word{n}" for n in range(40)]
    lines = [one.text for one in fact_lines(Fact("label", " ".join(words)), "12:05", columns)]
    assert all(len(line) <= max(40, columns) for line in lines)
    assert lines[0].endswith("12:05")
    shown = " ".join(lines).replace("12:05", "").split()
    assert [one for one in shown if one.startswith("word")] == words


def test_what_follows_a_label_stands_under_its_value():
    assert hanging("  ramp      up from one to five", 26) == [
        "  ramp      up from one to",
        "            five",
    ]
    assert hanging("one two three four", 12) == ["one two", "  three four"]
