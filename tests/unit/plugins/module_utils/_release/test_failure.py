# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a phase is on hold is told alike by Slack, which reads a failure, and by the report."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._messages.record_reader import (
    read_phase,
)
from ansible_collections.easymo.deploy.plugins.module_utils._release.failure import (
    is_hold,
    message_of,
    stopped_by,
)
from ansible_collections.easymo.deploy.plugins.module_utils._report.phases import outcome
from ansible_collections.easymo.deploy.plugins.module_utils._terminal.models import Failure

HELD, FAILED = {"reason": "Hold", "message": "no data"}, {"reason": "", "message": "no image"}


@pytest.mark.parametrize(
    ("evidence", "held"),
    [
        ({"failures": {"a": HELD}}, True),
        ({"failures": {"a": FAILED}}, False),
        ({"failures": {"a": HELD, "b": FAILED}}, False),
        ({"failures": {}}, False),
        # The watch held, and then something else went wrong.
        ({"verdict": "hold", "failures": {"a": FAILED}}, False),
        # Words are no reason.
        ({"failures": {"a": {"reason": "Conflict", "message": "Hold: is no flag"}}}, False),
        ({"failures": {"a": {"message": "Hold: no data"}}}, True),
        ({"failures": {"a": {"message": "no image"}}}, False),
        ({"failures": {"a": None}}, False),
    ],
    ids=[
        "hold",
        "failure",
        "one of each",
        "none",
        "failed after a hold",
        "begins with that word",
        "old hold",
        "old failure",
        "unreadable",
    ],
)
def test_slack_and_the_report_agree(evidence: dict[str, t.Any], held: bool) -> None:
    phase = {"started": "2026-11-24T06:00:00Z", "status": "failed", "evidence": evidence}
    read = read_phase(phase)
    assert read is not None
    assert read.held is held
    assert (outcome("failed", evidence) == "on hold") is held


@pytest.mark.parametrize(
    ("failure", "told"),
    [
        ({"message": "Hold: no data"}, "no data"),
        ({"reason": "Hold", "message": "Hold: no data"}, "no data"),
        ({"reason": "Conflict", "message": "Hold: is no flag"}, "Hold: is no flag"),
        ({"message": ["odd"]}, ["odd"]),
        ({}, "no message"),
    ],
    ids=["old hold", "hold", "begins with that word", "no text", "none"],
)
def test_a_message_is_told_without_the_word_of_old_records(
    failure: dict[str, t.Any], told: t.Any
) -> None:
    assert message_of(failure) == told


def test_a_failure_without_a_message_is_no_hold() -> None:
    assert not is_hold({})


def failed(host: str, sentence: str) -> Failure:
    return Failure(host, "a task", sentence)


@pytest.mark.parametrize(
    ("failures", "cause"),
    [
        ([failed("a", "No image.")], failed("a", "No image.")),
        # The fullest words, and where it began.
        (
            [failed("a", "No image."), failed("b", "It failed: No image. Push it.")],
            failed("a", "It failed: No image. Push it."),
        ),
        # A consequence is no cause.
        (
            [failed("a", "No image."), failed("b", "It failed on another host.")],
            failed("a", "No image."),
        ),
    ],
    ids=["alone", "quoted", "elsewhere"],
)
def test_a_run_is_stopped_by_its_first_failure_in_the_fullest_words(
    failures: list[Failure], cause: Failure
) -> None:
    assert stopped_by(failures) == cause
