"""What operators do with the playbooks, in which world, and what must be so when all of it is done."""

from __future__ import annotations

import functools
import re
import typing as t
from dataclasses import dataclass, field, replace
from itertools import chain
from types import MappingProxyType

from ..kubelet import ABSENT, CRASHES
from ..monitoring import URL
from ..plan import (
    AGAIN,
    AT_LAST,
    KILL_AFTER,
    KILL_BEFORE,
    REFUSED,
    TASK,
    Actor,
    Alert,
    Fault,
    Plan,
)
from ..platform import (
    BREACH,
    FLAGS,
    FLAGS_BEFORE,
    FLAGS_ON,
    GOOD,
    NAMESPACE,
    OLD,
    PERCENTAGE,
    SWITCH,
    VERSION,
    image_of,
)
from ..scripts.watch import METRIC
from ..stores import QUERY
from . import ROOT
from .alerting import ALERTMANAGER
from .receivers import TOKEN

if t.TYPE_CHECKING:
    from ..invariants.history import History

Arguments = tuple[str, ...]
Checked = t.Callable[["History"], list[str]]
IMPORTED = re.compile(r"import_playbook: (\w+)\.yml")
TARGET, NEXT = "target", "next"
BEGINS, GOES_ON = 3_000.0, 6_000.0
"""When the run begins in which a task fails, and who types what its screen says."""
SERVICES = {"agent-core": 2, "wallet-service": 1, "mailer": 1}
RESET = "reset=true"
BAD = "mailer"
"""Of the last wave."""


@dataclass(frozen=True)
class Scenario:
    """`before`: what was run until then. `wrong_about`: what is not as it must be when all is done.

    `stands`: what is not as it must be after that run, where nothing befell it.
    """

    name: str
    playbook: str
    arguments: Arguments
    wrong_about: Checked
    before: tuple[tuple[str, Arguments], ...] = ()
    world: t.Mapping[str, t.Any] = field(default_factory=dict)
    again: str = ""
    """The playbook that is run last; the same command where it is empty."""
    ends: int = 0
    """The exit code of that run without a fault, for what it meets in its world."""
    last: int = 0
    """The same of the last one."""
    stands: Checked | None = None
    fails: bool = True
    """Whether its tasks fail, each once: those of a run that differs little fail in the run that it is like."""
    refused: str = ""
    """A task of that run that is refused, as `TASK|HOST`."""
    beside: tuple[float, str, Arguments] | None = None
    """What somebody else runs: so many seconds after that run began, the playbook and its arguments."""
    options: t.Mapping[str, t.Any] = field(default_factory=dict)
    """Of its actors: `decision`, and `variables` of the inventory."""

    @property
    def commands(self) -> tuple[tuple[str, Arguments], ...]:
        """Those that are named here."""
        beside = [self.beside[1:]] if self.beside else []
        commands = (*self.before, (self.playbook, self.arguments), *beside)
        return (*commands, (self.again or self.playbook, ()))

    def plan_of(self, *faults: Fault, goes_on: bool = True) -> Plan:
        """`goes_on`: with what follows that run."""
        command = (self.playbook, self.arguments)
        runs = [(f"before-{n}", n * 900.0, *run) for n, run in enumerate(self.before)]
        runs.append((TARGET, BEGINS, *command))
        if self.beside:
            runs.append(("beside", BEGINS + self.beside[0], *self.beside[1:]))
        if goes_on:
            runs.append((NEXT, GOES_ON, *command))
            # Of one that fails again, no sentence says that it leads to an end.
            name = "once more" if self.last else AGAIN
            runs.append((name, AT_LAST, *((self.again, ()) if self.again else command)))
        actors = [self._actor(*run) for run in runs]
        if self.refused:
            faults = (Fault(TARGET, REFUSED, f"{TASK} in {self.refused}", 1), *faults)
        return Plan(
            **{"seed": 0, **self.world}, services=SERVICES, actors=tuple(actors), faults=faults
        )

    def _actor(self, name: str, begins: float, playbook: str, arguments: Arguments) -> Actor:
        options = {**self.options, "playbook": playbook, "arguments": arguments}
        options["fails"] = bool(self.ends or self.options)
        if name == NEXT:
            options |= {"next": TARGET, "goes_on": not self.last, "decision": "approve"}
        script = "reset" if RESET in arguments else playbook
        return Actor(name, script, begins, "laptop-1", options)


