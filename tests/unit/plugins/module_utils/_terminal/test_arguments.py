"""Which command lines would do nothing, or not what was typed, and what is said of them."""

import typing as t

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._terminal.commands import (
    Arguments,
    Inventory,
    PlayTarget,
    problem,
)
from tests.tables import cases

PHASES = (
    PlayTarget("control", frozenset({"preflight"})),
    PlayTarget("microservices", frozenset({"microservices"})),
    PlayTarget("databases", frozenset({"database", "never"})),
)
GROUPS = {
    "control": {"localhost"},
    "microservices": {"agent-core", "wallet-service"},
    "databases": {"supabase_db"},
}


def inventory(groups: dict[str, set[str]], limit: set[str] | None) -> Inventory:
    hosts = frozenset().union(*groups.values())

    def matches(pattern: str) -> set[str]:
        return {*hosts} if pattern == "all" else groups.get(pattern, {pattern} & hosts)

    def left(pattern: str) -> set[str]:
        return matches(pattern) & (hosts if limit is None else limit)

    return Inventory(tuple(groups), hosts, matches, left)


def found(
    groups: dict[str, set[str]] = GROUPS, left: set[str] | None = None, **typed: t.Any
) -> str:
    limit = typed.get("limit")
    given = Arguments(
        "deploy_v2.yml",
        **{
            "inventories": ("inventories/prod",),
            "limit_parts": tuple(limit.split(",")) if limit else (),
            "known_inventories": ("inventories/prod", "inventories/staging"),
            **typed,
        },
    )
    return problem(given, PHASES, inventory(groups, left))


@pytest.mark.parametrize(
    "typed",
    [
        {},
        {"tags": ("preflight", "microservices")},
        {"tags": ("always",)},
        {"tags": ("all", "database"), "limit": "databases"},
        {"skip_tags": ("preflight",)},
        {"limit": "wallet-service", "tags": ("microservices",)},
        {"limit": "all,!microservices", "tags": ("preflight",), "left": {"localhost"}},
        {"limit": "@failed.retry"},
    ],
)
def test_what_does_something_is_fine(typed):
    assert found(**typed) == ""


HINT = "use -i inventories/prod or -i inventories/staging."


@cases(
    ("typed", "said"),
    {
        "a-mistyped-tag": (
            {"tags": ("microservice",)},
            "--tags 'microservice' matches nothing (did you mean microservices?): deploy_v2.yml has "
            "database, microservices, preflight.",
        ),
        "one-of-two": (
            {"tags": ("preflight", "xyz")},
            "--tags 'xyz' matches nothing: deploy_v2.yml has database, microservices, preflight.",
        ),
        "a-tag-to-skip": (
            {"skip_tags": ("prefligth",)},
            "--skip-tags 'prefligth' matches nothing (did you mean preflight?): deploy_v2.yml has "
            "database, microservices, preflight.",
        ),
        "an-empty-limit": (
            {"limit": ""},
            "--limit is empty, which would mean all hosts: name hosts or groups, or leave it out.",
        ),
        "a-part-of-the-limit": (
            {"limit": "agent-core,walet-service"},
            "--limit 'walet-service' matches nothing (did you mean wallet-service?): the groups are "
            "control, microservices, databases.",
        ),
        "a-limit-beside-the-tag": (
            {"limit": "supabase_db", "tags": ("microservices",), "left": {"supabase_db"}},
            "Nothing would run: --tags microservices runs on microservices, and --limit supabase_db "
            "leaves none of these hosts.",
        ),
        "a-limit-that-takes-it-away": (
            {"limit": "all,!control", "tags": ("preflight",), "left": {"supabase_db"}},
            "Nothing would run: --tags preflight runs on control, and --limit all,!control leaves "
            "none of these hosts.",
        ),
        "chosen-and-skipped": (
            {"tags": ("preflight",), "skip_tags": ("preflight",)},
            "--tags preflight --skip-tags preflight leaves nothing to run.",
        ),
        "no-inventory": (
            {"groups": {}, "inventories": ()},
            f"No inventory was given, so nothing would run: {HINT}",
        ),
        "another-inventory": (
            {"groups": {"web": {"www"}}, "inventories": ("hosts.ini",)},
            "The inventory hosts.ini has no group control, microservices, databases, so nothing would "
            f"run: {HINT}",
        ),
    },
)
def test_what_would_do_nothing_is_named_with_what_there_is(typed, said):
    assert found(**typed) == said
