"""Smoke tests against the platform: what they find, what they leave behind, and what a kill in the middle costs."""

import threading
import time
import typing as t
import uuid

import pytest
import requests

from ansible_collections.easymo.deploy.plugins.modules import smoke_tests
from sandbox.world import World
from tests.fakes.tcp_proxy import HOST, Answer, TcpProxy
from tests.integration.module_process import started
from tests.integration.running import connection
from tests.integration.supabase import Project, project_of
from tests.module_runner import Result, run_module
from tests.tables import cases

NUMBER, VENDOR, AMOUNT = "250780000001", "7e570000-0000-4000-8000-000000000001", 1500


@pytest.fixture
def project(world) -> t.Iterator[Project]:
    with project_of(world) as found:
        yield found


@pytest.fixture
def key() -> str:
    return f"test/{uuid.uuid4()}"


def payment(world: World, key: str, **options: t.Any) -> dict[str, t.Any]:
    given = {
        "api_url": world.facts("gateway")["url"],
        "number": NUMBER,
        "vendor_id": VENDOR,
        "amount": AMOUNT,
        "key": key,
        **options,
    }
    return {"name": "Payment integration", "kind": "payment", "payment": given}


def conversation(
    project: Project, *messages: dict[str, t.Any], **options: t.Any
) -> dict[str, t.Any]:
    given = {
        "url": project.url("wa-webhook"),
        "verify_token": project.facts["wa_verify_token"],
        "app_secret": project.facts["wa_app_secret"],
        "messages": list(messages),
        **options,
    }
    return {"name": "WhatsApp webhook", "kind": "webhook", "webhook": given}


def metrics(world: World, query: str, **options: t.Any) -> dict[str, t.Any]:
    metric = {"name": "m", "query": query, "pass": {"max": 1}, "rollback": {"above": 2}}
    given = {
        "prometheus": {"url": world.facts("prometheus")["url"]},
        "metrics": [metric],
        **options,
    }
    return {"name": "Metrics", "kind": "metrics", "metrics": given}


def run(*tests: dict[str, t.Any], check: bool = False, **options: t.Any) -> Result:
    return run_module(smoke_tests, check=check, tests=list(tests), **options)


def balance(world: World) -> int:
    answer = requests.get(f"{world.facts('gateway')['url']}/wallet/wallets/{NUMBER}", timeout=60)
    return int(answer.json()["balance"])


def test_in_check_mode_nothing_is_asked_and_nothing_is_sent(world, key):
    before = balance(world)
    nowhere = {"url": "http://127.0.0.1:9/", "verify_token": "no-token", "app_secret": "no-secret"}
    told = {"name": "Talk", "kind": "webhook", "webhook": {**nowhere, "messages": []}}
    result = run(payment(world, key), told, check=True)
    assert (result["changed"], result["verdict"]) == (False, "proceed")
    assert [one["status"] for one in result["results"]] == ["planned", "planned"]
    assert (
        result["results"][0]["detail"]
        == f"would order for {AMOUNT} and pay from the wallet of {NUMBER}"
    )
    assert balance(world) == before


def test_an_order_is_paid_and_found_paid_when_the_test_runs_again(world, key):
    before = balance(world)
    first = run(payment(world, key))["results"][0]
    second = run(payment(world, key))["results"][0]
    assert (first["status"], second["status"]) == ("pass", "pass")
    assert first["facts"]["order_id"] == second["facts"]["order_id"]
    assert "was already paid by this attempt" in second["detail"]
    assert balance(world) == before - AMOUNT


@pytest.mark.parametrize("moment", ["/wallet/orders HTTP", "/pay HTTP"], ids=["ordered", "paid"])
def test_a_run_that_is_killed_and_repeated_pays_once(world, key, moment):
    """The process dies by SIGKILL when its request has reached the platform and the answer has not reached it."""
    before = balance(world)
    arrived, forever = threading.Event(), threading.Event()

    def up(chunk: bytes) -> bytes:
        if moment.encode() in chunk:
            arrived.set()
        return chunk

    def down(chunk: bytes) -> bytes:
        if arrived.is_set():
            forever.wait(60)
            raise Answer(b"")
        return chunk

    with TcpProxy(HOST, world.port("gateway")) as proxy:
        proxy.up, proxy.down = up, down
        given = payment(world, key, api_url=f"http://{HOST}:{proxy.port}", request_timeout=120)
        with started("smoke_tests", {"tests": [given]}) as process:
            assert arrived.wait(60)
            process.kill()
        forever.set()
    again = run(payment(world, key))
    assert again["results"][0]["status"] == "pass"
    assert balance(world) == before - AMOUNT


def test_every_test_runs_to_its_end_although_others_fail(world, project, key):
    project.break_down("missing-blob", "wa-webhook")
    said = {"name": "MENU", "from": NUMBER, "text": "MENU", "route": "menu"}
    poor = payment(world, key, amount=10**9)
    checks = [{"name": "database", "kind": "postgres", "postgres": connection(world)}]
    database = {"name": "Database connectivity", "kind": "health", "health": {"checks": checks}}
    result = run(conversation(project, said), {**poor, "name": "Poor"}, database)
    assert (result["failed"], result["reason"], result["verdict"]) == (
        True,
        "VerificationFailed",
        "rollback",
    )
    assert [one["status"] for one in result["results"]] == ["fail", "fail", "pass"]
    assert result["msg"].startswith("2 of 3 smoke tests failed. WhatsApp webhook: verification")
    assert "too little to pay" in result["msg"]
    assert result["lines"][0].startswith("❌ WhatsApp webhook: FAIL (verification challenge: ")
    secrets = (project.facts["wa_app_secret"], project.facts["wa_verify_token"])
    assert not any(secret in str(result) for secret in secrets)


@cases(
    ("query", "options", "status"),
    {
        "good": ("vector(1)", {}, "pass"),
        "doubtful": ("vector(1.5)", {}, "hold"),
        "breach": ("vector(3)", {"missing": "skip"}, "fail"),
        "missing": ("nothing_of_that_name", {}, "hold"),
        "missing told": ("nothing_of_that_name", {"missing": "skip"}, "skip"),
        "doubtful still holds": ("vector(1.5)", {"missing": "skip"}, "hold"),
        "no query": ("sum(", {}, "hold"),
    },
)
def test_metrics_are_looked_at_once_and_missing_ones_never_pass(world, query, options, status):
    result = run(metrics(world, query, **options), fail_on=[])
    (found,) = result["results"]
    assert found["status"] == status
    assert found["detail"]
    if status == "hold":
        failed = run(metrics(world, query, **options))
        assert (failed["failed"], failed["reason"]) == (True, "Hold")


def test_metrics_without_data_are_waited_for(world):
    began = time.time()
    query = f"vector(1) and on () vector(time()) > {began + 3}"
    (found,) = run(metrics(world, query, wait_timeout=60), fail_on=[])["results"]
    assert (found["status"], time.time() > began + 3) == ("pass", True)
