"""What a Management API that goes wrong does to a deployment of edge functions."""

import functools
import json
import typing as t
from pathlib import Path

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._functions import api as functions_api
from ansible_collections.easymo.deploy.plugins.module_utils._functions import task
from ansible_collections.easymo.deploy.plugins.module_utils._time import Deadline
from ansible_collections.easymo.deploy.plugins.modules import edge_functions
from tests.fakes.management_api import (
    LOST,
    REF,
    TOKEN,
    Management,
    PassingTime,
    Trouble,
    management_api,
)
from tests.module_runner import Result, run_module


def serve(text: str) -> str:
    return f'Deno.serve(() => new Response("{text}"));\n'


@pytest.fixture
def api() -> t.Iterator[Management]:
    with management_api() as made:
        made.secrets = {"TOKEN": "digest"}
        yield made


@pytest.fixture
def clock(monkeypatch) -> PassingTime:
    passing = PassingTime()
    timed = functools.partial(Deadline, clock=passing.monotonic, sleep=passing.sleep)
    monkeypatch.setattr(functions_api, "Deadline", timed)
    monkeypatch.setattr(task, "LOOK_PAUSE", 0.0)
    return passing


@pytest.fixture
def functions(tmp_path) -> Path:
    return tmp_path / "supabase" / "functions"


def write(functions: Path, text: str, *slugs: str) -> None:
    for slug in slugs:
        (functions / slug).mkdir(parents=True, exist_ok=True)
        (functions / slug / "index.ts").write_text(serve(text))


def arguments(api: Management, functions: Path, **options: t.Any) -> dict[str, t.Any]:
    return {
        "api_url": api.url,
        "project_ref": REF,
        "access_token": TOKEN,
        "directory": str(functions),
        "required_secrets": ["TOKEN"],
        **options,
    }


def deploy(api: Management, functions: Path, **options: t.Any) -> Result:
    return run_module(edge_functions, **arguments(api, functions, **options))


def versions(api: Management) -> dict[str, int]:
    return {slug: record["version"] for slug, record in api.functions.items()}


CALLS = {
    "list": ("GET", "/functions", "the list of functions"),
    "secrets": ("GET", "/secrets", "the list of secrets"),
    "body": ("GET", "/body", "the sources of "),
    "bundle": ("POST", "/deploy", "the upload of"),
    "activation": ("PUT", "/functions", "the activation"),
    "removal": ("DELETE", "/functions/old", "the removal of old"),
}
ANSWERS = {
    401: ("Refused", "check 'access_token'"),
    402: ("Refused", "the plan's number of functions is reached"),
    403: ("Refused", "check 'access_token'"),
    429: ("Unreachable", "try again later"),
    500: ("Unreachable", "try again later"),
    LOST: ("Unreachable", "check that it runs"),
}


@pytest.mark.parametrize("status", ANSWERS)
@pytest.mark.parametrize("call", CALLS)
def test_whatever_goes_wrong_is_one_sentence_and_a_rerun_finishes(
    api, functions, clock, call, status
):
    write(functions, "1", "a", "old")
    deploy(api, functions)
    write(functions, "2", "a", "b")
    method, ending, what = CALLS[call]
    api.troubles = [Trouble(method, ending, status, headers={"Retry-After": "40"})]
    asked = {"names": ["a", "b"], "prune": True, "force": ["old"]}

    result = deploy(api, functions, **asked)
    reason, said = ANSWERS[status]
    # What bundles not is refused, whatever the cause; the sentence tells it.
    assert result["reason"] == ("Refused" if call == "bundle" else reason), result
    assert what in result["msg"]
    assert said in result["msg"]
    assert (TOKEN in json.dumps(result), "exception" in result) == (False, False)
    late = call == "removal"
    assert versions(api) == ({"a": 2, "b": 1, "old": 1} if late else {"a": 1, "old": 1})
    assert result.get("activated", False) is late

    api.troubles = []
    result = deploy(api, functions, **asked)
    assert not result.get("failed"), result
    assert versions(api) == {"a": 2, "b": 1}


@pytest.mark.parametrize("call", ["list", "body", "bundle", "activation"])
@pytest.mark.parametrize(
    ("status", "headers", "waited"),
    [
        pytest.param(429, {"Retry-After": "7"}, 7.0, id="retry-after"),
        pytest.param(429, {}, 0.0, id="limited"),
        pytest.param(503, {}, 0.0, id="busy"),
    ],
)
def test_what_passes_is_waited_for(api, functions, clock, call, status, headers, waited):
    write(functions, "1", "a")
    deploy(api, functions)
    write(functions, "2", "a")
    method, ending, _what = CALLS[call]
    api.troubles = [Trouble(method, ending, status, 1, headers)]
    assert deploy(api, functions)["activated"] is True
    # The list is asked for before an activation is sent again that may have been done.
    looked = call == "activation" and status == 503
    assert clock.slept == ([] if looked else [pytest.approx(waited, abs=0.01)])


def test_sixty_functions_get_through_the_limit(api, functions):
    write(functions, "1", *(f"f{number}" for number in range(60)))
    api.troubles = [Trouble("POST", "/deploy", 429, 30, {"Retry-After": "0"})]
    assert deploy(api, functions)["activated"] is True
    assert len(api.functions) == 60
    # Each refusal costs one call.
    assert sum(call.startswith("POST") for call in api.calls) == 90
