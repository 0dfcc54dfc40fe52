"""Prometheus as people have it: behind TLS, a password, a client certificate and a path; and with tenants."""

import json
import subprocess
import typing as t
import urllib.request

import pytest
import trustme

from ansible_collections.easymo.deploy.plugins.module_utils._alerts.api import (
    TENANT,
    AlertsApi,
    MonitoringServer,
)
from ansible_collections.easymo.deploy.plugins.module_utils._diagnosis.error_rate import (
    look_at_prometheus,
)
from ansible_collections.easymo.deploy.plugins.module_utils._diagnosis.evidence import (
    CollectedPart,
    CollectionLimits,
    Notebook,
)
from ansible_collections.easymo.deploy.plugins.module_utils._errors import InputError
from ansible_collections.easymo.deploy.plugins.module_utils._gate.sources import (
    Prometheus,
    Vector,
)
from ansible_collections.easymo.deploy.plugins.module_utils._redaction import Redactor
from ansible_collections.easymo.deploy.plugins.modules import metrics_gate, preflight_check
from sandbox.prometheus import program
from sandbox.world import free_port
from tests.fakes.http_server import Handler, serving
from tests.module_runner import run_module
from tests.waiting import until

USER, PASSWORD = "releases", "let-me-in"
HASHED = "$2b$04$abcdefghijklmnopqrstuudxA/1BY5FxPYA69jUrJOJFmTyoe9T1a"
"""By bcrypt, as Prometheus wants it."""
UP = {"name": "up", "query": "count(up)", "pass": {"min": 1}}
NO_RESULTS = {
    "/api/v1/query": {"resultType": "vector", "result": []},
    "/api/v1/rules": {"groups": []},
}
"""What Prometheus answers where there is nothing, https://prometheus.io/docs/prometheus/latest/querying/api/."""


class Guarded(t.NamedTuple):
    """The options of each way in."""

    whole: dict[str, t.Any]

    def without(self, *names: str) -> dict[str, t.Any]:
        return {name: value for name, value in self.whole.items() if name not in names}


@pytest.fixture(scope="module")
def guarded(world, tmp_path_factory) -> t.Iterator[Guarded]:
    """The real program by its own --web.config.file, https://prometheus.io/docs/prometheus/latest/configuration/https/."""
    folder, port = tmp_path_factory.mktemp("guarded"), free_port()
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    server, ours = authority.issue_cert("127.0.0.1"), authority.issue_cert("releases@example.com")
    server.cert_chain_pems[0].write_to_path(folder / "server.pem")
    server.private_key_pem.write_to_path(folder / "server.key")
    ours.cert_chain_pems[0].write_to_path(folder / "ours.pem")
    ours.private_key_pem.write_to_path(folder / "ours.key")
    tls = {
        "cert_file": str(folder / "server.pem"),
        "key_file": str(folder / "server.key"),
        "client_ca_file": str(folder / "ca.pem"),
        "client_auth_type": "RequireAndVerifyClientCert",
    }
    web = {"tls_server_config": tls, "basic_auth_users": {USER: HASHED}}
    (folder / "web.yml").write_text(json.dumps(web), encoding="utf-8")
    (folder / "prometheus.yml").write_text("{}", encoding="utf-8")
    options = {
        "url": f"https://127.0.0.1:{port}/metrics/prod/",
        "username": USER,
        "password": PASSWORD,
        "ca_cert": str(folder / "ca.pem"),
        "client_cert": str(folder / "ours.pem"),
        "client_key": str(folder / "ours.key"),
    }
    with subprocess.Popen(
        [
            program(world),
            f"--config.file={folder / 'prometheus.yml'}",
            f"--web.config.file={folder / 'web.yml'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--web.route-prefix=/metrics/prod",
            f"--storage.tsdb.path={folder / 'data'}",
            "--web.console.templates=/nonexistent",
            "--web.console.libraries=/nonexistent",
            "--log.level=error",
        ]
    ) as process:
        try:
            until(lambda: not _sample(options, "vector(1)").problem)
            yield Guarded(options)
        finally:
            process.terminate()


def _sample(options: dict[str, t.Any], query: str) -> t.Any:
    return Prometheus(MonitoringServer.from_params(options), 10).sample(query)


