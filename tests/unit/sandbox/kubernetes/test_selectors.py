"""Label and field selectors."""

import pytest

from sandbox.kubernetes.errors import ApiError
from sandbox.kubernetes.resources import STORED
from sandbox.kubernetes.selectors import field_predicate, label_predicate, matches, to_text

LABELS = {"app": "web", "tier": "front"}


@pytest.mark.parametrize(
    ("selector", "selected"),
    [
        ("", True),
        ("app=web", True),
        ("app==web", True),
        ("app=db", False),
        ("app!=db", True),
        ("app!=web", False),
        ("missing!=x", True),
        ("app in (web, db)", True),
        ("app in (db)", False),
        ("app notin (db),tier=front", True),
        ("tier", True),
        ("!tier", False),
        ("!missing", True),
        ("app=web,tier=back", False),
        ("example.com/part=x", False),
    ],
)
def test_label_selectors(selector, selected):
    assert label_predicate(selector)(LABELS) is selected


def test_a_broken_label_selector_is_a_bad_request():
    with pytest.raises(ApiError) as refused:
        label_predicate("app=(")

    assert refused.value.status == 400


def test_field_selectors_follow_the_kind():
    pod = {"metadata": {"name": "a"}, "spec": {"nodeName": "n1"}, "status": {"phase": "Running"}}

    assert field_predicate(STORED["pods"], "spec.nodeName=n1,status.phase!=Failed")(pod)
    assert not field_predicate(STORED["pods"], "metadata.name=b")(pod)


def test_a_field_that_cannot_be_selected_by_is_refused():
    with pytest.raises(ApiError) as refused:
        field_predicate(STORED["deployments"], "spec.replicas=3")

    assert str(refused.value) == "field label not supported: spec.replicas"


def test_label_selector_objects():
    expression = {"key": "tier", "operator": "In", "values": ["front", "back"]}
    selector = {"matchLabels": {"app": "web"}, "matchExpressions": [expression]}

    assert matches(selector, LABELS)
    assert not matches(selector, {"app": "web"})
    assert not matches(None, LABELS)
    assert matches({}, LABELS)
    assert to_text(selector) == "app=web,tier in (front,back)"
