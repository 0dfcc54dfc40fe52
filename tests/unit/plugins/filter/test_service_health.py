import typing as t

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.easymo.deploy.plugins.filter.services import service_check, service_health
from ansible_collections.easymo.deploy.plugins.module_utils._checks.health import judge_answer
from ansible_collections.easymo.deploy.plugins.module_utils._checks.models import CheckError
from ansible_collections.easymo.deploy.plugins.module_utils._module import fragment_spec

HTTP = fragment_spec("_checks", "checks", "http")
PATTERN = "https://{service}.example.com/healthz"
SERVICES = ["wallet", "mailer", "legacy", "indexer", "backlog", "quiet"]
RUN = ["python", "-m", "health"]
OTHERS: dict[str, t.Any] = {
    "mailer": {"exec": {"command": RUN}},
    "legacy": "https://old.example.com/up",
    "indexer": {"exec": {"command": RUN, "deployment": "indexer-v2", "container": "app"}},
    "backlog": {"metric": {"query": "max(backlog)", "pass": {"max": 9}}},
    "quiet": "",
}
CLUSTER, SERVER = {"namespace": "prod", "api_key": "t"}, {"url": "https://prometheus.example.com"}


def test_each_service_is_asked_in_its_own_way_and_one_that_cannot_be_asked_not_at_all():
    health = service_health(SERVICES, PATTERN, OTHERS, CLUSTER, SERVER)
    assert [*health] == SERVICES[:-1]
    assert all(check["name"] == name for name, check in health.items())
    assert health["wallet"]["http"] == {"url": "https://wallet.example.com/healthz"}
    assert health["legacy"]["http"] == {"url": "https://old.example.com/up"}
    assert health["mailer"]["exec"] == {**CLUSTER, "deployment": "mailer", "command": RUN}
    assert health["indexer"]["exec"]["deployment"] == "indexer-v2"
    assert health["backlog"]["metric"]["prometheus"] == SERVER
    for check in health.values():
        assert {*check[check["kind"]]} <= {*fragment_spec("_checks", "checks", check["kind"])}


def test_without_a_pattern_no_service_has_an_address():
    assert service_health(["wallet"], "") == {}


@pytest.mark.parametrize(("others", "why"), [
    ({"walet": ""}, "'walet', which is no service of the inventory"),
    ({"wallet": {"exec": RUN}}, "of 'wallet': give a URL, nothing at all, or one kind"),
    ({"wallet": {**OTHERS["mailer"], **OTHERS["backlog"]}}, "one kind of check"),
    ({"wallet": ["exec"]}, "one kind of check"),
], ids=["no service", "no options", "two kinds", "a list"])  # fmt: skip
def test_what_cannot_be_read_is_refused_with_the_service(others, why):
    with pytest.raises(AnsibleFilterError, match=why):
        service_health(["wallet"], PATTERN, others)


def test_only_what_answers_at_an_address_is_asked_for_its_version():
    health = service_health(SERVICES, PATTERN, OTHERS, CLUSTER, SERVER)
    assert service_check("legacy", health, "2.0.0", "build.tag")["http"] == {
        "url": "https://old.example.com/up",
        "json": {"build.tag": "2.0.0"},
    }
    assert service_check("mailer", health, "2.0.0") == health["mailer"]
    assert service_check(
        "wallet", service_health(["wallet"], PATTERN), "2.0.0", ""
    ) == service_check("wallet", health)


@pytest.mark.parametrize(
    ("told", "release", "fits"),
    [
        ("1.9.0", "2.0.0", True),
        ("v1.9.0", "2.0.0", False),
        ("1.9.0", "v2.0.0", False),
        (19, "20", True),
    ],
)
def test_another_version_tells_whether_versions_are_written_as_the_releases_is(told, release, fits):
    check = service_check(
        "wallet", service_health(["wallet"], PATTERN), release, "build.version", form=True
    )
    options = {name: one.get("default") for name, one in HTTP.items()}
    answer = f'{{"build": {{"version": {told!r}}}}}'.replace("'", '"')
    if fits:
        judge_answer({**options, **check["http"]}, 200, answer)
        return
    with pytest.raises(CheckError, match="does not hold starts_with"):
        judge_answer({**options, **check["http"]}, 200, answer)
