# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.easymo.deploy.plugins.filter.service_check import service_check
from ansible_collections.easymo.deploy.plugins.filter.service_urls import service_urls


def test_a_service_stands_wherever_the_url_has_its_place() -> None:
    check = service_check("wallet", "https://{service}.example.com/healthz", "2.0.0", "build.tag")
    assert check["http"] == {
        "url": "https://wallet.example.com/healthz",
        "status": [200],
        "json": {"build.tag": "2.0.0"},
    }


def test_an_answer_without_a_version_is_not_asked_for_one() -> None:
    assert "json" not in service_check("wallet", "https://x.example.com", "2.0.0", "")["http"]


PATTERN = "https://{service}.example.com/healthz"


def test_a_service_that_listens_nowhere_has_no_address_and_another_has_its_own() -> None:
    services = ["wallet", "mailer", "legacy"]
    urls = service_urls(services, PATTERN, {"mailer": "", "legacy": "https://old.example.com/up"})
    assert urls == {
        "wallet": "https://wallet.example.com/healthz",
        "legacy": "https://old.example.com/up",
    }
    check = service_check("legacy", urls, "2.0.0")
    assert check["http"]["url"] == "https://old.example.com/up"


def test_without_a_pattern_no_service_has_an_address() -> None:
    assert service_urls(["wallet"], "") == {}


def test_an_address_of_no_service_of_the_inventory_is_refused_by_its_name() -> None:
    with pytest.raises(AnsibleFilterError, match="'walet', which is no service of the inventory"):
        service_urls(["wallet"], PATTERN, {"walet": ""})
