import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._errors import (
    InputError,
    Library,
    MissingLibraryError,
    RefusedError,
)
from ansible_collections.easymo.deploy.plugins.module_utils._migration import deploy
from ansible_collections.easymo.deploy.plugins.module_utils._migration.deploy import (
    GuardReport,
    read_waivers,
)
from ansible_collections.easymo.deploy.plugins.module_utils._migration.guard.models import (
    Review,
    Source,
)
from ansible_collections.easymo.deploy.plugins.module_utils._migration.guard.review import review
from ansible_collections.easymo.deploy.plugins.module_utils._migration.splitter import split_script


def reviewed(**files: str) -> Review:
    sources = [Source(f"{name}.sql", split_script(sql).statements) for name, sql in files.items()]
    return review(sources, None)


def test_all_findings_of_all_files_are_told_at_once():
    found = reviewed(
        a="-- why\n\nDROP TABLE users;\nSELECT who_knows()", b="UPDATE t SET a = 'secret'"
    )
    with pytest.raises(RefusedError) as raised:
        GuardReport(found, {}).enforce()
    message = str(raised.value)
    assert "a.sql, line 3, statement 1 (DROP TABLE users): it drops the table users" in message
    assert "[unknown: function]" in message
    assert "b.sql, line 1, statement 1 (UPDATE t SET a = '…')" in message
    assert "option 'waivers'" in message
    assert raised.value.reason == "NotAdditive"
    assert [each["rule"] for each in raised.value.details["findings"]] == [
        "drop-table",
        "function",
        "rows-updated",
    ]
    assert "secret" not in message + str(raised.value.details)


def test_what_cannot_run_and_what_is_not_additive_are_one_report_with_one_on_each_line():
    files = {f"f{number}": "DROP TABLE users; UPDATE t SET a = 1" for number in range(30)}
    found = reviewed(**files, warned="ALTER TABLE t ADD CONSTRAINT none CHECK (false) NOT VALID")
    with pytest.raises(InputError) as raised:
        GuardReport(found, {"f0.sql": "old"}).enforce(
            ["x.sql has no statement.", "1_a and 1_b share version 1."]
        )
    first, *lines = str(raised.value).splitlines()
    assert first == (
        "Nothing was applied: 2 things must be fixed and 58 findings in 29 files must be waived "
        "or rewritten."
    )
    assert lines[:2] == ["- x.sql has no statement.", "- 1_a and 1_b share version 1."]
    assert [line for line in lines if "[destructive:" in line] == lines[2:60]
    assert lines[2] == (
        "- f1.sql, line 1, statement 1 (DROP TABLE users): it drops the table users and the rows in it "
        "[destructive: drop-table]"
    )
    assert sum(line.startswith("- drop-table: keep it") for line in lines) == 1
    assert "every new row of t" in lines[-1]
    assert "[warning: rows-refused]" in lines[-1]
    assert max(map(len, lines)) < 200
    details = raised.value.details
    assert (len(details["problems"]), len(details["findings"])) == (2, 58)
    assert [each["rule"] for each in details["guard_warnings"]] == ["rows-refused"]


def test_a_warning_stops_nothing():
    found = reviewed(a="ALTER POLICY p ON users USING (false)")
    report = GuardReport(found, {})
    report.enforce()
    assert found.verdicts == {
        "a.sql": {"additive": 0, "warning": 1, "destructive": 0, "unknown": 0}
    }
    assert report.warnings[0].startswith(
        "a.sql, line 1, statement 1 (ALTER POLICY p ON users USING"
    )
    assert report.to_result()["guard_warnings"][0]["rule"] == "policy-locks-out"


def test_a_waived_file_is_let_through_with_what_it_does():
    found = reviewed(a="DROP TABLE a; DROP TABLE b", b="SELECT 1")
    report = GuardReport(found, {"a.sql": "old"})
    report.enforce()
    waived = report.to_result()["waived"]["a.sql"]
    assert waived["reason"] == "old"
    assert [finding["statement"] for finding in waived["findings"]] == [1, 2]
    assert report.warnings[0].startswith("Waived (old): a.sql, line 1, statement 1")


def test_a_waiver_does_nothing_for_what_is_additive():
    report = GuardReport(reviewed(a="SELECT 1"), {"a.sql": "just in case"})
    report.enforce()
    assert report.to_result()["waived"] == {}


@pytest.mark.parametrize("reason", ["", "  ", None], ids=["empty", "space", "none"])
def test_a_waiver_needs_a_reason(reason):
    with pytest.raises(InputError, match=r"no reason for a\.sql"):
        read_waivers({"additive_only": False, "waivers": {"a.sql": reason}}, ["a.sql"])


def test_a_waiver_needs_its_file():
    with pytest.raises(InputError, match=r"not in the folder: b\.sql, c\.sql"):
        read_waivers(
            {"additive_only": False, "waivers": {"c.sql": "x", "a.sql": "x", "b.sql": "x"}},
            ["a.sql"],
        )


@pytest.mark.parametrize("additive_only", [True, False])
def test_the_parser_is_missed_only_where_it_is_needed(monkeypatch, additive_only):
    monkeypatch.setattr(deploy, "PGLAST", Library("pglast >= 8.8", "Traceback"))
    params = {"additive_only": additive_only, "waivers": {}}
    if additive_only:
        with pytest.raises(MissingLibraryError, match="pglast"):
            read_waivers(params, [])
    else:
        assert read_waivers(params, []) == {}


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO t VALUES ('it's-secret-value')",
        "INSERT INTO t VALUES ('it's; secret-value; secret')",
        "INSERT INTO t VALUES ('secret-value",
        "SELECT $$secret-value",
        "DO $$ BEGIN 'secret-value'; END $$",
        "DO $$ BEGIN EXECUTE 'nope secret-value'; END $$",
        "UPDATE t SET a = 'secret-value' WHERE b = E'secret-value'",
        "SELECT set_config('role', 'secret-value', false), who_knows('secret-value')",
    ],
)
def test_no_finding_gives_away_a_literal(sql):
    told = [finding.to_sentence() for finding in reviewed(a=sql).findings]
    assert told
    assert "secret" not in " ".join(told)
