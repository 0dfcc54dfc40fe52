import typing as t
from datetime import UTC, datetime

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._status.build import (
    Asked,
    Seen,
    service_version,
    status_of,
)
from ansible_collections.easymo.deploy.plugins.module_utils._status.lines import lines_of
from ansible_collections.easymo.deploy.plugins.module_utils._story.plan import Plan
from ansible_collections.easymo.deploy.plugins.module_utils._story.record import Record
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
KILL = "Ann set the kill switch at 2026-11-24T08:59:00Z, because: complaints"
TYPED = Typed("playbooks", ("inventories/prod",))
END = "-i inventories/prod"
UNLOCK = f"ansible-playbook playbooks/unlock.yml {END} -e deploy_lock_force=true -e \"deploy_lock_reason='WHY'\""


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
LATER = {"status": "done", "started": "2026-11-24T08:56:00Z", "finished": "2026-11-24T08:57:00Z"}


def status(
    record: dict[str, t.Any],
    *,
    lock: dict[str, t.Any] = FREE,
    services: t.Sequence[dict[str, t.Any]] = (),
    ramp: t.Mapping[str, t.Any] | None = None,
    guard: t.Mapping[str, t.Any] | None = None,
    **seen: t.Any,
) -> dict[str, t.Any]:
    facts = Seen(lock, "The lock.", Record.read(record), services, **seen)
    names = [one["name"] for one in services]
    return status_of(
        facts, Asked(names, Plan.read(PLAN), ramp or {}, guard or {}, typed=TYPED), NOW
    )


def ramp(percentage: int = 1, step: int = 1, **more: t.Any) -> dict[str, t.Any]:
    """As feature_ramp returns it."""
    shown = {"percentage": percentage, "step": step}
    says = {"before": shown, "steps": 8, "ramp": {"since": ""}, "sentence": "Long."}
    return {**says, "next": {}, "notes": [], **more}


def onward(percentage: int, *reasons: str, may: bool = False) -> dict[str, t.Any]:
    """The step that comes next, and why not yet."""
    said = [{"text": reason} for reason in reasons]
    return {"percentage": percentage, "may": may, "not_before": "", "reasons": said}


