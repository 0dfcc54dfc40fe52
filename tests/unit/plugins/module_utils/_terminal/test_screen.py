"""What the terminal says of a run, from events and a clock of our own."""

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._formats import listed, span
from ansible_collections.easymo.deploy.plugins.module_utils._release.record import Record
from ansible_collections.easymo.deploy.plugins.module_utils._story.plan import Plan, Planned
from ansible_collections.easymo.deploy.plugins.module_utils._terminal.layout import (
    against_plan,
    one_line,
)
from ansible_collections.easymo.deploy.plugins.module_utils._terminal.live import Live
from ansible_collections.easymo.deploy.plugins.module_utils._terminal.models import (
    Earlier,
    PlayBegun,
    Task,
    TaskBegun,
    TaskEnded,
    earlier_runs,
)
from ansible_collections.easymo.deploy.plugins.module_utils._terminal.screen import Screen

PLAN = Plan(
    (
        Planned("preflight", "Pre-Deploy", 15),
        Planned("database", "Database", 15),
        Planned("microservices", "Microservices", 20),
        Planned("sign_off", "Sign-Off", 10),
    )
)
PREFLIGHT = PlayBegun("Phase 1: preflight", "preflight", ("localhost",))
DATABASE = PlayBegun("Phase 2: database", "database", ("supabase_db", "agent_core_db"))
SERVICES = PlayBegun("Phase 4: microservices", "microservices", ("agent-core",))
WAVE = PlayBegun("Phase 4: microservices", "microservices", ("wallet-service", "vendor-service"))


def texts(lines):
    return [line.text for line in lines]


def test_a_phase_begins_with_its_number_its_plan_and_how_far_behind_the_run_is():
    screen = Screen(PLAN, 0)
    assert texts(screen.play_started(PREFLIGHT, 0)) == ["Phase 1 of 4: Pre-Deploy · planned 15 min"]
    assert texts(screen.play_started(DATABASE, 960))[1] == (
        "Phase 2 of 4: Database · planned 15 min · 16 min since the start, 1 min behind the plan"
    )
    assert texts(screen.play_started(SERVICES, 1500))[1].endswith(
        "25 min since the start, 5 min ahead of the plan"
    )


def test_the_batches_of_a_phase_are_one_phase():
    screen = Screen(PLAN, 0)
    screen.play_started(SERVICES, 0)
    assert texts(screen.play_started(WAVE, 120)) == [
        "Phase 3 of 4: Microservices goes on with 2 hosts: wallet-service, vendor-service · 2 min of 20 min"
    ]
    assert len(screen.stages) == 1


def test_check_mode_is_said_at_both_ends_of_a_phase():
    screen = Screen(PLAN, 0, check=True)
    assert "check mode, nothing is changed" in texts(screen.play_started(PREFLIGHT, 0))[0]
    screen.changed("localhost", "Set the flags")
    (ended, _begun) = texts(screen.play_started(DATABASE, 1))
    assert ended.endswith("would change: Set the flags (localhost)")
    assert texts(screen.ended("done", 2))[0].endswith("nothing to change")


def test_a_silent_task_is_told_of_ever_more_rarely():
    quiet, said = Live(), []
    quiet.printed(0)
    quiet.task(
        TaskBegun(Task("u", "Back up the database", "easymo.deploy.pg_backup"), "supabase_db", 0)
    )
    for second in range(601):
        said += [(second, line.text) for line in quiet.beat(second)[0]]
    assert [second for second, _text in said] == [15, 45, *range(105, 601, 60)]
    assert said[1][1] == "Still at 'Back up the database' on supabase_db after 45 s"


def test_whoever_speaks_is_not_interrupted():
    quiet = Live()
    quiet.task(TaskBegun(Task("u", "Roll out", "easymo.deploy.rollout"), "h", 0))
    quiet.printed(10)
    lines, again = quiet.beat(20)
    assert (lines, again) == ([], 5)
    quiet.ended(TaskEnded(Task("u", "", ""), "h", "ok"))
    assert quiet.beat(1000)[0] == []


def test_nothing_is_printed_into_what_somebody_types():
    quiet = Live()
    quiet.task(TaskBegun(Task("u", "Ask", "easymo.deploy.person_check"), "h", 0))
    quiet.task(TaskBegun(Task("v", "Roll out", "easymo.deploy.rollout"), "i", 0))
    assert quiet.beat(1000)[0] == []


def test_nothing_is_drawn_over_what_somebody_types():
    live = Live()
    live.task(TaskBegun(Task("u", "Roll out", "easymo.deploy.rollout"), "i", 0))
    assert live.text(5) == "0:05  Roll out · i"
    live.task(TaskBegun(Task("v", "Ask", "easymo.deploy.person_check"), "localhost", 5))
    assert live.text(6) == ""


RECORD = {
    "attempt": 3,
    "phases": {
        "preflight": {"status": "done", "started": "2026-11-24T06:00:00Z", "finished": "2026-11-24T06:10:00Z"},
        "database": {
            "status": "running",
            "started": "2026-11-24T07:00:05Z",
            "finished": "",
            "earlier_failures": [
                {"started": "2026-11-24T06:10:00Z", "finished": "2026-11-24T06:12:00Z"},
                {"started": "2026-11-24T06:20:00Z", "finished": ""},
            ],
        },
    },
}  # fmt: skip


def test_a_record_tells_of_earlier_runs_and_not_of_this_one():
    earlier = earlier_runs(Record.read(RECORD), "2026-11-24T07:00:00.500Z")
    assert earlier == Earlier(3, {"preflight": 600.0, "database": 120.0}, {"preflight": "done"})


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0 s"), (8.4, "8 s"), (185, "3 min 5 s"), (2130, "36 min"), (4790, "1 h 20 min")],
)
def test_times_are_told_as_exactly_as_they_matter(seconds, said):
    assert span(seconds) == said


def test_words():
    assert against_plan(20, 0) == "on plan"
    assert listed(["a", "b", "c", "d", "e"]) == "a, b, c and 2 more"
    assert listed(["a", "b", "c", "d"]) == "a, b, c, d"
    assert one_line("a\r\n\x1b[31mb\tc") == "a b c"
    assert len(one_line("x" * 5000)) == 600
