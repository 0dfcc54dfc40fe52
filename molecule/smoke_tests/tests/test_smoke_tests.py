"""The results tell what the platform lacks, and one order of each kind was paid although the role ran twice."""

import json
import os
import typing as t
from pathlib import Path

import pytest

PASSED = {
    "Database connectivity", "Supabase functions", "Microservices health", "WhatsApp webhook",
    "Traditional flow", "Payment integration", "Admin dashboard",
}  # fmt: skip
FAILED = {"Agent routing", "Fallback mechanisms"}


@pytest.fixture(scope="module")
def results() -> dict[str, dict[str, t.Any]]:
    """By the name of the test."""
    path = Path(os.environ["EASYMO_SANDBOX_STATE"], "smoke-tests.json")
    return {result["name"]: result for result in json.loads(path.read_text("utf-8"))}


def named(results: dict[str, dict[str, t.Any]], status: str) -> set[str]:
    return {name for name, result in results.items() if result["status"] == status}


def test_what_the_platform_has_passes_and_what_it_lacks_fails(results):
    assert named(results, "fail") == FAILED
    assert named(results, "skip") == {"Metrics"}
    assert named(results, "pass") == PASSED


def test_the_role_that_ran_twice_paid_its_order_once(results, witness):
    payment = results["Payment integration"]
    assert "was already paid by this attempt" in str(payment)
    query = f"select count(*) from payments where order_id = '{payment['facts']['order_id']}'"
    assert witness.psql("agent_core_prod", query) == ["1"]
