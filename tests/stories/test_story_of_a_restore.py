"""A release garbles the data: refused without approval, failing midway, killed midway, and in the end restored.

Then it is deployed again, from a database whose history is gone, and by two people at once. The tests are the chapters
of one story and stand in its order.
"""

import json
import os
import re
import shlex
import threading
import typing as t
from contextlib import contextmanager
from pathlib import Path

import pytest

from sandbox.faults import Fault, Faults
from sandbox.names import SERVICES
from sandbox.world import World
from tests.fault_setting import faults_set
from tests.stories.people import Operator, Run, Witness, ended
from tests.waiting import until

DATABASES = {"supabase": "supabase_prod", "agent_core": "agent_core_prod"}
WHO, WHY = "Jane Doe", "the release garbled messages and the ledger"
GARBLED = {"supabase": "public.whatsapp_messages", "agent_core": "public.ledger_entries"}
WAIVED = {"by": WHO, "reason": "other stories have it"}
MEMORY = "easymo.com/replicas-before"

# The smoke tests pay one order, as after every way back.
ORDERED = {"public.orders": 1, "public.payments": 1, "public.ledger_entries": 1}

Seen = dict[str, t.Any]


@pytest.fixture(scope="module")
def before(operator, witness) -> Seen:
    """The rows before the release, with the release deployed and its data garbled since."""
    rows = {database: witness.rows(database) for database in DATABASES}
    given = json.dumps({"release_phases_waived": {"preflight": WAIVED}})
    phases = "database,edge_functions,microservices,feature_flags"
    run = operator.deploys("--tags", phases, "-e", given)
    assert run.rc == 0, run.tail()
    for database, table in GARBLED.items():
        witness.sql(database, f"delete from {table}")
    # A later run takes newer backups, of the garbled data; those of before the migrations are to come back.
    later = operator.deploys("--tags", "database", "-e", "db_backup_max_age=1")
    assert later.rc == 0, later.tail()
    return {"rows": rows, "replicas": witness.replicas()}


def standing(witness: Witness) -> Seen:
    rows = {database: witness.rows(database) for database in DATABASES}
    # agent-core counts by itself there, some seconds after a request.
    del rows["supabase"]["public.agent_metrics"]
    return {"versions": witness.resource_versions(), "rows": rows}


def manifests(witness: Witness) -> dict[str, dict[str, int]]:
    """The rows of our own tables that the manifest of each database's first backup tells, by its name."""
    bucket = witness.bucket()
    keys = [entry.key for entry in bucket.objects.all() if entry.key.endswith(".manifest.json")]
    found = [json.loads(bucket.Object(key).get()["Body"].read()) for key in sorted(keys)]
    return {
        one["name"]: {
            table: rows
            for table, rows in one["rows"].items()
            if table.partition(".")[0] not in one["schemas_of_others"]
        }
        for one in reversed(found)
        if one["name"] in DATABASES.values()
    }


def difference(now: dict[str, int], then: dict[str, int]) -> dict[str, int]:
    tables = {*now, *then}
    counted = {table: now.get(table, 0) - then.get(table, 0) for table in tables}
    return {table: count for table, count in counted.items() if count}


def said(run: Run) -> str:
    return " ".join(run.output.split())


def test_without_an_approval_nothing_is_touched_and_the_command_shown(operator, witness, before):
    seen = standing(witness)
    run = operator.at_the_console().goes_back("--tags", "database", "-e", "reason=garbled")
    assert run.rc != 0
    (told,) = [line for line in run.output.splitlines() if line.startswith("  next ")]
    wanted = ["-i", "inventories/sandbox", "--tags", "database"]
    wanted += ["-e", "reason=garbled", "-e", "by='NAME'"]
    assert shlex.split(told)[2:] == ["playbooks/rollback.yml", *wanted]
    assert standing(witness) == seen


def test_check_mode_tells_it_all_and_touches_nothing(operator, witness, before):
    seen = standing(witness)
    run = operator.restores(WHO, WHY, "--check", "--diff")
    assert run.rc == 0, run.tail()
    assert all(run.changed()[host] for host in ("supabase_db", "agent_core_db"))
    assert standing(witness) == seen


