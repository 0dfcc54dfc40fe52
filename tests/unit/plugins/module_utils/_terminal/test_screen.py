"""What the terminal says of a run, from events and a clock of our own."""

from dataclasses import replace

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._formats import span
from ansible_collections.easymo.deploy.plugins.module_utils._story.plan import Plan, Planned
from ansible_collections.easymo.deploy.plugins.module_utils._story.record import Record
from ansible_collections.easymo.deploy.plugins.module_utils._terminal.commands import Command
from ansible_collections.easymo.deploy.plugins.module_utils._terminal.ending import summary
from ansible_collections.easymo.deploy.plugins.module_utils._terminal.layout import (
    against_plan,
    one_line,
)
from ansible_collections.easymo.deploy.plugins.module_utils._terminal.live import Live
from ansible_collections.easymo.deploy.plugins.module_utils._terminal.models import (
    Earlier,
    Failure,
    PlayBegun,
    Task,
    TaskBegun,
    TaskEnded,
    earlier_runs,
)
from ansible_collections.easymo.deploy.plugins.module_utils._terminal.screen import Screen
from ansible_collections.easymo.deploy.plugins.module_utils._words import listed
from tests.tables import cases

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
COMMAND = Command(
    ("playbooks/deploy_v2.yml",),
    ("inventories/prod",),
    phases=tuple(one.name for one in PLAN),
    rollback="playbooks/rollback.yml",
    ramp="playbooks/ramp.yml",
)
ONE_PHASE = replace(
    COMMAND,
    playbooks=("playbooks/microservices.yml",),
    phases=("microservices",),
    release="playbooks/deploy_v2.yml",
)


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


def test_a_phase_ends_with_its_time_and_what_changed():
    screen = Screen(PLAN, 0)
    screen.play_started(DATABASE, 10)
    screen.changed("supabase_db", "easymo.deploy.db_backup : Back up the database")
    screen.changed("agent_core_db", "easymo.deploy.db_backup : Back up the database")
    screen.changed("supabase_db", "Migrate")
    assert texts(screen.ended("done", 195)) == [
        "Phase 2 of 4: Database took 3 min 5 s, planned 15 min · "
        "changed: Back up the database (2 hosts), Migrate (supabase_db)"
    ]


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


def test_without_a_plan_plays_are_told_by_their_names():
    screen = Screen((), 0)
    assert texts(
        screen.play_started(PlayBegun("Way back 1: flags off", "", ("localhost",)), 0)
    ) == ["Way back 1: flags off"]
    ended, began = texts(
        screen.play_started(PlayBegun("Way back 2: services", "", ("localhost",)), 12)
    )
    assert ended == "Way back 1: flags off took 12 s · nothing changed"
    assert began == "Way back 2: services · 12 s since the start"


def test_what_earlier_runs_took_counts_and_is_told_once():
    screen = Screen(PLAN, 0)
    screen.play_started(SERVICES, 0)
    earlier = Earlier(
        2, {"database": 1020.0, "preflight": 960.0}, {"preflight": "done", "database": "done"}
    )
    assert texts(screen.recorded(earlier)) == [
        "Earlier runs of attempt 2 took 33 min: Pre-Deploy 16 min, Database 17 min"
    ]
    assert screen.recorded(earlier) == []
    began = texts(screen.play_started(PlayBegun("Phase 8", "sign_off", ("localhost",)), 1200))[1]
    assert began.endswith("20 min since the start, 33 min in earlier runs, 3 min behind the plan")


FAILED = Failure("wallet-service", "easymo.deploy.rolling_update : Roll out", "The pods crash.")


def told(ending, *, command=COMMAND, failures=(FAILED,), earlier=None):
    screen = Screen(PLAN, 0, check=command.check)
    screen.play_started(PREFLIGHT, 0)
    if earlier:
        screen.recorded(earlier)
    screen.play_started(SERVICES, 900)
    for failure in failures:
        screen.failed(failure)
    screen.ended(ending, 1440)
    return texts(summary(screen, "Release 2.0.0 · deploy_v2.yml", command, ending, 1440))


