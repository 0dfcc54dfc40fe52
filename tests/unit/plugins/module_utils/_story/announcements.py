"""What the roles announce of a state, beside what stands in the cluster then: the texts are the inventory's own."""

import functools
import itertools
import typing as t
from pathlib import Path

import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

from ansible_collections.easymo.deploy.plugins.filter.words import release_claims
from ansible_collections.easymo.deploy.plugins.module_utils._cluster import RAMP_ANNOTATION
from ansible_collections.easymo.deploy.plugins.module_utils._flags import apply
from ansible_collections.easymo.deploy.plugins.module_utils._flags.apply import KillSwitch
from ansible_collections.easymo.deploy.plugins.module_utils._formats import shown, titled
from ansible_collections.easymo.deploy.plugins.module_utils._kill_switch import SET, to_sentence
from ansible_collections.easymo.deploy.plugins.module_utils._messages import headline
from ansible_collections.easymo.deploy.plugins.module_utils._ramp.plan import RampState
from ansible_collections.easymo.deploy.plugins.module_utils._release.record import Record
from ansible_collections.easymo.deploy.plugins.module_utils._report import deviations
from ansible_collections.easymo.deploy.plugins.module_utils._rollout.observer import (
    observe_standings,
)
from ansible_collections.easymo.deploy.plugins.module_utils._status.build import (
    HELD,
    service_version,
)
from ansible_collections.easymo.deploy.plugins.module_utils._story.view import ReleaseView
from ansible_collections.easymo.deploy.plugins.modules.release_report import read_report
from tests.fakes.release_records import PLAN
from tests.simulation.platform import FLAGS, PERCENTAGE, SWITCH
from tests.unit.plugins.module_utils._guard.ramp_world import DOWN, ERRORS
from tests.unit.plugins.module_utils._ramp.scenes import SCHEDULE
from tests.unit.plugins.module_utils._story.states import BEFORE, PHASES, RELEASE, World

try:
    from ansible.template import trust_as_template
except ImportError:  # before ansible-core 2.19 every text is a template

    def trust_as_template(value: str) -> str:
        return value


Body = dict[str, t.Any]
ROOT = Path(__file__).parents[5]


def trusted(value: t.Any) -> t.Any:
    if isinstance(value, dict):
        return {key: trusted(entry) for key, entry in value.items()}
    return trust_as_template(value) if isinstance(value, str) else value


@functools.cache
def texts_in(path: str) -> Body:
    """The variables of a file of the product, as templates."""
    return dict(trusted(yaml.safe_load((ROOT / path).read_text("utf-8"))))


INVENTORY: Body = {
    "environment_name": "production",
    "release_contacts": {
        contact: {"name": "Joe"}
        for contact in ("engineering_support", "devops", "incident_response")
    },
    "release_codename": "Intelligent Mobility",
    "release_dashboard_url": "https://dashboard",
    "release_highlights": ["🤖 AI Agents (1 types)"],
    "release_notes_url": "https://notes",
    "release_on_call_name": "Jane Doe",
    "release_ramp": [
        {"day": 1, "percentage": 1},
        {"day": 2, "percentage": 5},
        {"day": 10, "percentage": 100},
    ],
    "release_title": "EasyMO v2.0",
    "release_war_room": "#v2-deployment",
    "sign_off_duration": "2 h",
    "sign_off_maintenance": "in_progress",
}
SUCCESS = ("message_success", "message_mail_subject", "message_mail_text", "message_mail_html",
           "message_status_page")  # fmt: skip
BACK = (
    "message_rolled_back",
    "message_status_page_rolled_back",
    "message_status_page_partly_rolled_back",
)
STOPPED = ("message_page", "message_hold", "default_message_stopped")
MOVED = ("message_ramp", "default_message_ramp")
GUARDED = ("message_guard", "default_message_guard")
RESTORED = ("message_restore_", "default_message_restore_")
SWITCHED = ("message_kill_switch", "default_message_kill_switch", "message_status_page_kill_switch")


def spoken(names: t.Iterable[str], **variables: t.Any) -> dict[str, str]:
    """Each text as Ansible makes it for the channel."""
    texts = {**texts_in("playbooks/group_vars/all/wiring.yml"), **INVENTORY,
             **texts_in("inventories/shared/messages.yml"), **variables}  # fmt: skip
    templar = Templar(DataLoader(), variables=texts)
    results = {name: templar.template(texts[name]) for name in names}
    return {
        name: text["body"] if isinstance(text, dict) else text for name, text in results.items()
    }