def deployed(history: History) -> list[str]:
    """What is not as a release leaves it that is done."""
    record = history.record(VERSION)
    phases = {name: phase["status"] for name, phase in record.get("phases", {}).items()}
    wrong = [f"{name} is {status}" for name, status in phases.items() if status != "done"]
    if record.get("status") != "done":
        wrong.append(f"the release is {record.get('status')}")
    wrong += _paged(history)
    wrong += _images_but(history, lambda _name: VERSION) + _flags_but(history, FLAGS_ON[VERSION])
    return wrong + migrated(history)


def rolled_back(history: History) -> list[str]:
    status = history.record(VERSION)["status"]
    wrong = [] if status == "rolled_back" else [f"the release is {status}"]
    return [*wrong, *untouched(history), *_flags_but(history, FLAGS_BEFORE), *_paged(history)]


def untouched(history: History) -> list[str]:
    """Of the services."""
    return _images_but(history, lambda _name: OLD)


def unmigrated(history: History) -> list[str]:
    stores = history.world.stores
    names = [name for name in history.world.plan.stores if stores and stores.applied(name)]
    return [*untouched(history), *(f"{name} has migrations" for name in names)]


def migrated(history: History) -> list[str]:
    names, stores = history.world.plan.stores, history.world.stores
    return [f"{name} lacks migrations" for name in names if stores and stores.pending(name)]


def stated(history: History) -> list[str]:
    """COUPONS alone, as a person said of it, and no service is touched."""
    stores = history.world.stores
    applied = {name: stores.applied(name) for name in history.world.plan.stores} if stores else {}
    right = applied == {"platform": set(), "agent_core": {COUPONS[13]}}
    return [*untouched(history), *([] if right else [f"applied is {applied}"])]


def restored(history: History) -> list[str]:
    """Both databases are as before the release, the record says so, and the feature is off."""
    facts, stores = history.record(VERSION)["facts"], history.world.stores
    wrong = ["the restore is open"] if facts["restore_asked"]["open"] else []
    for name in history.world.plan.stores:
        if not facts.get("database_restores", {}).get(name):
            wrong.append(f"no restore of {name} is recorded")
        if stores and stores.applied(name):
            wrong.append(f"{name} has migrations")
    return [*wrong, *off(history)]


def off(history: History) -> list[str]:
    return _flags_but(history, {SWITCH: False, PERCENTAGE: 0})


def at_zero(history: History) -> list[str]:
    return _flags_but(history, {PERCENTAGE: 0})


def on(history: History) -> list[str]:
    return _flags_but(history, {SWITCH: True})


def undone(history: History) -> list[str]:
    """Of a release of which one service cannot run."""
    return _failed_and(history, lambda name: OLD if name == BAD else VERSION)


def all_undone(history: History) -> list[str]:
    return _failed_and(history, lambda _name: OLD)


def left(history: History) -> list[str]:
    return _failed_and(history, lambda _name: VERSION)


def held(history: History) -> list[str]:
    """By a watch, with the feature on."""
    phases = history.record(VERSION)["phases"].values()
    reasons = [
        failure["reason"]
        for phase in phases
        for failure in phase["evidence"].get("failures", {}).values()
    ]
    return [*on(history), *([] if reasons == ["Hold"] else [f"it failed for {reasons}"])]


def decided(history: History) -> list[str]:
    decisions = history.record(VERSION)["facts"]["decisions"].values()
    words = [(one["by"], one["reason"], one["decision"]) for one in decisions]
    return [] if words == [(TARGET, WHY, "approve")] else [f"decided was {words}"]


