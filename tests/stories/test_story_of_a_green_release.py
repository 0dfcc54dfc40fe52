"""Rehearse, deploy, deploy again, release the next and go back twice: under traffic, seen by other tools than ours.

The tests are the chapters of one story and stand in its order.
"""

from __future__ import annotations

import json
import os
import re
import typing as t
from collections import Counter
from pathlib import Path

import pytest
import yaml

from sandbox.names import SERVICES
from tests.leaks import SHORTEST, Secrets
from tests.stories.counts import Counts, counting
from tests.stories.next_release import Successor
from tests.stories.people import QUICK, ROOT, Operator, Witness
from tests.stories.talkative import (
    PLANTED,
    SECRETS_FILE,
    WRONG_SECRETS,
    Talkative,
    Told,
    secrets_of,
    wrong_secrets,
)
from tests.waiting import until

TABLES = ["agent_fallbacks", "agent_metrics", "agent_requests", "agent_sessions"]
TABLES_QUERY = (
    "select table_name from information_schema.tables where table_schema = 'public' "
    "and table_name in ('agent_sessions', 'agent_requests', 'agent_metrics', 'agent_fallbacks') order by 1"
)
HISTORY = "select version from supabase_migrations.schema_migrations order by 1"
PRISMA_HISTORY = (
    "select migration_name from _prisma_migrations where finished_at is not null order by 1"
)
OLD = dict.fromkeys(SERVICES, "v1.9.0")
NEW = dict.fromkeys(SERVICES, "v2.0.0")
REPLICAS = 2
STOOD_STILL = "this machine stalled"
"""Why of a gap that the prober leaves when it was not run for seconds."""
MOST_TASKS = 74
"""Of a deployment that has nothing to do. These bounds only fall."""
MOST_AGAIN = Counts(forks=88, templates=4070, distinct_requests=2.2)
MOST_FIRST = Counts(forks=96, templates=4120, distinct_requests=6.5)


@pytest.fixture(scope="module", autouse=True)
def traffic(operator) -> None:
    """Users write messages from the first chapter to the last."""
    assert operator.sandbox("traffic", "start", "--rate", "5").rc == 0


def test_a_rehearsal_shows_what_would_change_and_changes_nothing(operator, witness):
    before = witness.resource_versions(), witness.sql("supabase", HISTORY)
    run = operator.deploys("--check", "--diff")
    assert run.rc == 0, run.tail()
    assert (witness.resource_versions(), witness.sql("supabase", HISTORY)) == before
    assert witness.dumps() == {}
    assert witness.functions_version() == "1.9.0"
    assert witness.received()["mail"] == []
    for shown in (
        "easymo/wallet-service:v2.0.0",
        "create table",
        "FEATURE_AI_AGENTS",
        "../_shared/version.ts",
    ):
        assert shown in run.output
    assert all(run.changed()[service] for service in SERVICES)


@pytest.fixture(scope="module")
def sources_before(witness) -> dict[str, bytes]:
    """Of the functions that ran before the release."""
    return witness.function_sources()


@pytest.fixture(scope="module")
def secrets(world) -> Secrets:
    return secrets_of(world)


@pytest.fixture
def talkative(world, tmp_path) -> Talkative:
    return Talkative(world, tmp_path)


@pytest.fixture(scope="module")
def deployment(world, sources_before, tmp_path_factory) -> Told:
    """With all turned up that tells, so that one deployment shows that it works and that it tells no secret."""
    talkative = Talkative(world, tmp_path_factory.mktemp("deployment"))
    deploy = Path("playbooks/deploy_v2.yml")
    return talkative.plays(deploy, PLANTED, *QUICK)


def test_the_deployment_goes_through_all_eight_phases(deployment, witness):
    run = deployment.run
    assert run.rc == 0, run.tail()
    # A play is named again for each batch of hosts.
    assert list(dict.fromkeys(play[:7] for play in run.plays())) == [
        f"Phase {number}" for number in range(1, 9)
    ]
    assert witness.images() == NEW
    assert witness.rolled_out()


def measured(witness: Witness, subject: str = "") -> dict[str, int]:
    """Probes by address: each was asked to the end and never failed, unseen only where this machine stood still."""
    found = witness.availability("2.0.0", subject)
    assert (found["downtime"], found["closed"]) == (0, True)
    assert {gap["why"] for gap in found["gaps"]} <= {STOOD_STILL}
    assert {name: one["last_problem"] for name, one in found["targets"].items()} == dict.fromkeys(
        {*SERVICES, "webhook"}, ""
    )
    return {name: one["probes"] for name, one in found["targets"].items()}


