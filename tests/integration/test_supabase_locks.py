"""Locks: what a migration holds, who is in its way, and how long it stands in others'."""

import re
import typing as t

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.easymo.deploy.plugins.module_utils._migration import runner
from ansible_collections.easymo.deploy.plugins.modules import migrations
from ansible_collections.easymo.deploy.plugins.plugin_utils._action_module import ControllerModule
from tests.integration.running import hosted_database
from tests.integration.supabase_project import Holder, Project, let_go_after_a_try


@pytest.fixture
def project(world, tmp_path) -> t.Iterator[Project]:
    """With two tables that are there before the migrations of a test."""
    with hosted_database(world) as database:
        project = Project(tmp_path, database)
        project.write(v1_a="create table a(id int primary key); create table old()")
        project.run()
        yield project


@pytest.mark.parametrize(
    ("sql", "locks"),
    [
        ("create table new(id int)", {}),
        ("alter table a add b int", {"public.a": "ACCESS EXCLUSIVE"}),
        ("select count(*) from a", {"public.a": "ACCESS SHARE"}),
        ("insert into a values (1); select 1 from a", {"public.a": "ROW EXCLUSIVE"}),
        ("create index on a(id)", {"public.a": "SHARE"}),
        ("reindex index a_pkey", {"public.a": "SHARE", "public.a_pkey": "ACCESS EXCLUSIVE"}),
        ("drop table old", {"public.old": "ACCESS EXCLUSIVE"}),
        ("alter table old rename to older", {"public.old": "ACCESS EXCLUSIVE"}),
        (
            "create table new(a int references a); insert into new select 1 where false",
            {"public.a": "SHARE ROW EXCLUSIVE", "public.a_pkey": None},
        ),
        ("begin; alter table a add b int; commit", {"public.a": "ACCESS EXCLUSIVE"}),
        (
            "begin; lock old; commit; begin; lock a in share mode; end",
            {"public.a": "SHARE", "public.old": "ACCESS EXCLUSIVE"},
        ),
    ],
)  # fmt: skip
def test_the_strongest_lock_on_each_relation_that_was_there_is_told(project, sql, locks):
    project.write(v2_b=sql)
    result = project.run(additive_only=False)
    found = {lock["relation"]: lock["mode"] for lock in result["locks"]["2_b.sql"]}
    assert found == {name: mode for name, mode in locks.items() if mode}
    assert result["locks_unknown"] == []


@pytest.mark.parametrize(
    "sql",
    [
        "alter table a add b int; create index concurrently i on a(b)",
        "-- pg-delta: transaction=false\nalter table a add b int",
    ],
)
def test_locks_of_statements_that_commit_by_themselves_are_said_not_to_be_known(project, sql):
    project.write(v2_b=sql)
    assert project.run(additive_only=False)["locks_unknown"] == ["2_b.sql"]


def test_a_lock_that_others_hold_is_not_waited_for_too_long_and_its_holder_is_named(project):
    project.write(v2_b="alter table a add column b int")
    with Holder(project, "LOCK TABLE a"):
        result = project.run(lock_timeout=0.4, lock_retries=0)
    assert (result["sqlstate"], result["atomic"]) == ("55P03", True)
    for words in (
        "(long report of postgres, idle in transaction, in a transaction since",
        "holds a lock on public.a",
    ):
        assert words in result["msg"]  # fmt: skip
    assert "lock_timeout" in result["msg"]


@pytest.fixture
def brisk(monkeypatch):
    """Waits of a tenth."""
    monkeypatch.setattr(runner, "_LONGEST", 0.3)


@pytest.mark.usefixtures("brisk")
@pytest.mark.parametrize(
    "sql",
    [
        "create table b(); alter table a add c int",
        "begin; create table b(); commit; begin; create table d(); alter table a add c int; commit",
        "-- pg-delta: transaction=false\ncreate table b(); alter table a add c int",
        "create table b(); create index concurrently i on a(id); create table d()",
    ],
    ids=["one transaction", "its own transactions", "statement by statement", "concurrently"],
)
def test_a_lock_that_is_released_midway_lets_the_migration_through_once(project, sql, monkeypatch):
    project.write(v2_b=sql)
    with Holder(project, "LOCK TABLE a") as holder:
        let_go_after_a_try(holder, monkeypatch)
        result = project.run(lock_timeout=0.3, additive_only=False)
    assert [entry["file"] for entry in result["applied"]] == ["2_b.sql"]
    assert project.has("b")


@pytest.mark.usefixtures("brisk")
def test_an_index_left_invalid_is_named_and_not_built_on(project):
    project.write(v2_b="create index concurrently if not exists i on a(id)")
    with Holder(project, "INSERT INTO a VALUES (1)"):
        result = project.run(lock_timeout=0.3, additive_only=False)
    assert result["sqlstate"] == "55P03"
    assert "It left public.i invalid" in result["msg"]

    # Built on, it would be skipped: the file would count as applied, and its index be of no use.
    again = project.run(additive_only=False)
    assert again["sqlstate"] == "55000"
    assert "index public.i is there and invalid" in again["msg"]
    project.query("DROP INDEX i")
    assert [one["file"] for one in project.run(additive_only=False)["applied"]] == ["2_b.sql"]


def test_progress_is_told_file_by_file_and_of_each_wait(project, monkeypatch, brisk):
    told: list[str] = []
    project.write(v2_b="create table b()", v3_c="alter table a add c int")
    given = {
        **project.database,
        "kind": "supabase",
        "directory": str(project.folder),
        "lock_timeout": 0.4,
    }
    spec = migrations.module_spec()["argument_spec"]
    values = ArgumentSpecValidator(spec).validate(given).validated_parameters
    module = ControllerModule(
        {name: values.get(name) for name in spec}, check_mode=False, diff=False, host="supabase_db"
    )
    with Holder(project, "LOCK TABLE a") as holder:

        def hear(_self: ControllerModule, _event: str, text: str, _data: object) -> None:
            told.append(text)
            if "holds a lock" in text:
                holder.let_go()

        monkeypatch.setattr(ControllerModule, "progress", hear)
        migrations.run(module)
    assert re.fullmatch(r"2_b\.sql applied in \d\.\d\d s \(1 of 2\)", told[0])
    assert re.fullmatch(
        r"3_c\.sql: process \d+ \(long report .* holds a lock on public\.a; again in .*", told[1]
    )
    assert re.fullmatch(r"3_c\.sql applied in .* \(2 of 2\)", told[-1])
