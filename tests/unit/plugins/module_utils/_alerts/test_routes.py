"""Whom Alertmanager tells, by routes as people have them. Configurations are written as Alertmanager shows its own."""

import typing as t

import pytest
import yaml

from ansible_collections.easymo.deploy.plugins.module_utils._alerts.apply import (
    RouteEnd,
    Routing,
    stops,
)
from ansible_collections.easymo.deploy.plugins.module_utils._alerts.plan import (
    AlertmanagerConfig,
    Route,
    Silence,
    WantedRule,
)
from ansible_collections.easymo.deploy.plugins.module_utils._decode import restored, restored_each

PAGED = {"severity": "page", "notify": "manager"}

# The example of Alertmanager's documentation, its teams shortened.
DOCUMENTED = yaml.safe_load(
    """
    receiver: default-receiver
    group_by: [cluster, alertname]
    routes:
    - receiver: database-pager
      matchers: ['service=~"mysql|cassandra"']
    - receiver: frontend-pager
      group_by: [product, environment]
      matchers: ['team="frontend"']
    - receiver: dev-pager
      matchers: ['service="inhouse-service"']
      mute_time_intervals: [offhours, holidays]
      continue: true
    - receiver: on-call-pager
      matchers: ['service="inhouse-service"']
      active_time_intervals: [offhours, holidays]
    """
)


@pytest.mark.parametrize(
    ("labels", "found"),
    [
        ({}, [RouteEnd("default-receiver")]),
        ({"service": "mysql"}, [RouteEnd("database-pager")]),
        ({"service": "mysql2"}, [RouteEnd("default-receiver")]),
        ({"team": "frontend"}, [RouteEnd("frontend-pager")]),
        ({"service": "inhouse-service"},
         [RouteEnd("dev-pager", ("offhours", "holidays")), RouteEnd("on-call-pager", ("offhours", "holidays"))]),
    ],
)  # fmt: skip
def test_the_documented_routes_end_where_the_documentation_says(labels, found):
    assert stops(restored(Route, DOCUMENTED, "route"), labels) == found


@pytest.mark.parametrize(
    ("matcher", "matches"),
    [
        ('notify="manager"', True),
        ("notify=manager", True),
        ('"notify" = "manager"', True),
        ('notify!="manager"', False),
        ('notify=~"man.*|x"', True),
        ('notify=~"man"', False),
        ('notify!~"on-.*"', True),
        ('nobody=""', True),
        ('nobody!=""', False),
        ('notify="\\u006danager"', True),
        ('notify=~"("', False),
        ("what", False),
    ],
)
def test_a_matcher_is_anchored_and_a_missing_label_is_empty(matcher, *, matches):
    route = {"receiver": "root", "routes": [{"receiver": "hit", "matchers": [matcher]}]}
    assert stops(restored(Route, route, "route"), PAGED) == [RouteEnd("hit" if matches else "root")]


def test_a_nested_route_inherits_the_receiver_and_no_time_interval():
    nested = {"match": {"severity": "page"}, "routes": [{"match_re": {"notify": "man.+"}}]}
    route = {
        "receiver": "root",
        "routes": [{"mute_time_intervals": ["nights"], "routes": [nested]}],
    }
    read = restored(Route, route, "route")
    assert stops(read, PAGED) == [RouteEnd("root")]
    assert stops(read, {"severity": "low"}) == [RouteEnd("root", ("nights",))]


def config(*routes: dict[str, t.Any], **receivers: t.Any) -> dict[str, t.Any]:
    known = {
        "default": {"slack_configs": [{}]},
        "manager": {"pagerduty_configs": [{}]},
        **receivers,
    }
    listed = [{"name": name, **one} for name, one in known.items() if one is not None]
    return {"route": {"receiver": "default", "routes": [*routes]}, "receivers": listed}


def misrouted(
    config: dict[str, t.Any], silences: list[dict[str, t.Any]], name: str, labels: dict[str, str]
) -> str:
    known = restored(AlertmanagerConfig, config, "config"), restored_each(Silence, silences, "it")
    return Routing(*known, {}).problem(WantedRule(name, "up", 0, labels, {}, "g"))


OURS = {"receiver": "manager", "matchers": ['notify="manager"']}


@pytest.mark.parametrize(
    ("config", "told"),
    [
        (config(OURS), ""),
        (config({"receiver": "default", "continue": True}, OURS), ""),
        (config({"receiver": "default"}, OURS),
         "Alertmanager's routes take 'Service Down' to 'default' and not to 'manager'"),
        (config(), "take 'Service Down' to 'default' and not to 'manager'"),
        (config(OURS, manager=None), "no receiver 'manager' for 'Service Down': it has 'default'"),
        (config(OURS, manager={}), "the receiver 'manager' of 'Service Down' has no integration"),
        (config(OURS, manager={"email_configs": []}), "has no integration"),
        (config({**OURS, "mute_time_intervals": ["weekends"]}), "is muted by weekends"),
        (config({**OURS, "active_time_intervals": ["office"]}), "is muted by office"),
        (config({**OURS, "mute_time_intervals": ["weekends"], "continue": True}, OURS), ""),
        (config({**OURS, "matchers": ['notify="manager"', 'namespace="monitoring"']}),
         "to 'default' and not to 'manager'"),
    ],
    ids=["its own", "catch-all that continues", "catch-all", "no route", "no receiver", "null receiver",
         "empty integration", "muted", "active at times", "muted and told again", "another namespace"],
)  # fmt: skip
def test_an_alert_that_does_not_reach_its_receiver_is_told_with_why(config, told):
    found = misrouted(config, [], "Service Down", PAGED)
    assert (told in found) if told else found == ""


def test_a_rule_that_names_nobody_must_reach_somebody():
    assert misrouted(config(), [], "Any", {}) == ""
    assert "no integration" in misrouted(config(default={}), [], "Any", {})


def silence(state: str = "active", **matchers: t.Any) -> dict[str, t.Any]:
    """As of Alertmanager's API v2."""
    return {
        "status": {"state": state},
        "matchers": [
            {"name": name, "value": value, "isRegex": False, "isEqual": True}
            for name, value in matchers.items()
        ],
        "createdBy": "ann",
        "comment": "maintenance",
        "endsAt": "2026-11-26T10:00:00.000Z",
    }


@pytest.mark.parametrize(("silence", "told"), [
    (silence(alertname="Service Down"), "silenced until 2026-11-26T10:00:00.000Z by ann (main"),
    (silence("expired", alertname="Service Down"), ""),
    (silence(alertname="Other"), ""),
    (silence(service="wallet-service"), ""),
], ids=["all of it", "over", "another alert", "one service of it"])  # fmt: skip
def test_a_silenced_alert_is_told(silence, told):
    found = misrouted(config(OURS), [silence], "Service Down", PAGED)
    assert (told in found) if told else found == ""
