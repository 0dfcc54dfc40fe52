"""The file is XML whatever a platform answered, and counts as CI servers count."""

from xml.etree import ElementTree

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._checks.smoke import junit_xml

ROWS = [
    {"name": "A", "kind": "health", "status": "pass", "seconds": 0.25, "detail": "well"},
    {"name": "B", "kind": "webhook", "status": "fail", "seconds": 1.5, "detail": "<&\"'>"},
    {"name": "C", "kind": "metrics", "status": "hold", "seconds": 0.5, "detail": "no data"},
    {"name": "D", "kind": "person", "status": "skip", "seconds": 0, "detail": "not asked"},
]


def suite(text: str) -> ElementTree.Element:
    root = ElementTree.fromstring(text)
    (found,) = root
    return found


def test_the_counts_are_those_of_the_cases():
    found = suite(junit_xml("smoke", ROWS))
    counted = {key: found.get(key) for key in ("tests", "failures", "errors", "skipped", "time")}
    assert counted == {
        "tests": "4", "failures": "1", "errors": "1", "skipped": "1", "time": "2.250",
    }  # fmt: skip
    assert [case.get("name") for case in found] == ["A", "B", "C", "D"]
    kinds = [[child.tag for child in case if child.tag != "system-out"] for case in found]
    assert kinds == [[], ["failure"], ["error"], ["skipped"]]


@pytest.mark.parametrize("text", ["\x00", "\x1b[31mred", "\ud800", "\ufffe"])
def test_what_xml_has_no_place_for_does_not_break_the_file(text):
    rows = [{"name": f"a{text}", "status": "fail", "detail": text, "steps": [{"name": text}]}]
    assert suite(junit_xml(text, rows)).get("failures") == "1"


def test_the_steps_stand_in_the_output_of_their_test():
    steps = [{"name": "unsigned", "outcome": "pass", "evidence": "refused", "seconds": 0.1}]
    case = suite(junit_xml("smoke", [{**ROWS[0], "steps": steps}]))[0]
    assert (case.findtext("system-out") or "").splitlines() == [
        "well",
        "unsigned: pass, refused (0.100 s)",
    ]
