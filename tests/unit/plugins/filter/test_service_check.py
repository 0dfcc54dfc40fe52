# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from ansible_collections.easymo.deploy.plugins.filter.service_check import service_check


def test_a_service_stands_wherever_the_url_has_its_place() -> None:
    check = service_check("wallet", "https://{service}.example.com/healthz", "2.0.0", "build.tag")
    assert check["http"] == {
        "url": "https://wallet.example.com/healthz",
        "status": [200],
        "json": {"build.tag": "2.0.0"},
    }


def test_an_answer_without_a_version_is_not_asked_for_one() -> None:
    assert "json" not in service_check("wallet", "https://x.example.com", "2.0.0", "")["http"]
