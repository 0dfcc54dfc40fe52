"""The sandbox's Supabase over its seeded PostgreSQL, and over a death of its own."""

import signal
import typing as t

import psutil
import pytest

from sandbox.names import AGENT_CORE_USER, INTERNAL_NUMBER, PREVIOUS_VERSION, RELEASE_VERSION
from sandbox.postgres.component import COMPONENT as POSTGRES
from sandbox.seed import INTERNAL_BALANCE_RWF, TEST_VENDOR_ID
from sandbox.world import World
from tests.contract.supabase_project import Project, project_in, release, running
from tests.integration.running import query, seeded

SEED_MB = 1


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> t.Iterator[World]:
    world = World(tmp_path_factory.mktemp("supabase"))
    with world.changing() as state:
        state["options"] = {"seed_mb": SEED_MB}
    with running(POSTGRES, world):
        yield world


@pytest.fixture
def project(world) -> t.Iterator[Project]:
    with project_in(world) as made:
        yield made


def rows(world: World, database: str, sql: str) -> list[tuple[t.Any, ...]]:
    return query(seeded(world, database), sql)


def test_every_balance_is_what_its_ledger_adds_up_to(world):
    sql = """
        select count(*), count(*) filter (where balance_rwf is distinct from
          (select sum(amount_rwf) from ledger_entries where wallet_id = wallets.id)::bigint)
        from wallets
    """
    ((wallets, wrong),) = rows(world, "agent_core", sql)
    assert (wallets > 100, wrong) == (True, 0)


def test_the_internal_tester_can_order_and_pay(world):
    vendor = f"select category from vendors where id = '{TEST_VENDOR_ID}' and is_open"
    wallet = f"select balance_rwf from wallets where phone = '{INTERNAL_NUMBER}'"
    assert rows(world, "supabase", vendor) == [("vegetables",)]
    assert rows(world, "agent_core", wallet) == [(INTERNAL_BALANCE_RWF,)]


def test_the_histories_say_what_was_applied(world):
    supabase = rows(world, "supabase", "select name from supabase_migrations.schema_migrations")
    prisma = rows(world, "agent_core", "select * from _prisma_migrations where logs is null")
    assert (len(supabase), len(prisma)) == (4, 2)


def test_each_database_belongs_to_its_own_user(world):
    sql = "select distinct tableowner from pg_tables where schemaname = 'public'"
    assert rows(world, "supabase", sql) == [("postgres",)]
    assert rows(world, "agent_core", sql) == [(AGENT_CORE_USER,)]


def test_rest_reads_in_the_role_of_the_key(project):
    anon = {"apikey": project.facts["anon_key"]}
    service = {"apikey": project.facts["service_role_key"]}
    private = f"/rest/v1/users?phone=eq.{INTERNAL_NUMBER}&select=display_name"

    schema = project.call("/rest/v1/", headers=service).json()
    assert (schema["swagger"], "/vendors" in schema["paths"]) == ("2.0", True)
    public = project.call("/rest/v1/vendors?select=name&limit=2&order=name", headers=anon).json()
    assert (len(public), list(public[0])) == (2, ["name"])
    # A hosted project grants its tables to anon by default, and leaves it to policies which rows are seen.
    assert project.call(private, headers=anon).json() == []
    assert project.call(private, headers=service).json() == [{"display_name": "Internal tester"}]
    missing = project.call("/rest/v1/nowhere", headers=service)
    assert (missing.status_code, missing.json()["code"]) == (404, "42P01")


def test_health_sees_the_database(project):
    (answer,) = project.manage("GET", "/health?services=db").json()
    assert answer["status"] == "ACTIVE_HEALTHY"


def test_a_killed_process_takes_its_workers_along_and_comes_back_as_it_was(world):
    with project_in(world) as project:
        project.deploy(release(RELEASE_VERSION, "health"))
        workers = psutil.Process(project.child.pid).children(recursive=True)
        assert workers
        project.child.send_signal(signal.SIGKILL)
        project.child.wait(timeout=60)
        _, alive = psutil.wait_procs(workers, timeout=60)
        assert [w for w in alive if w.status() != psutil.STATUS_ZOMBIE] == []

    with project_in(world) as project:
        assert project.call("/functions/v1/health").json()["version"] == RELEASE_VERSION
        admin = project.call("/functions/v1/admin-agents/_health").json()
        assert admin["version"] == PREVIOUS_VERSION
        token = project.facts["wa_verify_token"]
        query = {"hub.mode": "subscribe", "hub.challenge": "1", "hub.verify_token": token}
        assert project.call("/functions/v1/wa-webhook", params=query).text == "1"