def test_a_failed_run_ends_with_a_table_the_first_cause_and_the_ways_on():
    assert told("failed") == [
        "Release 2.0.0 · deploy_v2.yml failed after 24 min",
        "                   planned    took",
        "  1 Pre-Deploy      15 min  15 min  done",
        "  2 Database        15 min          not in this run",
        "  3 Microservices   20 min   9 min  failed",
        "  4 Sign-Off        10 min          not in this run",
        "  in all               1 h  24 min",
        "Phase 3 of 4: Microservices failed in 'Roll out' on wallet-service: The pods crash.",
        "Resume:   ansible-playbook playbooks/deploy_v2.yml -i inventories/prod --tags microservices,sign_off",
        "Go back:  ansible-playbook playbooks/rollback.yml -i inventories/prod",
    ]


def test_the_table_has_what_earlier_runs_did():
    rows = told(
        "failed",
        earlier=Earlier(1, {"database": 60.0, "microservices": 30.0}, {"database": "done"}),
    )
    assert rows[3] == "  2 Database        15 min   1 min  done in an earlier run"
    assert rows[4].endswith("failed, after 30 s in earlier runs")
    assert rows[6].endswith("1 min 30 s of them in earlier runs")


@cases(
    ("command", "resumed"),
    {
        "one phase": ({"tags": ("microservices",)}, "--tags microservices"),
        "a tag inside of a phase": ({"tags": ("waves",)}, "--tags microservices"),
        "some hosts": ({"limit": "wallet-service"}, "--limit wallet-service"),
        "check mode": ({"check": True}, "--check"),
        "extra variables": ({"extra": ("a=b c",)}, "-e 'a=b c'"),
        "a variable that may be a secret": ({"hidden": ("token",)}, "(and -e token)"),
        "a path with a blank": ({"inventories": ("a b",)}, "-i 'a b'"),
    },
)
def test_the_way_on_is_as_the_run_was_asked_for(command, resumed):
    assert resumed in next(
        line for line in told("failed", command=replace(COMMAND, **command)) if "Resume" in line
    )


@cases(("command", "resumed"), {
    "one phase": (replace(COMMAND, tags=("microservices",)),
                  "deploy_v2.yml -i inventories/prod --tags preflight,database,microservices"),
    "some phases of some hosts": (replace(COMMAND, tags=("microservices", "sign_off"),
        limit="wallet-service"),
        "deploy_v2.yml -i inventories/prod --tags preflight,database,microservices,sign_off"),
    "all from there": (COMMAND,
        "deploy_v2.yml -i inventories/prod --tags preflight,database,microservices,sign_off"),
    "a playbook that has not got them": (ONE_PHASE,
        "deploy_v2.yml -i inventories/prod --tags preflight,database,microservices"),
})  # fmt: skip
def test_a_phase_out_of_order_is_resumed_with_what_must_be_done_first(command, resumed):
    missing = Failure("localhost", "Refuse", "out of order", ("preflight", "database"))
    assert f"Resume:   ansible-playbook playbooks/{resumed}" in told(
        "failed", command=command, failures=(missing,)
    )


def test_a_phase_on_hold_did_not_fail():
    held = Failure("localhost", "Watch the metrics", "No data.", held=True)
    (line,) = (line for line in told("failed", failures=(held,)) if "No data." in line)
    assert " is on hold in 'Watch the metrics' on localhost: No data." in line


def test_what_a_cause_asks_for_is_a_command_of_its_own_and_a_list_stays_a_list():
    decide = "-e decision=approve -e by=$USER -e \"reason='WHY'\""
    held = Failure("localhost", "Watch", f"No data: playbooks/decide.yml {decide}.", held=True)
    assert f"Or:       ansible-playbook playbooks/decide.yml -i inventories/prod {decide}" in told(
        "failed", failures=(held,)
    )
    unsigned = " ".join(f"Sign playbooks/approve.yml -e sign_off={name}." for name in "abc")
    lines = told("failed", failures=(Failure("localhost", "Check", unsigned),))
    assert not [line for line in lines if line.startswith("Or:")]