def announced_of(world: World) -> dict[str, str]:
    """What the roles would say of the release as it is now, text by name."""
    info, texts = ReleaseView(world.cluster, "2.0.0").to_result(), {}
    record, sign_off = world.record(), texts_in("roles/sign_off/vars/main.yml")
    claims = {"sign_off_claims": release_claims(info, "UTC", PHASES, world.now())}
    failed = [name for name, phase in record.phases.items() if phase.failed]
    if all(record.phase(name).settled for name in PHASES[:-1]):
        texts |= spoken((*SUCCESS, "message_war_room_closed"), **claims)
    if world.parts:
        tags = {"ansible_run_tags": [*world.parts]}
        back = {
            name: sign_off[name] for name in ("sign_off_rolled_back", "sign_off_services_alone")
        }
        whole = world.parts == ("all",)
        texts |= spoken((BACK[0], BACK[1 if whole else 2]), **claims, **tags, **back)
    for name in failed[-1:]:
        failure = info["record"]["phases"][name]["evidence"]["failures"]["localhost"]
        texts |= spoken(
            STOPPED, release_phase_name=name, release_plan=PLAN, release_phase_failure=failure
        )
    if switch := KillSwitch.from_config_map(world.cluster.objects["ConfigMap", FLAGS]):
        words = {"by": switch.by, "reason": switch.reason}
        result = {"sentence": to_sentence(SET, switch, switch.flags, **words)}
        texts |= spoken(SWITCHED, kill_switch_result=result, kill_switch_state=SET)
    if world.restored:
        names = [f"{name}{end}" for name in RESTORED for end in ("started", world.restored)]
        texts |= spoken(names, by="Jane", reason="it's wrong")
    return texts


