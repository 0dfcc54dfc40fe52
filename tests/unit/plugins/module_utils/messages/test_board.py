# SPDX-License-Identifier: GPL-3.0-or-later
"""What people read in Slack of a run, from its start to its end."""

from __future__ import annotations

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._messages.board import (
    HEADLINE_LIMIT,
    Board,
    duration,
)
from ansible_collections.easymo.deploy.plugins.module_utils._messages.mrkdwn import WORD_JOINER


def read(text):
    return text.replace(WORD_JOINER, "")


@pytest.fixture
def board():
    return Board("Release 2.0.0", "deploy_v2.yml", started=100.0, on_call="U0ONCALL01")


def test_a_phase_shows_its_time_its_hosts_and_its_task_while_it_runs(board):
    board.play_started("Phase 4: microservices", 12, 160.0)
    board.task_started("Roll the service", 160.0)
    board.host_done("agent-core")
    board.progressed("wallet-service", "3 of 4 pods are ready")
    head, phase, progress = read(board.render(285.0)).split("\n")
    assert head == "🚀 *Release 2.0.0* in progress · deploy_v2.yml · 3:05"
    assert phase == "⏳ *Phase 4: microservices* · `2:05` · 1 of 12 hosts · _Roll the service_"
    assert progress.strip() == "`wallet-service` 3 of 4 pods are ready"


def test_a_finished_phase_keeps_its_time_and_the_next_one_runs(board):
    for name, at in (("Phase 1: preflight", 100.0), ("Phase 2: database", 142.0)):
        board.play_started(name, 1, at)
        board.task_started("Look", at)
        board.host_done("localhost")
    board.finished(150.0, good=True)
    shown = read(board.render(999.0))
    assert "✅ Phase 1: preflight · `0:42` · 1 host\n" in shown
    assert "✅ Phase 2: database · `0:08` · 1 host" in shown
    assert shown.startswith("✅ *Release 2.0.0* finished")


def test_a_play_without_tasks_is_no_phase(board):
    board.play_started("Phase 2: not selected", 3, 100.0)
    board.play_started("Phase 3: edge functions", 1, 101.0)
    board.task_started("Deploy", 101.0)
    assert [phase.name for phase in board.phases] == ["Phase 3: edge functions"]


def test_the_batches_of_a_serial_play_are_one_phase(board):
    for host in ("agent-core", "wallet-service"):
        board.play_started("Phase 4: microservices", 2, 100.0)
        board.task_started("Roll", 100.0)
        board.host_done(host)
    assert "2 hosts" in board.render(110.0)
    assert len(board.phases) == 1


def test_a_rescued_host_is_told_apart_from_a_failed_one(board):
    board.play_started("Phase 4", 2, 100.0)
    board.task_started("Roll", 100.0)
    board.host_failed("a", "Roll", "image not found")
    assert "❌ *Phase 4*" in board.render(101.0)
    board.host_done("a")
    assert "⚠️ *Phase 4*" in board.render(102.0)
    assert "1 rescued" in board.render(102.0)


def test_a_bad_end_calls_the_engineer_on_call_and_quotes_the_first_cause(board):
    board.play_started("Phase 4", 2, 100.0)
    board.task_started("Roll", 100.0)
    reply = board.host_failed("wallet-service", "Roll `x`", "<!channel> ```no``` image")
    board.host_failed("wallet-service", "Stop", "because of the first")
    alarm = board.finished(120.0, good=False)
    assert (
        reply == "❌ `wallet-service` failed in `Roll 'x'`\n```&lt;!channel&gt; '''no''' image```"
    )
    assert alarm.startswith("🛑 <@U0ONCALL01> *Release 2.0.0* stopped in Phase 4")
    assert "image" in alarm
    assert "first" not in alarm
    assert board.render(130.0).startswith("🛑 *Release 2.0.0* stopped")


def test_a_good_end_calls_nobody(board):
    assert board.finished(1.0, good=True) == ""


def test_an_interrupted_run_is_no_finished_phase(board):
    board.play_started("Phase 7", 1, 100.0)
    board.task_started("Watch", 100.0)
    assert "was interrupted" in board.interrupted(120.0)
    assert "🛑 Phase 7" in board.render(120.0)


def test_the_message_never_outgrows_what_slack_takes(board):
    for number in range(200):
        board.play_started(f"Play {number} with a long name " * 3, 1, 100.0)
        board.task_started("t", 100.0)
    shown = board.render(100.0)
    assert len(shown) <= HEADLINE_LIMIT + 4
    assert "Play 199" in shown


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0, "0:00"), (59.6, "1:00"), (3725, "1:02:05"), (-1, "0:00")]
)
def test_duration(seconds, shown):
    assert duration(seconds) == shown
