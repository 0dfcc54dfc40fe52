"""The address of the cluster and the account, from options and from the variables that kubernetes.core reads too."""

import threading
import typing as t
from types import SimpleNamespace

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils import _kubernetes_client
from ansible_collections.easymo.deploy.plugins.module_utils._errors import InputError
from ansible_collections.easymo.deploy.plugins.module_utils._kubernetes_client import (
    VARIABLES,
    Connection,
    KubernetesWatch,
    connect,
)
from tests.tables import cases

HOST, OTHER = "https://one.example.com", "https://other.example.com"
TOLD = {name: f"of {variable}" for name, variable in VARIABLES.items()} | {"host": OTHER}


def connection(**options: t.Any) -> Connection:
    """Of options as Ansible gives them: those that nobody set are None."""
    names = Connection.__dataclass_fields__
    defaults = {**dict.fromkeys(names), "namespace": "shop", "validate_certs": True}
    return Connection.from_params(defaults | options)


@pytest.fixture
def told(monkeypatch) -> None:
    for name, variable in VARIABLES.items():
        monkeypatch.setenv(variable, TOLD[name])
    monkeypatch.setenv("K8S_AUTH_VERIFY_SSL", "false")


@cases(("options", "read"), {
    "none": ({}, {*VARIABLES} - {"impersonate_groups"}),
    "an address": ({"host": HOST}, {"api_key", "client_cert", "client_key", "ca_cert", "impersonate_user", "proxy"}),
    "an account": ({"api_key": "t"}, {"host", "kubeconfig", "context", "ca_cert", "impersonate_user", "proxy"}),
    "both": ({"host": HOST, "api_key": "t", "ca_cert": "ca"}, {"impersonate_user", "proxy"}),
    "a kubeconfig": ({"kubeconfig": "mine"}, {"context", "impersonate_user", "proxy"}),
    "a context": ({"context": "staging"}, {"kubeconfig", "impersonate_user", "proxy"}),
})  # fmt: skip
def test_an_option_counts_before_variables_and_before_those_of_another_way(told, options, read):
    made = connection(**options)
    assert {name for name in VARIABLES if getattr(made, name) == TOLD[name]} == read
    assert all(getattr(made, name) == value for name, value in options.items())
    assert made.impersonate_groups == ("of K8S_AUTH_IMPERSONATE_GROUPS",)
    assert made.validate_certs is True


def test_without_variables_the_options_are_all_there_is(monkeypatch):
    for variable in VARIABLES.values():
        monkeypatch.delenv(variable, raising=False)
    assert connection() == Connection("shop")


def test_a_certificate_takes_the_place_of_a_token():
    with pytest.raises(InputError, match="'api_key' is missing"):
        connect(connection(host=HOST, client_cert="c.pem"))
    made = connect(connection(host=HOST, client_cert="c.pem", client_key="k.pem")).configuration
    assert (made.cert_file, made.key_file, made.api_key) == ("c.pem", "k.pem", {})
    assert made.verify_ssl is True


def test_each_group_goes_in_a_header_of_its_own(monkeypatch):
    given = {"impersonate_user": "ann", "impersonate_groups": ["web", "ops"]}
    pools = connect(connection(host=HOST, api_key="t", **given)).rest_client.pool_manager
    sent: list[list[tuple[str, str]]] = []

    def send(_pool: t.Any, _method: str, _url: str, **options: t.Any) -> None:
        sent.append([*options["headers"].items()])

    monkeypatch.setattr(_kubernetes_client.urllib3.HTTPSConnectionPool, "urlopen", send)
    with pytest.raises(AttributeError):
        pools.request("GET", f"{HOST}/version", headers={"authorization": "Bearer t"})
    who = [("Impersonate-User", "ann"), ("Impersonate-Group", "web"), ("Impersonate-Group", "ops")]
    assert sent == [[("authorization", "Bearer t"), *who]]


@pytest.mark.parametrize(
    "given", [{"impersonate_groups": ["ops"]}, {"impersonate_user": "ann\r\nX-Other: 1"}]
)
def test_whom_it_cannot_act_as_is_refused(given):
    with pytest.raises(InputError, match="'impersonate_user'"):
        connect(connection(host=HOST, api_key="t", **given))


def test_of_an_event_that_is_no_object_a_watch_knows_nothing_and_goes_on():
    woken = threading.Semaphore(0)
    stream = SimpleNamespace(stream=lambda *_, **__: iter([b"[]\n"]), release_conn=lambda: None)
    listed = {"metadata": {"resourceVersion": "1"}, "items": []}
    watch = KubernetesWatch(lambda: listed, lambda _version: stream, woken.release)
    assert woken.acquire(timeout=20), "it never listed"
    assert woken.acquire(timeout=20), "it ended with what it had seen last"
    assert watch.objects() is None
    watch.close()
