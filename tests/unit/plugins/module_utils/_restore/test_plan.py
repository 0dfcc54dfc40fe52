import typing as t
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._backup.plan import Backup
from ansible_collections.easymo.deploy.plugins.module_utils._backup.programs import Program
from ansible_collections.easymo.deploy.plugins.module_utils._errors import (
    ConflictError,
    InputError,
    RefusedError,
    VerificationError,
)
from ansible_collections.easymo.deploy.plugins.module_utils._postgres import PostgresTarget
from ansible_collections.easymo.deploy.plugins.module_utils._restore.models import (
    NEWBORN_LIMIT,
    DatabaseMark,
    Kind,
    RestoreRequest,
    Rights,
    ServerDatabase,
    ServerStatus,
    read_mark,
    unmarked,
)
from ansible_collections.easymo.deploy.plugins.module_utils._restore.plan import (
    choose_backup,
    default_request,
    derived_name,
    is_derived,
    plan_restore,
    refuse_other_rows,
)
from tests.fakes.backups import manifest
from tests.tables import cases

NOW = datetime(2025, 11, 11, 10, 15, tzinfo=UTC)
PROGRAM = Program("/usr/bin/pg_restore", 18, "18.6")


def backup(name: str = "shop", release: str = "2.0.0", minute: int = 0, **more: t.Any) -> Backup:
    started = f"2025-11-11T06:{minute:02}:00.000000Z"
    key = f"x/{name}_20251111_06{minute:02}00_abcdef.dump"
    given = {"database": "shop_prod", "key": key, "started": started, "finished": started, **more}
    return Backup("bucket", manifest(name=name, release=release, **given))


def order(method: t.Any = "swap", **more: t.Any) -> RestoreRequest:
    target = PostgresTarget(host="db", user="admin", database="shop_prod")
    values: dict[str, t.Any] = {
        "method": method,
        "target": target,
        "control": replace(target, database="postgres"),
        "bucket": None,
        "backup": backup(),
        "request": "r1",
        "approved_by": "Jane Doe",
        "reason": "gone",
        "now": NOW,
        "pg_restore": PROGRAM,
        "psql": PROGRAM,
        "timeout": 60,
        "keep_owners": True,
        "report": print,
        **more,
    }
    return RestoreRequest(**values)


def database(name: str = "shop_prod", **more: t.Any) -> ServerDatabase:
    values: dict[str, t.Any] = {
        "owner": "admin",
        "encoding": "UTF8",
        "provider": "libc",
        "collate": "C",
        "ctype": "C",
        "locale": None,
        "icu_rules": None,
        "tablespace": "pg_default",
        "connection_limit": -1,
        "open": True,
        "comment": None,
        **more,
    }
    return ServerDatabase(name=name, **values)


def marked(name: str, kind: Kind, **more: t.Any) -> ServerDatabase:
    values = {"database": "shop_prod", "request": "r1", "backup": "b", "at": "2025", **more}
    return database(name, comment=DatabaseMark(kind=kind, **values).comment("Of the shop"))


def standing(
    *databases: ServerDatabase, rights: tuple[bool, bool, bool] = (False, True, True)
) -> ServerStatus:
    return ServerStatus((18, "18.6"), databases or (database(),), Rights(*rights))


def test_the_newest_backup_of_name_and_release_is_chosen():
    backups = [backup(minute=1), backup(minute=3), backup("other", minute=5), backup(release="1")]
    chosen = choose_backup(backups, name="shop", release="2.0.0", key=None, where="s3://b/")
    assert chosen is backups[1]
    by_key = choose_backup(backups, name=None, release=None, key=backups[0].manifest.key, where="")
    assert by_key is backups[0]
    with pytest.raises(
        InputError,
        match=r"no valid backup of 'shop' for release '9' .* newest are x/other",
    ):
        choose_backup(backups, name="shop", release="9", key=None, where="s3://b/")


def test_the_same_words_about_the_same_backup_are_the_same_request():
    assert default_request("k", "Jane", "gone") == default_request("k", "Jane", "gone")
    different = {
        default_request(*words)
        for words in [("k", "Jane", "gone"), ("l", "Jane", "gone"), ("k", "Janeg", "one")]
    }
    assert len(different) == 3


@pytest.mark.parametrize("name", ["shop", "s" * 63, "ü" * 31], ids=["short", "longest", "umlauts"])
def test_a_derived_name_fits_and_is_known_again(name):
    made = derived_name(name, "failed", "20251111_101500")
    assert len(made.encode()) <= 63
    assert made.endswith("_failed_20251111_101500")
    assert is_derived(made, name, "failed")
    assert not is_derived(made, name, "restore")
    assert not is_derived(made, "another", "failed")


