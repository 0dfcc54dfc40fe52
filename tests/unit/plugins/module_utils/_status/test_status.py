import typing as t
from datetime import UTC, datetime

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._release.record import Record
from ansible_collections.easymo.deploy.plugins.module_utils._status.build import (
    Observed,
    StatusOptions,
    lines_of,
    service_version,
    status_of,
)
from ansible_collections.easymo.deploy.plugins.module_utils._story.next_step import Story
from ansible_collections.easymo.deploy.plugins.module_utils._story.plan import Plan
from ansible_collections.easymo.deploy.plugins.module_utils._terminal.commands import Typed

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
PLAN = [
    {"name": "preflight", "title": "Pre-Deploy", "minutes": 15},
    {"name": "database", "title": "Database", "minutes": 15},
    {"name": "microservices", "title": "Microservices", "minutes": 20},
    {"name": "monitoring", "title": "Monitoring", "minutes": 60},
]
HELD = {
    "held": True,
    "holder": "ann@ops",
    "manual": False,
    "purpose": "deploy",
    "renewed": "2026-11-24T08:59:50Z",
    "until": "2026-11-24T09:01:50Z",
}
FREE = {"held": False, "holder": "", "manual": False, "renewed": "", "until": ""}
BY_HAND = {**FREE, "held": True, "holder": "eve@ops", "manual": True}
KILL = "Ann set the kill switch at 2026-11-24 08:59:00 UTC, because: complaints"
TYPED = Typed("playbooks", ("inventories/prod",))
END = "-i inventories/prod"


def deployment(name: str, version: str = "v2.0.0", **more: t.Any) -> dict[str, t.Any]:
    replicas = {"desired": 3, "available": 3, "terminating": 0, **more.pop("replicas", {})}
    images = {name: f"registry:5000/easymo/{name}:{version}"}
    one = {"name": name, "images": images, "replicas": replicas, "paused": False, "complete": True}
    return {**one, **more}


def recorded(status: str, **phases: t.Any) -> dict[str, t.Any]:
    bodies = {
        name: one
        if isinstance(one, dict)
        else {"status": one, "started": "2026-11-24T08:50:00Z", "finished": "2026-11-24T08:55:00Z"}
        for name, one in phases.items()
    }
    return {
        "version": "2.0.0",
        "attempt": 1,
        "actor": "ann@ops",
        "status": status,
        "started": "2026-11-24T08:40:00Z",
        "finished": "" if status == "running" else "2026-11-24T08:58:00Z",
        "phases": bodies,
    }


def failed(message: str, reason: str, **evidence: t.Any) -> dict[str, t.Any]:
    failures = {"localhost": {"message": message, "reason": reason}}
    begun = {"status": "failed", "started": "2026-11-24T08:50:00Z"}
    return {**begun, "evidence": {"failures": failures, **evidence}}


WATCH = {
    "phase_started": "2026-11-24T08:50:00Z",
    "held": 600.0,
    "held_why": ["redis_hit_rate has no data"],
}
DONE = {one["name"]: "done" for one in PLAN}


def status(
    record: dict[str, t.Any],
    *,
    lock: dict[str, t.Any] = FREE,
    services: t.Sequence[dict[str, t.Any]] = (),
    ramp: t.Mapping[str, t.Any] | None = None,
    **seen: t.Any,
) -> dict[str, t.Any]:
    flags = seen.pop("flags", None)
    facts = Observed(Story(Record.read(record), lock=lock, **seen), "The lock.", services, flags)
    names = [one["name"] for one in services]
    return status_of(facts, StatusOptions(names, Plan.read(PLAN), ramp or {}, typed=TYPED), NOW)


def ramp(percentage: int = 1, step: int = 1, **more: t.Any) -> dict[str, t.Any]:
    """As feature_ramp returns it."""
    shown = {"percentage": percentage, "step": step}
    says = {"before": shown, "steps": 8, "ramp": {"since": ""}, "sentence": "Long."}
    return {**says, "next": {}, "notes": [], **more}