def test_it_asks_forks_and_renders_no_more_than_it_did(deployment):
    assert deployment.counts.above(MOST_FIRST) == {}, deployment.counts


def test_every_public_address_was_asked_and_answered(deployment, witness):
    assert "Asks 13 public addresses once a second each." in deployment.run.output
    assert min(measured(witness).values()) > 10


def test_it_tells_no_secret(deployment, secrets):
    listed = yaml.safe_load(SECRETS_FILE.read_text("utf-8"))
    assert set(secrets) >= {name for name, template in listed.items() if template}
    assert [name for name, value in secrets.items() if len(value) < SHORTEST] == []
    assert {"report report.html", "report report.json"} <= set(deployment.places)
    assert deployment.leaks(secrets) == {}


def test_psql_sees_the_tables_and_the_histories(witness):
    assert witness.sql("supabase", TABLES_QUERY) == TABLES
    assert len(witness.sql("supabase", HISTORY)) == 8
    assert len(witness.sql("agent_core", PRISMA_HISTORY)) == 4


def test_pg_restore_reads_both_dumps_back(witness):
    dumps = witness.dumps()
    assert sorted(key.split("/")[-1].split("_2")[0] for key in dumps) == [
        "agent_core_prod",
        "supabase_prod",
    ]
    assert all("TABLE DATA public" in listing for listing in dumps.values())


def test_the_functions_report_the_new_version(witness):
    assert witness.functions_version() == "2.0.0"


def test_the_pods_have_the_flags_at_one_percent(witness):
    environment = witness.environment("agent-core")
    assert environment["FEATURE_AI_AGENTS"] == "true"
    assert environment["FEATURE_AI_AGENTS_ROLLOUT_PERCENTAGE"] == "1"
    assert (environment["LOG_LEVEL"], environment["AGENT_MAX_RETRIES"]) == ("info", "5")


def test_people_were_told_once(witness):
    received = witness.received()
    texts = [message["text"] for message in received["slack"]["v2-deployment"]]
    assert sum("Deployment Starting" in text for text in texts) == 1
    assert sum("Deployment SUCCESSFUL" in text for text in texts) == 1
    called = [text.splitlines()[0] for text in texts if "<!channel>" in text]
    assert called == [
        "<!channel> 🚀 EasyMO v2.0 Deployment Starting",
        "<!channel> ✅ EasyMO v2.0 Deployment SUCCESSFUL!",
    ]
    (success,) = (text for text in texts if "Deployment SUCCESSFUL" in text)
    assert "Status: LIVE (1% rollout)\n" in success
    claim = r"0 minutes"
    if witness.availability("2.0.0")["gaps"]:
        # Of one before the first change, or after the message, it says nothing.
        claim += rf"( where it was measured\. No data .+: {STOOD_STILL})?"
    assert re.search(rf"Downtime: {claim}\nErrors: 0 critical\n", success), success
    assert [mail["subject"] for mail in received["mail"]] == ["EasyMO v2.0 Successfully Deployed"]
    assert [incident["status"] for incident in received["statuspage"]["incidents"]] == ["completed"]


def test_a_second_deployment_changes_nothing_anywhere(world, witness, tmp_path):
    before = witness.states()
    counted = Operator(world, environment={**os.environ, **counting(tmp_path)}, real=True)
    run = counted.deploys()
    assert run.rc == 0, run.tail()
    assert set(run.changed().values()) == {0}, run.changed()
    assert witness.states() == before
    assert len(witness.dumps()) == 2
    tasks = re.findall(r"^TASK \[(.+?)\]", run.output, re.MULTILINE)
    assert len(tasks) <= MOST_TASKS, Counter(tasks).most_common()
    counts = Counts.of(tmp_path)
    assert counts.above(MOST_AGAIN) == {}, counts


def test_errors_quote_no_secret(talkative, secrets):
    """Every module that takes a secret is given a wrong one."""
    wrong = wrong_secrets()
    told = talkative.plays(WRONG_SECRETS, wrong)
    for play in yaml.safe_load((ROOT / WRONG_SECRETS).read_text("utf-8")):
        assert f"ignored={len(play['tasks'])} " in told.run.output, told.run.output
    assert told.leaks(Secrets({**wrong, **secrets})) == {}


