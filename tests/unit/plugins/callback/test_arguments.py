"""Which command lines would do nothing, or not what was typed, and what is said of them."""

import typing as t
from pathlib import Path

import pytest
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader

from ansible_collections.easymo.deploy.plugins.callback.arguments import PlayTarget, problem
from tests.tables import cases

PHASES = (
    PlayTarget("control", frozenset({"preflight"})),
    PlayTarget("microservices", frozenset({"microservices"})),
    PlayTarget("databases", frozenset({"database", "never"})),
)
GROUPS = {
    "control": ("ops-1",),
    "microservices": ("agent-core", "wallet-service"),
    "databases": ("supabase_db",),
}


@pytest.fixture(autouse=True)
def _at_home(monkeypatch):
    """Where the inventories are named as they are typed there."""
    monkeypatch.chdir(Path(__file__).parents[4])


def found(
    groups: t.Mapping[str, tuple[str, ...]] = GROUPS,
    inventory: tuple[str, ...] = ("inventories/prod",),
    **typed: t.Any,
) -> str:
    known = InventoryManager(loader=DataLoader())
    for group, hosts in groups.items():
        known.add_group(group)
        for host in hosts:
            known.add_host(host, group)
    known.reconcile_inventory()
    if not typed.get("subset", "").startswith("@"):
        known.subset(typed.get("subset"))
    return problem("deploy_v2.yml", {"inventory": inventory, **typed}, PHASES, known)


@pytest.mark.parametrize(
    "typed",
    [
        {},
        {"tags": ("preflight", "microservices")},
        {"tags": ("always",)},
        {"tags": ("all", "database"), "subset": "databases"},
        {"skip_tags": ("preflight",)},
        {"subset": "wallet-service", "tags": ("microservices",)},
        {"subset": "all,!microservices", "tags": ("preflight",)},
        {"subset": "@failed.retry"},
    ],
)
def test_what_does_something_is_fine(typed):
    assert found(**typed) == ""


HINT = (
    "use -i inventories/example or -i inventories/prod or -i inventories/sandbox "
    "or -i inventories/staging."
)


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
            {"subset": ""},
            "--limit is empty, which would mean all hosts: name hosts or groups, or leave it out.",
        ),
        "a-part-of-the-limit": (
            {"subset": "agent-core,walet-service"},
            "--limit 'walet-service' matches nothing (did you mean wallet-service?): the groups are "
            "control, databases, microservices.",
        ),
        "a-limit-beside-the-tag": (
            {"subset": "supabase_db", "tags": ("microservices",)},
            "Nothing would run: --tags microservices runs on microservices, and --limit supabase_db "
            "leaves none of these hosts.",
        ),
        "a-limit-that-takes-it-away": (
            {"subset": "all,!control", "tags": ("preflight",)},
            "Nothing would run: --tags preflight runs on control, and --limit all,!control leaves "
            "none of these hosts.",
        ),
        "chosen-and-skipped": (
            {"tags": ("preflight",), "skip_tags": ("preflight",)},
            "--tags preflight --skip-tags preflight leaves nothing to run.",
        ),
        "no-inventory": (
            {"groups": {}, "inventory": ()},
            "Nothing would run: deploy_v2.yml runs on control, microservices, and no inventory was given: "
            f"{HINT}",
        ),
        "another-inventory": (
            {"groups": {"web": ("www",)}, "inventory": ("hosts.ini",)},
            "Nothing would run: deploy_v2.yml runs on control, microservices, and hosts.ini has none of these "
            f"hosts: {HINT}",
        ),
    },
)
def test_what_would_do_nothing_is_named_with_what_there_is(typed, said):
    assert found(**typed) == said
