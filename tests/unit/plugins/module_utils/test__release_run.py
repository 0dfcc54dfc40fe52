"""A phase is opened whole, or its record says why it is not. What refuses a run before is in tests/integration."""

import contextlib

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._cluster import MonotonicClock
from ansible_collections.easymo.deploy.plugins.module_utils._errors import ConflictError
from ansible_collections.easymo.deploy.plugins.module_utils._flags.apply import (
    KilledError,
    KillSwitch,
)
from ansible_collections.easymo.deploy.plugins.module_utils._flags.plan import FlagsMap
from ansible_collections.easymo.deploy.plugins.module_utils._lock.models import LeaseLostError
from ansible_collections.easymo.deploy.plugins.module_utils._release.pins import PinStore
from ansible_collections.easymo.deploy.plugins.module_utils._release.plan import RecordChange
from ansible_collections.easymo.deploy.plugins.module_utils._release.store import ReleaseStore
from ansible_collections.easymo.deploy.plugins.module_utils._release_run import (
    forced_lock,
    open_phase,
    refuse_killed,
)
from tests.fakes.cluster import MemoryCluster
from tests.fakes.controller import NAME, Controller

OPENING = RecordChange(
    "2.0.0", "ann", "2026-11-24T06:00:00Z", phase="microservices", phase_status="running"
)
PIN = {"deployments": [NAME], "config_maps": []}


@pytest.fixture
def cluster() -> MemoryCluster:
    cluster = MemoryCluster()
    Controller(cluster, "easymo/wallet-service:v1.9.0")
    return cluster


def record_in(cluster: MemoryCluster):
    record = ReleaseStore(cluster, "2.0.0", clock=MonotonicClock()).read()
    assert record
    return record


def test_what_it_pins_is_told_with_the_record_of_the_phase(cluster):
    opened = open_phase(cluster, OPENING, PIN, check_mode=False).to_result()
    assert (opened["changed"], opened["pinned"]["deployments"]) == (True, [NAME])
    assert (
        opened["phase"]["status"] == record_in(cluster).phase("microservices").status == "running"
    )
    again = open_phase(cluster, OPENING, PIN, check_mode=False).to_result()
    assert not again["changed"]


def test_a_phase_that_cannot_pin_has_failed_of_it():
    cluster = MemoryCluster()
    Controller(cluster, "easymo/wallet-service:v2.0.0")
    with pytest.raises(ConflictError, match="is already on"):
        open_phase(cluster, OPENING, PIN, check_mode=False)
    phase = record_in(cluster).phase("microservices")
    assert phase.status == "failed"
    (failure,) = phase.evidence.failures
    assert "is already on" in failure.message


def test_the_record_of_another_run_is_left_when_the_lock_is_lost(cluster, monkeypatch):
    def lost(*_arguments, **_options):
        raise LeaseLostError("another run has the lock")

    monkeypatch.setattr(PinStore, "add", lost)
    with pytest.raises(LeaseLostError):
        open_phase(cluster, OPENING, PIN, check_mode=False)
    assert record_in(cluster).phase("microservices").status == "running"


@pytest.mark.parametrize(
    ("flags", "automatic", "refused"),
    [
        ({"FEATURE_CHAT": True}, False, True),
        ({"FEATURE_CHAT": True}, True, False),
        ({"FEATURE_CHAT": False}, False, False),
        ({"FEATURE_OTHER": True}, False, False),
    ],
    ids=["a person's", "the deployment resets it", "off stays off", "another feature's"],
)
def test_a_kill_switch_refuses_a_phase_before_it_is_opened(flags, automatic, refused):
    switch = KillSwitch("2026-11-24T06:00:00Z", "ann", "x", automatic, {"FEATURE_CHAT": "false"})
    observed = FlagsMap("flags", annotations={"easymo.com/kill-switch": switch.to_annotation()})
    with pytest.raises(KilledError) if refused else contextlib.nullcontext():
        refuse_killed(observed, flags)


def test_a_lock_that_was_taken_by_force_is_a_fact_of_the_record():
    held = {"fence": 7, "stolen_from": "joe", "lock": {"holder": "ann"}}
    by_force = {"force": True, "reason": "it hangs"}
    entry = {"by": "ann", "reason": "it hangs", "stolen_from": "joe"}
    assert forced_lock(by_force, held) == {"forced_locks": {"7": entry}}
    assert forced_lock({**by_force, "force": False}, held) == {}
    assert forced_lock(by_force, {**held, "stolen_from": ""}) == {}
