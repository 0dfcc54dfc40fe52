"""What Prometheus and Alertmanager, on loopback, may answer."""

import json
import threading
import typing as t
from urllib.parse import parse_qs, urlsplit

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._alerts.api import (
    AlertsApi,
    MonitoringServer,
)
from ansible_collections.easymo.deploy.plugins.module_utils._alerts.plan import (
    ActiveAlert,
    LoadedRule,
    Silence,
)
from ansible_collections.easymo.deploy.plugins.module_utils._errors import (
    InputError,
    RefusedError,
    UnreachableError,
    VerificationError,
)
from tests.fakes.http_server import Handler, serving
from tests.tables import cases

LOADED = {
    "state": "inactive",
    "name": "High Error Rate",
    "query": "errors > 0.05",
    "duration": 300,
    "labels": {"notify": "on-call-engineer"},
    "annotations": {"summary": "Too many."},
    "alerts": [
        {
            "labels": {"alertname": "High Error Rate", "notify": "on-call-engineer"},
            "annotations": {"summary": "Too many."},
            "state": "firing",
            "activeAt": "2026-11-26T09:30:00.123456789Z",
            "value": "6e-02",
        },
        {
            "labels": {"alertname": "High Error Rate"},
            "state": "pending",
            "activeAt": "2026-11-26T09:30:00Z",
        },
    ],
    "health": "err",
    "lastError": "vector cannot contain metrics with the same labelset",
    "type": "alerting",
}
NEW = {"name": "Service Down", "query": "up < 1", "type": "alerting"}


class Place:
    """A server that answers one thing to everything. None: nothing, until it is let go."""

    def __init__(self) -> None:
        self.status = 200
        self.body: bytes | None = b"{}"
        self.asked: list[tuple[str, str]] = []
        self.let_go = threading.Event()
        self.url = ""

    def answers(self, document: object, status: int = 200) -> None:
        self.status, self.body = status, json.dumps(document).encode()


@pytest.fixture
def place() -> t.Iterator[Place]:
    made = Place()

    class Scripted(Handler):
        def do_GET(self) -> None:
            made.asked.append((self.path, self.headers.get("Authorization", "")))
            if made.body is None:
                made.let_go.wait(60)
                return
            self.answer(made.status, made.body)

        do_POST = do_GET  # noqa: N815

    with serving(Scripted) as made.url:
        yield made
        made.let_go.set()


def api(place: Place, *, timeout: float = 20) -> AlertsApi:
    prometheus, alertmanager = (
        MonitoringServer.from_params({"url": f"{place.url}/{path}/"})
        for path in ("prometheus", "am")
    )
    return AlertsApi(prometheus, alertmanager, timeout=timeout)


def test_rules_come_with_what_they_ask_how_long_and_whether_they_work(place):
    place.answers(
        {"status": "success", "data": {"groups": [{"name": "release", "rules": [LOADED, NEW]}]}}
    )
    failing, fresh = api(place).rules()
    assert failing == LoadedRule(
        name="High Error Rate",
        query="errors > 0.05",
        duration=300.0,
        labels={"notify": "on-call-engineer"},
        annotations={"summary": "Too many."},
        group="release",
        health="err",
        last_error="vector cannot contain metrics with the same labelset",
        # It fires since it was so for its `for`.
        firing=(
            ActiveAlert(
                {"alertname": "High Error Rate", "notify": "on-call-engineer"}, 1795685700.123456
            ),
        ),
    )
    assert (fresh.duration, fresh.health, fresh.last_error) == (0.0, "unknown", "")
    assert place.asked == [("/prometheus/api/v1/rules?type=alert", "")]


def test_no_rules_are_no_error(place):
    place.answers({"status": "success", "data": {"groups": []}})
    assert api(place).rules() == []


CONFIG = """
route: {receiver: r, routes: [{receiver: s, matchers: ['a="b"'], continue: true}]}
receivers: [{name: r}, {name: s, slack_configs: [{api_url: <secret>}]}]
"""


def test_alertmanager_tells_its_routes_receivers_and_silences(place):
    place.answers({"config": {"original": CONFIG}, "cluster": {}})
    config = api(place).alertmanager()
    assert config.route.routes[0].goes_on
    assert config.integrations == {"r": False, "s": True}
    place.answers([{"id": "x", "status": {"state": "active"}}])
    assert api(place).silences() == [Silence("active")]
    assert [path for path, _ in place.asked] == ["/am/api/v2/status", "/am/api/v2/silences"]


