"""Whether a phase is on hold, and what of its failures is told."""

import typing as t

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._decode import decode
from ansible_collections.easymo.deploy.plugins.module_utils._release.models import phase_failure
from ansible_collections.easymo.deploy.plugins.module_utils._release.record import (
    Failure,
    Phase,
    Record,
)
from ansible_collections.easymo.deploy.plugins.module_utils._terminal.models import (
    RunFailure,
    stopped_by,
)
from tests.tables import cases

STARTED = "2026-11-24T06:00:00Z"
HELD, FAILED = {"reason": "Hold", "message": "no data"}, {"reason": "", "message": "no image"}


@cases(("evidence", "held"), {
    "hold": ({"failures": {"a": HELD}}, True),
    "failure": ({"failures": {"a": FAILED}}, False),
    "one of each": ({"failures": {"a": HELD, "b": FAILED}}, False),
    "none": ({"failures": {}}, False),
    "failed after a hold": ({"verdict": "hold", "failures": {"a": FAILED}}, False),
    "begins with that word": ({"failures": {"a": {"reason": "Conflict", "message": "Hold: is no flag"}}}, False),
    "old hold": ({"failures": {"a": {"message": "Hold: no data"}}}, True),
    "old failure": ({"failures": {"a": {"message": "no image"}}}, False),
    "unreadable": ({"failures": {"a": None}}, False),
})  # fmt: skip
def test_a_phase_is_on_hold_where_nothing_went_wrong_for_sure(evidence, held):
    phase = {"started": "2026-11-24T06:00:00Z", "status": "failed", "evidence": evidence}
    assert (decode(Phase, phase, "phase", []).outcome == "on hold") is held


@pytest.mark.parametrize(("failure", "sentence"), [
    ({"message": "Hold: no data"}, "no data"),
    ({"reason": "Hold", "message": "Hold: no data"}, "no data"),
    ({"reason": "Conflict", "message": "Hold: is no flag"}, "Hold: is no flag"),
    ({}, "no message"),
], ids=["old hold", "hold", "begins with that word", "none"])  # fmt: skip
def test_a_message_is_told_without_the_word_of_old_records(failure, sentence):
    assert decode(Failure, failure, "failure", []).sentence == sentence


def failed(host: str, sentence: str) -> RunFailure:
    return RunFailure(host, sentence)


@pytest.mark.parametrize(("failures", "cause"), [
    ([failed("a", "No image.")], failed("a", "No image.")),
    ([failed("a", "No image."), failed("b", "It failed: No image. Push it.")],
     failed("a", "It failed: No image. Push it.")),
    ([failed("a", "No image."), failed("b", "It failed on another host.")],
     failed("a", "No image.")),
], ids=["alone", "quoted", "elsewhere"])  # fmt: skip
def test_a_run_is_stopped_by_its_first_failure_in_the_fullest_words(failures, cause):
    assert stopped_by(failures) == cause


def failed_wave(**failures: dict[str, t.Any]) -> dict[str, t.Any]:
    services = {"well": {"failed": False, "result": "succeeded"}, **failures}
    return {"services": services, "failed_services": [*failures]}


def test_a_task_s_failure_is_that_of_its_host():
    failure = phase_failure({"msg": "no image", "reason": "ImageNotFound"}, "Check", "localhost")
    expected = {"task": "Check", "message": "no image", "reason": "ImageNotFound"}
    expected |= {"result": "", "lease_lost": False}
    assert failure == {**expected, "by_host": {"localhost": expected}}


def test_of_a_wave_each_failed_service_has_its_own_failure_and_what_went_wrong_decides():
    held = {"msg": "no data", "reason": "Hold", "result": "succeeded"}
    crashed = {"msg": "it crashed", "reason": "CrashLoop", "result": "rolled_back"}
    failure = phase_failure(failed_wave(a=held, b=crashed), "Roll out", "leader")
    assert [*failure["by_host"]] == ["a", "b"]
    assert failure["by_host"]["b"]["message"] == "it crashed"
    assert (failure["reason"], failure["result"]) == ("CrashLoop", "rolled_back")
    assert failure["message"] == "a: no data b: it crashed"
    assert phase_failure(failed_wave(a=held), "Roll out", "leader")["reason"] == "Hold"


@pytest.mark.parametrize(
    "lost", [{"reason": "LeaseLost", "msg": "x"}, {"result": "lease_lost", "msg": "x"}]
)
def test_a_service_that_another_run_took_over_says_so_for_the_phase(lost):
    crashed = {"msg": "it crashed", "reason": "CrashLoop"}
    assert phase_failure(failed_wave(a=crashed, b=lost), "Roll out", "leader")["lease_lost"]
    assert not phase_failure(failed_wave(a=crashed), "Roll out", "leader")["lease_lost"]


def test_those_that_went_back_with_another_are_not_told_in_the_message():
    crashed = {"msg": "it crashed", "result": "rolled_back"}
    beside = {"msg": "wallet failed", "reason": "EarlierWaveFailed", "result": "rolled_back"}
    stuck = {**beside, "msg": "stuck", "result": "rollback_failed"}
    failure = phase_failure(failed_wave(wallet=crashed, a=beside, b=beside, c=stuck), "Roll out")
    assert failure["message"] == "wallet: it crashed c: stuck"
    assert [*failure["by_host"]] == ["wallet", "a", "b", "c"]


def test_bad_input_of_a_wave_is_the_task_s_own():
    failure = phase_failure({"msg": "'waves' names 'x' twice"}, "Roll out", "leader")
    assert [*failure["by_host"]] == ["leader"]


@pytest.mark.parametrize(("failures", "since"), [
    ([], STARTED),
    (["2026-11-24T05:00:00Z"], STARTED),
    (["2026-11-24T06:10:00Z", "2026-11-24T06:20:00Z", None], "2026-11-24T06:20:01Z"),
], ids=["no failure", "of an attempt before", "the last one"])  # fmt: skip
def test_what_was_seen_before_the_last_failure_may_have_been_put_right(failures, since):
    ended = [{"finished": finished} for finished in failures]
    record = {"started": STARTED, "phases": {"database": {"earlier_failures": ended}}}
    assert Record.read(record).repaired_since("database") == since


def test_without_a_record_nothing_is_known_of_that():
    assert Record().repaired_since("database") == ""


def test_who_failed_only_because_another_host_did_tells_the_other_one_s_failure():
    elsewhere = {"msg": "it failed on another host", "reason": "Elsewhere"}
    dump = {"result": {"msg": "disk full", "reason": "DumpFailed"}, "task": {"name": "Back up"}}
    failure = phase_failure(elsewhere, "", "a", [{"host": "a"}, {"host": "b", **dump}])
    assert [*failure["by_host"]] == ["b"]
    assert (failure["task"], failure["message"]) == ("Back up", "disk full")
