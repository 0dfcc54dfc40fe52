from datetime import UTC, datetime, timedelta

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._backup.plan import (
    TIME_FORMAT,
    Backup,
    DumpContents,
    compression_argument,
    find_sufficient,
    is_listing,
    parse_contents,
    parse_program_version,
    refuse_older_programs,
)
from ansible_collections.easymo.deploy.plugins.module_utils._errors import InputError
from tests.fakes.backups import manifest
from tests.tables import cases

NOW = datetime(2025, 11, 11, 6, 0, tzinfo=UTC)


def backup(*, release: str = "2.0.0", age: int = 60, name: str = "supabase_prod") -> Backup:
    started = NOW - timedelta(seconds=age)
    at, end = (f"{each:{TIME_FORMAT}}" for each in (started, started + timedelta(seconds=30)))
    stored = manifest(name=name, release=release, key=f"{name}_{age}", started=at, finished=end)
    return Backup(bucket="backups", manifest=stored)


@cases(("backups", "max_age", "serves"), {
    "none": ([], 0, None),
    "any age by default": ([backup(age=10**7)], 0, backup(age=10**7)),
    "the newest": ([backup(age=20), backup(age=10), backup(age=30)], 0, backup(age=10)),
    "as old as it may be": ([backup(age=3600)], 3600, backup(age=3600)),
    "older": ([backup(age=3601)], 3600, None),
    "another release's": ([backup(release="1.9.0")], 0, None),
})  # fmt: skip
def test_the_newest_backup_of_the_release_serves(backups, max_age, serves):
    assert find_sufficient(backups, release="2.0.0", max_age=max_age, now=NOW) == serves


@pytest.mark.parametrize(("age", "serves"), [(99, True), (100, True), (101, False)])
def test_one_that_was_begun_before_the_database_was_put_right_does_not_serve(age, serves):
    since = NOW - timedelta(seconds=100)
    existing = find_sufficient(
        [backup(age=age)], release="2.0.0", max_age=3600, now=NOW, not_before=since
    )
    assert (existing is not None) is serves


@pytest.mark.parametrize(
    ("output", "version"),
    [
        ("pg_dump (PostgreSQL) 18.6", (18, "18.6")),
        ("pg_dump (PostgreSQL) 15.20 (Debian 15.20-0+deb12u1)", (15, "15.20")),
        ("pg_dump (PostgreSQL) 19beta1", (19, "19beta1")),
        ("pg_restore (PostgreSQL) 19devel", (19, "19devel")),
    ],
)
def test_versions_of_programs_are_understood(output, version):
    assert parse_program_version(output) == version


def test_what_is_no_program_of_postgresql_is_refused():
    with pytest.raises(InputError, match="not the version"):
        parse_program_version("hello")


@pytest.mark.parametrize(
    ("older", "than"), [("pg_dump", "version 18.6"), ("pg_restore", "pg_dump 18.6")]
)
def test_an_older_program_is_refused_with_both_versions(older, than):
    programs = {"pg_dump": (18, "18.6"), "pg_restore": (18, "18.6"), older: (15, "15.20")}
    with pytest.raises(InputError, match=rf"{older} 15\.20 .* {than}"):
        refuse_older_programs(server=(18, "18.6"), **programs)


def test_newer_programs_are_fine():
    refuse_older_programs(server=(15, "15.1"), pg_dump=(16, "16.2"), pg_restore=(18, "18.6"))


@pytest.mark.parametrize(
    ("method", "major", "argument"),
    [
        ("zstd:1", 16, "--compress=zstd:1"),
        ("gzip:6", 15, "--compress=6"),
        ("none", 15, "--compress=0"),
    ],
)
def test_compression_is_asked_for_in_the_programs_own_words(method, major, argument):
    assert compression_argument(method, major) == argument


LISTING = """\
;
; Archive created at 2025-11-11 06:00:12 UTC
;     dbname: postgres
;
219; 1259 16389 TABLE public orders postgres
3425; 0 16389 TABLE DATA public orders postgres
3426; 0 16390 TABLE DATA auth my table postgres
3275; 2606 16395 CONSTRAINT public orders orders_pkey postgres
""".splitlines()


def test_the_listing_names_the_tables_with_rows():
    assert parse_contents(LISTING) == DumpContents(entries=4, tables=frozenset({16389, 16390}))


def test_the_listing_of_an_empty_database_is_one():
    assert is_listing(LISTING[:4])
    assert not is_listing([])