def test_a_password_a_client_certificate_an_authority_and_a_path_all_at_once(guarded):
    assert _sample(guarded.whole, "vector(7)").value == 7
    assert AlertsApi(MonitoringServer.from_params(guarded.whole), timeout=10).rules() == []


@pytest.mark.parametrize(("missing", "words"), [
    (["username"], "HTTP 401"),
    (["ca_cert"], "set 'ca_cert'"),
    (["client_cert", "client_key"], "certificate required"),
], ids=lambda one: one[0] if isinstance(one, list) else "")  # fmt: skip
def test_what_is_missing_of_it_is_told(guarded, missing, words):
    told = run_module(metrics_gate, prometheus=guarded.without(*missing), metrics=[UP], duration=0)
    assert (told["verdict"], told["changed"]) == ("hold", False)
    assert words in told["msg"]


def test_preflight_reads_clock_and_certificate_behind_a_client_certificate(guarded):
    tls = guarded.without("username", "password")
    rows = _rows(clock=tls, certificate=tls, alert_rules={"prometheus": tls, "alerts": ["Down"]})
    assert {kind: row["status"] for kind, row in rows.items()} == {
        "clock": "pass",
        "certificate": "pass",
        "alert_rules": "fail",
    }
    assert "HTTP 401" in rows["alert_rules"]["detail"]


def _rows(**kinds: dict[str, t.Any]) -> dict[str, dict[str, t.Any]]:
    checks = [{"name": kind, "kind": kind, kind: given} for kind, given in kinds.items()]
    result = run_module(preflight_check, release="2.0.0", checks=checks)
    return {row["name"]: row for row in result["results"]}


@pytest.fixture(scope="module")
def tenants(world) -> t.Iterator[str]:
    """A gateway before the sandbox's Prometheus: a token of ours, and each tenant sees its own series alone."""
    prometheus = world.facts("prometheus")["url"]

    class Gateway(Handler):
        def do_GET(self) -> None:
            body = self.body()
            if self.headers.get("Authorization") != "Bearer t-1":
                self.answer_json({"status": "error", "error": "unauthorized"}, 401)
            elif self.headers.get(TENANT) == "easymo":
                asked = urllib.request.Request(prometheus + self.path, body or None)
                with urllib.request.urlopen(asked, timeout=10) as answer:
                    self.answer(200, answer.read(), {"Content-Type": "application/json"})
            else:
                data = NO_RESULTS[self.path.partition("?")[0]]
                self.answer_json({"status": "success", "data": data})

        do_POST = do_GET  # noqa: N815

    with serving(Gateway) as url:
        yield url


def test_a_token_and_a_tenant_are_sent(tenants):
    server = {"url": tenants, "token": "t-1", "tenant": "easymo"}
    assert (
        run_module(metrics_gate, prometheus=server, metrics=[UP], duration=0)["verdict"]
        == "proceed"
    )
    assert AlertsApi(MonitoringServer.from_params(server), timeout=10).rules()


def test_without_the_tenant_nothing_is_good(tenants):
    server = {"url": tenants, "token": "t-1"}
    gate = run_module(metrics_gate, prometheus=server, metrics=[UP], duration=0)
    assert (gate["verdict"], "no series" in gate["msg"]) == ("hold", True)
    row = _rows(alert_rules={"prometheus": server, "alerts": ["Service Down"]})["alert_rules"]
    assert (row["status"], "'tenant'" in row["detail"]) == ("hold", True)


def test_the_diagnosis_says_that_it_does_not_know_which_alerts_fire(tenants):
    notes = Notebook(CollectedPart("error_rate", "Prometheus"), Redactor([]), CollectionLimits())
    server = MonitoringServer.from_params({"url": tenants, "token": "t-1"})
    look_at_prometheus(notes, Prometheus(server, 10), Vector(()))
    assert any("Which alerts fire is not known" in one for one in notes.collected().unseen)


def test_two_ways_in_at_once_are_refused():
    with pytest.raises(InputError, match="so set one"):
        MonitoringServer.from_params({"url": "http://x", "token": "a", "username": "b"})
    with pytest.raises(InputError, match="set the certificate"):
        MonitoringServer.from_params({"url": "http://x", "client_key": "b"})
