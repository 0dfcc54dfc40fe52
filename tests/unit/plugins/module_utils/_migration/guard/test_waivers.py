# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._errors import (
    InputError,
    MissingLibraryError,
)
from ansible_collections.easymo.deploy.plugins.module_utils._library import Library
from ansible_collections.easymo.deploy.plugins.module_utils._migration.errors import GuardError
from ansible_collections.easymo.deploy.plugins.module_utils._migration.guard import options
from ansible_collections.easymo.deploy.plugins.module_utils._migration.guard.models import (
    Finding,
    Source,
)
from ansible_collections.easymo.deploy.plugins.module_utils._migration.guard.options import (
    Guard,
    GuardReport,
)
from ansible_collections.easymo.deploy.plugins.module_utils._migration.guard.review import review
from ansible_collections.easymo.deploy.plugins.module_utils._migration.guard.waivers import (
    enforce,
    refuse_bad_waivers,
)
from ansible_collections.easymo.deploy.plugins.module_utils._migration.splitter import split_script


def findings(**files: str) -> tuple[Finding, ...]:
    sources = [Source(f"{name}.sql", split_script(sql).statements) for name, sql in files.items()]
    return review(sources, None).findings


def test_all_findings_of_all_files_are_told_at_once() -> None:
    found = findings(
        a="-- why\n\nDROP TABLE users;\nSELECT who_knows()", b="UPDATE t SET a = 'secret'"
    )
    with pytest.raises(GuardError) as raised:
        enforce(found, {})
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


def test_a_waived_file_is_let_through_with_what_it_does() -> None:
    waived = enforce(findings(a="DROP TABLE a; DROP TABLE b", b="SELECT 1"), {"a.sql": "old"})
    assert waived["a.sql"].reason == "old"
    assert [finding.statement for finding in waived["a.sql"].findings] == [1, 2]
    assert GuardReport(waived).warnings[0].startswith("Waived (old): a.sql, line 1, statement 1")


def test_a_waiver_does_nothing_for_what_is_additive() -> None:
    assert enforce(findings(a="SELECT 1"), {"a.sql": "just in case"}) == {}


@pytest.mark.parametrize("reason", ["", "  ", None], ids=["empty", "space", "none"])
def test_a_waiver_needs_a_reason(reason: str) -> None:
    with pytest.raises(InputError, match=r"no reason for a\.sql"):
        refuse_bad_waivers({"a.sql": reason}, ["a.sql"])


def test_a_waiver_needs_its_file() -> None:
    with pytest.raises(InputError, match=r"has not: b\.sql, c\.sql"):
        refuse_bad_waivers({"c.sql": "x", "a.sql": "x", "b.sql": "x"}, ["a.sql"])


@pytest.mark.parametrize("additive_only", [True, False])
def test_the_parser_is_missed_only_where_it_is_needed(
    monkeypatch: pytest.MonkeyPatch, additive_only: bool
) -> None:
    monkeypatch.setattr(options, "PGLAST", Library("pglast >= 8.8", "Traceback"))
    params = {"additive_only": additive_only, "waivers": {}}
    if additive_only:
        with pytest.raises(MissingLibraryError, match="pglast"):
            Guard.from_params(params, [])
    else:
        assert Guard.from_params(params, []).additive_only is False


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
def test_no_finding_gives_away_a_literal(sql: str) -> None:
    told = [finding.to_sentence() for finding in findings(a=sql)]
    assert told
    assert "secret" not in " ".join(told)