def onward(percentage: int, *, may: bool) -> dict[str, t.Any]:
    """The step that comes next."""
    return {"percentage": percentage, "may": may, "not_before": "", "reasons": []}


HOLDING = "ON HOLD: Monitoring (4 of 4) for 10 min of 1 h, by ann@ops, still watching: redis_hit_rate has no data"
WATCHING = "RUNNING: Monitoring (4 of 4) for 10 min of 1 h, by ann@ops"


@pytest.mark.parametrize(
    ("changes", "said"),
    [({}, HOLDING), ({"held": None}, WATCHING), ({"phase_started": "before"}, WATCHING)],
)
def test_a_run_that_holds_and_watches_on_is_told_of_until_its_next_try(changes, said):
    record = recorded("running", microservices="done", monitoring="running")
    found = status(record, lock=HELD, watches={"monitoring": {**WATCH, **changes}})
    assert lines_of(found, NOW)[0] == said
    decide = "decide.yml" in found["next"][0]["command"]
    assert (decide, len(found["next"])) == ((True, 2) if said == HOLDING else (False, 1))


def test_what_comes_next_is_last_a_person_without_a_command():
    record = recorded("failed", preflight="done", database=failed("disk full", "Conflict"))
    found = status(record, lock=BY_HAND, freeze="Deployments are frozen")
    forced = "-e deploy_lock_force=true -e \"reason='WHY'\""
    assert lines_of(found, NOW)[-6:] == [
        "  next      eve@ops: take away the lock that keeps deployments out",
        f"  or        in place of eve@ops:  ansible-playbook playbooks/unlock.yml {END} {forced}",
        "  or        the author of the freeze: Deployments are frozen",
        f"  or        after fixing the cause:  ansible-playbook playbooks/deploy.yml {END} "
        "--tags database,microservices,monitoring",
        f"  or        go back to what ran before:  ansible-playbook playbooks/rollback.yml {END}",
        f"  or        find the cause:  ansible-playbook playbooks/diagnose.yml {END}",
    ]


def test_a_closed_window_is_told_with_its_opening_and_who_may_open_it():
    """NOW is a Tuesday."""
    record = recorded("running", preflight="done", database="running")
    window = {"timezone": "Africa/Kigali", "days": ["monday"], "start": "09:00", "end": "11:00"}
    facts = Observed(Story(Record.read(record), lock=FREE), "The lock.", ())
    asked = StatusOptions(
        (), Plan.read(PLAN), launch_window=window, changing=["database"], typed=TYPED
    )
    first, second, *_more = lines_of(status_of(facts, asked, NOW), NOW)[-3:]
    assert "the launch window is closed; it opens next Monday 2026-11-30 09:00" in first
    assert second.endswith("-e release_window_override=true -e by=$USER -e \"reason='WHY'\"")


def test_one_screen_tells_all_of_a_release_on_hold():
    services = [deployment(f"service-{number}", "v1.9.0") for number in range(9)]
    services += [deployment("agent-core"), deployment("wallet", replicas={"available": 2})]
    flags = {"FEATURE_A": "true", "FEATURE_B": "false", "PERCENTAGE": "1"}
    record = recorded("failed", preflight="done", database=failed("no data", "Hold"))
    record["backups"] = {
        "b": {"name": "b", "finished": "2026-11-24T08:51:00Z", "size": 4_300_000, "uri": "s3://b"}
    }
    found = status(record, services=services, flags=flags)
    assert lines_of(found, NOW)[1:-3] == [
        "  release   2.0.0, attempt 1 by ann@ops, begun 08:40:00 UTC, ended 08:58:00 UTC",
        "  phases    1 of 4 done · Database on hold",
        "  flags     PERCENTAGE=1 · 1 on · off: FEATURE_B",
        "  versions  v2.0.0: agent-core wallet",
        "  versions  v1.9.0: the other 9",
        "  pods      32/33 available · wallet 2/3",
        "  backups   b 4.3 MB, 08:51:00 UTC",
        "  probes    not measured: the public addresses were not probed",
    ]