def as_it_was(_history: History) -> list[str]:
    """Of what only looks, or whose sentences are among those of every run."""
    return []


def paged(history: History) -> list[str]:
    """By a guard that took the feature back."""
    titles = history.world.receivers.pages
    return [*at_zero(history), *([] if len(titles) == 1 else [f"people are paged for {titles}"])]


def _paged(history: History) -> list[str]:
    """Whom somebody waits for still, though all is over."""
    return [f"the incident {key} is open" for key in history.world.receivers.paged]


def _fails_in(phase: str, *others: Checked) -> Checked:
    """The record says so and why, people are paged, and the others find nothing."""

    def checked(history: History) -> list[str]:
        recorded = history.record(VERSION)["phases"][phase]
        wrong = [] if recorded["status"] == "failed" else [f"{phase} is {recorded['status']}"]
        if not recorded["evidence"].get("failures"):
            wrong.append(f"{phase} has no cause")
        if not history.world.receivers.paged:
            wrong.append("nobody is paged")
        return wrong + [text for other in others for text in other(history)]

    return checked


def _failed_and(history: History, version_of: t.Callable[[str], str]) -> list[str]:
    status = history.record(VERSION)["phases"]["microservices"]["status"]
    # Preflight stops the next run at the pod that crashes, and the phase stays as a kill left it.
    killed = any(fault.kind in (KILL_BEFORE, KILL_AFTER) for fault in history.world.befell)
    wrong = [] if status == "failed" or (killed and status == "running") else [f"it is {status}"]
    return wrong + _images_but(history, version_of)


def _images_but(history: History, version_of: t.Callable[[str], str]) -> list[str]:
    wrong, planned = [], history.world.plan
    for name in planned.services:
        template = (history.find("deployments", name) or {})["spec"]["template"]
        image = template["spec"]["containers"][0]["image"]
        if image != image_of(name, version_of(name), planned):
            wrong.append(f"{name} runs {image}")
    return wrong


def _flags_but(history: History, values: t.Mapping[str, t.Any]) -> list[str]:
    flags = (history.find("configmaps", FLAGS) or {})["data"]
    texts = {name: str(value).lower() for name, value in values.items()}
    return [f"{name} is {flags.get(name)}" for name in texts if flags.get(name) != texts[name]]


