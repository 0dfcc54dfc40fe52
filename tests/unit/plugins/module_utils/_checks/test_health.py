import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._checks.health import (
    refuse_failures,
    run_probes,
)
from ansible_collections.easymo.deploy.plugins.module_utils._checks.models import (
    Check,
    CheckError,
    Kind,
    NotKnownError,
    Options,
    Patience,
)
from tests.fakes.cluster import FakeClock


def patience(timeout: float) -> Patience:
    clock = FakeClock()
    return Patience(timeout=timeout, pause=1, clock=clock.now, sleep=clock.sleep)


def check(name: str, kind: str = "good") -> Check:
    return Check(name=name, kind=kind, options={}, timeout=1)


def good(options: Options, timeout: float) -> str:
    return "fine"


def bad(options: Options, timeout: float) -> str:
    raise CheckError("It is broken.")


def after(looks: int):
    left = [looks]

    def probe(options: Options, timeout: float) -> str:
        left[0] -= 1
        return good(options, timeout) if left[0] <= 0 else bad(options, timeout)

    return probe


@pytest.mark.parametrize(("timeout", "passes"), [(0, False), (2, False), (5, True)])
def test_a_check_is_asked_until_it_passes_or_its_time_is_over(timeout, passes):
    [outcome] = run_probes([check("a")], patience(timeout), {"good": Kind(after(4))})
    assert outcome.passed is passes


def test_every_failure_is_named_and_what_passed_is_not():
    checks = [check("a", "bad"), check("b"), check("c", "bad")]
    outcomes = run_probes(checks, patience(0), {"good": Kind(good), "bad": Kind(bad)})
    with pytest.raises(CheckError) as caught:
        refuse_failures(outcomes)
    assert str(caught.value) == "2 of 3 checks fail. a: It is broken. c: It is broken."
    assert [entry["status"] for entry in caught.value.details["results"]] == [
        "fail",
        "pass",
        "fail",
    ]


def test_what_has_nothing_to_tell_is_neither_well_nor_broken():
    def silent(options: Options, timeout: float) -> str:
        raise NotKnownError("There is no value.")

    outcomes = run_probes([check("a")], patience(0), {"good": Kind(silent)})
    assert outcomes[0].to_result()["status"] == "unknown"
    with pytest.raises(CheckError, match="1 of 1 checks fail"):
        refuse_failures(outcomes)


def test_nothing_to_check_is_no_failure():
    refuse_failures(run_probes([], patience(0), {}))
