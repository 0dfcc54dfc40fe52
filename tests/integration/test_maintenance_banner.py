"""The banner of the sandbox's admin API, through the gateway, as people see it."""

import typing as t

import pytest

from ansible_collections.easymo.deploy.plugins.modules import maintenance_banner
from tests.fakes.http_server import Handler, serving
from tests.module_runner import Result, run_module

TEXT = "System upgrade in progress. Service uninterrupted."


@pytest.fixture
def banner(world) -> t.Iterator[t.Callable[..., Result]]:
    facts = world.facts("gateway")

    def run(**more: t.Any) -> Result:
        given = {"url": f"{facts['url']}/admin/banner", "token": facts["admin_token"], **more}
        return run_module(maintenance_banner, **given)

    run(state="absent")
    yield run
    run(state="absent")


def test_it_is_put_up_changed_and_taken_down_each_once(banner):
    predicted = banner(text=TEXT, check=True, diff=True)
    assert (predicted["changed"], predicted["diff"]["before"]) == (True, {})
    for expected in (True, False):
        shown = banner(text=TEXT)
        assert (shown["changed"], shown["banner"]) == (expected, {"message": TEXT, "type": "info"})
    assert banner(text=TEXT, check=True)["changed"] is False
    other = banner(text=TEXT, type="warning", diff=True)
    assert other["diff"]["before"]["type"] == "info"
    assert banner(state="absent", check=True)["changed"] is True
    assert [banner(state="absent")["changed"] for _ in range(2)] == [True, False]


def test_a_wrong_token_is_refused_and_not_shown(banner):
    refused = banner(text=TEXT, token="not-the-admin-token")
    assert (refused["failed"], refused["reason"]) == (True, "Refused")
    assert "HTTP 401" in refused["msg"]
    assert "not-the-admin-token" not in str(refused)


@pytest.fixture
def api() -> t.Iterator[tuple[str, list[tuple[int, str]]]]:
    """Its URL, and what it answers to one request after another, the last for ever."""
    answers: list[tuple[int, str]] = []

    class Scripted(Handler):
        def do_GET(self) -> None:
            status, body = answers.pop(0) if len(answers) > 1 else answers[0]
            self.answer(status, body.encode(), {"Retry-After": "0"})

        do_POST = do_DELETE = do_GET  # noqa: N815

    with serving(Scripted) as url:
        yield f"{url}/admin/banner", answers


NONE, SHOWN = '{"banner": null}', f'{{"banner": {{"message": "{TEXT}", "type": "info"}}}}'


@pytest.mark.parametrize(("answers", "outcome"), [
    ([(200, NONE), (503, "busy"), (429, ""), (201, SHOWN), (200, SHOWN)], "changed"),
    ([(200, NONE), (201, SHOWN), (200, NONE)], "accepted the banner but shows another"),
    ([(200, "<html>Sign in</html>")], "does not say which banner is shown"),
    ([(200, '{"banner": "x"}')], "does not say which banner is shown"),
    ([(302, "")], "answered HTTP 302"),
    ([(400, '{"error": "Bearer t0ken-of-the-admin is bad"}')], "answered HTTP 400"),
], ids=lambda value: value if isinstance(value, str) else "")  # fmt: skip
def test_bad_days(api, answers, outcome):
    url, given = api
    given.extend(answers)
    result = run_module(maintenance_banner, url=url, token="t0ken-of-the-admin", text=TEXT)
    assert outcome in (result.get("msg") or "changed")
    assert "t0ken-of-the-admin" not in str({**result, "invocation": ""})


def test_nobody_there_fails_within_the_time_and_touches_nothing():
    gone = run_module(
        maintenance_banner, url="http://127.0.0.1:9/x", token="t", state="absent", wait_timeout=1
    )
    assert (gone["failed"], gone["reason"]) == (True, "Unreachable")
