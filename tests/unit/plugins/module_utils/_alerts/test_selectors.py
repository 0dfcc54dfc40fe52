"""What a query asks for, whatever is around it."""

import pytest
import yaml

from ansible_collections.easymo.deploy.plugins.module_utils._alerts.plan import (
    grouped_by,
    read_matchers,
    selectors,
)
from sandbox.prometheus import RULES


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("up", ["up"]),
        ("up == 0 or 1", ["up"]),
        ("sum by (job, instance) (up)", ["up"]),
        ("sum(up) without (job)", ["up"]),
        ('rate(a_total{b="c"}[5m]) > 1e3', ['a_total{b="c"}']),
        ("rate(a:b:rate5m[5m:1m] offset 1h)", ["a:b:rate5m"]),
        ('{__name__=~"a.*",b!=""}', ['{__name__=~"a.*",b!=""}']),
        ("a{b='}', c=~\"x|y\", } / on (b) group_left (d) e", ['a{b="}",c=~"x|y"}', "e"]),
        ("a unless ignoring(b) c and d{} offset -5m", ["a", "c", "d"]),
        ("a @ start() + a @ 1609746000 # not b", ["a"]),
        ('histogram_quantile(0.95, sum by (le) (rate(h_bucket{x="(by"}[1m]))) > bool 2',
         ['h_bucket{x="(by"}']),
        ("vector(1) + time() - Inf", []),
        ('label_replace(up, "to", "$1", "from", "(.*)")', ["up"]),
        ('absent(up{job="by"}) or absent_over_time(sum[5m])', ['up{job="by"}', "sum"]),
    ],
)  # fmt: skip
def test_every_selector_is_found_and_nothing_else(query, found):
    assert [str(one) for one in selectors(query)] == found


def test_the_labels_by_which_a_query_groups_are_told_without_the_bucket():
    query = "sum by (service, le) (a) > on (x) count by(pod)(b)"
    assert grouped_by(query) == ("service", "pod")
    assert grouped_by("sum(a)") == ()


def test_a_selector_is_reduced_to_the_matchers_of_the_pods_and_asks_for_labels():
    (one,) = selectors('a{job="pods",status=~"5..",ns="x"}')
    pods = read_matchers("ns='x', job=\"pods\"")
    assert str(one.among(pods)) == 'a{job="pods",ns="x"}'
    assert str(one.among(()).having(["service"])) == 'a{service!=""}'


def test_every_rule_that_ships_selects_the_pods_and_only_them():
    for rule in yaml.safe_load(RULES.read_text("utf-8"))["groups"][0]["rules"]:
        found = selectors(rule["expr"])
        assert found
        assert all('job="pods"' in one.matchers for one in found), rule["alert"]
