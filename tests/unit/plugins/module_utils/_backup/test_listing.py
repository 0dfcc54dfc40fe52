import sys
from pathlib import Path

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._backup.apply import refuse_other_tables
from ansible_collections.easymo.deploy.plugins.module_utils._backup.plan import parse_contents
from ansible_collections.easymo.deploy.plugins.module_utils._backup.programs import (
    Program,
    list_dump,
)
from ansible_collections.easymo.deploy.plugins.module_utils._backup.tables import DumpedTable
from ansible_collections.easymo.deploy.plugins.module_utils._child_process import Child
from ansible_collections.easymo.deploy.plugins.module_utils._errors import (
    NotReadyError,
    VerificationError,
)
from ansible_collections.easymo.deploy.plugins.module_utils._restore.contents import DumpEntries
from tests.tables import cases

ENTRIES = 200_000
NAME = "a_name_as_long_as_people_make_them_" + "x" * 40


def program(folder: Path, script: str) -> Program:
    path = folder / "pg_restore"
    path.write_text(f"#!{sys.executable}\nimport sys, time\n{script}\n")
    path.chmod(0o755)
    return Program(str(path), 18, "18.6")


def dump(running: Child) -> None:
    for _chunk in range(200):
        if not running.give(b"x" * (1 << 16)):
            return


@pytest.mark.slow
def test_twenty_megabytes_of_listing_are_read_and_searched(tmp_path):
    """Written before any of the dump is read, as much of it as there is."""
    says = program(
        tmp_path,
        "print(';\\n; Archive created at 2026-11-24')\n"
        f"for n in range({ENTRIES}): print(f'{{n}}; 1259 {{n}} TABLE s{{n % 50}} {NAME}{{n}} admin')\n"
        "sys.stdin.buffer.read()",
    )
    lines = list_dump(says, "s3://b/k", dump, timeout=60, consequence="nothing was kept")
    assert sum(map(len, lines)) > 20_000_000
    assert parse_contents(lines).entries == ENTRIES
    contents = DumpEntries(lines)
    assert all(contents.knows("TABLE", f"s{n % 50}", f"{NAME}{n}") for n in range(0, ENTRIES, 7))
    assert not contents.knows("TABLE", "s1", f"{NAME}0")
    assert [contents.has_schema(f"s{n}") for n in (0, 49, 50)] == [True, True, False]


@cases(
    ("script", "timeout", "error", "words"),
    {
        "hangs": (
            "time.sleep(600)",
            0.3,
            NotReadyError,
            "pg_restore --list of s3://b/k did not end",
        ),
        "is-silent": (
            "sys.stdin.buffer.read()",
            60,
            VerificationError,
            "it did not mention a dump",
        ),
        "fails": ("sys.exit('no room')", 60, VerificationError, "exit code 1: no room"),
    },
)
def test_who_fails_is_named(tmp_path, script, timeout, error, words):
    pg_restore = program(tmp_path, script)
    with pytest.raises(error, match=words):
        list_dump(pg_restore, "s3://b/k", dump, timeout=timeout, consequence="nothing was kept")


@cases(("oids", "named"), {
    "not in the dump": ((1, 2, 3), "public.t3"),
    "not counted": ((1,), "the table with OID 2"),
})  # fmt: skip
def test_a_table_that_dump_and_row_counts_do_not_share_is_named(oids, named):
    contents = parse_contents([f"9; 0 {oid} TABLE DATA public t{oid} ann" for oid in (1, 2)])
    counted = [DumpedTable(oid, f"public.t{oid}", "", "", True, False, "public") for oid in oids]
    with pytest.raises(VerificationError, match=f"same tables: {named} is in one of them only"):
        refuse_other_tables("shop", contents, counted)
