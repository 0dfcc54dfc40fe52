# SPDX-License-Identifier: GPL-3.0-or-later
"""The functions answer with the release's version, without a JWT and not to strangers."""

from __future__ import annotations

import typing as t

import pytest
import requests


def call(witness: t.Any, path: str, method: str = "GET") -> requests.Response:
    url = f"{witness.facts['supabase']['gateway_url']}/functions/v1/{path}"
    return requests.request(method, url, json={} if method == "POST" else None, timeout=20)


def test_the_health_function_tells_the_version(witness: t.Any) -> None:
    told = call(witness, "health").json()
    assert (told["status"], told["version"]) == ("healthy", "2.0.0")


def test_the_webhook_asks_for_a_signature_and_not_for_a_jwt(witness: t.Any) -> None:
    answer = call(witness, "wa-webhook", "POST")
    assert answer.status_code == 401
    assert answer.json() == {"error": "The signature is missing or wrong."}


@pytest.mark.parametrize("slug", ["admin-agents", "admin-metrics", "health", "wa-webhook"])
def test_the_platform_lists_it(witness: t.Any, slug: str) -> None:
    facts = witness.facts["supabase"]
    url = f"{facts['management_url']}/v1/projects/{facts['project_ref']}/functions/{slug}"
    token = {"Authorization": f"Bearer {facts['access_token']}"}
    listed = requests.get(url, headers=token, timeout=20).json()
    assert (listed["status"], listed["verify_jwt"]) == ("ACTIVE", False)


def test_what_ran_before_is_kept_with_the_record(witness: t.Any) -> None:
    kept = witness.kubectl("get configmap release-2.0.0-functions -o name", namespace="default")
    assert kept.strip() == "configmap/release-2.0.0-functions"