@pytest.mark.usefixtures("deployment")
def test_readiness_may_be_asked_at_any_time_and_changes_nothing(operator, witness):
    def state() -> tuple[t.Any, ...]:
        told = {sink: what for sink, what in witness.received().items() if sink != "requests"}
        return witness.record("2.0.0"), witness.dumps(), told

    before = state()
    run = operator.plays("readiness", "-e", "release_codename=CHANGE_ME")
    said = " ".join(run.output.split())
    assert run.rc == 2
    # All the rest is well after the release too, and what came with it is looked at now.
    found = re.search(r"1 of \d+ checks failed: \(1\) placeholders: 1 value", said)
    assert found, run.tail()
    assert "come with the release" not in said
    assert set(run.changed().values()) == {0}
    assert state() == before


LIMITED = "select to_regclass('public.wallet_limits') is not null"


class Seen(t.NamedTuple):
    """What the next release must leave as it is."""

    pods: dict[str, set[str]]
    flags: dict[str, str]
    functions: dict[str, bytes]

    @classmethod
    def by(cls, witness: Witness) -> Seen:
        pods = {name: uids for name, uids in witness.pods().items() if name != "wallet-service"}
        flags = {k: v for k, v in witness.flags().items() if k != "FEATURE_WALLET_LIMITS"}
        return cls(pods, flags, witness.function_sources())


@pytest.fixture(scope="module")
def successor(world, tmp_path_factory) -> Successor:
    return Successor(world, tmp_path_factory.mktemp("successor"))


@pytest.fixture(scope="module")
def at_the_end_of_the_ramp(deployment, witness) -> Seen:
    """As if ten days had gone."""
    assert deployment.run.rc == 0
    everybody = {"data": {"FEATURE_AI_AGENTS_ROLLOUT_PERCENTAGE": "100"}}
    witness.kubectl("patch", "configmap", "feature-flags", "-p", json.dumps(everybody))
    witness.kubectl("rollout", "restart", "deployment/agent-core")
    witness.rolled_out()
    until(lambda: len(witness.pods()["agent-core"]) == witness.replicas()["agent-core"][0])
    return Seen.by(witness)


def test_the_next_release_takes_one_migration_one_service_and_one_flag(
    successor, at_the_end_of_the_ramp, witness
):
    successor.prepares()
    run = successor.rehearses("deploy")
    assert run.rc == 0, run.tail()
    assert witness.images() == {**NEW, "wallet-service": "v2.1.0"}
    assert witness.sql("supabase", LIMITED) == ["t"]
    assert len(witness.sql("supabase", HISTORY)) == 9
    assert witness.environment("wallet-service")["FEATURE_WALLET_LIMITS"] == "true"
    assert Seen.by(witness) == at_the_end_of_the_ramp
    texts = [message["text"] for message in witness.received()["slack"]["v2-deployment"]]
    (success,) = (text for text in texts if "v2.1 Deployment SUCCESSFUL" in text)
    # The percentage is of 2.0's feature, and so was the schedule.
    assert "Status: LIVE\n" in success
    assert "%" not in success
    told = successor.rehearses("status").output
    assert "release 2.1.0 is done" in told
    assert re.search(r"v2\.1\.0: wallet-service\b.*v2\.0\.0: the other 11", told, re.DOTALL), told


@pytest.mark.parametrize(
    ("command", "cannot"), [("goes_back", "go back"), ("deploys", "go on with phase preflight")]
)
def test_the_release_before_can_neither_go_back_below_it_nor_be_deployed_over_it(
    command, cannot, operator, at_the_end_of_the_ramp, witness
):
    run = getattr(operator, command)()
    assert run.rc != 0
    told = " ".join(run.output.split())
    assert f"Release 2.0.0 cannot {cannot}: release 2.1.0, which is done, began after it." in told
    assert " back from a checkout of release 2.1.0 " in told
    assert Seen.by(witness) == at_the_end_of_the_ramp


def test_its_way_back_from_its_checkout_ends_at_the_release_before(
    successor, at_the_end_of_the_ramp, witness
):
    """As the refusal says: the other checkout's inventory would switch off the agents of everybody."""
    theirs = {"FEATURE_MARKETPLACE_AGENT": "true"}  # somebody else's, set since
    witness.kubectl("patch", "configmap", "feature-flags", "-p", json.dumps({"data": theirs}))
    run = successor.rehearses("rollback")
    assert run.rc == 0, run.tail()
    assert witness.images() == NEW
    before = at_the_end_of_the_ramp
    assert Seen.by(witness) == before._replace(flags={**before.flags, **theirs})
    assert witness.flags()["FEATURE_WALLET_LIMITS"] == "false"
    # Its migration is additive, so it stays.
    assert witness.sql("supabase", LIMITED) == ["t"]
    assert witness.record("2.1.0")["status"] == "rolled_back"
    assert witness.record("2.0.0")["status"] == "done"


