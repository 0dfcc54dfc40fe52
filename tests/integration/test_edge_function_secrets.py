"""Secrets set and changed in a project whose functions read them."""

import json
import secrets
import typing as t

import pytest

from ansible_collections.easymo.deploy.plugins.modules import edge_functions, health_check
from sandbox.names import PREVIOUS_VERSION, RELEASE_VERSION
from tests.integration.supabase import FUNCTIONS, Project, add_function, checkout_copy, project_of
from tests.module_runner import Result, run_module
from tests.tables import cases

# Asking for a variable that is not there is refused here, and undefined on the platform.
TELLING = """
function told() { try { return Deno.env.get("%s") } catch { return undefined } }
Deno.serve(() => new Response(told() ?? "not set"));
"""


@pytest.fixture
def project(world) -> t.Iterator[Project]:
    with project_of(world) as found:
        yield found


@pytest.fixture
def name(project) -> t.Iterator[str]:
    """Of a secret for one test."""
    made = f"TEST_{secrets.token_hex(4).upper()}"
    yield made
    project.client.call("DELETE", "/secrets", [made])


def change(project: Project, *, check: bool = False, **values: t.Any) -> Result:
    given = {**project.options, "state": "configured", "secrets": values}
    return run_module(edge_functions, check=check, diff=True, **given)


def probe(project: Project, *names: str, **arguments: t.Any) -> Result:
    given = {"functions_url": project.url(""), "names": list(names), **arguments}
    check = {"name": "functions", "kind": "function_calls", "function_calls": given}
    return run_module(health_check, checks=[check])


def test_set_and_changed_in_check_mode_for_real_and_again(project, name, tmp_path):
    functions = checkout_copy(RELEASE_VERSION, tmp_path / "checkout")
    slug = add_function(functions, TELLING % name)
    deployed = run_module(
        edge_functions, **project.options, directory=str(functions), names=[slug], verify_jwt=False
    )
    assert deployed["activated"] is True
    steps: list[tuple[dict[str, t.Any], str, str]] = [
        ({"values": {name: "first-value"}}, "set", "first-value"),
        ({"values": {name: "second-value"}}, "set", "second-value"),
    ]
    before = project.call(slug).text
    for arguments, key, seen in steps:
        predicted = change(project, check=True, **arguments)
        assert (predicted["changed"], predicted[key]) == (True, [name])
        assert project.call(slug).text == before

        real = change(project, **arguments)
        assert (real[key], real["diff"]) == ([name], predicted["diff"])
        assert project.call(slug).text == seen
        assert "-value" not in json.dumps(real)
        before = seen

        assert change(project, check=True, **arguments)["changed"] is False
        assert change(project, **arguments)["changed"] is False


def test_functions_that_answer_pass_and_tell_their_version(project):
    probes = {"wa-webhook": {"path": "/_health", "status": [200]}}
    result = probe(project, *FUNCTIONS, probes=probes, version=PREVIOUS_VERSION)
    assert [each["name"] for each in result["results"]] == list(FUNCTIONS)
    assert all(each["status"] == "pass" for each in result["results"]), result
    wrong = probe(project, "health", version="9.9.9")
    assert wrong["reason"] == "CheckFailed"
    assert f"health: it tells version {PREVIOUS_VERSION} instead of 9.9.9" in wrong["msg"]


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("missing-blob", "the platform answered 404 NOT_FOUND_FUNCTION_BLOB"),
        ("jwt-flipped", "the gateway requires a JWT"),
        ("errors", "the platform answered 500 WORKER_ERROR"),
    ],
)
def test_a_function_that_is_listed_as_active_and_does_not_answer_is_named(project, fault, said):
    project.break_down(fault, "health")
    assert project.listed()["health"]["status"] == "ACTIVE"
    result = probe(project, "health", "wa-webhook", probes={"wa-webhook": {"path": "/_health"}})
    assert result["msg"].startswith("1 of 2 checks fail.")
    assert f"health: {said}" in result["msg"]


def test_a_function_that_is_not_there_is_named(project):
    assert "nobody: the platform answered 404 NOT_FOUND" in probe(project, "nobody")["msg"]


@cases(
    ("probes", "said"),
    {
        "name": ({"helth": {}}, "unknown: helth"),
        "key": ({"health": {"paht": "/x"}}, "unknown: health.paht"),
        "method": ({"health": {"method": "DELETE"}}, "DELETE"),
        "status": ({"health": {"status": "twohundred"}}, "twohundred"),
    },
)
def test_a_probe_that_makes_no_sense_is_refused(project, probes, said):
    result = probe(project, "health", probes=probes)
    assert (result["failed"], said in result["msg"]) == (True, True), result
