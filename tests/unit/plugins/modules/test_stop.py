import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._errors import InputError
from ansible_collections.easymo.deploy.plugins.module_utils._release.plan import RecordChange
from ansible_collections.easymo.deploy.plugins.module_utils._release.store import ReleaseStore
from ansible_collections.easymo.deploy.plugins.modules import stop
from tests.fakes.cluster import FakeClock, MemoryCluster
from tests.module_runner import run_module


@pytest.mark.parametrize(
    "reason", ["Hold", "LeaseLost", "PhaseFailed", "Rollback", "VerificationFailed"]
)
@pytest.mark.parametrize("check", [True, False])
def test_it_fails_with_the_reason_also_in_check_mode(reason, check):
    result = run_module(stop, msg="nobody answered", reason=reason, check=check)
    assert (result["failed"], result["msg"], result["reason"]) == (True, "nobody answered", reason)


def test_a_reason_that_nobody_reads_is_refused():
    result = run_module(stop, msg="nobody answered", reason="hold")
    assert "one of: Hold, LeaseLost, PhaseFailed, Rollback, VerificationFailed" in result["msg"]


def after_a_failure(monkeypatch, connect):
    monkeypatch.setattr(stop, "cluster_elsewhere", lambda _module: connect())
    parts, plan = {"database": "databases"}, [{"name": "database"}, {"name": "flags"}]
    return run_module(
        stop,
        msg="broken",
        reason="PhaseFailed",
        release="2.0.0",
        kubernetes={"namespace": "shop"},
        standing={"config_map": "flags", "parts": parts, "phase": "database", "plan": plan},
    )


class Gone:
    """Whatever goes wrong in the look, the cause is told."""

    def __getattr__(self, _name):
        raise TypeError("not as it should be")


def no_kubeconfig():
    raise InputError("the kubeconfig is not there")


@pytest.mark.parametrize("connect", [Gone, no_kubeconfig])
def test_what_cannot_be_read_after_a_failure_is_not_known(monkeypatch, connect):
    result = after_a_failure(monkeypatch, connect)
    now = ["services not known", "databases not known", "flags not known"]
    assert result["standing"] == {"undone": "", "now": now}
    assert (result["msg"], result["missing_phases"]) == ("broken", [])


def test_how_the_platform_stands_and_what_the_next_run_begins_with_is_read(monkeypatch):
    cluster = MemoryCluster()
    flags = {"requested": {"F": "true"}, "asked": {"F": "true"}}
    store = ReleaseStore(cluster, "2.0.0", clock=FakeClock())
    for phase, evidence in (("flags", {"flags": flags}), ("database", {})):
        change = {"version": "2.0.0", "actor": "ann", "now": "2026-11-24T09:00:00Z", "phase": phase}
        store.change(RecordChange(**change, phase_status="running"), check_mode=False)
        store.change(
            RecordChange(**change, phase_status="done", evidence=evidence), check_mode=False
        )
    body = {"metadata": {"name": "flags", "namespace": "default"}, "data": {"F": "false"}}
    cluster.create("ConfigMap", body)
    result = after_a_failure(monkeypatch, lambda: cluster)
    assert "databases of the release, nothing was to change" in result["standing"]["now"]
    assert result["missing_phases"] == ["flags"]
    assert "--tags flags" in result["msg"]
