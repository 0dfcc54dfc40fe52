"""What nobody thought of is the failure of the one item that met it, in words, for every kind of check."""

import typing as t

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._checks import models
from ansible_collections.easymo.deploy.plugins.module_utils._checks.health import run_probes
from ansible_collections.easymo.deploy.plugins.module_utils._checks.models import (
    Check,
    Finding,
    Kind,
)
from ansible_collections.easymo.deploy.plugins.module_utils._checks.preflight import run_preflight
from ansible_collections.easymo.deploy.plugins.module_utils._checks.smoke import run_tests
from tests.fakes.cluster import FakeClock
from tests.unit.plugins.module_utils._checks.ground import ground

NAMES = ("first", "broken", "last")
TOLD = "it could not be checked (KeyError: 'token=********')"
Ended = dict[str, tuple[str, str]]
"""By name, its status and what is told of it."""


def defect(name: str) -> None:
    if name == "broken":
        raise KeyError("token=abcdef")


def of_components() -> Ended:
    def probe(options: t.Any, _timeout: float) -> str:
        defect(options["name"])
        return "fine"

    checks = [Check(name, "k", {"name": name}, 1) for name in NAMES]
    rows = run_probes(checks, kinds={"k": Kind(probe)})
    return {row.name: ("pass" if row.passed else "fail", row.detail) for row in rows}


def of_smoke_tests() -> Ended:
    def run(options: t.Any) -> Finding:
        defect(options["name"])
        return Finding("pass", "fine")

    tests = [Check(name, "health", {"name": name}) for name in NAMES]
    rows = run_tests(tests, {"health": Kind(run)}, report=lambda _row: None)
    return {row.name: (row.status, row.detail) for row in rows}


def of_preflight() -> Ended:
    def look(options: t.Any, _ground: t.Any) -> t.Sequence[models.Finding]:
        defect(options["name"])
        return [models.passed("fine")]

    checks = [models.Check(name, "k", {"name": name}) for name in NAMES]
    rows = run_preflight(checks, {"k": Kind(look)}, ground(), report=lambda _row: None)
    return {row.name: (row.status, row.detail) for row in rows}


@pytest.mark.parametrize(
    ("run", "status"),
    [
        (of_components, "fail"),
        (of_smoke_tests, "hold"),
        (of_preflight, "hold"),
    ],
)
def test_a_defect_of_one_is_told_as_its_failure_and_the_others_end(run, status):
    assert run() == {"first": ("pass", "fine"), "broken": (status, TOLD), "last": ("pass", "fine")}


def test_a_look_is_repeated_until_it_is_well_or_its_time_is_over():
    clock = FakeClock()
    looks: list[str] = []

    def probe(_options: t.Any, _timeout: float) -> str:
        looks.append("look")
        if len(looks) != 3:
            raise models.CheckError("not yet")
        return "fine"

    def row() -> Finding:
        patience = models.Patience(10, 1, clock=clock.now, sleep=clock.sleep)
        (ended,) = run_probes([Check("one", "k", {}, 1)], patience, {"k": Kind(probe)})
        return ended

    assert (row().passed, clock.now()) == (True, 102.0)
    assert (row().passed, clock.now(), len(looks)) == (False, 111.0, 13)
