import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._migration.guard.models import (
    DESTRUCTIVE,
    UNKNOWN,
    WARNINGS,
)
from ansible_collections.easymo.deploy.plugins.module_utils._migration.guard.review import review
from scripts import guard_table
from tests.unit.plugins.module_utils._migration.guard.cases import Label, read_cases
from tests.unit.plugins.module_utils._migration.guard.shop import SHOP

CASES = read_cases()


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.topic}: {case.title}")
def test_every_statement_gets_the_verdict_that_stands_before_it(case):
    reviewed = review(case.sources, SHOP if case.known else None)

    for source in case.sources:
        found = {
            index + 1: {
                Label(finding.verdict.value, finding.rule)
                for finding in (*reviewed.findings, *reviewed.warnings)
                if finding.file == source.file and finding.statement == index + 1
            }
            for index, _statement in enumerate(source.statements)
        }
        for number, label in enumerate(case.labels[source.file], start=1):
            text = source.statements[number - 1].text
            expected = {label} if label.rule else set()
            assert found[number] == expected, text


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.topic}: {case.title}")
def test_every_statement_is_counted_once(case):
    verdicts = review(case.sources, SHOP if case.known else None).verdicts

    for source in case.sources:
        assert sum(verdicts[source.file].values()) == len(source.statements)


def test_every_rule_is_in_the_corpus():
    shown = {label.rule for case in CASES for of in case.labels.values() for label in of}
    assert {*DESTRUCTIVE, *UNKNOWN, *WARNINGS} == shown - {None}


def test_the_corpus_is_large():
    assert sum(len(of) for case in CASES for of in case.labels.values()) >= 200


def test_the_table_of_the_documentation_is_made_from_the_rules():
    text = guard_table.PAGE.read_text("utf-8")
    assert "| what to do |" in text
    assert text == guard_table.expected(text), "run scripts/guard_table.py"
