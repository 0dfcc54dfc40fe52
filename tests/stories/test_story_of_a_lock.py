"""Somebody keeps everybody out, others look, rehearse and are refused, and in the end deploy.

The tests are the chapters of one story and stand in its order.
"""

import json
import os
import re
import threading
import typing as t
from contextlib import contextmanager
from pathlib import Path

from sandbox.world import World
from tests.stories.people import Operator, Witness, ended
from tests.waiting import until

PREFLIGHT = ("--tags", "preflight")
REASON = ("-e", "reason='the data centre moves'")


def lock_of(witness: Witness) -> tuple[str, int]:
    leases = {one["metadata"]["name"]: one["spec"] for one in witness.reads("leases")}
    spec = leases.get("easymo-deploy", {})
    return spec.get("holderIdentity", ""), spec.get("leaseTransitions", 0)


def words(text: str) -> str:
    return " ".join(text.split())


def test_a_rehearsal_is_not_kept_out_and_names_all_that_stands_against_rolling_the_services_at_once(
    operator: Operator, witness: Witness
) -> None:
    locked = operator.plays("lock", *REASON)
    assert locked.rc == 0, locked.tail()
    witness.kubectl("rollout", "pause", "deployment/wallet-service")
    history = '{"spec": {"revisionHistoryLimit": 1}}'
    witness.kubectl("patch", "deployment", "ranking-service", "-p", history)
    before = strategy(witness, "vendor-service", '{"maxUnavailable": "100%"}')
    seen = witness.resource_versions(), lock_of(witness)
    run = operator.deploys("--check", *PREFLIGHT)
    assert run.rc != 0
    said = words(run.output)
    assert "set by hand" in said
    assert "ranking-service: revisionHistoryLimit is 1" in said, "shown, not fatal"
    assert "2 problems prevent a rollout without downtime" in said
    resume, *_more = re.findall(r"wallet-service: it is paused: run 'kubectl (.*?)'", said)
    assert "vendor-service: maxUnavailable lets" in said
    assert "The platform was not touched" in said
    assert (witness.resource_versions(), lock_of(witness)) == seen
    witness.kubectl(*resume.split())
    strategy(witness, "vendor-service", before)


def strategy(witness: Witness, service: str, rolling: str) -> str:
    """Set how it rolls, and return how it did."""
    path = "jsonpath={.spec.strategy.rollingUpdate}"
    before = witness.kubectl("get", "deployment", service, "-o", path)
    patch = f'{{"spec": {{"strategy": {{"rollingUpdate": {rolling}}}}}}}'
    witness.kubectl("patch", "deployment", service, "-p", patch)
    return before


def test_anybody_sees_on_one_screen_where_it_stands(operator: Operator, witness: Witness) -> None:
    before = witness.resource_versions(), lock_of(witness)
    run = operator.plays("status")
    assert run.rc == 0, run.tail()
    told = run.output[run.output.index("Show the status") :]
    assert len(told.splitlines()) < 30
    for part in (
        "NO RELEASE: no release is recorded",
        f"{lock_of(witness)[0]} holds 'easymo-deploy', set by hand since",
        "(the data centre moves)",
        "v1.9.0: all 12",
        "12/12 available",
    ):
        assert part in words(told)
    assert (witness.resource_versions(), lock_of(witness)) == before


def test_a_freeze_stops_deployments_by_whom_and_why(operator: Operator, witness: Witness) -> None:
    run = operator.types(operator.deploys(*PREFLIGHT), "unlock")
    assert run.rc == 0, run.tail()
    assert lock_of(witness) == ("", 1)
    freeze = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "deploy-freeze"}}
    witness.kubectl("create", "-f", "-", stdin=json.dumps({**freeze, "data": {"by": "eve"}}))
    before = witness.resource_versions()
    run = operator.deploys(*PREFLIGHT)
    assert run.rc != 0
    assert "Deployments are frozen by eve" in words(run.output)
    assert (witness.resource_versions(), lock_of(witness)) == (before, ("", 1))
    witness.kubectl("delete", "configmap", "deploy-freeze")


