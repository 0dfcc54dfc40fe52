"""A count in somebody else's JSON: only a number is one, and no secret is told."""

import contextlib
import json
import typing as t

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._errors import InputError
from ansible_collections.easymo.deploy.plugins.module_utils._gate.options import (
    HttpSource,
    number_at,
    read_pointer,
)
from tests.fakes.http_server import Handler, serving
from tests.tables import cases

TOKEN = "a-token-of-the-help-desk"
# As help desks, trackers and monitors document their answers.
ZENDESK = {"count": 1234, "facets": None, "next_page": None, "results": [{"id": 211}]}
JIRA = {"startAt": 0, "maxResults": 0, "total": 7, "issues": []}
ELASTICSEARCH = {"count": 3, "_shards": {"total": 1, "successful": 1, "skipped": 0, "failed": 0}}
STATUS_PAGE = {"series": [{"a/b": {"v~": 2.5}}]}


@cases(
    ("document", "pointer", "value"),
    {
        "zendesk": (ZENDESK, "/count", 1234),
        "jira": (JIRA, "/total", 7),
        "elasticsearch": (ELASTICSEARCH, "/_shards/failed", 0),
        "escaped": (STATUS_PAGE, "/series/0/a~1b/v~0", 2.5),
        "the document itself": (12, "", 12),
    },
)
def test_the_number_is_found_where_the_pointer_leads(document, pointer, value):
    assert number_at(document, pointer).value == value


@pytest.mark.parametrize(
    ("document", "pointer", "said", "error"),
    [
        (ZENDESK, "/counts", "nothing at /counts", True),
        (ZENDESK, "/results/1/id", "nothing at", True),
        (ZENDESK, "/results/id", "nothing at", True),
        (ZENDESK, "/count/value", "nothing at", True),
        (ZENDESK, "/facets", "is null", False),
        ({"count": "12"}, "/count", "is no number", True),
        ({"count": True}, "/count", "is no number", True),
        ({"count": float("inf")}, "/count", "is inf", True),
        ([], "/-1", "nothing at", True),
        ([1, 2], "/-1", "nothing at", True),
    ],
)
def test_what_is_no_number_is_missing(document, pointer, said, error):
    found = number_at(document, pointer)
    assert (found.value, found.error) == (None, error)
    assert said in found.problem


def test_a_query_that_is_no_pointer_is_refused():
    with pytest.raises(InputError, match="is not a JSON Pointer"):
        read_pointer("count.value")


@contextlib.contextmanager
def desk(status: int, body: str) -> t.Iterator[tuple[str, list[t.Any]]]:
    asked: list[t.Any] = []

    class Desk(Handler):
        def do_GET(self) -> None:
            asked.append((self.path, self.headers.get("Authorization")))
            self.answer(status, body.encode(), {"Location": "http://127.0.0.1:1/elsewhere"})

    with serving(Desk) as url:
        yield f"{url}/api/count?key=secret-in-url", asked


def test_it_asks_with_its_token_and_tells_the_count():
    with desk(200, json.dumps(ZENDESK)) as (url, asked):
        assert HttpSource(url, 5, TOKEN).sample("/count").value == 1234
    assert asked == [("/api/count?key=secret-in-url", f"Bearer {TOKEN}")]


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (200, "<html>", "answered without JSON"),
        (401, json.dumps({"error": f"{TOKEN} is not known"}), "answered HTTP 401"),
    ],
)
def test_any_other_answer_is_an_error_that_tells_no_secret(status, body, said):
    with desk(status, body) as (url, _asked):
        source = HttpSource(url, 5, TOKEN)
        found = source.sample("/count")
    assert (found.value, found.error) == (None, True)
    assert said in found.problem
    assert TOKEN not in found.problem
    assert "secret-in-url" not in found.problem
    assert TOKEN not in repr(source)


def test_a_server_that_is_away_is_an_error():
    found = HttpSource("http://127.0.0.1:1/count", 5).sample("/count")
    assert (found.value, found.error) == (None, True)
    assert "cannot be reached" in found.problem