ROLE = "easymo.deploy."
WHY = "it was looked at"
BY = ("-e", "by=Jane", "-e", f"reason='{WHY}'")
DEPLOYED: tuple[tuple[str, Arguments], ...] = (("deploy", ()),)
RAMPED = (*DEPLOYED, ("ramp", ()))
CHECKED: tuple[tuple[str, Arguments], ...] = (("preflight", ()),)
COUNTED = {"variables": {"release_worst_users": {"database": "platform", "query": QUERY}}}
MAY_FAIL = {"fails": True}
"""What was run before."""
FOLLOW = ("-e", "follow=true")
FILE = ("-e", "status_file={{ report_directory }}/status.json")
LIMIT = ("--limit", "mailer,localhost")
COUPONS = "20261101000004_coupons"
RESOLVED = ("-e", "prisma_migrate_resolution=applied", "-e", f"prisma_migrate_resolved={COUPONS}")
WATCHED: t.Mapping[str, t.Any] = {"watched": True}
HELD = {**WATCHED, "metric": ((0.0, BEGINS - 60.0, (GOOD + BREACH) / 2),)}
BREACHED = {**WATCHED, "metric": ((0.0, GOES_ON - 60.0, 2 * BREACH),)}
ILL: t.Mapping[str, t.Any] = {"bad_images": {BAD: CRASHES}}
WHOLE: t.Mapping[str, t.Any] = {
    "complete": True,
    "stores": {"platform": "supabase", "agent_core": "prisma"},
    "functions": {"wa-webhook": "old", "receipts": "absent"},
}
SQL = {**WHOLE, "stores": {"platform": "sql", "agent_core": "supabase"}}
ALERTS = {"name": "alerts", "kind": "alerts", "query": "Errors", "pass": {"max": 0}}
ALERTS |= {"window": 1, "breaches": 1}
ASKED = {
    "variables": {"release_feedback": [{"name": "tickets", "question": "More?", "asked_of": "us"}]}
}
ALERTED = {"variables": {"release_metrics": [ALERTS]}}
ALARM = {"alerts": (Alert("Errors", "rollback", ((BEGINS - 60.0, 2 * AT_LAST),)),)}
"""One that nobody ends."""
ALARMED = {"alerts": (Alert("Errors", "rollback", ((BEGINS - 60.0, GOES_ON - 60.0),)),)}
UNSIGNED: tuple[tuple[str, Arguments], ...] = (("deploy", ("--skip-tags", "sign_off")),)
ASLEEP = {"blind": (BEGINS - 60.0, GOES_ON - 60.0)}
REACHED = {
    "variables": {
        "contract_health": {BAD: f"{URL}/api/v1/rules"},
        "contract_health_version": "",
    }
}
"""A service whose public address is the one that is asleep then."""
WAR_ROOM = {
    "variables": {
        "release_war_room": "war-room",
        "release_review": {"day": 7, "time": "10:00", "timezone": "UTC", "minutes": 30},
        "release_mail_sender": "release@example.com",
        "message_review": "How it went.",
        "message_war_room_closed": "All is over.",
        "release_smoke_questions": [{"name": "menu", "question": "Is it new?", "asked_of": "us"}],
        "smoke_tests_answers": {"menu": "yes"},
        "smoke_tests_answered_by": "Jane",
    }
}
ARCHIVED = ("--tags", "sign_off", "-e", "release_archive_war_room=true")
ERRORS = {"prometheus": "{{ prometheus_connection }}", "metrics": [METRIC], "wait_timeout": 0}
TESTED = {
    "variables": {
        "release_rollback_tests": [{"name": "Errors", "kind": "metrics", "metrics": ERRORS}]
    }
}
RULES = {
    "variables": {
        "alertmanager_url": f"http://{ALERTMANAGER}",
        "alert_rules_source": str(ROOT / "inventories" / "shared" / "alerts.rules.yml"),
        "alert_rules_destination": "file",
        "alert_rules_path": "{{ report_directory | dirname }}/rules.yml",
    }
}
UNANSWERED = {
    "variables": {
        "release_webhook_url": "https://hooks.example.com/whatsapp",
        "secret_wa_verify_token": TOKEN,
        "feature_flags_messages": [{"name": "treated", "from": "250780000001", "text": "Hello"}],
    }
}
PROBED = {"probed": tuple(SERVICES)}
UNMEASURED: t.Mapping[str, t.Any] = {"variables": {"release_metrics": []}}
UNDEFINED = {"variables": {"release_image_repository": "{{ team_registry }}/shop"}}
DRAFTED = "init_directory={{ report_directory }}/draft"
DRAFT = ("-e", f"init_namespace={NAMESPACE}", "-e", "init_context=shop", "-e", DRAFTED)
OVERRULED = ("-e", "release_window_override=true", *BY)
LOCKED: tuple[tuple[str, Arguments], ...] = (("lock", BY),)
WRONG = {
    "variables": {
        "release_verification_queries": {
            "platform": [{"name": "applied", "query": QUERY, "expect": "7"}]
        }
    }
}
WAIVED = ("-e", "migration_rehearsal_waiver='no room'", "-e", "migration_rehearsal_waived_by=Jane")
GOOD_ANSWER = ("-e", "feedback=tickets", "-e", "answer=good")
BAD_ANSWER = ("-e", "feedback=tickets", "-e", "answer=bad")
LOOKING = ("preflight", "diagnose", "readiness", "report", "status")
DECIDING = ("approve", "decide", "lock", "unlock")
ACTING = ("guard", "kill_switch", "ramp", "resolve_migrations", "rollback")
CHECKING = (*LOOKING, *DECIDING, *ACTING)
"""Playbooks that refuse bad input by themselves."""
MIGRATING = ("resolve_migrations",)
NO_VARIABLE = ("-e", "release_flagg=FEATURE_AI")
NO_FEATURE = {"variables": {"release_percentage_flag": "", "release_feature_flag": ""}}
LATE = {"cached": True, "seed": 7}
"""Where a kubelet starts a pod with the flags of before."""
DEAF = {"mounted": True, "deaf": ("agent-core",), "deaf_since": BEGINS - 60.0}
NO_IMAGE = {"bad_images": {BAD: ABSENT}}
NO_START = {**WHOLE, "functions": {"wa-webhook": "ill"}}