def test_a_restore_that_fails_midway_leaves_what_serves_and_says_what_that_is(
    operator, witness, before
):
    key = min(one for one in witness.dumps() if "agent_core_prod" in one)
    dump = witness.bucket().Object(key)
    good = dump.get()["Body"].read()
    middle = len(good) // 2
    dump.put(Body=good[:middle] + bytes(64) + good[middle + 64 :])
    run = operator.restores(WHO, WHY)
    dump.put(Body=good)

    assert run.rc != 0
    assert "Database 'agent_core_prod' serves as before" in said(run), run.tail()
    assert "run the same command again" in said(run)
    assert "Traceback" not in run.output
    assert witness.replicas() == before["replicas"]
    assert all(witness.serves(service) for service in SERVICES)
    # The other database came back, and what is left of this one is what was there.
    assert witness.rows("supabase") == manifests(witness)["supabase_prod"]
    assert difference(witness.rows("agent_core"), before["rows"]["agent_core"])
    assert any("restore of the databases FAILED" in text for text in slack(witness))


def test_killed_while_the_services_are_down_and_run_again_it_ends_well(operator, witness, before):
    run = operator.begins_to_restore(WHO, WHY)
    until(lambda: not any(count for count, _pods in witness.replicas().values()))
    run.kill("parent")
    assert set(witness.replicas().values()) != set(before["replicas"].values())
    asked = witness.record("2.0.0")["facts"]["restore_asked"]
    assert (asked["by"], asked["reason"], asked["open"]) == (WHO, WHY, True)

    again = operator.restores(WHO, WHY)
    assert again.rc == 0, again.tail()
    assert again.changed()["supabase_db"] <= 2, (
        "it was restored already: only the services come back"
    )
    assert witness.record("2.0.0")["facts"]["restore_asked"]["open"] is False


def test_psql_counts_what_the_manifests_tell(witness, before):
    told = manifests(witness)
    assert difference(witness.rows("supabase"), told["supabase_prod"]) == {}
    assert difference(witness.rows("agent_core"), told["agent_core_prod"]) == ORDERED
    assert told == {name: before["rows"][database] for database, name in DATABASES.items()}


def test_the_services_are_back_at_their_counts_and_serve(witness, before):
    assert witness.replicas() == before["replicas"]
    assert MEMORY not in json.dumps(witness.reads("deployments"))
    assert all(witness.serves(service) for service in SERVICES)
    assert witness.environment("agent-core")["FEATURE_AI_AGENTS"] == "false"


def test_the_record_knows_who_and_why_and_where_the_failed_data_is(witness):
    restores = witness.record("2.0.0")["facts"]["database_restores"]
    entries = {name: next(iter(restores[name].values())) for name in DATABASES.values()}
    assert {(one["approved_by"], one["reason"]) for one in entries.values()} == {(WHO, WHY)}
    garbled = entries["agent_core_prod"]
    # The smoke tests had paid an order after the restore that failed.
    assert garbled["rows_before"]["public.ledger_entries"] == 1
    assert garbled["rows_after"]["public.ledger_entries"] > 1
    kept = "select datname from pg_database where datname like 'agent_core_prod_failed_%'"
    assert witness.sql("supabase", kept) == [garbled["kept"]]
    assert entries["supabase_prod"]["kept"].rpartition("/")[2].startswith("supabase_prod_failed_")


def slack(witness: Witness) -> list[str]:
    return [message["text"] for message in witness.received()["slack"]["v2-deployment"]]


def test_people_were_told_when_it_began_and_how_it_ended(witness):
    texts = [text for text in slack(witness) if f"Approved by: {WHO}" in text]
    assert sum("restoring the databases from the backups" in text for text in texts) == 1
    assert sum("the databases are restored\n" in text for text in texts) == 1


def test_the_same_words_again_change_nothing(operator, witness):
    def found() -> list[str]:
        return [one["status"] for one in witness.record("2.0.0")["facts"]["rollback_verified"]]

    verified, states = found(), witness.states()
    run = operator.restores(WHO, WHY)
    assert run.rc == 0, run.tail()
    # What it finds anew, like an alert that has ended since, it writes on record and report.
    written = {*witness.states()} - {*states}
    if found() == verified:
        assert set(run.changed().values()) == {0}, run.changed()
        assert not written
    else:
        assert run.changed() == {"agent_core_db": 0, "localhost": 2, "supabase_db": 0}
        assert [one.partition("=")[0] for one in written] == ["release-2.0.0"]


def test_the_milder_ways_still_lead_back(operator, witness):
    told = len(slack(witness))
    run = operator.goes_back()
    assert run.rc == 0, run.tail()
    assert witness.images() == dict.fromkeys(SERVICES, "v1.9.0")
    assert [text for text in slack(witness)[told:] if "was rolled back" in text], (
        "a part that went back alone does not silence the whole"
    )


HISTORY = "SELECT string_agg(migration_name, ',' ORDER BY migration_name) FROM _prisma_migrations"
COPIES = "SELECT datname FROM pg_database WHERE datname LIKE 'rehearsal%'"


