"""Real trouble of each of the runbook's entries, and whether it is named by its cause."""

from __future__ import annotations

import json
import re
import stat
import threading
import typing as t
from pathlib import Path

import pytest
import requests

from ansible_collections.easymo.deploy.plugins.modules import diagnosis, edge_functions
from sandbox.faults import Fault, Faults
from tests.fault_setting import faults_set
from tests.integration.conftest import CRASHING, SERVICE, Place
from tests.integration.prisma_project import PrismaProject
from tests.integration.running import hosted_database, opened, query, scratch_database
from tests.integration.supabase import Project, add_function, checkout_copy, project_of
from tests.integration.supabase_project import Project as Migrations
from tests.integration.supabase_project import SqlProject
from tests.module_runner import Result, run_module
from tests.waiting import until

NOWHERE = "http://127.0.0.1:1"
PLANTED = "pl4nted-s3cret-value"
DEAD = {"server": {"url": NOWHERE}, "service_errors": "x", "metrics": [{"name": "m", "query": "x"}]}


class Doctor:
    """Runs the module with a folder of its own, and reads what came of it."""

    def __init__(self, dest: Path) -> None:
        self.dest = dest
        self.result: Result = {}

    def look(self, *entries: str, check: bool = False, **options: t.Any) -> Doctor:
        given = {"release": "2.0.0", "timeout": 90, **options}
        self.result = run_module(
            diagnosis, check=check, entries=list(entries), dest=str(self.dest), **given
        )
        assert not self.result.get("failed"), self.result
        return self

    @property
    def sentences(self) -> list[str]:
        return [cause["sentence"] for cause in self.result["causes"]]

    @property
    def first(self) -> dict[str, t.Any]:
        assert self.result["causes"], self.result["lines"]
        return self.result["causes"][0]

    def evidence(self) -> str:
        """The line that the first piece of evidence of the first cause points at."""
        file, _colon, line = self.first["evidence"][0].rpartition(":")
        text = (Path(self.result["folder"]) / file).read_text("utf-8")
        return text.splitlines()[int(line) - 1]

    def everything(self) -> str:
        files = Path(self.result["folder"]).rglob("*")
        return str(self.result) + "".join(f.read_text("utf-8") for f in files if f.is_file())


@pytest.fixture
def doctor(tmp_path) -> Doctor:
    return Doctor(tmp_path / "report")


@pytest.fixture
def functions(world) -> t.Iterator[Project]:
    with project_of(world) as found:
        yield found


def at(place: Place) -> dict[str, t.Any]:
    return {"kubeconfig": place.kubeconfig, "namespace": place.namespace}


def test_a_crash_loop_is_named_and_proven_and_what_is_secret_stays_so(deployed, doctor):
    deployed.kubectl(
        "annotate", f"deployment/{SERVICE}", f"kubernetes.io/change-cause=by {PLANTED}"
    )
    deployed.kubectl("set", "image", f"deployment/{SERVICE}", f"{SERVICE}={CRASHING}")

    def crashed() -> bool:
        pods = deployed.read("pods")["items"]
        statuses = [one for pod in pods for one in pod["status"].get("containerStatuses", [])]
        return any(one["restartCount"] > 1 for one in statuses)

    until(crashed)
    doctor.look(
        "crash_loop", kubernetes=at(deployed), services=[SERVICE, "nobody"], redact=[PLANTED]
    )
    assert (doctor.first["certainty"], "crashed" in doctor.first["sentence"]) == (
        "almost certain",
        True,
    )
    assert "service_rollback_names" in doctor.first["hint"]
    assert "crashed" in doctor.evidence() or "rror" in doctor.evidence()
    assert any("nobody: the cluster has no such Deployment" in one for one in doctor.sentences)
    folder = Path(doctor.result["folder"])
    logs = [path.name for path in (folder / "kubernetes").glob("*.log")]
    assert any(name.endswith(".previous.log") for name in logs)
    sheet = (folder / "kubernetes" / f"{SERVICE}.txt").read_text("utf-8")
    for words in (
        "type: Progressing",
        "probes",
        "resources",
        "digests",
        CRASHING,
        "by ********",
    ):
        assert words in sheet
    assert PLANTED not in doctor.everything()
    assert "BackOff" in (folder / "kubernetes" / f"{SERVICE}.events.txt").read_text("utf-8")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert (folder / "summary.txt").is_file()