def test_a_phase_takes_as_long_as_its_record_says():
    screen = Screen(PLAN, 0)
    screen.play_started(PREFLIGHT, 0)
    record = {
        "attempt": 1,
        "phases": {
            "preflight": {
                "status": "done",
                "started": "2026-11-24T06:00:04Z",
                "finished": "2026-11-24T06:00:10Z",
            }
        },
    }
    screen.recorded(earlier_runs(Record.read(record), "2026-11-24T06:00:00.500Z"))
    assert texts(screen.ended("done", 11))[0].startswith("Phase 1 of 4: Pre-Deploy took 6 s")


def test_an_interrupted_run_says_how_to_resume():
    lines = told("interrupted", failures=())
    assert lines[0].endswith("was interrupted after 24 min")
    assert [line.split(":")[0] for line in lines[-2:]] == ["Resume", "Go back"]


def test_nothing_goes_back_from_a_phase_that_only_looks():
    screen = Screen(PLAN, 0)
    screen.play_started(PREFLIGHT, 0)
    screen.ended("failed", 5)
    lines = texts(summary(screen, "x", COMMAND, "failed", 5))
    assert lines[-1] == "Resume:   ansible-playbook playbooks/deploy_v2.yml -i inventories/prod"


@cases(("command", "onward"), {
    "elsewhere": (ONE_PHASE, "deploy_v2.yml -i inventories/prod --tags sign_off"),
    "of some hosts, without the limit that the next phases do not know": (replace(COMMAND,
        limit="wallet-service", tags=("microservices",)),
        "deploy_v2.yml -i inventories/prod --tags microservices,sign_off"),
})  # fmt: skip
def test_what_comes_next_is_a_command_that_does_something(command, onward):
    line = told("done", command=command, failures=())[-1]
    assert line == f"Next:     ansible-playbook playbooks/{onward}"


def test_nothing_comes_next_where_no_playbook_does_it():
    lines = told("done", command=replace(ONE_PHASE, release=""), failures=())
    assert not [line for line in lines if line.startswith("Next")]


def test_a_playbook_of_one_phase_is_resumed_with_that_phase_alone():
    lines = told("failed", command=ONE_PHASE)
    assert "Resume:   ansible-playbook playbooks/microservices.yml -i inventories/prod" in lines


def test_a_run_that_went_well_names_what_comes_next():
    assert told("done", failures=())[-1].endswith("--tags sign_off")
    screen = Screen(PLAN, 0)
    screen.play_started(PlayBegun("Phase 8", "sign_off", ("localhost",)), 0)
    screen.ended("done", 5)
    assert texts(summary(screen, "x", COMMAND, "done", 5))[-1] == (
        "Next:     ansible-playbook playbooks/ramp.yml -i inventories/prod"
    )


def test_a_run_in_which_nothing_began_has_no_summary():
    assert summary(Screen(PLAN, 0), "x", COMMAND, "done", 5) == []


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
        "preflight": {
            "status": "done",
            "started": "2026-11-24T06:00:00Z",
            "finished": "2026-11-24T06:10:00Z",
        },
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
}


def test_a_record_tells_of_earlier_runs_and_not_of_this_one():
    earlier = earlier_runs(Record.read(RECORD), "2026-11-24T07:00:00.500Z")
    assert earlier == Earlier(3, {"preflight": 600.0, "database": 120.0}, {"preflight": "done"})


@pytest.mark.parametrize(
    "record", [None, "x", {}, {"phases": 1}, {"phases": {"a": 1}, "attempt": "x"}]
)
def test_of_a_record_that_is_none_nothing_is_told(record):
    assert earlier_runs(Record.read(record), "2026-11-24T07:00:00Z") == Earlier()


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