def test_a_mark_is_read_back_from_a_comment_that_people_wrote_too():
    mark = DatabaseMark(
        kind="failed", database="d", request="r", backup="b", at="2025", reason="it's\nso"
    )
    comment = mark.comment("first line\nsecond")
    assert read_mark(comment) == mark
    assert unmarked(comment) == "first line\nsecond"
    for other in (None, "", "easymo.deploy pg_restore: not JSON", "about easymo.deploy"):
        assert read_mark(other) is None


@pytest.mark.parametrize("method", ["swap", "in_place"])
def test_what_was_done_is_not_done_again(method):
    kind: Kind = "failed" if method == "swap" else "in_place"
    name = "shop_prod_failed_20251111_060000" if method == "swap" else "shop_prod"
    databases = (database(), marked(name, kind)) if method == "swap" else (marked(name, kind),)
    assert not plan_restore(order(method), standing(*databases)).changed
    assert plan_restore(order(method, request="r2"), standing(*databases)).changed


def test_what_a_dead_run_left_goes_first():
    left = (
        marked("shop_prod_restore_20251111_050000", "copy", request="old", closed=True),
        database("shop_prod_restore_20251111_060000", open=False, connection_limit=NEWBORN_LIMIT),
    )
    others = (
        marked("other_restore_1", "copy", database="other"),
        database("shop_prod_restore_20251111_070000"),
        database("another", open=False, connection_limit=NEWBORN_LIMIT),
    )
    plan = plan_restore(order(), standing(database(open=False), *left, *others))
    assert (plan.leftovers, plan.reopen, plan.changed) == (left, True, True)


def test_a_finished_restore_still_tidies_up():
    copy = marked("shop_prod_restore_20251111_050000", "copy")
    failed = marked("shop_prod_failed_20251111_060000", "failed")
    plan = plan_restore(order(), standing(database(), copy, failed))
    assert (plan.done, plan.changed) == (failed, True)


@cases(("given", "databases", "error", "words"), {
    "no-database": (order(), (database("x"),), InputError, "There is no"),
    "closed": (order(), (database(open=False),), ConflictError, "not by our restore"),
    "of-another": (order(backup=backup(database="x")), (), InputError, "of database 'x'"),
    "old-server": (order(backup=backup(server_version="19.0")), (), InputError, "19.0"),
    "old-reader": (order(backup=backup(pg_dump_version="19.1")), (), InputError, "19.1"),
    "old-psql": (order("in_place", psql=Program("psql", 15, "15.2")), (), InputError, "psql 15.2"),
    "scratch-over-another": (order("scratch"), (), ConflictError, "not a scratch database of ours"),
})  # fmt: skip
def test_what_cannot_end_well_is_refused(given, databases, error, words):
    with pytest.raises(error, match=words):
        plan_restore(given, standing(*databases))


@pytest.mark.parametrize(
    ("method", "rights", "words"),
    [
        ("swap", (False, True, True), ""),
        ("swap", (False, False, True), "may not create databases"),
        ("swap", (False, True, False), "its owner is 'admin'"),
        ("swap", (True, False, False), ""),
        ("in_place", (False, False, True), ""),
        ("in_place", (False, True, False), "its owner is 'admin'"),
        ("scratch", (False, True, False), ""),
        ("scratch", (False, False, False), "may not create databases"),
    ],
)
def test_rights_are_what_the_method_needs(method, rights, words):
    status = standing(database("x" if method == "scratch" else "shop_prod"), rights=rights)
    if not words:
        assert plan_restore(order(method), status).changed
        return
    with pytest.raises(RefusedError, match=words):
        plan_restore(order(method), status)


@cases(
    ("scratch", "changed", "replaced"),
    {
        "the-same": (marked("shop_prod", "scratch"), False, False),
        "unfinished": (marked("shop_prod", "scratch", whole=False), True, True),
        "another": (marked("shop_prod", "scratch", request="r0"), True, True),
        "newborn": (database(open=False, connection_limit=NEWBORN_LIMIT), True, True),
    },
)
def test_a_scratch_database_of_ours_is_kept_or_replaced(scratch, changed, replaced):
    plan = plan_restore(order("scratch"), standing(scratch))
    assert (plan.changed, plan.leftovers) == (changed, (scratch,) if replaced else ())


@pytest.mark.parametrize(
    ("counted", "words"),
    [
        ({"a.b": 3, "c.d": 0, "new.one": 9}, ""),
        ({"a.b": 2, "c.d": 0}, "a.b has 2 instead of 3"),
        ({"a.b": 3}, "c.d has no such table instead of 0"),
    ],
)
def test_rows_are_those_of_the_backup_or_it_is_refused(counted, words):
    expected = {"a.b": 3, "c.d": 0}
    if not words:
        refuse_other_rows(expected, counted, "copy")
        return
    with pytest.raises(VerificationError, match=words) as refused:
        refuse_other_rows(expected, counted, "copy")
    assert len(refused.value.details["differences"]) == 1
