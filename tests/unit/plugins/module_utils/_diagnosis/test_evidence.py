"""What is written down is redacted, bounded, and stands where its place says."""

import base64
import json
from urllib.parse import quote

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._diagnosis.evidence import (
    LINE_LENGTH,
    SHEET_LINES,
    CollectedPart,
    CollectionLimits,
    Notebook,
    file_name,
)
from ansible_collections.easymo.deploy.plugins.module_utils._diagnosis.rules import (
    LastWords,
    LinePlace,
)
from ansible_collections.easymo.deploy.plugins.module_utils._redaction import Redactor
from tests.tables import cases

SECRET = 'pl4nted/"secret"+$'


def notebook(*secrets: str, **limits: int) -> Notebook:
    part = CollectedPart("crash_loop", "the pods")
    return Notebook(part, Redactor(secrets), CollectionLimits(**limits))


@cases(
    "shown",
    {
        "as it is": SECRET,
        "in JSON": json.dumps({"a": SECRET}),
        "in a URL": f"https://example.com/?q={quote(SECRET, safe='')}",
        "in base64": base64.b64encode(SECRET.encode()).decode(),
    },
)
def test_a_known_secret_is_blank_in_every_form(shown):
    notes = notebook(SECRET)
    notes.keep_log("a.log", [f"ERROR could not use {shown} here"])
    last = LastWords(LinePlace("a.log", 1), shown)
    answer, body = f"said {shown}", [{"deep": shown}]
    notes.see("unwell", shown, file="b.txt", last=last, answer=answer, body=body)
    notes.blind(f"refused: {shown}")
    part = notes.collected()
    everything = repr(part)
    for form in (SECRET, json.dumps(SECRET)[1:-1], quote(SECRET, safe="")):
        assert form not in everything
    assert base64.b64encode(SECRET.encode()).decode().rstrip("=") not in everything
    assert "could not use" in part.files["a.log"][0]


def test_places_are_lines_of_the_file_also_behind_texts_of_several_lines():
    notes = notebook()
    notes.write("a.txt", "one\ntwo\nthree")
    notes.see("unwell", "s", file="a.txt", answer="tired")
    part = notes.collected()
    (seen,) = part.facts
    assert part.files["a.txt"][seen.place.line - 1] == seen.text == "s is not well: tired"


def test_a_log_keeps_its_end_and_tells_what_was_left_out():
    notes = notebook(lines=3)
    assert notes.keep_log("a.log", [f"line {n}" for n in range(10)]) == [
        "line 7",
        "line 8",
        "line 9",
    ]
    part = notes.collected()
    assert part.files["a.log"] == ["line 7", "line 8", "line 9"]
    assert part.cut == ["a.log has the last 3 of 10 lines that were read."]


def test_a_log_keeps_no_more_bytes_than_it_may():
    notes = notebook(lines=1000, bytes=2000)
    notes.keep_log("a.log", ["ä" * 50] * 100)
    part = notes.collected()
    assert 1800 < sum(len(line.encode()) + 1 for line in part.files["a.log"]) <= 2000
    assert part.cut


def test_long_lines_and_long_lists_are_cut_and_told():
    notes = notebook()
    notes.write("a.txt", "x" * (LINE_LENGTH + 5))
    for number in range(SHEET_LINES + 5):
        notes.write("b.txt", str(number))
    part = notes.collected()
    assert len(part.files["a.txt"][0]) < LINE_LENGTH + 50
    assert len(part.files["b.txt"]) == SHEET_LINES
    assert part.cut == [f"b.txt has more than {SHEET_LINES} lines: the rest was left out."]


def test_a_log_cannot_command_the_terminal_that_shows_it():
    notes = notebook()
    notes.keep_log("a.log", ["\x1b[2Jgone\x07"])
    assert "\x1b" not in notes.collected().files["a.log"][0]


@pytest.mark.parametrize(
    ("parts", "name"),
    [
        (("wallet-1", "previous"), "wallet-1.previous"),
        (("../../etc/passwd",), "etc_passwd"),
        (("..",), "_"),
        (("a b\n",), "a_b"),
    ],
)
def test_names_of_others_make_no_paths(parts, name):
    assert file_name(*parts) == name