def _stops(name: str, playbook: str, arguments: Arguments = (), **world: t.Any) -> Scenario:
    """One that is refused whenever it is run, and changes no service."""
    return Scenario(name, playbook, arguments, untouched, world=world, ends=2, last=2, fails=False)


def _frozen(since: str) -> dict[str, t.Any]:
    """A launch window that is closed from then on."""
    freeze = {"from": since, "to": "2999-12-31", "why": "it is over"}
    return {"variables": {"release_launch_window": {"timezone": "UTC", "freezes": [freeze]}}}


def _of_lock(name: str, playbook: str, *arguments: str, ends: int = 2, **world: t.Any) -> Scenario:
    """Of a release that is done, while somebody else's lock stands."""
    before = (*DEPLOYED, *LOCKED)
    return Scenario(
        name,
        playbook,
        arguments,
        as_it_was,
        before,
        world,
        again="unlock",
        ends=ends,
        stands=as_it_was,
    )


def _of_policy(name: str, policy: str, checked: Checked) -> Scenario:
    arguments = ("-e", f"release_rollback_policy={policy}")
    stands = _fails_in("microservices")
    return Scenario(name, "deploy", arguments, checked, world=ILL, ends=2, last=2, stands=stands)


def _of_failure(
    name: str,
    phase: str,
    checked: Checked,
    world: t.Mapping[str, t.Any],
    options: t.Mapping[str, t.Any] = MappingProxyType({}),
) -> Scenario:
    """One that fails in the phase whenever it is run."""
    stands = _fails_in(phase)
    return Scenario(
        name, "deploy", (), checked, world=world, ends=2, last=2, stands=stands, options=options
    )


def _of_refusal(phase: str, task: str, host: str = "localhost") -> Scenario:
    """Of a task of the phase. It ends well when it is run again."""
    stands = _fails_in(phase) if phase != "preflight" else untouched
    name, refused = f"refused: {task.rpartition(' : ')[2]}", f"{task}|{host}"
    return Scenario(
        name, "deploy", (), deployed, ends=2, stands=stands, refused=refused, fails=False
    )


def _of_rollback(name: str, task: str, ends: int = 2) -> Scenario:
    """Of which a task is refused. It ends well when it is run again."""
    refused = f"{ROLE}{task}|localhost"
    return Scenario(
        name, "rollback", BY, rolled_back, DEPLOYED, ends=ends, refused=refused, fails=False
    )


def _of_alert(name: str, calls_for: str, stands: Checked) -> Scenario:
    """One that fires at the sign-off, of a release without a watch."""
    world = {"alerts": (Alert("Errors", calls_for, ((0.0, GOES_ON - 60.0),)),)}
    options = {"variables": {"release_metrics": [ALERTS]}}
    return Scenario(
        name, "deploy", (), deployed, world=world, ends=2, stands=stands, options=options
    )


def _wants(*, lines: t.Sequence[t.Any] = (), **demands: t.Any) -> dict[str, t.Any]:
    """Of who signs and decides, by the account that the API server names."""
    identity = {"release_identity": {"verified": "cluster", **demands}}
    return {"variables": {**identity, **({"release_sign_offs": lines} if lines else {})}}