def test_a_release_that_is_not_ready_is_refused_and_nobody_has_to_get_up(
    operator: Operator, witness: Witness
) -> None:
    """The window is closed, and nobody has signed."""
    closed = {"from": "2020-01-01", "to": "2120-01-01", "why": "a test"}
    given = {
        "release_launch_window": {"timezone": "UTC", "freezes": [closed]},
        "release_sign_offs_given": {},
        "release_page_holds": {},
    }
    run = operator.at_the_console().deploys(*PREFLIGHT, "-e", json.dumps(given))
    assert run.rc != 0
    assert "✗ STOPPED in 1/8 Pre-Deploy" in run.output
    assert "launch_window: " in words(run.output)
    assert "not signed yet" in words(run.output)
    received = witness.received()
    assert received["pagerduty"] == []
    told = [one["text"] for one in received["slack"]["v2-deployment"]]
    assert [text for text in told if "not signed yet" in text]
    assert not [text for text in told if text.startswith("🛑 <@")]


def test_of_two_runs_at_once_one_deploys_and_the_other_says_who_and_both_keep_whole_files(
    operator: Operator, witness: Witness, world: World, tmp_path: Path
) -> None:
    # The keeper of the run before may still be about to give it back: what is seen held below is the first run's.
    until(lambda: lock_of(witness)[0] == "")
    epoch = lock_of(witness)[1]
    page, journal = world.directory / "report/2.0.0/report.html", tmp_path / "journal.jsonl"
    kept = {**os.environ, "EASYMO_DEPLOY_JOURNAL_PATH": str(journal)}
    console = Operator(world, environment=kept).at_the_console()
    # More than the second, so that it still runs when that comes to the lock.
    phases = ("--tags", "preflight,database,edge_functions")
    printed = {name: tmp_path / name for name in ("first", "report")}
    begun = console.begins("deploy_v2", *phases, output=printed["first"])
    seen: list[str] = []
    with reading(page, seen):
        until(lambda: lock_of(witness)[0] != "")
        holder = lock_of(witness)[0].partition("/")[0]
        # Which may be asked for at any time, and writes the page that the first run writes.
        asked_for = console.begins("report", output=printed["report"])
        second = console.deploys("--tags", "preflight,database")
        follow = re.findall(r"^  or +(.* -e follow=true)$", second.output, re.MULTILINE)
        followed = operator.pastes(*follow)
    report, first = ended(asked_for, printed["report"]), ended(begun, printed["first"])
    assert report.rc == 0, report.tail()
    assert first.rc == 0, first.tail()
    said, shown = second.output.splitlines(), first.output.splitlines()
    assert second.rc != 0
    assert [line for line in said if line.startswith("✗ STOPPED in 1/8 Pre-Deploy, ")]
    cause = words(second.output).partition(" cause ")[2]
    who = f"{holder} (pid {begun.process.pid}) holds 'easymo-deploy' to deploy 2.0.0 since "
    assert cause.startswith(f"Another run is deploying: {who}")
    steps = {one.split()[0]: one for one in said if one.startswith("  ")}
    assert [*steps][-3:] == ["next", "or", "detail"]
    assert steps["next"].endswith(" -e deploy_lock_wait=600")
    assert "playbooks/status.yml" in follow[0]
    assert followed.rc == 0, followed.tail()
    assert "phases 3 of 8 done" in words(followed.output), "it stayed until the first was over"
    # Each screen is the run's own.
    assert [line for line in shown if line.startswith("✓ deploy_v2.yml done in ")]
    assert not [line for line in shown if "✗" in line or "Another run" in line]
    assert not [line for line in said if "Database" in line]
    assert [one for one in seen if not one.rstrip().endswith("</html>")] == []
    assert "STOPPED" not in page.read_text("utf-8")
    events = [json.loads(one) for one in journal.read_text("utf-8").splitlines()]
    ends = {one["run"]: one["outcome"] for one in events if one["event"] == "run_finished"}
    assert sorted(ends.values()) == ["done", "done", "failed"]
    for run in ends:
        numbers = [one["seq"] for one in events if one["run"] == run]
        assert numbers == [*range(1, len(numbers) + 1)]
    # Who deployed has given it back: its keeper outlives it by the one write that does.
    until(lambda: lock_of(witness) == ("", epoch + 1), 10)
    told = words(operator.plays("status").output)
    assert "NOT FINISHED: release 2.0.0: Microservices, Feature Flags," in told
    assert "release 2.0.0, attempt 1 by " in told
    assert "phases 3 of 8 done" in told
    assert "-i inventories/sandbox --tags microservices,feature_flags," in told


@contextmanager
def reading(page: Path, seen: list[str]) -> t.Iterator[None]:
    """A browser that opens the page again and again."""
    over = threading.Event()

    def read() -> None:
        while not over.wait(0.05):
            if page.exists():
                text = page.read_text("utf-8")
                if not seen or text != seen[-1]:
                    seen.append(text)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        yield
    finally:
        over.set()
        reader.join()