def test_pods_with_other_flags_than_the_config_map_are_named_also_in_check_mode(deployed, doctor):
    flags = {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "feature-flags"}}
    deployed.kubectl(
        "create", "-f", "-", stdin=json.dumps({**flags, "data": {"FEATURE_AI_AGENTS": "false"}})
    )
    doctor.look(
        "error_rate",
        check=True,
        kubernetes=at(deployed),
        services=[SERVICE],
        flags_config_map="feature-flags",
        flags_consumers=[SERVICE],
        prometheus=DEAD,
    )
    assert "2 of 2 pods run with other flags" in doctor.first["sentence"]
    assert len(doctor.sentences) == 1, "a Prometheus out of sight is no cause"
    assert any("Prometheus cannot be reached" in one for one in doctor.result["unseen"])
    assert (doctor.result["folder"], doctor.result["changed"]) == ("", True)
    assert not doctor.dest.exists()


def test_requests_that_fail_before_healthy_pods_are_laid_to_the_gateway(world, doctor):
    facts, faults = world.facts("kubernetes"), Faults(world.faults_file)
    public = f"{world.facts('gateway')['url']}/health"
    rates = (
        'sum by (service) (rate(http_requests_total{status=~"5.."}[5m]))'
        " / sum by (service) (rate(http_requests_total[5m]))"
    )
    options = {
        "kubernetes": {"kubeconfig": facts["kubeconfig"], "namespace": facts["namespace"]},
        "services": ["wallet-service"],
        "checks": [
            {"name": "wallet-service", "kind": "http", "http": {"url": f"{public}/wallet-service"}}
        ],
        "prometheus": {
            "server": {"url": world.facts("prometheus")["url"]},
            "service_errors": rates,
            "metrics": [
                {
                    "name": "too_high",
                    "query": "vector(7)",
                    "rollback": {"above": 5},
                    "unit": "things",
                }
            ],
        },
    }
    with faults_set(faults, Fault("gateway", "errors", "wallet-service")):

        def blamed() -> bool:
            for _call in range(5):
                requests.get(f"{public}/wallet-service", timeout=60)
            doctor.look("error_rate", **options)
            return any("gateway, which is none of the services" in one for one in doctor.sentences)

        until(blamed)
    assert (
        "wallet-service: its public address answers 500 while its pods are ready"
        in (doctor.first["sentence"])
    )
    assert any("too_high is 7 things, above 5" in one for one in doctor.sentences)


def of_functions(project: Project, **options: t.Any) -> dict[str, t.Any]:
    given = {
        "functions_url": f"{project.facts['gateway_url']}/functions/v1",
        "names": ["wa-webhook", "health"],
        "probes": {
            "wa-webhook": {"path": "/_health", "status": [200]},
            "health": {"status": [200]},
        },
        "verify_jwt": False,
        **options,
    }
    return {"functions": given, "supabase": {**project.options, "request_timeout": 10}}


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("jwt-flipped", "its JWT check is on, against the release's policy"),
        ("missing-blob", "is listed and has no bundle"),
        ("errors", "wa-webhook starts, and ends while it answers"),
    ],
)
def test_what_is_wrong_with_a_function_is_named(functions, doctor, fault, words):
    # Another test of this world may have left lines in the log of the last hour.
    before = doctor.look("function", **of_functions(functions)).sentences
    functions.break_down(fault, "wa-webhook")
    doctor.look("function", **of_functions(functions))
    assert words in doctor.first["sentence"]
    assert not [
        sentence for sentence in doctor.sentences if "health" in sentence and sentence not in before
    ], doctor.sentences


def test_a_function_that_does_not_start_is_named_and_its_log_kept_without_secrets(
    functions, doctor, tmp_path
):
    folder = checkout_copy("2.0.0", tmp_path)
    code = f'console.error("boot with {PLANTED}");\nthrow new Error("no such module: {PLANTED}");\n'
    slug = add_function(folder, code)
    deployed = run_module(
        edge_functions, directory=str(folder), names=[slug], verify_jwt=False, **functions.options
    )
    assert not deployed.get("failed"), deployed
    doctor.look(
        "function",
        function=slug,
        redact=[PLANTED],
        **of_functions(functions, required_secrets=["NO_SUCH_SECRET"]),
    )
    assert f"{slug} does not start" in doctor.first["sentence"]
    assert any("no secret NO_SUCH_SECRET" in one for one in doctor.sentences)
    log = Path(doctor.result["folder"]) / "supabase" / f"{slug}.log"
    assert "no such module: ********" in log.read_text("utf-8")
    assert PLANTED not in doctor.everything()


