import threading
from types import SimpleNamespace

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._functions import api
from ansible_collections.easymo.deploy.plugins.module_utils._functions.api import (
    SupabaseFunctionsApi,
)
from tests.fakes.cluster import FakeClock


@pytest.fixture
def clock(monkeypatch) -> FakeClock:
    made = FakeClock()
    fake = SimpleNamespace(monotonic=made.now, sleep=made.sleep)
    monkeypatch.setattr(api, "time", fake)
    return made


def project() -> SupabaseFunctionsApi:
    given = {"api_url": "https://api", "project_ref": "ref", "access_token": "token"}
    return SupabaseFunctionsApi({**given, "ca_cert": None, "request_timeout": 5})


def test_a_limit_that_one_worker_met_holds_all_of_them_back(clock):
    gate = project()
    gate.shut("POST /deploy", 30)
    worker = threading.Thread(target=gate.wait, args=("POST /deploy",))
    worker.start()
    worker.join(5)
    assert clock.now() == 130.0


def test_a_limit_holds_for_its_endpoint_alone_and_never_gets_shorter(clock):
    gate = project()
    gate.shut("POST /deploy", 30)
    gate.shut("POST /deploy", 5)
    gate.wait("GET /body")
    assert clock.now() == 100.0
    gate.wait("POST /deploy")
    assert clock.now() == 130.0