def test_prometheus_tells_the_labels_that_it_adds_and_how_many_series_there_are(place):
    place.answers(
        {"data": {"yaml": "global:\n  external_labels: {cluster: prod}\nrule_files: []\n"}}
    )
    assert api(place).external_labels() == {"cluster": "prod"}
    place.answers({"data": {"yaml": "global: {}\n"}})
    assert api(place).external_labels() == {}
    place.answers({"data": {"resultType": "vector", "result": [{"metric": {}, "value": [1, "3"]}]}})
    assert api(place).count('up{a="b"}') == 3
    place.answers({"data": {"resultType": "vector", "result": []}})
    assert api(place).count("up") == 0


@pytest.mark.parametrize(("status", "body", "kind", "told"), [
    (401, b"Unauthorized", RefusedError, "HTTP 401 (Unauthorized): set a token"),
    (200, b"<html>Sign in</html>", VerificationError, "did not answer as Prometheus does"),
    (200, b'{"status": "success", "data": null}', VerificationError, "did not answer as"),
    (200, b'{"data": {"groups": [{"name": "g", "rules": [{}]}]}}', VerificationError, "did not"),
    (200, b"[]", VerificationError, "did not answer as Prometheus does"),
], ids=str)  # fmt: skip
def test_an_answer_that_is_none_says_what_to_do(place, status, body, kind, told):
    place.status, place.body = status, body
    with pytest.raises(kind) as caught:
        api(place).rules()
    assert told in str(caught.value)
    assert f"{place.url}/prometheus/api/v1/rules" in str(caught.value)


NO_CONFIG = b'{"config": {"original": "receivers: []"}}'


@pytest.mark.parametrize("body", [b"<html>", b'{"name": 1}', NO_CONFIG, b"[1]", b"3"])
def test_a_configuration_of_something_else_is_refused(place, body):
    place.body = body
    with pytest.raises(VerificationError, match="did not answer as Alertmanager does"):
        api(place).alertmanager()


def test_what_hangs_is_given_up_after_the_time_that_was_set(place):
    place.body = None
    with pytest.raises(UnreachableError, match=r"did not answer within 0\.2 s"):
        api(place, timeout=0.2).rules()


def test_nobody_there_is_said_without_the_password_of_the_url():
    with pytest.raises(UnreachableError) as caught:
        AlertsApi(MonitoringServer("http://ann:s3cret@127.0.0.1:9"), timeout=20).rules()
    assert "Prometheus at http://127.0.0.1:9/api/v1/rules cannot be reached" in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_a_query_comes_back_as_prometheus_writes_it(place):
    place.answers({"status": "success", "data": "sum by (a) (x) > 0.3"})
    assert api(place).formatted("sum(x)by(a)>0.30") == "sum by (a) (x) > 0.3"
    place.answers({"status": "error", "errorType": "bad_data", "error": "parse error"}, status=400)
    with pytest.raises(InputError, match=r"does not understand the query 'sum\(': parse error"):
        api(place).formatted("sum(")


def test_a_reload_tells_files_that_are_not_taken_from_one_that_is_not_allowed(place):
    api(place).reload()
    place.status, place.body = 500, b"failed to reload config: bad rule"
    with pytest.raises(VerificationError, match="keeps the old ones: failed to reload config"):
        api(place).reload()
    place.status, place.body = 403, b"Lifecycle API is not enabled."
    with pytest.raises(RefusedError, match="enable-lifecycle"):
        api(place).reload()


def matrix(*times: float) -> dict[str, t.Any]:
    values = [[at, "1"] for at in times]
    series = [{"metric": {"alertname": "a.b"}, "values": values}] if times else []
    return {"status": "success", "data": {"resultType": "matrix", "result": series}}


def test_when_alerts_fired_is_asked_of_the_series_that_prometheus_keeps_of_them(place):
    place.answers(matrix(10.5, 25.5))
    found = api(place).firing_times(["a.b", "c"], 600.2)
    assert found == [({"alertname": "a.b"}, [10.5, 25.5])]
    query = parse_qs(urlsplit(place.asked[0][0]).query)["query"]
    assert query == [r'ALERTS{alertstate="firing",alertname=~"a\\.b|c"}[601s]']


@cases(
    ("seen", "gaps"),
    {
        "none": (range(0, 601, 60), []),
        "in between": ([*range(0, 241, 60), *range(540, 601, 60)], [(180, 480)]),
        "at first": (range(240, 601, 60), [(0, 180)]),
        "until now": (range(0, 421, 60), [(360, 600)]),
        "nothing at all": ([], [(0, 600)]),
        "only before": (range(60, 601, 60), []),
    },
)
def test_an_outage_is_a_time_without_any_sample(place, seen, gaps):
    begin = 1795685400.25
    place.answers(matrix(*(begin + one for one in seen)))
    found = api(place).outages(begin, begin + 600)
    assert [(since - begin, until - begin) for since, until in found] == gaps
