# SPDX-License-Identifier: GPL-3.0-or-later
"""One history for two: what the Supabase CLI pushed is applied for us, and what we applied is pushed for it."""

from __future__ import annotations

from tests.interop.projects import history, objects

FILES = {
    "20240101000000_init.sql": "create table a(id int, note text default 'a;b');\ninsert into a values (1);",
    "20240102000000_more.sql": "alter table a add column b text;\n-- done",
}


def test_what_the_cli_pushed_is_applied_for_us(project, database):
    project.write(FILES)
    assert project.push(database)["migrations"] == list(FILES)
    result = project.migrate(database)
    assert (result["changed"], result["drift"]) == (False, {})
    assert result["versions"] == ["20240101000000", "20240102000000"]


def test_what_we_applied_is_pushed_for_the_cli(project, database):
    project.write(FILES)
    assert [entry["file"] for entry in project.migrate(database)["applied"]] == list(FILES)
    pushed = project.push(database)
    assert (pushed["rc"], pushed["upToDate"]) == (0, True)


def test_the_same_folder_leaves_the_same_rows_and_objects(project, database, twin):
    project.write(FILES)
    project.push(database)
    project.migrate(twin)
    assert history(twin) == history(database) != []
    assert objects(twin) == objects(database)


def test_the_cli_trusts_the_sandbox_by_its_certificate_alone(project, database):
    refused = project.push({**database, "ca_cert": "/etc/ssl/certs/ca-certificates.crt"})
    assert "verify" in refused["error"]["message"]
