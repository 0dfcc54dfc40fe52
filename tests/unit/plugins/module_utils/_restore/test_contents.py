import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._restore.contents import DumpEntries
from ansible_collections.easymo.deploy.plugins.module_utils._restore.databases import split_list
from ansible_collections.easymo.deploy.plugins.module_utils._restore.programs import (
    connection_string,
)

LISTING = """;
; Archive created at 2026-11-24 18:34:59 UTC
2640; 0 0 ACL - SCHEMA public pg_database_owner
6; 2615 16700 SCHEMA - shop admin
221; 1259 16591 TABLE public orders admin
222; 1259 16592 TABLE public odd name admin
300; 1255 16700 FUNCTION public search_vendors(text, integer) admin
301; 1247 16701 TYPE shop mood admin
2627; 0 16591 TABLE DATA public orders admin
""".splitlines()


@pytest.mark.parametrize(
    ("kind", "schema", "name", "known"),
    [
        ("TABLE", "public", "orders", True),
        ("TABLE", "public", "odd name", True),
        ("TABLE", "public", "order", False),
        ("VIEW", "public", "orders", False),
        ("TABLE", "shop", "orders", False),
        ("FUNCTION", "public", "search_vendors(text, integer)", True),
        ("FUNCTION", "public", "search_vendors(text)", False),
        ("TYPE", "shop", "mood", True),
    ],
)
def test_a_dump_knows_what_its_listing_names(kind, schema, name, known):
    assert DumpEntries(tuple(LISTING)).knows(kind, schema, name) == known


@pytest.mark.parametrize(
    ("schema", "has"), [("public", True), ("shop", True), ("later", False), ("sho", False)]
)
def test_a_dump_has_the_schemas_it_makes_or_fills(schema, has):
    assert DumpEntries(tuple(LISTING)).has_schema(schema) == has


@pytest.mark.parametrize(
    ("value", "names"),
    [
        ("", []),
        ('""', [""]),
        ("shop", ["shop"]),
        ('"$user", public', ["$user", "public"]),
        ('a,"odd ""name, x",b', ["a", 'odd "name, x', "b"]),
    ],
)
def test_a_list_of_names_is_split_as_postgresql_joined_it(value, names):
    assert split_list(value) == names


def test_a_name_is_never_read_as_a_connection_string():
    assert connection_string("host=evil 'x' \\") == r"dbname='host=evil \'x\' \\'"
