import typing as t

import pytest

from ansible_collections.easymo.deploy.plugins.modules import health_check
from tests.integration.inventory_values import ROOT, evaluated
from tests.integration.running import connection
from tests.module_runner import run_module


@pytest.fixture
def checks(world) -> dict[str, dict[str, t.Any]]:
    """One check that passes for each kind."""
    valkey, kafka = world.facts("valkey"), world.facts("kafka")
    kubernetes = world.facts("kubernetes")
    cluster = {
        "host": kubernetes["server"],
        "api_key": kubernetes["token"],
        "ca_cert": kubernetes["ca_cert"],
        "namespace": kubernetes["namespace"],
    }
    return {
        "postgres": connection(world),
        "redis": {name: valkey[name] for name in ("host", "port", "password")},
        "kafka": {"bootstrap": kafka["bootstrap"], "topics": kafka["topics"]},
        "http": {
            "url": f"{world.facts('gateway')['url']}/health/whatsapp-webhook-worker",
            "json": {"status": "ok", "checks.redis.status": "ok"},
        },
        "kubernetes": {**cluster, "deployments": ["agent-core", "wallet-service"]},
        "exec": {**cluster, "deployment": "wallet-service", "command": ["sh", "-c", "exit 0"]},
        "metric": {
            "prometheus": {"url": world.facts("prometheus")["url"]},
            "query": "count(up)",
            "pass": {"min": 1},
        },
    }


def run(*checks: tuple[str, dict[str, t.Any]], **options: t.Any) -> dict[str, t.Any]:
    entries = [{"name": f"the {kind}", "kind": kind, kind: given} for kind, given in checks]
    return run_module(health_check, checks=entries, **options)


def test_the_platform_is_well(checks):
    result = run(*checks.items(), wait_timeout=60)
    assert result.get("msg") is None
    assert result["changed"] is False
    assert {entry["status"] for entry in result["results"]} == {"pass"}


@pytest.mark.parametrize(
    ("kind", "changed", "words"),
    [
        ("postgres", {"login_password": "wrong-one"}, "password authentication failed"),
        ("postgres", {"query": "CREATE TABLE x ()"}, "read-only"),
        ("postgres", {"expect": "2"}, "and not '2'"),
        ("postgres", {"ca_cert": None, "login_port": 1}, "Cannot reach"),
        ("redis", {"password": "wrong-one"}, "refused the password"),
        ("redis", {"port": 1}, "Connection refused"),
        ("kafka", {"topics": ["nowhere"]}, "no topic nowhere"),
        ("http", {"json": {"status": "fail"}}, "and not 'fail'"),
        ("http", {"status": [204]}, "and not 204"),
        ("http", {"url": "http://127.0.0.1:1/?token=wrong-one"}, "Connection refused"),
        ("kubernetes", {"api_key": "wrong-one"}, "refused"),
        ("kubernetes", {"label_selector": "app=nowhere"}, "no pod"),
        ("kubernetes", {"ca_cert": None}, "ca_cert"),
        ("kubernetes", {"deployments": ["nowhere"]}, "no pod"),
        ("exec", {"command": ["sh", "-c", "echo too late >&2; exit 3"]}, "code 3: too late"),
        ("exec", {"command": ["no-such-program"]}, "not found"),
        ("exec", {"deployment": "nowhere"}, "no Deployment 'nowhere'"),
        ("metric", {"pass": {"max": 0}}, "should give at most 0"),
        ("metric", {"query": "no_such_metric"}, "no series"),
        ("metric", {"query": "sum("}, "rejects the query"),
    ],
)
def test_what_is_not_well_is_told_in_a_sentence(checks, kind, changed, words):
    result = run((kind, {**checks[kind], **changed}))
    assert (result["failed"], result["reason"]) == (True, "CheckFailed")
    assert words in result["msg"]
    assert "wrong-one" not in str(result["results"])


def test_options_of_the_wrong_kind_are_refused(checks):
    result = run_module(
        health_check, checks=[{"name": "x", "kind": "redis", "postgres": checks["postgres"]}]
    )
    assert "redis" in result["msg"]


def test_a_wave_waits_for_the_releases_version_where_a_service_tells_one(world):
    """The platform is at 1.9.0, so what phase 4 asks fails for that alone; in check mode nothing is rolled."""
    program = {"exec": {"command": ["sh", "-c", "exit 0"]}}
    given = {
        "rolling_update_waves": [["agent-core", "wallet-service", "buyer-service"]],
        "contract_health": {"wallet-service": program, "buyer-service": ""},
    }
    questions = [
        ("{{ __rolling_update_checks }}", {**given, "ansible_check_mode": check_mode})
        for check_mode in (False, True)
    ]
    inventory = ROOT / "inventories" / "sandbox"
    rolled, checked = evaluated(inventory, "rolling_update", questions, world.directory)
    result = run_module(health_check, checks=rolled)
    assert [row["status"] for row in result["results"]] == ["fail", "pass"], result
    assert "has version '1.9.0' and not '2.0.0'" in result["msg"]
    assert run_module(health_check, checks=checked).get("msg") is None
