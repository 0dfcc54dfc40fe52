"""No secret that the run knows, and none that looks like one, leaves in a message or the journal."""

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._redaction import Redactor


@pytest.mark.parametrize(
    "text",
    [
        "it said hunter2hunter2",
        "API_KEY=abcdefgh12345678",
    ],
)
def test_a_secret_is_blank(text):
    shown = Redactor(["hunter2hunter2", "short"])(text)
    for secret in ("hunter2", "abcdefgh"):
        assert secret not in shown


def test_the_rest_stays():
    text = "wallet-service: 3 of 4 pods are ready in a short time"
    assert Redactor(["hunter2hunter2", "short"])(text) == text


def test_inside_structures_by_value_and_by_name():
    found = Redactor(["hunter2hunter2"]).within(
        {"a": ["x hunter2hunter2"], "password": "tiny", "n": 1, "none": None, "deep": {"b": {1, 2}}}
    )
    assert found == {
        "a": ["x ********"],
        "password": "********",
        "n": 1,
        "none": None,
        "deep": {"b": "{1, 2}"},
    }
