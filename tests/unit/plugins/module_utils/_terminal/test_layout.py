"""Lines by what a terminal shows of them, with wide characters, marks over others, and words that fill a line."""

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._terminal.layout import (
    clipped,
    fact_lines,
    folded,
    hanging,
    width,
)
from ansible_collections.easymo.deploy.plugins.module_utils._terminal.models import Fact


@pytest.mark.parametrize(
    ("text", "columns"), [("abc", 3), ("日本", 4), ("é", 1), ("✅ ok", 5), ("", 0)]
)
def test_width_is_columns_and_not_characters(text, columns):
    assert width(text) == columns


@pytest.mark.parametrize(
    ("text", "shown"),
    [("abcdef", "abcdef"), ("abcdefg", "abcde…"), ("日本日本", "日本…"), ("ab   cdefg", "ab…")],
)
def test_what_is_clipped_fits_and_says_so(text, shown):
    assert clipped(text, 6) == shown
    assert width(clipped(text, 6)) <= 6


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("aa bb cc", ["aa bb", "cc"]),
        ("aaaaaaaa b", ["aaaaa", "aaa b"]),
        ("日本日本", ["日本", "日本"]),
        ("", [""]),
    ],
)
def test_text_is_folded_at_blanks_and_only_a_long_word_is_broken(text, lines):
    assert folded(text, 5) == lines


@pytest.mark.parametrize("columns", [1, 40, 60, 80, 140])
def test_a_fact_never_leaves_the_terminal_and_loses_no_word(columns):
    words = [f"word{n}" for n in range(40)]
    lines = [one.text for one in fact_lines(Fact("label", " ".join(words)), "12:05", columns)]
    assert all(width(line) <= max(40, columns) for line in lines)
    assert lines[0].endswith("12:05")
    shown = " ".join(lines).replace("12:05", "").split()
    assert [one for one in shown if one.startswith("word")] == words


def test_what_follows_a_label_stands_under_its_value():
    assert hanging("  ramp      up from one to five", 26) == [
        "  ramp      up from one to",
        "            five",
    ]
    assert hanging("one two three four", 12) == ["one two", "  three four"]