def told_users(witness: Witness, status: str) -> str:
    """The newest words of the status page's newest entry, which is in that state."""
    entry = witness.received()["statuspage"]["incidents"][-1]
    assert entry["status"] == status
    return str(entry["incident_updates"][0]["body"])


def test_one_service_goes_back_alone_and_every_pod_keeps_its_flags(operator, witness):
    flags, pods = witness.flags(), witness.pods()["agent-core"]
    names = ("-e", '{"service_rollback_names": ["wallet-service"]}')
    run = operator.goes_back("--tags", "services", *names)
    assert run.rc == 0, run.tail()
    assert witness.images() == {**NEW, "wallet-service": OLD["wallet-service"]}
    assert (witness.flags(), witness.pods()["agent-core"]) == (flags, pods)
    assert (
        flags["FEATURE_AI_AGENTS"]
        == witness.environment("agent-core")["FEATURE_AI_AGENTS"]
        == "true"
    )
    assert witness.record("2.0.0")["phases"]["feature_flags"]["status"] == "done"
    texts = [message["text"] for message in witness.received()["slack"]["v2-deployment"]]
    stays = "EasyMO v2.0 stays, but for what was rolled back: services (wallet-service)\n"
    (text,) = (text for text in texts if stays in text)
    assert "no user has the feature" not in text
    assert told_users(witness, "completed").endswith("What users do was tried and works.")
    assert operator.deploys("--tags", "microservices").rc == 0
    assert witness.images() == NEW


def test_the_flags_go_off_alone_and_come_back_with_their_phase(operator, witness):
    assert operator.goes_back("--tags", "feature_flags").rc == 0
    assert (
        told_users(witness, "completed")
        == "We took a part of the upgrade back. What users do was tried and works."
    )
    texts = [message["text"] for message in witness.received()["slack"]["v2-deployment"]]
    assert any(
        "EasyMO v2.0 stays, but for what was rolled back: feature flags\n" in text for text in texts
    )
    assert witness.environment("agent-core")["FEATURE_AI_AGENTS"] == "false"
    assert witness.images() == NEW
    assert operator.deploys("--tags", "feature_flags").rc == 0
    assert witness.environment("agent-core")["FEATURE_AI_AGENTS"] == "true"


def test_the_way_back_leads_to_what_ran_before(operator, witness, sources_before):
    assert witness.function_sources() != sources_before
    why = ("-e", "reason='errors at 12 percent'", "-e", "by=eve")
    assert operator.plays("kill_switch", *why).rc == 0
    assert told_users(witness, "monitoring") == "We have switched a feature off for everybody."
    run = operator.goes_back()
    assert run.rc == 0, run.tail()
    assert told_users(witness, "completed").startswith(
        "We took the upgrade back and will try again another day."
    )
    texts = [message["text"] for message in witness.received()["slack"]["v2-deployment"]]
    (told,) = (text for text in texts if "v2.0 was rolled back" in text and "12 percent" in text)
    assert "Cause: kill switch: errors at 12 percent (eve, " in told
    assert "State: user flows work, 100 % of those tried" in told
    assert "what users do was tried and works" in told
    assert witness.images() == OLD
    assert witness.rolled_out()
    assert witness.functions_version() == "1.9.0"
    assert witness.function_sources() == sources_before
    assert witness.flags()["FEATURE_AI_AGENTS"] == "false"
    assert witness.flags()["FEATURE_AI_AGENTS_ROLLOUT_PERCENTAGE"] == "0"
    assert witness.environment("agent-core")["FEATURE_AI_AGENTS"] == "false"
    assert "LOG_LEVEL" not in witness.environment("agent-core")
    assert min(measured(witness, "-rollback").values()) > 1


def test_no_user_noticed(operator):
    run = operator.sandbox("traffic", "stop")
    report = json.loads(operator.sandbox("traffic", "report", "--json").output)
    assert report["failed"] == 0, report["first_failures"]
    assert report["sent"] == report["ok"] > 0
    assert run.rc == 0