class Announcements:
    """`check` takes whether a sentence holds, and the sentence."""

    def __init__(self, world: World, check: t.Callable[[bool, str], None]) -> None:
        self._world, self._check, self._texts = world, check, announced_of(world)
        flags = apply.observe_flags(world.cluster, FLAGS)
        ramp, data = RampState.from_annotation(flags.annotations.get(RAMP_ANNOTATION)), flags.data
        self._ramp = ramp.verdict if ramp else ""
        on = data[SWITCH] == "true" and data[PERCENTAGE] != "0"
        self._share = f"{data[PERCENTAGE]}%" if on else ""
        services = observe_standings(world.cluster, None)
        self._versions = {service_version(entry["name"], entry["images"]) for entry in services}

    def look(self, status: t.Mapping[str, t.Any]) -> None:
        if SUCCESS[0] in self._texts:
            self._success()
        if self._world.parts:
            self._rolled_back()
        if STOPPED[0] in self._texts:
            self._stopped(status)
        if SWITCHED[0] in self._texts:
            self._switched()
        for moved in self._world.moved:
            self._moved(status, *moved)
        if self._world.last_run:
            self._ended(status, self._world.last_run)
        if self._world.restored:
            self._restored(status)

    def _says(self, name: str, words: str, holds: t.Any = True) -> None:
        text = self._texts[name]
        self._check((words in text) == bool(holds), f"{name}, of {words!r}: {text}")

    def _success(self) -> None:
        """Who has the feature, and what the release was announced without."""
        record = self._world.record()
        waived = [titled(name) for name, phase in record.phases.items() if phase.waived]
        users = f"{self._share} rollout"
        for name in SUCCESS[:4]:
            whole = self._share and not waived and self._versions == {"v2.0.0"}
            self._says(name, {SUCCESS[0]: "SUCCESSFUL"}.get(name, "uccessfully"), whole)
            for title in waived:
                self._says(name, title.lower())
        for name, words in ((SUCCESS[0], f"LIVE ({users})"), (SUCCESS[2], f"✅ {users} active")):
            self._says(name, words, self._share)
        for name in SUCCESS[2:4]:
            self._says(name, "Key Features Live", self._share and not waived)
        self._says("message_war_room_closed", "live", False)

    def _rolled_back(self) -> None:
        """Whole or a part, why, and what of it was seen to be back."""
        record, (part,) = self._world.record(), self._world.parts
        self._says(BACK[0], "was rolled back\n", part == "all")
        self._says(
            BACK[0], f"stays, but for what was rolled back: {part.replace('_', ' ')}", part != "all"
        )
        if part == "all":
            self._says(BACK[0], f"Cause: {record.facts.rollback_asked.reason} (")
        self._says(BACK[0], "no user has the feature", not self._share)
        services = part in ("all", "services")
        self._says(BACK[0], "run something else", services and self._versions != {BEFORE})

    def _stopped(self, status: t.Mapping[str, t.Any]) -> None:
        """As the status says: stopped or on hold, in which phase."""
        title = next(entry for entry in status["phases"] if entry["status"] in ("failed", HELD))
        for name in STOPPED:
            held = title["status"] == HELD
            self._says(name, "is on hold", held or name == STOPPED[1])
            self._says(name, title["title"])
        self._says(STOPPED[1], "--tags", False)

    def _switched(self) -> None:
        """Who, when, and the values that the flags have."""
        switch = KillSwitch.from_config_map(self._world.cluster.objects["ConfigMap", FLAGS])
        for name in SWITCHED[:2]:
            for words in (f"{switch.by} set", shown(switch.set_at), "automatically"):
                self._says(name, words, words != "automatically" or switch.automatic)
            for flag, value in apply.observe_flags(self._world.cluster, FLAGS).data.items():
                self._says(name, f"{flag}={value}", flag in switch.flags)
        self._says(SWITCHED[2], "for everybody", not self._share)

    def _events(self) -> str:
        record = read_report(self._world.cluster, "2.0.0")["record"]
        return "\n".join(event.text for event in deviations.events_of(Record.read(record), ()))

    def _moved(self, status: t.Mapping[str, t.Any], before: int, after: int, news: str) -> None:
        """By ramp or guard: from where to where and why, whether it is held, good or over, and what comes next."""
        by_guard, last = bool(self._world.heard), news == self._world.moved[-1][2]
        names = GUARDED if by_guard else MOVED
        self._texts |= spoken(names, feature_ramp_news=news, feature_guard_news={"text": news})
        step = f"{after} %, step {SCHEDULE.number(after)} of 8" if after else f"{after} %"
        verdict = self._ramp if last and before == after else ""
        killed, down, over = status["kill_switch"], before > after, by_guard and before == after
        following, why = status["next"][0]["command"], ERRORS if by_guard else "x"
        says: dict[str, t.Any] = {
            f"Up from {before} %": before < after,
            f"to {after} %, step {SCHEDULE.number(after)} of 8": before < after,
            f"{before} % went back to {after} %, for {why}": down and not killed,
            f"is set at {before} %: no user has the feature, for {DOWN}": down and killed,
            f"{after} % is held: x": verdict == "hold",
            f"{after} % was watched for 7200 s and is good": verdict == "proceed",
            f"Jane released {after} %: at ": verdict == "released",
            f"stays at {step}.": over,
        }
        if last and not over and before >= after:
            says[RELEASE] = RELEASE in following
            says["watches this step"] = down and after > 0 and "ramp.yml" in following
            says["kill_switch.yml -e reset=true"] = "kill_switch.yml" in following
        for name, (words, holds) in itertools.product(names, says.items()):
            self._says(name, words, holds)
        self._check(before == after or f" {before} % to {after} %" in self._events(), news)

    def _ended(self, status: t.Mapping[str, t.Any], run: headline.ReleaseStatus) -> None:
        """Slack's title beside the status."""
        self._texts["title"] = headline.title(run)
        deploys, verdict = run.deploys, status["verdict"]
        waits = verdict == "ON HOLD" or self._ramp == "hold"
        done = sum(phase["status"] in ("done", "waived") for phase in status["phases"])
        says: dict[str, t.Any] = {
            "is deployed": deploys and verdict == "FINE",
            "is on hold": waits,
            "stopped": run.failures and not waits,
            "was rolled back": verdict == "ROLLED BACK",
            f"finished: {done} of 8 phases are done": deploys and verdict == "NOT FINISHED",
        }
        stopped = ("failed", HELD) if deploys and run.failures else ()
        says |= {f" in {row['title']}": row["status"] in stopped for row in status["phases"]}
        for words, holds in says.items():
            self._says("title", words, holds)

    def _restored(self, status: t.Mapping[str, t.Any]) -> None:
        """Who and why, and whether it is over."""
        failed = self._world.full
        self._check(failed == (status["verdict"] == "INTERRUPTED"), status["verdict"])
        for name in RESTORED:
            self._says(f"{name}started", "it's wrong")
            self._says(f"{name}{self._world.restored}", "FAILED", failed)
            self._says(f"{name}{self._world.restored}", "databases are restored", not failed)
            self._says(f"{name}{self._world.restored}", "Approved by: Jane", "default" not in name)
        self._check("Jane began to restore the databases: it's wrong." in self._events(), "who")
