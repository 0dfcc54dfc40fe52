"""Which entries of a dump a role restores that is no superuser; lines as pg_restore 18 lists a hosted project's."""

import dataclasses

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._restore.selection import (
    RestoreTarget,
    extensions_of,
    parse,
    select_for_scratch,
    select_in_place,
)

# An extension has no owner, and its line ends in a blank, which is an underscore here.
LISTED = """\
; Archive created at 2025-11-11 06:00:12 UTC
17; 2615 16447 SCHEMA - auth supabase_admin
4561; 0 0 ACL - SCHEMA auth supabase_admin
15; 2615 16446 SCHEMA - extensions postgres
20; 2615 16999 SCHEMA - app postgres
2; 3079 16600 EXTENSION - pg_cron_
4562; 0 0 COMMENT - EXTENSION pg_cron_
3; 3079 16601 EXTENSION - pgcrypto_
370; 1255 16700 FUNCTION extensions pgrst_ddl_watch() supabase_admin
400; 1259 16450 TABLE auth users supabase_auth_admin
401; 1259 17001 TABLE public accounts postgres
402; 1259 17002 TABLE public We"ird x postgres
403; 1259 17003 TABLE public dashboards supabase_admin
4600; 0 0 ACL public TABLE accounts postgres
4601; 0 0 ACL cron TABLE job supabase_admin
4700; 0 16450 TABLE DATA auth users supabase_auth_admin
4701; 0 17001 TABLE DATA public accounts postgres
4702; 0 17002 TABLE DATA public We"ird x postgres
4703; 0 16610 TABLE DATA cron job supabase_admin
4704; 0 17003 TABLE DATA public dashboards supabase_admin
4800; 2620 17100 TRIGGER auth users on_auth_user_created supabase_auth_admin
4801; 2620 17101 TRIGGER storage objects update_objects_updated_at supabase_storage_admin
4802; 2606 17102 FK CONSTRAINT public accounts accounts_id_fkey postgres
4803; 3256 17103 POLICY public accounts own postgres
4804; 6104 17104 PUBLICATION - supabase_realtime postgres
4805; 6106 17105 PUBLICATION TABLE public supabase_realtime accounts postgres
4806; 3466 17106 EVENT TRIGGER - pgrst_ddl_watch supabase_admin
4807; 826 17107 DEFAULT ACL public DEFAULT PRIVILEGES FOR TABLES postgres
4808; 826 17108 DEFAULT ACL public DEFAULT PRIVILEGES FOR TABLES supabase_admin
""".replace("_\n", " \n").splitlines()
GROUND = RestoreTarget(
    roles=frozenset({"postgres", "anon", "pg_database_owner"}),
    others=frozenset({"auth", "cron", "storage"}),
    schemas=frozenset({"auth", "cron", "extensions", "public", "storage"}),
    extensions=frozenset({"pg_cron", "pgcrypto"}),
    publications=frozenset({"supabase_realtime"}),
    triggers=frozenset({"storage objects update_objects_updated_at"}),
)
ROWS = {
    "auth.users": 5,
    "cron.job": 1,
    "public.accounts": 5,
    'public."We""ird x"': 2,
    "public.dashboards": 3,
}


def numbers(lines: tuple[str, ...]) -> set[str]:
    return {line.split(";")[0] for line in lines}


def test_in_place_what_is_ours_comes_back_and_what_is_there_stays():
    chosen = select_in_place(LISTED, GROUND)
    ours = {"20", "401", "402", "4600", "4701", "4702", "4802", "4803", "4805", "4807"}
    assert numbers(chosen.lines) == ours | {"4800"}
    assert chosen.left_out == (
        "schemas of other roles: auth, cron, storage",
        "functions: extensions.pgrst_ddl_watch()",
        "tables: public.dashboards",
        "event triggers: pgrst_ddl_watch",
    )
    assert chosen.expected(ROWS) == {"public.accounts": 5, 'public."We""ird x"': 2}


@pytest.mark.parametrize(
    ("field", "entry"),
    [("extensions", "2"), ("schemas", "15"), ("publications", "4804"), ("triggers", "4801")],
)
def test_in_place_what_is_missing_is_made_again(field, entry):
    assert entry not in numbers(select_in_place(LISTED, GROUND).lines)
    nothing = dataclasses.replace(GROUND, **{field: frozenset()})
    assert entry in numbers(select_in_place(LISTED, nothing).lines)


def test_a_scratch_database_has_the_platforms_tables_too_but_not_what_only_others_make():
    impossible = {"pg_cron": "permission denied"}
    chosen = select_for_scratch(LISTED, GROUND.roles, impossible, configured=())
    everything = {entry.line.split(";")[0] for entry in parse(LISTED)}
    assert everything - numbers(chosen.lines) == {
        "4561",
        "2",
        "4562",
        "4601",
        "4703",
        "4806",
        "4808",
    }
    assert chosen.left_out == (
        "extension pg_cron (permission denied)",
        "owners and grants of other roles",
        "event triggers: pgrst_ddl_watch",
    )
    assert "cron.job" not in chosen.expected(ROWS)


def test_an_extension_that_can_be_made_brings_its_configuration():
    chosen = select_for_scratch(LISTED, GROUND.roles, {}, configured=("cron job",))
    assert {"2", "4703"} <= numbers(chosen.lines)
    assert chosen.expected(ROWS) == ROWS


def test_the_extensions_of_a_dump_are_known_by_name():
    assert extensions_of(LISTED) == ("pg_cron", "pgcrypto")


def test_every_line_is_understood():
    assert len(list(parse(LISTED))) == len(LISTED) - 1
