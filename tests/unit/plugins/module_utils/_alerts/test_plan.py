import dataclasses
import typing as t

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._alerts.plan import (
    LoadedRule,
    plain,
    shortcomings,
    to_seconds,
    wanted_rules,
)
from ansible_collections.easymo.deploy.plugins.module_utils._errors import InputError

RULE = {
    "alert": "High Error Rate",
    "expr": "errors > 0.05\n",
    "for": "2m",
    "labels": {"notify": "on-call-engineer"},
    "annotations": {"summary": "{{ $value }} of the answers"},
}
GROUPS = [{"name": "release", "rules": [RULE, {"record": "a:b", "expr": "sum(a)"}]}]
LOADED = LoadedRule(
    name="High Error Rate",
    query="errors > 0.05",
    duration=120.0,
    labels={"notify": "on-call-engineer", "cluster": "a"},
    annotations={"summary": "{{ $value }} of the answers"},
    group="release",
    health="ok",
    last_error="",
)


def lacking(*loaded: LoadedRule) -> dict[str, str]:
    return shortcomings(wanted_rules(GROUPS), loaded, lambda query: query.replace(" ", ""))


def other(**changed: t.Any) -> LoadedRule:
    return dataclasses.replace(LOADED, **changed)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0s", 0), ("0", 0), ("30s", 30), ("1h30m", 5400), ("1d", 86400), ("1s500ms", 1.5)],
)
def test_durations_are_read_as_prometheus_writes_them(text, seconds):
    assert to_seconds(text, "for") == seconds


@pytest.mark.parametrize("text", ["", "5", "5 m", "m", "1.5h", None, 60])
def test_what_is_no_duration_is_named(text):
    with pytest.raises(InputError, match="should be a duration such as 30s, 5m or 1h30m"):
        to_seconds(text, "'for' of the alert 'x'")


def test_an_alert_that_is_loaded_as_wanted_lacks_nothing():
    assert lacking(LOADED) == {}
    assert lacking(other(query="errors>0.05")) == {}


@pytest.mark.parametrize(("loaded", "told"), [
    (other(group="other"), "not loaded"),
    (other(name="high error rate"), "not loaded"),
    (other(query="errors > 0.5"), "loaded with another expression, 'errors > 0.5'"),
    (other(duration=10.0), "loaded with 'for' 10 s and not 120 s"),
    (other(labels={}), "loaded with the label notify None and not 'on-call-engineer'"),
    (other(annotations={}), "loaded with another annotation summary"),
    (other(health="unknown"), "loaded and not evaluated yet"),
    (other(health="err", last_error="many-to-many"),
     "loaded, and its evaluation fails: many-to-many"),
], ids=lambda value: value if isinstance(value, str) else "")  # fmt: skip
def test_what_an_alert_lacks_is_told(loaded, told):
    assert lacking(loaded) == {"High Error Rate": told}


def test_of_two_alike_one_that_is_right_suffices():
    assert lacking(other(duration=10.0), LOADED) == {}


def test_groups_compare_without_the_blanks_of_yaml():
    folded = [
        {"name": "release", "rules": [{**RULE, "expr": "errors > 0.05"}, GROUPS[0]["rules"][1]]}
    ]
    assert plain(folded) == plain(GROUPS)
    assert plain(GROUPS) != plain([{**GROUPS[0], "interval": "30s"}])


@pytest.mark.parametrize(("groups", "told"), [
    ([], "'groups' is empty"),
    ([{"rules": []}], "needs a 'name' and 'rules'; this is None"),
    ([{"name": "g"}], "needs a 'name' and 'rules'; this is 'g'"),
    ([{"name": "g", "rules": ["x"]}], "needs a 'name' and 'rules'"),
    ([{"name": "g", "rules": [{"expr": "1"}]}], "A rule of group 'g' needs 'alert' and 'expr'"),
    ([{"name": "g", "rules": [{"alert": "a", "expr": ""}]}], "this is 'a'"),
    ([{"name": "g", "rules": [{**RULE, "for": "2 min"}]}],
     "'for' of the alert 'High Error Rate' is '2 min'"),
    ([{"name": "g", "rules": [RULE, RULE]}], "has the alert 'High Error Rate' twice"),
], ids=lambda value: value if isinstance(value, str) else "")  # fmt: skip
def test_what_prometheus_would_not_load_is_refused(groups, told):
    with pytest.raises(InputError) as caught:
        wanted_rules(groups)
    assert told in str(caught.value)
