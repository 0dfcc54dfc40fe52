"""Where a public path goes, and to which of a service's pods."""

import pytest

from sandbox.gateway.routes import Endpoint, Endpoints, Target, endpoints_of, resolve
from sandbox.names import SERVICES, WORKER

KNOWN = frozenset({*SERVICES, WORKER})


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/health/agent-core", Target("agent-core", "/health", health=True)),
        (f"/health/{WORKER}", Target(WORKER, "/health", health=True)),
        ("/admin/banner", Target("agent-core", "/admin/banner")),
        ("/agents/dashboard.json", Target("agent-core", "/agents/dashboard.json")),
        ("/internal/agent-core/messages", Target("agent-core", "/messages")),
        ("/wallet/orders/1/pay", Target("wallet-service", "/orders/1/pay")),
        ("/wallet-service/wallets/1", Target("wallet-service", "/wallets/1")),
        ("/voice-bridge/languages", Target("voice-bridge", "/languages")),
    ],
)
def test_paths_go_to_their_service(path, target):
    assert resolve(path, KNOWN) == target


@pytest.mark.parametrize(
    "path", ["/", "/health", "/health/", "/health/agent", "/internal/nobody/x", "/nobody/x"]
)
def test_other_paths_go_nowhere(path):
    assert resolve(path, KNOWN) is None


def slice_of(service: str, *endpoints: dict[str, object]) -> dict[str, object]:
    labels = {"kubernetes.io/service-name": service}
    return {
        "metadata": {"name": f"{service}-abc", "labels": labels},
        "ports": [{"name": "metrics", "port": 9}, {"name": "http", "port": 8080}],
        "endpoints": list(endpoints),
    }


def pod(ip: str, ready: bool | None) -> dict[str, object]:
    return {"addresses": [ip], "conditions": {"ready": ready}}


def test_the_port_is_the_one_named_http_and_unknown_counts_as_ready():
    one = slice_of("a", pod("127.1.0.1", True), pod("127.1.0.2", False), pod("127.1.0.3", None))
    assert list(endpoints_of(one)) == [
        Endpoint("127.1.0.1:8080", True),
        Endpoint("127.1.0.2:8080", False),
        Endpoint("127.1.0.3:8080", True),
    ]


def test_ready_pods_take_turns_and_no_others_get_any():
    endpoints = Endpoints()
    endpoints.replace([slice_of("a", pod("1", True), pod("2", False), pod("3", True))])
    chosen = {endpoints.choose("a") for _ in range(4)}
    assert chosen == {"1:8080", "3:8080"}


def test_the_second_choice_is_another_pod():
    endpoints = Endpoints()
    endpoints.replace([slice_of("a", pod("1", True), pod("2", True))])
    assert endpoints.choose("a", but="1:8080") == "2:8080"


def test_without_ready_pods_only_the_health_page_finds_one():
    endpoints = Endpoints()
    endpoints.replace([slice_of("a", pod("1", False))])
    assert endpoints.choose("a") is None
    assert endpoints.choose("a", unready=True) == "1:8080"
    assert endpoints.counts("a") == (0, 1)


def test_a_new_view_replaces_the_old_one():
    endpoints = Endpoints()
    endpoints.replace([slice_of("a", pod("1", True))])
    endpoints.replace([])
    assert endpoints.choose("a", unready=True) is None
