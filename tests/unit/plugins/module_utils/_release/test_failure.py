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
)
from ansible_collections.easymo.deploy.plugins.module_utils._report.phases import outcome

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
