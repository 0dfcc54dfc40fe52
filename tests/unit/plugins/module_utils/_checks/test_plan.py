"""Whether a release's phases can be gone through."""

import typing as t

from ansible_collections.easymo.deploy.plugins.module_utils._checks import preflight
from tests.tables import cases
from tests.unit.plugins.module_utils._checks.ground import ground

KNOWN = ["preflight", "database", "edge_functions", "microservices", "sign_off"]
NEEDS = {
    "database": {"what": "hosts in the group databases", "found": ["orders_db"]},
    "edge_functions": {"what": "names in release_functions", "found": []},
}


def look(*phases: str) -> t.Any:
    return preflight.look_plan({"phases": list(phases), "known": KNOWN, "needs": NEEDS}, ground())


def test_a_release_has_the_phases_that_it_needs():
    found = look("preflight", "database", "microservices", "sign_off")
    assert (found.status, found.detail) == (
        "pass",
        "4 phases: preflight, database, microservices, sign_off",
    )


@cases(
    ("phases", "told"),
    {
        "nothing-to-do": (
            ["preflight", "edge_functions", "sign_off"],
            "phase edge_functions has nothing to do: give the release names in release_functions, "
            "or leave the phase out of release_plan",
        ),
        "misspelt": (
            ["preflight", "databases", "sign_off"],
            "databases is not a phase: write one of preflight, database, edge_functions, "
            "microservices, sign_off into release_plan",
        ),
        "order": (
            ["preflight", "microservices", "database", "sign_off"],
            "release_plan has its phases in another order than they run in: "
            "preflight, database, microservices, sign_off",
        ),
        "twice": (
            ["preflight", "database", "database", "sign_off"],
            "release_plan has database twice: keep one",
        ),
        "no-end": (
            ["preflight", "database"],
            "without sign_off the release never ends: add it as the last of release_plan",
        ),
    },
)
def test_a_release_is_refused_that_could_not_end(phases, told):
    found = look(*phases)
    assert (found.status, found.detail) == ("fail", told)


def test_all_that_is_wrong_is_told_at_once():
    assert look("edge_functions", "moon").detail.count(";") == 2