DEPLOY = f"ansible-playbook playbooks/deploy.yml {END}"
BACK = f"ansible-playbook playbooks/rollback.yml {END}"
LOOK = f"ansible-playbook playbooks/diagnose.yml {END}"
FOLLOW = f"ansible-playbook playbooks/status.yml {END} -e follow=true"
WHY = "-e \"reason='WHY'\""
APPROVE = f"ansible-playbook playbooks/decide.yml {END} -e decision=approve -e by=$USER {WHY}"
RESET = f"ansible-playbook playbooks/kill_switch.yml {END} -e reset=true {WHY}"
CASES = {
    "running": (recorded("running", database="done", microservices="running"), {"lock": HELD},
                "RUNNING: Microservices (3 of 4) for 10 min of 20 min, by ann@ops", [FOLLOW]),
    "holding, and still watching": (recorded("running", microservices="done", monitoring="running"),
        {"lock": HELD, "watches": {"monitoring": WATCH}},
        "ON HOLD: Monitoring (4 of 4) for 10 min of 1 h, by ann@ops, still watching: redis_hit_rate has no data",
        [APPROVE, FOLLOW]),
    "watching": (recorded("running", microservices="done", monitoring="running"),
                 {"lock": HELD, "watches": {"monitoring": {**WATCH, "held": None}}},
                 "RUNNING: Monitoring (4 of 4) for 10 min of 1 h, by ann@ops", [FOLLOW]),
    "watching again, after a try that held": (recorded("running", microservices="done",
        monitoring="running"),
        {"lock": HELD, "watches": {"monitoring": {**WATCH, "phase_started": "before"}}},
        "RUNNING: Monitoring (4 of 4) for 10 min of 1 h, by ann@ops", [FOLLOW]),
    "running, and its lock lapsed": (recorded("running", microservices="running"),
        {"lock": {**HELD, "until": "2026-11-24T08:57:00Z"}},
        "RUNNING: Microservices (3 of 4) for 10 min of 20 min, by ann@ops, "
        "but its lock lapsed at 08:57:00 UTC: the run may have died", [FOLLOW]),
    "locked by hand, which is no run": (recorded("done", **DONE),
                                        {"lock": {**HELD, "manual": True, "until": ""}},
                                        "FINE: release 2.0.0 is done since 08:58:00 UTC", []),
    "rolling back": (recorded("failed", database="done"), {"lock": {**HELD, "purpose": "undo"}},
                     "RUNNING: rolling back, by ann@ops", [FOLLOW]),
    "interrupted": (recorded("running", preflight="done", database="running"), {},
        "INTERRUPTED: release 2.0.0 in Database (2 of 4) since 08:50:00 UTC; nobody holds the deploy lock",
        [f"{DEPLOY} --tags database,microservices,monitoring", BACK]),
    "killed": (recorded("done", **DONE), {"killed": KILL}, f"KILLED: {KILL}", [RESET]),
    "killed by the phase that failed, which the next deployment undoes": (recorded("failed",
        **{**DONE, "monitoring": failed("error_rate was above 0.05", "")}), {"killed": KILL, "automatic": True,
        "switched_off": frozenset({"microservices"})},
        "FAILED: release 2.0.0 in Monitoring (4 of 4) since 08:50:00 UTC: error_rate was above 0.05",
        [f"{DEPLOY} --tags microservices,monitoring", BACK, LOOK]),
    "killed by a person while a phase had failed": (recorded("failed",
        **{**DONE, "monitoring": failed("error_rate was above 0.05", "")}), {"killed": KILL},
        f"KILLED: {KILL}", [RESET]),
    "fine": (recorded("done", **DONE), {}, "FINE: release 2.0.0 is done since 08:58:00 UTC", []),
    "failed": (recorded("failed", preflight="done", database=failed("disk full", "Conflict")), {},
               "FAILED: release 2.0.0 in Database (2 of 4) since 08:50:00 UTC: disk full",
               [f"{DEPLOY} --tags database,microservices,monitoring", BACK, LOOK]),
    "on hold": (recorded("failed", preflight=failed("nobody answered", "Hold")), {},
                "ON HOLD: release 2.0.0 in Pre-Deploy (1 of 4) since 08:50:00 UTC: nobody answered",
                [DEPLOY, BACK]),
    "on hold, for a person to decide": (recorded("failed",
        **{**DONE, "monitoring": failed("no data", "Hold", decision={})}), {},
        "ON HOLD: release 2.0.0 in Monitoring (4 of 4) since 08:50:00 UTC: no data",
        [f"{DEPLOY} --tags monitoring", APPROVE, BACK],
    ),
    "rolled back, though the switch is still set": (
        recorded("rolled_back", preflight="done", database="rolled_back"),
        {"killed": KILL},
        f"ROLLED BACK: release 2.0.0 at 08:58:00 UTC. {KILL}",
        [DEPLOY],
    ),
    "the rollback failed": (
        recorded("failed", database="done", rollback=failed("wallet is down", "")),
        {},
        "FAILED: release 2.0.0 in the rollback since 08:50:00 UTC: wallet is down",
        [BACK],
    ),
    "a person had killed it, and the rollback failed": (
        recorded("failed", database="done", rollback=failed("wallet is down", "")),
        {"killed": KILL},
        "FAILED: release 2.0.0 in the rollback since 08:50:00 UTC: wallet is down",
        [f"ansible-playbook playbooks/rollback.yml {END}"],
    ),
    "a person had killed it, and the rollback was killed half way": (
        recorded("running", database="done", rollback="running"),
        {"killed": KILL},
        "INTERRUPTED: release 2.0.0 in the rollback since 08:50:00 UTC; nobody holds the deploy lock",
        [f"ansible-playbook playbooks/rollback.yml {END}"],
    ),
    "a rollback failed, a phase was run again, and a person killed it": (
        recorded("failed", database=LATER, rollback=failed("wallet is down", "")),
        {"killed": KILL},
        f"KILLED: {KILL}",
        [f"ansible-playbook playbooks/kill_switch.yml {END} -e reset=true -e \"reason='WHY'\""],
    ),
    "failed, and locked by hand": (
        recorded("failed", preflight="done", database=failed("disk full", "Conflict")),
        {"lock": BY_HAND},
        "FAILED: release 2.0.0 in Database (2 of 4) since 08:50:00 UTC: disk full",
        [
            UNLOCK,
            f"ansible-playbook playbooks/deploy.yml {END} --tags database,microservices,monitoring",
            f"ansible-playbook playbooks/rollback.yml {END}",
            f"ansible-playbook playbooks/diagnose.yml {END}",
        ],
    ),
    "on hold, for a person to decide, and locked by hand": (
        recorded("failed", **{**DONE, "monitoring": failed("no data", "Hold", decision={})}),
        {"lock": BY_HAND},
        "ON HOLD: release 2.0.0 in Monitoring (4 of 4) since 08:50:00 UTC: no data",
        [
            UNLOCK,
            f"ansible-playbook playbooks/deploy.yml {END} --tags monitoring",
            f"ansible-playbook playbooks/decide.yml {END} -e decision=approve -e by=$USER "
            "-e \"reason='WHY'\"",
            f"ansible-playbook playbooks/rollback.yml {END}",
        ],
    ),
    "rolled back, and locked by hand": (
        recorded("rolled_back", preflight="done", database="rolled_back"),
        {"lock": BY_HAND},
        "ROLLED BACK: release 2.0.0 at 08:58:00 UTC",
        [UNLOCK, f"ansible-playbook playbooks/deploy.yml {END}"],
    ),
    "the rollback failed, which a lock by hand does not stop": (
        recorded("failed", database="done", rollback=failed("wallet is down", "")),
        {"lock": BY_HAND},
        "FAILED: release 2.0.0 in the rollback since 08:50:00 UTC: wallet is down",
        [f"ansible-playbook playbooks/rollback.yml {END}"],
    ),
    "not finished": (
        recorded("running", preflight="done", database="done", microservices="waived"),
        {},
        "NOT FINISHED: release 2.0.0: Monitoring is left",
        [f"{DEPLOY} --tags monitoring", BACK],
    ),
    "signed, and not begun": (
        {**recorded("planned"), "started": ""},
        {},
        "NO RELEASE: release 2.0.0 has sign-offs, and no phase has begun",
        [f"{DEPLOY} --check --diff"],
    ),
    "nothing": ({}, {}, "NO RELEASE: no release is recorded", [f"{DEPLOY} --check --diff"]),
}  # fmt: skip


