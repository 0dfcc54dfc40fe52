"""How the record names the one who signs or decides, beside the name that was typed."""

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._identity import known_as, place_of
from tests.fakes.cluster import MemoryCluster

GITHUB = {
    "GITHUB_ACTIONS": "true",
    "GITHUB_ACTOR": "jane",
    "GITHUB_SERVER_URL": "https://github.com",
    "GITHUB_REPOSITORY": "shop/api",
    "GITHUB_RUN_ID": "17",
}
GITLAB = {
    "GITLAB_CI": "true",
    "GITLAB_USER_LOGIN": "jane",
    "CI_JOB_URL": "https://gitlab.com/shop/api/-/jobs/17",
}


@pytest.mark.parametrize(
    ("environment", "place"),
    [
        (GITHUB, "jane in https://github.com/shop/api/actions/runs/17"),
        (GITLAB, "jane in https://gitlab.com/shop/api/-/jobs/17"),
    ],
)
def test_a_job_is_named_by_who_began_it_and_its_address(environment, place):
    assert place_of(environment) == place


def test_without_the_servers_word_the_place_is_left(monkeypatch):
    cluster = MemoryCluster()
    place = place_of({})
    assert "@" in place
    assert known_as(cluster) == f"{cluster.account()}, {place}"
    monkeypatch.setattr(cluster, "account", lambda: "")
    assert known_as(cluster) == place