LINES = [{"name": "qa", "what": "Flows"}, {"name": "product", "what": "Texts"}]
DECIDED = Scenario(
    "decide",
    "decide",
    ("-e", f"by={TARGET}", *BY[2:], "-e", "decision=approve"),
    deployed,
    DEPLOYED,
    HELD,
    again="deploy",
    stands=decided,
    options={"decision": "approve"},
)
SIGNED = Scenario(
    "sign",
    "approve",
    (*BY, "-e", "sign_off=qa"),
    deployed,
    again="deploy",
    options={"variables": {"release_sign_offs": LINES[:1]}},
)
LOWERED = Scenario(
    "lowered", "kill_switch", (*BY, "-e", "percentage=0"), at_zero, RAMPED, WHOLE, options=COUNTED
)
SCENARIOS = {
    scenario.name: scenario
    for scenario in (
        Scenario("deploy", "deploy", (), deployed, world=WATCHED, options=WAR_ROOM),
        Scenario("archived", "deploy", ARCHIVED, deployed, DEPLOYED, options=WAR_ROOM),
        Scenario("whole", "deploy", (), deployed, world=WHOLE),
        Scenario("mounted", "deploy", (), deployed, world={"mounted": True}, fails=False),
        _of_policy("undone", "undo_failed", undone),
        _of_policy("all undone", "undo_release", all_undone),
        _of_policy("left", "hold", left),
        _of_failure("absent", "microservices", untouched, NO_IMAGE),
        _of_failure("no start", "edge_functions", untouched, NO_START),
        Scenario("one of all", "deploy", LIMIT, deployed, ends=2, again="deploy", fails=False),
        Scenario("checked", "preflight", (), deployed, again="deploy", stands=untouched),
        Scenario("one service", "microservices", LIMIT, deployed, CHECKED, again="deploy"),
        Scenario("breach", "deploy", (), deployed, world=BREACHED, ends=2,
            stands=_fails_in("monitoring", off)),
        Scenario("unanswered", "deploy", (), deployed, world=WATCHED, ends=2, stands=held,
            options=ASKED),
        Scenario("bad answer", "deploy", (), as_it_was, (*DEPLOYED, ("decide", (*BY, *BAD_ANSWER))),
            WATCHED, ends=2, last=2, stands=off, options=ASKED),
        Scenario("answer", "decide", (*BY, *GOOD_ANSWER), deployed, DEPLOYED, WATCHED,
            again="deploy", options=ASKED),
        _of_refusal("preflight",
            "easymo.deploy.preflight : Check everything that the release needs, and record the commit, "
            "the overrides and the sign-offs"),
        _of_refusal("microservices",
            "easymo.deploy.rolling_update : Check all pods, and what the release adds",
            "agent-core"),
        _of_refusal("feature_flags",
            "easymo.deploy.feature_flags : Set the flags, and bring them to the pods"),
        _of_refusal("smoke_tests", "easymo.deploy.smoke_tests : Test user flows, all at once"),
        _of_refusal("microservices", "Roll out the service, and call its public health endpoint",
            BAD),
        *(_stops(f"{phase} too early", phase)
            for phase in ("microservices", "feature_flags", "smoke_tests", "sign_off")),
        _of_alert("alert", "hold", held),
        _of_alert("alert back", "rollback", off),
        Scenario("unreached", "sign_off", (), deployed, UNSIGNED, ASLEEP, ends=2, stands=held,
            options=REACHED),
        Scenario("out of order", "database", (), deployed, world=WHOLE, again="deploy", ends=2,
            stands=unmigrated),
        _of_failure("rehearsal", "database", unmigrated, WHOLE, WRONG),
        Scenario("waived", "database", WAIVED, migrated, CHECKED, SQL, options=WRONG),
        Scenario("kept out", "deploy", (), untouched, LOCKED, again="unlock", ends=2),
        Scenario("rollback", "rollback", BY, rolled_back, DEPLOYED),
        Scenario("back again", "rollback", BY, rolled_back, (*DEPLOYED, ("rollback", BY)), fails=False),
        Scenario("failed back", "rollback", BY, rolled_back, DEPLOYED, ILL, options=MAY_FAIL),
        Scenario("whole back", "rollback", BY, rolled_back, DEPLOYED, WHOLE),
        Scenario("functions back", "rollback", (*BY, "--tags", "edge_functions"), on, DEPLOYED, WHOLE,
            fails=False),
        _of_rollback("left behind",
            "service_rollback : Return the services to their previous versions"),
        _of_rollback("switched late", "feature_flags : Switch the feature off", ends=0),
        Scenario("ill after", "rollback", BY, rolled_back, DEPLOYED,
            {**WATCHED, "metric": ((BEGINS - 60.0, GOES_ON - 60.0, 2 * BREACH),)}, ends=2,
            options=TESTED, fails=False),
        Scenario("failed restore", "rollback", (*BY, "--tags", "database"), restored, DEPLOYED,
            WHOLE, ends=2, refused=f"{ROLE}database_restore : Restore the database|platform",
            fails=False),
        Scenario("restore alone", "rollback", (*BY, "--tags", "database", "--limit", "platform"),
            as_it_was, DEPLOYED, WHOLE, again="status", ends=2, fails=False),
        Scenario("restore", "rollback", (*BY, "--tags", "database"), restored, DEPLOYED, WHOLE),
        Scenario("resolve", "resolve_migrations", RESOLVED, stated, CHECKED, WHOLE),
        Scenario("resolve unknown", "resolve_migrations",
            (*RESOLVED, "-e", "prisma_migrate_resolved=20260101_none"), as_it_was, CHECKED, WHOLE,
            ends=2, last=2, fails=False),
        Scenario("switch", "kill_switch", BY, off, DEPLOYED),
        LOWERED,
        replace(LOWERED, name="lowered unseen",
            refused=f"{ROLE}kill_switch : Query the database for the users with most errors|localhost",
            fails=False),
        Scenario("reset", "kill_switch", (*BY, "-e", RESET), as_it_was,
            (*DEPLOYED, ("kill_switch", BY))),
        Scenario("ramp", "ramp", (), on, DEPLOYED),
        replace(_stops("ramp asked", "ramp"), wrong_about=on, before=DEPLOYED, options=ASKED),
        Scenario("ramp answered", "ramp", (), on,
            (*RAMPED, ("decide", (*BY, *GOOD_ANSWER, "-e", "gate=ramp"))),
            options={**ASKED, **MAY_FAIL}, fails=False),
        Scenario("too early", "ramp", (), untouched, ends=2, last=2),
        Scenario("ramp back", "ramp", (), on, DEPLOYED, ALARMED, ends=2, stands=at_zero,
            options=ALERTED),
        Scenario("guard", "guard", (), on, DEPLOYED),
        Scenario("guard back", "guard", (), paged, RAMPED, ALARM, options=ALERTED),
        *(Scenario(f"guard {name}", "guard", (), paged, RAMPED, {**ALARMED, **world}, ends=ends,
            last=ends, options=ALERTED, fails=False)
            for name, world, ends in
            (("mounted", {"mounted": True}, 0), ("late", LATE, 0), ("deaf", DEAF, 2))),
        replace(_stops("closed", "deploy"), options=_frozen("2020-01-01")),
        Scenario("back while closed", "rollback", BY, rolled_back, DEPLOYED,
            options=_frozen("2026-11-18T11:30:00"), fails=False),
        Scenario("overruled", "deploy", OVERRULED, deployed, options=_frozen("2020-01-01"),
            fails=False),
        # The phase of the services goes on, and that of the flags does not begin.
        replace(_stops("closes", "deploy"), wrong_about=off,
            options=_frozen("2026-11-18T11:56:52")),
        DECIDED,
        replace(DECIDED, name="decided by another",
            options={**DECIDED.options, **_wants(approvers=["somebody else"])},
            wrong_about=as_it_was, stands=held, ends=2, last=2, fails=False),
        SIGNED,
        replace(SIGNED, name="signed by another",
            options=_wants(lines=LINES[:1], other_than_deployer=True), fails=False),
        replace(SIGNED, name="signed by one",
            before=(("approve", (*BY, "-e", "sign_off=product")),),
            options=_wants(lines=LINES, different_people=["qa", "product"]), wrong_about=untouched,
            ends=2, last=2, fails=False),
        _of_lock("ramp, locked", "ramp"),
        _of_lock("rollback, locked", "rollback", *BY, ends=0),
        _of_lock("resolve, locked", "resolve_migrations", *RESOLVED, **WHOLE),
        _of_lock("restore, locked", "rollback", *BY, "--tags", "database", ends=0, **WHOLE),
        *(_stops(f"bad input, {name}", name, NO_VARIABLE, **(WHOLE if name in MIGRATING else {}))
            for name in (*CHECKING, "alert_rules", "init", "microservices")),
        Scenario("alerts", "alert_rules", (), untouched, options=RULES),
        Scenario("draft", "init", DRAFT, untouched),
        replace(_of_failure("no webhook", "feature_flags", off, {}, UNANSWERED), fails=False),
        replace(_of_failure("no functions", "edge_functions", untouched, WHOLE, UNANSWERED),
            fails=False),
        Scenario("deaf switch", "kill_switch", BY, off, DEPLOYED, DEAF, ends=2, last=2, fails=False),
        Scenario("deaf back", "rollback", BY, rolled_back, DEPLOYED, DEAF, ends=2, last=2,
            fails=False),
        _stops("no alerts", "alert_rules"),
        Scenario("predicted", "deploy", ("--check", *LIMIT), untouched, ends=2, fails=False,
            again="deploy"),
        *(replace(_stops(f"no feature, {name}", name, BY), options=NO_FEATURE)
            for name in ("guard", "kill_switch", "ramp")),
        Scenario("overtaken", "deploy", (), deployed, ends=2, stands=as_it_was,
            beside=(30.0, "rollback", BY), options=MAY_FAIL),
        Scenario("switched beside", "ramp", (), off, DEPLOYED, WATCHED, ends=2, last=2, stands=off,
            beside=(40.0, "kill_switch", BY), options=MAY_FAIL),
        Scenario("lock", "lock", BY, as_it_was, DEPLOYED, again="unlock"),
        Scenario("unlock", "unlock", (), as_it_was, LOCKED),
        Scenario("status", "status", FILE, as_it_was, DEPLOYED),
        Scenario("followed", "status", FOLLOW, deployed, fails=False, beside=(5.0, "deploy", ())),
        Scenario("report", "report", (), as_it_was, DEPLOYED),
        Scenario("diagnose", "diagnose", (), as_it_was, DEPLOYED),
        Scenario("readiness", "readiness", (), as_it_was, ends=2, last=2),
        Scenario("undefined", "readiness", (), untouched, options=UNDEFINED, ends=2, last=2, fails=False),
        Scenario("ready", "readiness", (), untouched, world=PROBED, options=UNMEASURED,
            fails=False),
    )
}  # fmt: skip


def unplayed() -> list[str]:
    """The playbooks that no scenario runs, neither by themselves, nor imported, nor what they import."""
    commands = chain.from_iterable(scenario.commands for scenario in SCENARIOS.values())
    played, imports = imported_by(name for name, _arguments in commands), _imports()
    return sorted(name for name in {*imports} - played if not imports[name] & played)


def imported_by(names: t.Iterable[str]) -> set[str]:
    """These playbooks, and what they import."""
    played: set[str] = set()
    left, imports = {*names}, _imports()
    while left:
        played |= left
        left = {*chain.from_iterable(map(imports.__getitem__, left))} - played
    return played


@functools.cache
def _imports() -> dict[str, set[str]]:
    files = (ROOT / "playbooks").glob("*.yml")
    return {path.stem: {*IMPORTED.findall(path.read_text("utf-8"))} for path in files}