@pytest.mark.parametrize(("record", "more", "said", "commands"), CASES.values(), ids=CASES)
def test_the_verdict_comes_first_and_what_to_type_last(record, more, said, commands):
    found = status(record, **more)
    told = lines_of(found, NOW)
    assert told[0] == said
    assert [one["command"] for one in found["next"]] == commands
    assert [line.partition(":  ")[2] for line in told[len(told) - len(commands) :]] == commands


def test_one_screen_tells_all_of_a_release_on_hold():
    services = [deployment(f"service-{number}", "v1.9.0") for number in range(9)]
    services += [deployment("agent-core"), deployment("wallet", replicas={"available": 2})]
    flags = {"FEATURE_A": "true", "FEATURE_B": "false", "PERCENTAGE": "1"}
    record = recorded("failed", preflight="done", database=failed("no data", "Hold"))
    record["backups"] = {
        "b": {"name": "b", "finished": "2026-11-24T08:51:00Z", "size": 4_300_000, "uri": "s3://b"}
    }
    found = status(record, services=services, flags=flags)
    assert lines_of(found, NOW)[1:-2] == [
        "  release   2.0.0, attempt 1 by ann@ops, begun 08:40:00 UTC, ended 08:58:00 UTC",
        "  phases    1 of 4 done · Database on hold",
        "  flags     PERCENTAGE=1 · 1 on · off: FEATURE_B",
        "  versions  v2.0.0: agent-core wallet",
        "  versions  v1.9.0: the other 9",
        "  pods      32/33 available · wallet 2/3",
        "  backups   b 4.3 MB, 08:51:00 UTC",
        "  probes    not measured: the public addresses were not probed",
    ]


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
    facts = Seen(FREE, "The lock.", Record(), [deployment("a")])
    found = status_of(facts, Asked(["a", "gone"]), NOW)
    assert found["services"]["gone"]["exists"] is False
    assert "  versions  missing: gone" in lines_of(found, NOW)


@pytest.mark.parametrize(
    ("images", "version"),
    [
        ({"wallet": "r:5000/easymo/wallet:v2", "envoy": "envoy:1.3"}, "v2"),
        ({"app": "easymo/wallet:v2", "envoy": "envoy:1.3"}, "v2 + 1.3"),
        ({"wallet": "easymo/wallet:v2@sha256:" + "a" * 64}, "v2"),
        ({"wallet": "easymo/wallet@sha256:" + "a" * 64}, "sha256:aaaaaaaaaaaa…"),
        ({"wallet": "localhost:5000/wallet"}, "no tag"),
        ({}, "no tag"),
    ],
)
def test_the_version_is_the_tag_of_the_container_of_the_same_name(images, version):
    assert service_version("wallet", images) == version


@pytest.mark.parametrize(
    ("step", "said"),
    [
        (onward(5, may=True), "allowed now"),
        ({**onward(5), "not_before": "2026-11-25T06:00:00Z"}, "not before 2026-11-25T06:00:00Z"),
        (onward(5, "frozen"), "not yet: frozen"),
    ],
)
def test_after_a_good_release_the_next_step_of_the_ramp(step, said):
    found = status(recorded("done", **DONE), ramp=ramp(next=step))
    command = f"ansible-playbook playbooks/ramp.yml {END}"
    assert found["next"] == [{"command": command, "why": f"go up to 5 % of users, {said}"}]


@pytest.mark.parametrize(
    ("step", "killed", "row"),
    [
        ({}, "", "100 %, step 8 of 8"),
        (onward(5, may=True), "", "100 %, step 8 of 8 · next 5 %, allowed now"),
        (onward(5, "frozen", "locked"), "", "100 %, step 8 of 8 · next 5 %: frozen (and 1 more)"),
        (onward(5, KILL), KILL, "100 %, step 8 of 8 · next 5 %, not yet"),
    ],
)
def test_the_ramp_is_one_row_that_repeats_nothing(step, killed, row):
    found = status(recorded("done", **DONE), ramp=ramp(100, 8, next=step), killed=killed)
    assert f"  ramp      {row}" in lines_of(found, NOW)


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
    found = status(recorded(outcome, **DONE), ramp=ramp(5, 2, next=step), guard=guard)
    rows = [line.split(maxsplit=1) for line in lines_of(found, NOW) if "guard" in line.split()[0]]
    assert rows == ([["guard", row]] if row else [])


def test_what_was_typed_with_blanks_can_be_pasted():
    typed = Typed("my playbooks", ("my inventory",), "my venv/ansible-playbook")
    told = "'my venv/ansible-playbook' 'my playbooks/ramp.yml' -i 'my inventory'"
    assert typed.line("ramp.yml") == told
