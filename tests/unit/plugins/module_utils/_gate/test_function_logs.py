"""Error lines of edge functions, as the Management API tells them; what it does not tell is no zero."""

import re
import typing as t
from datetime import datetime
from urllib.parse import parse_qs, urlsplit

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._errors import InputError
from ansible_collections.easymo.deploy.plugins.module_utils._functions.api import (
    LINES,
    SupabaseFunctionsApi,
)
from ansible_collections.easymo.deploy.plugins.module_utils._gate.models import Sample
from ansible_collections.easymo.deploy.plugins.module_utils._gate.sources import FunctionLogSource
from tests.fakes.http_server import Handler, serving

TOKEN = "a-token-of-the-project"
LIST = [
    {"slug": slug, "id": known, "status": "ACTIVE", "version": 1}
    for slug, known in (("wa-webhook", "1-a"), ("health", "2-b"))
]
LOGS = {
    "1-a": ["menu for one: TypeError: x is null", "menu for two: timed out", "TypeError: y"],
    "2-b": ["timed out"],
}
Answers = dict[str, t.Any]


@pytest.fixture
def api() -> t.Iterator[tuple[str, Answers, list[dict[str, list[str]]]]]:
    """Its URL; what it answers by the end of a path, in the place of list and logs; and what was asked of the logs."""
    instead: Answers = {}
    asked: list[dict[str, list[str]]] = []

    class Api(Handler):
        def do_GET(self) -> None:
            path = urlsplit(self.path).path.rpartition("/")[2]
            if path in instead:
                status, document = instead[path]
                self.answer_json(document, status)
            elif path == "functions":
                self.answer_json(LIST)
            else:
                query = parse_qs(urlsplit(self.path).query)
                asked.append(query)
                (function,) = re.findall(
                    r"function_id = '(\S+)' and m.level = 'error' ", query["sql"][0]
                )
                lines = [{"event_message": text, "level": "error"} for text in LOGS[function]]
                self.answer_json({"result": lines})

    with serving(Api) as url:
        yield url, instead, asked


def sample(url: str, query: str = ".", *functions: str) -> Sample:
    given = {"api_url": url, "project_ref": "ref", "access_token": TOKEN, "ca_cert": None}
    functions_api = SupabaseFunctionsApi(given, timeout=5, patience=0)
    return FunctionLogSource(
        functions_api, functions or ("wa-webhook", "health"), window=90
    ).sample(query)


@pytest.mark.parametrize(
    ("query", "functions", "count"),
    [
        (".", (), 4),
        ("TypeError", (), 2),
        ("^timed", (), 1),
        (".", ("health",), 1),
        ("OutOfMemory", (), 0),
    ],
)
def test_error_lines_count_over_the_functions(api, query, functions, count):
    assert sample(api[0], query, *functions) == Sample(float(count))


def test_they_are_asked_as_of_the_window(api):
    sample(api[0])
    for query in api[2]:
        begin, end = (
            datetime.fromisoformat(query[f"iso_timestamp_{one}"][0]) for one in ("start", "end")
        )
        # The platform's clock may be ahead by five minutes.
        assert 385 < (end - begin).total_seconds() < 395
        assert f"limit {LINES}" in query["sql"][0]


@pytest.mark.parametrize(
    ("path", "answer", "said"),
    [
        ("functions", (200, LIST[:1]), "the project has no function health"),
        ("functions", (200, [{"slug": "health"}]), "left something out"),
        ("functions", (401, {"message": TOKEN[:5]}), "answered 401"),
        ("logs.all", (200, {}), "returned an error in place"),
        ("logs.all", (200, {"result": None}), "returned an error in place"),
        ("logs.all", (200, {"result": [], "error": "backend"}), "returned an error in place"),
        ("logs.all", (200, []), "left something out"),
        ("logs.all", (429, {"message": "ThrottlerException: Too Many Requests"}), "answered 429"),
        ("logs.all", (503, {}), "answered 503"),
    ],
)
def test_what_is_no_answer_is_missing(api, path, answer, said):
    url, instead, _asked = api
    instead[path] = answer
    found = sample(url)
    assert (found.value, found.error) == (None, True)
    assert said in found.problem
    assert TOKEN not in found.problem


def test_an_api_that_is_away_is_an_error():
    found = sample("http://127.0.0.1:1")
    assert (found.value, found.error) == (None, True)


def test_a_query_that_is_no_pattern_is_refused():
    with pytest.raises(InputError):
        sample("http://127.0.0.1:1", "(")
