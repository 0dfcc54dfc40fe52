import pytest

from ansible_collections.easymo.deploy.plugins.modules import stop
from tests.module_runner import run_module


@pytest.mark.parametrize(
    "reason", ["Hold", "NotReadyToRelease", "PhaseFailed", "Rollback", "VerificationFailed"]
)
@pytest.mark.parametrize("check", [True, False])
def test_it_fails_with_the_reason_also_in_check_mode(reason, check):
    result = run_module(stop, msg="nobody answered", reason=reason, check=check)
    assert (result["failed"], result["msg"], result["reason"]) == (True, "nobody answered", reason)


def test_the_phases_that_the_next_run_begins_with_reach_the_screen():
    result = run_module(stop, msg="broken", reason="PhaseFailed", missing_phases=["flags"])
    assert result["missing_phases"] == ["flags"]


def test_a_reason_that_nobody_reads_is_refused():
    result = run_module(stop, msg="nobody answered", reason="hold")
    assert (
        "one of: Hold, NotReadyToRelease, PhaseFailed, Rollback, VerificationFailed"
        in result["msg"]
    )


def test_what_was_read_after_a_failure_is_put_together_for_the_screen():
    result = run_module(
        stop, msg="broken", reason="PhaseFailed", standing={"parts": {"database": "databases"}}
    )
    assert result["standing"] == {
        "undone": "",
        "now": ["services not known", "databases not known"],
    }
