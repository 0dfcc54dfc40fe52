"""How the platform stands after a failure: as it was read, and not known where it was not."""

import typing as t

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._release.record import Record
from ansible_collections.easymo.deploy.plugins.module_utils._status.build import (
    next_words,
    standing,
)
from ansible_collections.easymo.deploy.plugins.module_utils._story.next_step import Stop
from ansible_collections.easymo.deploy.plugins.module_utils._story.plan import Plan, Planned
from tests.tables import cases

PARTS = {"database": "databases", "edge_functions": "functions"}


def deployment(name: str, version: str, **more: t.Any) -> dict[str, t.Any]:
    image = f"easymo/{name}:{version}@sha256:0"
    counts = {"desired": 3, "available": 3}
    standing = {"complete": True, "paused": False, "replicas": counts}
    return {"name": name, "images": {name: image}, **standing, **more}


def now(
    record: dict[str, t.Any] | None = None,
    deployments: list[dict[str, t.Any]] | None = None,
    flags: dict[str, t.Any] | None = None,
    pins: dict[str, t.Any] | None = None,
) -> list[str]:
    info = {"record": record, "pins": PINS if pins is None else pins, "flags": flags or {}}
    sight = {} if record is None else info
    sight |= {} if deployments is None else {"deployments": deployments}
    found = standing(sight, "feature-flags", PARTS, {})
    assert found["undone"] == ""
    return found["now"]


PINS = {"config_maps": {"feature-flags": {"data": {"A": "false"}}}}


def test_what_was_not_read_is_not_known():
    assert now() == [
        "services not known",
        "databases not known",
        "functions not known",
        "flags not known",
    ]


def test_versions_are_told_by_version_and_the_most_by_their_number():
    old = [deployment(f"s{number}", "v1.9.0") for number in range(9)]
    new = [deployment("a", "v2.0.0"), deployment("b", "v2.0.0", complete=False, paused=True)]
    assert now({}, [*old, *new])[0] == (
        "v2.0.0: a b · v1.9.0: the other 9 · 33/33 available · b 3/3 paused"
    )
    assert now({}, old)[0] == "v1.9.0: all 9 · 27/27 available"


@cases(("phase", "said"), {
    "its phase was not begun": (None, "not touched"),
    "cut": ({"status": "running"}, "not known for sure, phase database is running"),
    "failed": ({"status": "failed"}, "not known for sure, phase database is failed"),
    "back": ({"status": "rolled_back"}, "rolled back"),
    "done": ({"status": "done", "evidence": {"migrations": {"a": {"applied": [1, 2]}, "b": {}}}},
             "migrated, 2 applied"),
    "nothing to do": ({"status": "done", "evidence": {"migrations": {"a": {"applied": []}}}},
                      "migrated, nothing was pending"),
})  # fmt: skip
def test_a_part_stands_as_its_phase_is_recorded(phase, said):
    phases = {"preflight": {"status": "done"}} | ({"database": phase} if phase else {})
    assert now({"phases": phases}, [])[0] == f"databases {said}"


@pytest.mark.parametrize(("flags", "said"), [
    ({"values": {"A": "false"}, "kill_switch": {}}, "as before the release"),
    ({"values": {"A": "true", "B": "1"}, "kill_switch": {}}, "2 set by the release"),
    ({"values": {"A": "false"}, "kill_switch": {"by": "ann"}},
     "held off by the kill switch, set by ann"),
])  # fmt: skip
def test_flags_stand_against_what_the_release_has_pinned(flags, said):
    assert now({"phases": {}}, [], flags)[-1] == f"flags {said}"


def test_flags_that_a_release_has_not_pinned_it_has_not_touched():
    assert now({"phases": {}}, [], {}, {})[-1] == "flags not touched by the release"


REHEARSED = {"evidence": {"rehearsals": {"a": {"status": "passed"}, "b": {"status": "failed"}}}}
APPLIED = {"evidence": {"rehearsals": {"a": {"status": "passed"}, "b": {"status": "passed"}}}}


@pytest.mark.parametrize(("phase", "said"), [
    (REHEARSED, "not touched, the rehearsal failed"),
    ({**REHEARSED, "earlier_failures": [REHEARSED]}, "not touched, the rehearsal failed"),
    ({**REHEARSED, "earlier_failures": [APPLIED]}, "not known for sure, phase database is failed"),
    ({**REHEARSED, "earlier_runs": [APPLIED]}, "not known for sure, phase database is failed"),
    ({**REHEARSED, "interruptions": [{"by": "ann"}]},
     "not known for sure, phase database is failed"),
    (APPLIED, "not known for sure, phase database is failed"),
])  # fmt: skip
def test_a_database_is_untouched_where_no_try_came_beyond_its_rehearsal(phase, said):
    phases = {"database": {"status": "failed", **phase}}
    assert now({"phases": phases}, [])[0] == f"databases {said}"


@pytest.mark.parametrize(("settlement", "said"), [
    ({"undone": {"a": "rolled_back", "b": "rolled_back"}}, "a, b went back"),
    ({"undone": {"a": "rollback_failed"}}, "a did not come back: check it now"),
    ({"undone": {"on-a-bad-node": "rollback_failed"}},
     "on-a-bad-node serves with all pods, but is not back whole: check it now"),
    ({"undone": {}, "not_undone": ["c"]}, "c did not come back: check it now"),
    ({"undone": {}, "paused": ["c"]}, "c runs the release, and was not undone"),
    ({"undone": {}, "not_undone": []}, "nothing"),
    ({}, ""),
])  # fmt: skip
def test_what_was_undone_is_as_it_was_settled(settlement, said):
    sight = {"deployments": [deployment("on-a-bad-node", "v1.9.0")]}
    assert standing(sight, "", {}, settlement)["undone"] == said


@pytest.mark.parametrize(("status", "missing", "said"), [
    ("failed", [], "playbooks/deploy.yml --tags look,tests,sign_off (after fixing the cause); or "),
    ("failed", ["database"], "playbooks/deploy.yml (after fixing the cause); or playbooks/rollback.yml ("),
    ("", [], ""),
])  # fmt: skip
def test_what_comes_next_begins_with_what_was_switched_off(status, missing, said):
    phases = {"database": {"status": "done"}, "tests": {"status": status}}
    plan = Plan(map(Planned, ("look", "database", "tests", "sign_off")))
    record = Record.read({"status": status, "phases": phases} if status else None)
    found = next_words(record, plan, Stop("PhaseFailed", "tests"), missing)
    assert found.startswith(said)
    assert bool(found) is bool(said)


def test_what_the_cause_and_the_state_of_a_hold_name_alike_is_offered_once():
    record = Record.read({"status": "failed", "phases": {"monitoring": {"status": "on_hold"}}})
    approve = ("decide.yml", "-e decision=approve -e by=$USER -e \"reason='WHY'\"")
    stop = Stop("Hold", "monitoring", named=(approve,))
    words = next_words(record, Plan([Planned("monitoring")]), stop, ())
    assert words.count("playbooks/decide.yml") == 1
    assert words.startswith(f"playbooks/{' '.join(approve)} (")