def test_a_gateway_that_is_down_and_an_api_that_refuses_are_told_apart(functions, doctor):
    functions.break_down("unauthorized")
    doctor.look("function", **of_functions(functions, functions_url=f"{NOWHERE}/functions/v1"))
    assert "no function answers" in doctor.first["sentence"]
    assert len(doctor.sentences) == 1
    assert any("401" in one for one in doctor.result["unseen"])


def database(kind: str, project: PrismaProject | Migrations, **more: t.Any) -> dict[str, t.Any]:
    found = {"name": "orders_db", "kind": kind, "connection": project.database, **more}
    return {"databases": [{**found, "directory": str(project.folder)}]}


def test_a_failed_prisma_migration_is_named_with_its_own_words(project, doctor):
    project.write(
        **{"1_orders": "CREATE TABLE orders (id int, note text);", "2_bad": "SELECT nonsense();"}
    )
    assert project.run(additive_only=False)["failed"]
    query(project.database, "DROP TABLE orders")
    doctor.look("migration", **database("prisma", project, expect_tables=["orders", "payments"]))
    assert "migration 2_bad of" in doctor.first["sentence"]
    assert "function nonsense() does not exist" in doctor.first["sentence"]
    assert "resolve_migrations.yml -e prisma_migrate_resolution=rolled_back" in doctor.first["hint"]
    told = "\n".join(doctor.everything().splitlines())
    assert "the release's tables orders, payments are missing" in told


def test_what_stands_in_the_way_of_pending_migrations_is_named(world, doctor, tmp_path):
    folder = tmp_path / "migrations"
    folder.mkdir()
    with hosted_database(world) as connection:
        migrations = Migrations(folder, connection)
        migrations.write(v1_users="CREATE TABLE users (id int);")
        assert not migrations.run().get("failed")
        with opened(connection) as holder, opened(connection) as waiter:
            lock = "BEGIN; LOCK TABLE users IN ACCESS EXCLUSIVE MODE"
            pid = holder.info.backend_pid
            holder.cursor().execute(lock)
            waiting = threading.Thread(target=waiter.cursor().execute, args=(lock,))
            waiting.start()
            until(lambda: bool(migrations.query("SELECT 1 FROM pg_locks WHERE NOT granted")))
            doctor.look("migration", **database("supabase", migrations))
            # As the hint is printed.
            (cure,) = re.findall(r"SELECT pg_terminate_backend\(\d+\)", doctor.first["hint"])
            migrations.query(cure)
            waiting.join(30)
            assert not waiting.is_alive()
    assert f"waits for a lock that pid {pid}" in doctor.first["sentence"]
    assert f"pg_terminate_backend({pid})" in doctor.first["hint"]
    assert "LOCK TABLE users" in doctor.everything()


def test_plain_sql_files_are_compared_with_flyways_history(world, doctor, tmp_path):
    folder = tmp_path / "migrations"
    folder.mkdir()
    with scratch_database(world) as connection:
        migrations = SqlProject(folder, connection)
        migrations.write(**{"V1.10__users": "CREATE TABLE users (id int);"})
        assert not migrations.run().get("failed")
        migrations.write(
            **{"V1.10__users": "CREATE TABLE users ();", "V1.9__late": "CREATE TABLE late ();"}
        )
        doctor.look("migration", **database("sql", migrations))
        late = "V1.9__late.sql would run after newer ones"
        [hint] = [one["hint"] for one in doctor.result["causes"] if late in one["sentence"]]
        assert "sql_migrate_include_all" in hint
        assert any("V1.10__users.sql was edited" in one for one in doctor.sentences)
        migrations.query("UPDATE flyway_schema_history SET success = false")
        doctor.look("migration", **database("sql", migrations))
    assert any("failed in V1.10__users.sql" in one for one in doctor.result["unseen"])


def test_a_folder_that_cannot_be_made_hides_nothing(tmp_path, doctor, capsys):
    (tmp_path / "file").write_text("", "utf-8")
    doctor.dest = tmp_path / "file"
    doctor.look("migration")
    assert doctor.result["folder"] == ""
    assert "is not stored" in capsys.readouterr().err
    assert doctor.result["unseen"]