def test_tables_without_a_history_are_baselined_by_the_commands_on_the_screen(operator, witness):
    witness.sql("agent_core", "drop table _prisma_migrations")
    given = json.dumps({"release_phases_waived": {"preflight": WAIVED}})
    refused = operator.at_the_console().deploys("--tags", "database", "-e", given)
    assert refused.rc != 0
    assert "(P3005)" in refused.output
    assert "agent_core_db 0 migrations" not in refused.output
    commands = dict(re.findall(r"^  (next|or) +(\S*ansible-playbook .*)", refused.output, re.M))
    for label in ("or", "next"):
        typed = operator.enters(commands[label])
        assert typed.rc == 0, typed.tail()
    rehearsals = witness.record("2.0.0")["phases"]["database"]["evidence"]["rehearsals"]
    assert {one["status"] for one in rehearsals.values()} == {"passed"}
    assert {check["status"] for check in rehearsals["agent_core_prod"]["checks"]} == {"pass"}
    assert witness.sql("supabase", COPIES) == []
    assert "agent_preferences" in witness.sql("agent_core", HISTORY)[0]


def lock_of(witness: Witness) -> tuple[str, int]:
    leases = {one["metadata"]["name"]: one["spec"] for one in witness.reads("leases")}
    spec = leases.get("easymo-deploy", {})
    return spec.get("holderIdentity", ""), spec.get("leaseTransitions", 0)


def test_of_two_runs_at_once_one_deploys_and_the_other_says_who_and_both_keep_whole_files(
    operator: Operator, witness: Witness, world: World, tmp_path: Path
) -> None:
    # The keeper of the run before may still be about to give it back: what is seen held below is the first run's.
    until(lambda: lock_of(witness)[0] == "")
    epoch = lock_of(witness)[1]
    page, journal = world.directory / "report/2.0.0/report.html", tmp_path / "journal.jsonl"
    kept = {**os.environ, "EASYMO_DEPLOY_JOURNAL_PATH": str(journal)}
    console = Operator(world, environment=kept).at_the_console()
    phases = ("--tags", "preflight,database,edge_functions")
    printed = {name: tmp_path / name for name in ("first", "report")}
    begun = console.begins("deploy_v2", *phases, output=printed["first"])
    seen: list[str] = []
    with reading(page, seen):
        until(lambda: lock_of(witness)[0] != "")
        holder = lock_of(witness)[0].partition("/")[0]
        # Which may be asked for at any time, and writes the page that the first run writes.
        asked_for = console.begins("report", output=printed["report"])
        # Supabase answers no more, so that the first still runs when the second comes to the lock.
        with faults_set(Faults(world.faults_file), Fault("supabase", "paused")):
            second = console.deploys("--tags", "preflight,database")
        follow = re.findall(r"^  or +(.* -e follow=true)$", second.output, re.MULTILINE)
        followed = operator.pastes(*follow)
    report, first = ended(asked_for, printed["report"]), ended(begun, printed["first"])
    assert report.rc == 0, report.tail()
    assert first.rc == 0, first.tail()
    refused, shown = second.output.splitlines(), first.output.splitlines()
    assert second.rc != 0
    assert [line for line in refused if line.startswith("✗ STOPPED in 1/8 Pre-Deploy, ")]
    cause = said(second).partition(" cause ")[2]
    who = f"{holder} (pid {begun.process.pid}) holds 'easymo-deploy' to deploy 2.0.0 since "
    assert cause.startswith(f"Another run is deploying: {who}")
    steps = {one.split()[0]: one for one in refused if one.startswith("  ")}
    assert [*steps][-3:] == ["next", "or", "detail"]
    assert steps["next"].endswith(" -e deploy_lock_wait=600")
    assert "playbooks/status.yml" in follow[0]
    assert followed.rc == 0, followed.tail()
    assert "phases 3 of 8 done" in said(followed), "it stayed until the first was over"
    # Each screen is the run's own.
    assert [line for line in shown if line.startswith("✓ deploy_v2.yml done in ")]
    assert not [line for line in shown if "✗" in line or "Another run" in line]
    assert not [line for line in refused if "Database" in line]
    assert [one for one in seen if not one.rstrip().endswith("</html>")] == []
    assert "STOPPED" not in page.read_text("utf-8")
    events = [json.loads(one) for one in journal.read_text("utf-8").splitlines()]
    ends = {one["run"]: one["outcome"] for one in events if one["event"] == "run_finished"}
    assert sorted(ends.values()) == ["done", "done", "failed"]
    for run in ends:
        numbers = [one["seq"] for one in events if one["run"] == run]
        assert numbers == [*range(1, len(numbers) + 1)]
    # Who deployed has given it back: its keeper outlives it by the one write that does.
    until(lambda: lock_of(witness) == ("", epoch + 1))


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
