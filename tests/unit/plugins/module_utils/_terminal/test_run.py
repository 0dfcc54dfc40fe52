"""What the terminal says of a run, from events and a clock of our own."""

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._formats import listed, one_line, span
from ansible_collections.easymo.deploy.plugins.module_utils._story.plan import Plan, Planned
from ansible_collections.easymo.deploy.plugins.module_utils._terminal.models import (
    PlayBegun,
    Task,
    TaskBegun,
    TaskEnded,
)
from ansible_collections.easymo.deploy.plugins.module_utils._terminal.run import Live, PlaybookState

PLAN = Plan(
    (
        Planned("preflight", "Pre-Deploy", 15),
        Planned("database", "Database", 15),
        Planned("microservices", "Microservices", 20),
        Planned("sign_off", "Sign-Off", 10),
    )
)
DATABASE = PlayBegun("Phase 2: database", "database", ("supabase_db", "agent_core_db"))
SERVICES = PlayBegun("Phase 4: microservices", "microservices", ("agent-core",))
WAVE = PlayBegun("Phase 4: microservices", "microservices", ("wallet-service", "vendor-service"))


def test_a_phase_ends_when_the_next_begins_and_its_batches_are_one():
    run = PlaybookState(PLAN, 0)
    assert [run.begin(play, 60) for play in (DATABASE, SERVICES, WAVE)] == [True, True, False]
    database, services = run.stages
    assert (database.number, database.title, database.finished) == (2, "Database", 60)
    assert services.live
    assert len(services.hosts) == 3
    run.close(90, "failed")
    assert (services.finished, run.current, run.ending) == (90, None, "failed")


def test_a_phase_that_the_release_does_not_have_is_none():
    assert [PlaybookState(PLAN, 0).has(name) for name in ("database", "", "edge_functions")] == [
        1,
        1,
        0,
    ]
    assert PlaybookState(Plan(), 0).has("edge_functions")


def test_a_silent_task_is_told_of_ever_more_rarely():
    quiet, said = Live(), []
    quiet.printed(0)
    quiet.task(
        TaskBegun(Task("u", "Back up the database", "easymo.deploy.pg_backup"), "supabase_db", 0)
    )
    for second in range(601):
        said += [second] if quiet.due(second)[0] else []
    assert said == [15, 45, *range(105, 601, 60)]
    assert quiet.text(45) == "0:45  Back up the database · supabase_db"


def test_whoever_speaks_is_not_interrupted():
    quiet = Live()
    quiet.task(TaskBegun(Task("u", "Roll out", "easymo.deploy.rollout"), "h", 0))
    quiet.printed(10)
    assert quiet.due(20) == (False, 5)
    quiet.ended(TaskEnded(Task("u", "", ""), "h", "ok"))
    assert not quiet.due(1000)[0]


def test_nothing_is_printed_into_what_somebody_types():
    quiet = Live()
    quiet.task(TaskBegun(Task("u", "Ask", "easymo.deploy.person_check"), "h", 0))
    quiet.task(TaskBegun(Task("v", "Roll out", "easymo.deploy.rollout"), "i", 0))
    assert not quiet.due(1000)[0]


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


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0 s"), (8.4, "8 s"), (185, "3 min 5 s"), (2130, "36 min"), (4790, "1 h 20 min")],
)
def test_times_are_told_as_exactly_as_they_matter(seconds, said):
    assert span(seconds) == said


def test_words():
    assert listed(["a", "b", "c", "d", "e"]) == "a, b, c and 2 more"
    assert listed(["a", "b", "c", "d"]) == "a, b, c, d"
    assert one_line("a\r\n\x1b[31mb\tc") == "a b c"
    assert len(one_line("x" * 5000)) == 600