@pytest.mark.parametrize(("phase", "shown"), [("rolled_back", True), ("done", False)])
def test_what_a_rollback_verified_is_shown_until_a_deployment_follows_it(phase, shown):
    rows = [{"name": "Payments", "status": "failed", "detail": "HTTP 500"}]
    record = recorded("running", microservices=phase) | {"facts": {"rollback_verified": rows}}
    lines = lines_of(status(record), NOW)
    row = "  back      verified 0 of 1; Payments failed (HTTP 500)"
    assert (row in lines) is shown


@pytest.mark.parametrize("record", [recorded("failed", database=failed("x", "")), {}])
def test_it_fits_one_screen_however_many_services_and_versions(record):
    services = [
        deployment(f"s{number}", f"v{number % 20}", complete=False, replicas={"available": 0})
        for number in range(200)
    ]
    noted = ramp(notes=["note"] * 30)
    told = lines_of(status(record, services=services, ramp=noted, lock=HELD, killed=KILL), NOW)
    assert len(told) <= 25
    assert told[-1].startswith("  next")
    assert max(map(len, told)) < 250


def test_a_long_cause_is_cut_for_people_and_whole_for_programs():
    found = status(recorded("failed", database=failed("x" * 900, "Hold")))
    assert len(lines_of(found, NOW)[0]) < 220
    assert "x" * 900 in found["why"]


def test_a_service_that_is_not_there_is_told_as_missing():
    facts = Observed(Story(lock=FREE), "The lock.", [deployment("a")])
    found = status_of(facts, StatusOptions(["a", "gone"]), NOW)
    assert found["services"]["gone"]["exists"] is False
    assert "  versions  missing: gone" in lines_of(found, NOW)


@pytest.mark.parametrize(("images", "version"), [
    ({"wallet": "r:5000/easymo/wallet:v2", "envoy": "envoy:1.3"}, "v2"),
    ({"app": "easymo/wallet:v2", "envoy": "envoy:1.3"}, "v2 + 1.3"),
    ({"wallet": "localhost:5000/wallet"}, "no tag"),
    ({}, "no tag"),
])  # fmt: skip
def test_the_version_is_the_tag_of_the_container_of_the_same_name(images, version):
    assert service_version("wallet", images) == version


@pytest.mark.parametrize(
    ("outcome", "step", "silent", "looks", "row"),
    [
        ("done", onward(10, may=True), "", 7, "The guard looked last."),
        ("done", onward(10, may=True), "it must every 15 min", 7, "SILENT: it must every 15 min"),
        ("done", onward(10, may=True), "it never looked", 0, "SILENT: it never looked"),
        ("done", {}, "it must every 15 min", 7, "The guard looked last."),
        ("done", onward(10, may=True), "", 0, ""),
        ("running", onward(10, may=True), "it never looked", 0, ""),
    ],
    ids=["looks", "silent", "never", "complete", "not-asked-for", "not-signed-off"],
)
def test_the_guard_is_one_row_while_there_is_something_to_guard(outcome, step, silent, looks, row):
    seen = {"looks": looks} if looks else {}
    guard = {"sentence": "The guard looked last.", "silent": silent, "looks": seen}
    found = status(recorded(outcome, **DONE), ramp=ramp(5, 2, next=step, guard=guard))
    rows = [line.split(maxsplit=1) for line in lines_of(found, NOW) if "guard" in line.split()[0]]
    assert rows == ([["guard", row]] if row else [])


def test_what_was_typed_with_blanks_can_be_pasted():
    typed = Typed("my playbooks", ("my inventory",), "my venv/ansible-playbook")
    told = "'my venv/ansible-playbook' 'my playbooks/ramp.yml' -i 'my inventory'"
    assert typed.line("ramp.yml") == told
