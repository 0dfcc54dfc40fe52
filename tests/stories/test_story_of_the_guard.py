"""Three days of a ramp under guard: a quiet day, a night with an alert, guards that meet and die, and a morning.

The tests are the chapters of one story and stand in its order. What a cause is, and which one waits for which, units
tell; here kubectl does, and who was paged.
"""

import json
import re
import shutil
import subprocess
import sys
import time
import typing as t
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml

from ansible_collections.easymo.deploy.plugins.module_utils._cluster import KILL_SWITCH_ANNOTATION
from ansible_collections.easymo.deploy.plugins.module_utils._flags.apply import RESET
from sandbox.kubernetes.service_accounts import token
from tests.stories.people import BIN, ROOT, Operator, Run, Witness
from tests.stories.pod import run_container, why_not
from tests.stories.ramp import PERCENTAGE, begin_release, ramp_of, runs_with, words
from tests.waiting import until

ALERTS = {"name": "alerts", "kind": "alerts", "query": "Errors|Down", "pass": {"max": 0}}
QUIET = {
    "release_metrics": [{"name": "complaints", "query": "vector(0)", "pass": {"max": 1}}, ALERTS],
    "release_guard": {"settle": 0, "quiet": 1, "blind_after": 60, "max_silence": 0},
    "release_watch_interval": 1,
    "release_watch_delay": 0,
    "release_ramp_watch_duration": 1,
}


def told(**variables: t.Any) -> list[str]:
    return ["-e", json.dumps({**QUIET, **variables})]


def looks(operator: Operator) -> Run:
    return operator.plays("guard", *told())


def ramps(operator: Operator, *arguments: str, **variables: t.Any) -> Run:
    return operator.plays("ramp", *told(**variables), *arguments)


def acts(witness: Witness) -> list[t.Any]:
    """What the guard wrote beside the flags."""
    found = witness.reads("configmaps", "feature-flags")
    return json.loads(found["metadata"]["annotations"].get("easymo.com/guard", "[]"))


def posted(witness: Witness) -> list[str]:
    """What the guard said in Slack."""
    channels = witness.received()["slack"].values()
    return [one["text"] for channel in channels for one in channel if ", guard: " in one["text"]]


def incidents(witness: Witness) -> list[str]:
    """How each incident of the guard stands in PagerDuty."""
    found = witness.received()["pagerduty"]
    return [one["status"] for one in found if one["dedup_key"].startswith("guard/sandbox/")]


@pytest.fixture(scope="module", autouse=True)
def release(witness) -> None:
    begin_release(witness)


def test_a_quiet_day_writes_only_that_it_looked_and_tells_nobody(operator, witness, fire):
    fire(Errors=("rollback", False), Down=("kill_switch", False))
    first = looks(operator)
    assert first.rc == 0, first.tail()
    before = witness.resource_versions()
    second = looks(operator)
    assert "At 1 %, step 1 of 8. Nothing calls for the guard." in words(second)
    assert second.changed() == {"localhost": 0}
    moved = {one.partition("=")[0] for one in {*before} ^ {*witness.resource_versions()}}
    assert moved == {"release-2.0.0-guard"}
    assert (posted(witness), incidents(witness)) == ([], [])


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
    given = {**QUIET, "sandbox": facts, "kubernetes_access": {}}
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


def test_the_container_has_the_rules_of_its_manifest(container):
    told = container("sh", "-c", "id; touch /x /srv/releases/x /tmp/x; ls /tmp; whoami")
    assert "uid=10001 gid=10001 groups=10001" in told.stdout
    assert told.stderr.count("Read-only file system") == 2
    assert "x" in told.stdout.split()
    assert "cannot find name for user ID 10001" in told.stderr


def test_the_shipped_cronjob_looks_as_it_is_printed(container, witness):
    before = witness.resource_versions()
    look = container()
    said = " ".join(look.stdout.split())
    assert look.returncode == 0, look.stdout + look.stderr
    # What an earlier alert was is not known where its rule is not loaded any more.
    assert re.search("Nothing (that was seen )?calls for the guard", said), said
    moved = {one.partition("=")[0] for one in {*before} ^ {*witness.resource_versions()}}
    assert moved == {"release-2.0.0-guard"}


def test_nothing_goes_up_while_nobody_looks(operator, witness, fire):
    fire(Errors=("rollback", False), Down=("kill_switch", False))
    unguarded = {**QUIET["release_guard"], "max_silence": 0.5}
    silent = ramps(operator, release_guard=unguarded)
    assert silent.rc != 0
    assert "the guard looked last at " in words(silent)
    assert witness.flags()[PERCENTAGE] == "1"
    up = ramps(operator, release_guard={**unguarded, "max_silence": 600})
    assert up.rc == 0, up.tail()
    assert runs_with(witness) == {"5"}


def test_at_night_two_guards_meet_over_one_alert_and_one_step_goes_down(operator, witness, fire):
    fire(Errors=("rollback", True), Down=("kill_switch", False))
    guards = [operator.begins("guard", *told()) for _guard in range(2)]
    until(lambda: all(one.process.poll() is not None for one in guards), 120)
    assert (runs_with(witness), len(acts(witness))) == ({"1"}, 1)
    down = [one for one in ramp_of(witness)["history"] if one["what"] == "breached"]
    assert [(one["from"], one["to"]) for one in down] == [(5, 1)]
    assert incidents(witness) == ["triggered"]
    assert any(
        "5 % went back to 1 %, for Errors (service=s) since 20" in one for one in posted(witness)
    )


def test_a_guard_that_dies_after_its_write_is_finished_by_the_next(operator, witness, fire):
    fire(Errors=("rollback", True), Down=("kill_switch", True))
    victim = operator.begins("guard", *told())
    until(lambda: witness.flags()[PERCENTAGE] == "0", 90)
    victim.kill("everything")
    assert not any("kill switch" in one for one in posted(witness))
    run = looks(operator)
    assert run.rc == 0, run.tail()
    assert runs_with(witness) == {"0"}
    assert [one["what"] for one in acts(witness)] == ["step_down", "kill_switch"]
    assert [one for one in posted(witness) if "the kill switch is set at 1 %" in one]
    up = ramps(operator)
    assert up.rc != 0
    assert "set the kill switch automatically" in words(up)


def test_in_the_morning_it_is_over_and_people_are_told_that_too(operator, witness, fire):
    fire(Errors=("rollback", False), Down=("kill_switch", False))
    looks(operator)
    time.sleep(1)
    run = looks(operator)
    assert run.rc == 0, run.tail()
    assert len([one for one in posted(witness) if "guard: over since 20" in one]) == 2
    assert incidents(witness) == ["resolved", "resolved"]
    said = len(posted(witness))
    assert looks(operator).rc == 0
    assert (len(posted(witness)), len(acts(witness))) == (said, 2)
    reset = operator.types(Run(0, RESET), "kill_switch")
    assert reset.rc == 0, reset.tail()
    flags = witness.reads("configmaps", "feature-flags")["metadata"]["annotations"]
    assert KILL_SWITCH_ANNOTATION not in flags
