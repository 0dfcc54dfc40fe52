# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

import pytest

from ansible_collections.easymo.deploy.plugins.modules import health_check
from sandbox.world import World
from tests.integration.running import connection
from tests.module_runner import run_module


@pytest.fixture
def checks(world: World) -> dict[str, dict[str, t.Any]]:
    """One check that passes for each kind."""
    valkey, kafka = world.facts("valkey"), world.facts("kafka")
    kubernetes = world.facts("kubernetes")
    return {
        "postgres": connection(world),
        "redis": {name: valkey[name] for name in ("host", "port", "password")},
        "kafka": {
            "bootstrap": kafka["bootstrap"],
            "topics": kafka["topics"],
        },
        "http": {
            "url": f"{world.facts('gateway')['url']}/health/whatsapp-webhook-worker",
            "json": {"status": "ok", "checks.redis.status": "ok"},
        },
        "kubernetes": {
            "host": kubernetes["server"],
            "api_key": kubernetes["token"],
            "ca_cert": kubernetes["ca_cert"],
            "namespace": kubernetes["namespace"],
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
