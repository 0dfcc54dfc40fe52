import json
import random
import typing as t

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._errors import (
    ConflictError,
    InputError,
    UnreachableError,
    VerificationError,
)
from ansible_collections.easymo.deploy.plugins.module_utils._lock.models import (
    LeaseLostError,
    fence_of,
)
from ansible_collections.easymo.deploy.plugins.module_utils._release.order import PhaseOrderError
from ansible_collections.easymo.deploy.plugins.module_utils._release.pins import (
    COMPONENT,
    RECORDS,
    pack,
    read_pins,
)
from ansible_collections.easymo.deploy.plugins.module_utils._release.plan import RecordChange
from ansible_collections.easymo.deploy.plugins.module_utils._release.store import (
    Attachment,
    ReleaseStore,
)
from ansible_collections.easymo.deploy.plugins.module_utils._release.task import (
    carry_out,
    read_change,
)
from ansible_collections.easymo.deploy.plugins.module_utils._rollout.plan import rollout_id
from tests.fakes.cluster import FakeClock, MemoryCluster
from tests.fakes.controller import NAME, Controller

OLD, NEW = "easymo/wallet-service:v1.9.0", "easymo/wallet-service:v2.0.0"
PIN = {"deployments": [NAME], "config_maps": ["feature-flags", "gone"]}
EMPTY: dict[str, t.Any] = {
    "name": "2.0.0",
    "actor": "ann",
    "phase": None,
    "phase_status": None,
    "status": None,
    "pin": None,
    "notes": [],
    "fence": 0,
    "order": None,
    "phase_changed": False,
    "phase_started": None,
    **{key: {} for key in ("evidence", "announcements", "backups", "facts")},
}


@pytest.fixture
def cluster() -> MemoryCluster:
    cluster = MemoryCluster()
    Controller(cluster, OLD)
    cluster.put("ConfigMap", {"metadata": {"name": "feature-flags"}, "data": {"A": "false"}})
    return cluster


def run(cluster: MemoryCluster, *, check_mode: bool = False, **params: t.Any) -> dict[str, t.Any]:
    params = {**EMPTY, **params}
    change = read_change(params)
    return carry_out(cluster, change, params["pin"] or {}, check_mode=check_mode).to_result()


def kept_pins(cluster: MemoryCluster) -> dict[str, t.Any]:
    pins = read_pins(cluster, "release-2.0.0")
    assert pins is not None
    return pins.to_summary()


def opened(cluster: MemoryCluster) -> MemoryCluster:
    run(cluster, phase="preflight", phase_status="running")
    return cluster


def test_check_mode_predicts_and_writes_nothing(cluster):
    result = run(cluster, check_mode=True, phase="preflight", phase_status="running", pin=PIN)
    assert result["changed"] is True
    assert result["pinned"] == PIN
    assert cluster.writes == []


def test_a_second_run_writes_nothing(cluster):
    params = {"phase": "preflight", "phase_status": "running", "pin": PIN}
    params |= {"facts": {"wave": {"sizes": [1, 3]}}}
    assert run(cluster, **params)["changed"] is True
    cluster.writes.clear()
    assert run(cluster, **params)["changed"] is False
    assert cluster.writes == []


def test_pins_keep_what_an_undo_needs(cluster):
    run(opened(cluster), pin=PIN)
    pins = read_pins(cluster, "release-2.0.0")
    assert pins is not None
    pin = pins.deployment(NAME)
    assert pin is not None
    assert pin.template == cluster.objects["Deployment", NAME]["spec"]["template"]
    assert pins.config_maps == {
        "feature-flags": {"exists": True, "data": {"A": "false"}},
        "gone": {"exists": False, "data": {}},
    }


@pytest.mark.parametrize("ours", [True, False], ids=["own", "another's"])
def test_pins_that_are_there_already_count_when_they_are_ours(cluster, monkeypatch, ours):
    create = cluster.create

    def create_twice(kind: str, body: t.Any) -> t.Any:
        """As when the answer to the first is lost."""
        if body["metadata"]["name"].endswith("-pins"):
            create(kind, body if ours else {**body, "data": {**body["data"], "pins": nothing}})
        return create(kind, body)

    nothing = pack(b'{"attempt": 1, "deployments": {}, "config_maps": {}}', "")
    monkeypatch.setattr(opened(cluster), "create", create_twice)
    if ours:
        assert run(cluster, pin=PIN)["pinned"] == PIN
    else:
        with pytest.raises(VerificationError, match="not the one that the release wrote"):
            run(cluster, pin=PIN)


def test_pins_that_another_hand_changed_restore_nothing(cluster):
    run(opened(cluster), pin=PIN)
    packed = pack(b'{"attempt": 1, "deployments": {"other": {}}, "config_maps": {}}', "")
    cluster.objects["ConfigMap", "release-2.0.0-pins"]["data"]["pins"] = packed
    with pytest.raises(VerificationError, match=r"restore it, or begin a new release"):
        read_pins(cluster, "release-2.0.0")


def test_a_run_that_ends_between_record_and_pins_leaves_pins_that_count(cluster, monkeypatch):
    run(opened(cluster), pin={"deployments": [], "config_maps": ["feature-flags"]})
    run(cluster, status="rolled_back")
    again = {"phase": "preflight", "phase_status": "running", "pin": PIN}
    replace = cluster.replace

    def unless_pins(kind: str, body: t.Any) -> t.Any:
        if body["metadata"]["name"].endswith("-pins"):
            raise UnreachableError("reset")
        return replace(kind, body)

    with monkeypatch.context() as broken:
        broken.setattr(cluster, "replace", unless_pins)
        with pytest.raises(UnreachableError):
            run(cluster, **again)
    assert run(cluster, **again)["pinned"] == PIN


@pytest.mark.parametrize("annotated", [False, True], ids=["by-tag", "by-annotation"])
def test_what_already_runs_the_release_is_not_pinned_as_before(cluster, annotated):
    body = cluster.objects["Deployment", NAME]
    image = "easymo/wallet-service@sha256:0" if annotated else NEW
    body["spec"]["template"]["spec"]["containers"][0]["image"] = image
    if annotated:
        written = rollout_id("2.0.0", body["metadata"]["uid"], image)
        body["metadata"]["annotations"]["easymo.com/rollout-id"] = written
    with pytest.raises(ConflictError, match="already on wallet-service"):
        run(opened(cluster), pin=PIN)


def test_an_existing_pin_outlives_the_rollout(cluster):
    run(opened(cluster), pin=PIN)
    cluster.objects["Deployment", NAME]["spec"]["template"]["spec"]["containers"][0]["image"] = NEW
    result = run(cluster, pin=PIN)
    assert result["changed"] is False
    assert kept_pins(cluster)["deployments"][NAME]["images"] == {NAME: OLD}


def test_a_new_attempt_pins_anew(cluster):
    run(opened(cluster), pin={"deployments": [], "config_maps": ["feature-flags"]})
    cluster.objects["ConfigMap", "feature-flags"]["data"] = {"A": "true"}
    run(cluster, status="rolled_back")
    result = run(cluster, phase="preflight", phase_status="running", pin=PIN)
    assert result["pinned"] == PIN
    pins = kept_pins(cluster)
    assert pins["attempt"] == 2
    assert pins["config_maps"]["feature-flags"]["data"] == {"A": "true"}


def write_epoch(cluster: MemoryCluster, fence: int) -> None:
    """As a run that takes the release back does where it took the lock."""
    store_of(cluster).leave_epoch(fence)


def fences_of(cluster: MemoryCluster) -> list[int]:
    names = ("release-2.0.0", "release-2.0.0-pins")
    return [fence_of(cluster.objects["ConfigMap", name]) for name in names]


def test_record_and_pins_carry_the_epoch_and_a_write_without_a_lock_leaves_it(cluster):
    opens = {"phase": "microservices", "phase_status": "running", "pin": PIN}
    assert run(cluster, fence=3, **opens)["changed"]
    assert fences_of(cluster) == [3, 3]
    cluster.writes.clear()
    assert not run(cluster, fence=3, **opens)["changed"]
    assert cluster.writes == []
    run(cluster, notes=["by hand"])
    assert fences_of(cluster) == [3, 3]


def test_the_next_holder_leaves_its_epoch_where_it_has_nothing_else_to_write(cluster):
    opens = {"phase": "microservices", "phase_status": "running", "pin": PIN}
    run(cluster, **opens)  # by a release before there were epochs
    done = run(cluster, fence=1, phase="microservices", phase_status="done")
    assert done["phase"]["status"] == "done"
    again = run(cluster, fence=2, **opens)
    assert (again["changed"], again["phase"]) == (False, done["phase"])
    assert fences_of(cluster) == [2, 2]
    write_epoch(cluster, 5)
    assert fences_of(cluster) == [5, 5]


@pytest.mark.parametrize(
    "late",
    [
        {"phase": "microservices", "phase_status": "done"},
        {"status": "done"},
        {"phase": "microservices", "phase_status": "running"},
        {"pin": {"deployments": [NAME], "config_maps": ["other"]}},
    ],
)
def test_what_a_later_holder_wrote_takes_no_write_of_an_earlier_one(cluster, late):
    run(cluster, fence=3, phase="microservices", phase_status="running", pin=PIN)
    write_epoch(cluster, 4)
    before = {
        name: cluster.objects["ConfigMap", name] for name in ("release-2.0.0", "release-2.0.0-pins")
    }
    with pytest.raises(LeaseLostError, match="epoch 4, ours is 3"):
        run(cluster, fence=3, **late)
    assert all(cluster.objects["ConfigMap", name] == body for name, body in before.items())


def test_a_run_that_had_read_the_record_before_it_was_fenced_does_not_write_it(cluster):
    """It looked at the lock, read the record and stood still; a rollback took the lock meanwhile."""
    run(cluster, fence=3, phase="microservices", phase_status="running")
    cluster.before_write = lambda: write_epoch(cluster, 4)
    with pytest.raises(LeaseLostError):
        run(cluster, fence=3, phase="microservices", phase_status="done")
    assert run(cluster)["record"]["phases"]["microservices"]["status"] == "running"


def test_an_epoch_alone_makes_no_record(cluster):
    write_epoch(cluster, 3)
    assert store_of(cluster).read() is None


ORDER = {"phases": ["preflight", "database", "microservices"]}
BY_NAME = {"by": "Jane Doe", "reason": "it cannot wait"}


def opens(cluster: MemoryCluster, version: str, phase: str, fence: int, *named: str) -> t.Any:
    order = {**ORDER, "supersedes": dict.fromkeys(named, BY_NAME)}
    run(cluster, name=version, phase=phase, phase_status="running", fence=fence, order=order)
    run(cluster, name=version, phase=phase, phase_status="done", fence=fence)
    record = ReleaseStore(cluster, version, clock=FakeClock()).read()
    assert record is not None
    return record.body["facts"].get("overrides", {})


def test_a_release_goes_on_below_a_later_one_only_by_name_and_the_record_keeps_whose(cluster):
    opens(cluster, "2.0.0", "preflight", 1)
    opens(cluster, "2.0.0", "database", 1)
    let_by = {
        "release 2.0.0": BY_NAME
        | {"what": "release 2.1.0 began while release 2.0.0 was not finished"}
    }
    for phase in ORDER["phases"]:
        overrides = opens(cluster, "2.1.0", phase, 2, "2.0.0")
    assert {name: {**override, "at": ""} for name, override in overrides.items()} == {
        name: {**override, "at": ""} for name, override in let_by.items()
    }
    run(cluster, name="2.1.0", status="done", fence=2)
    for phase in ORDER["phases"]:
        with pytest.raises(
            PhaseOrderError, match=f"cannot go on with phase {phase}: release 2.1.0"
        ):
            opens(cluster, "2.0.0", phase, 3)
    overrides = opens(cluster, "2.0.0", "microservices", 3, "2.1.0")
    assert (
        overrides["release 2.1.0"]["what"]
        == "release 2.0.0 went on below release 2.1.0, which began later"
    )
    # It is the later one now, and need not be named.
    assert opens(cluster, "2.0.0", "database", 4) == overrides


def test_a_release_that_has_only_looked_begins_over_what_came_since(cluster):
    opens(cluster, "2.0.0", "preflight", 1)
    for phase in ORDER["phases"]:
        opens(cluster, "1.9.1", phase, 2)
    with pytest.raises(PhaseOrderError, match=r"2\.0\.0 cannot begin: release 1\.9\.1 is running"):
        opens(cluster, "2.0.0", "database", 3)
    run(cluster, name="1.9.1", status="done", fence=2)
    assert opens(cluster, "2.0.0", "database", 3) == {}


def test_two_writers_lose_nothing(cluster):
    opened(cluster)
    other = ReleaseStore(cluster, "2.0.0", clock=FakeClock())
    theirs = RecordChange(version="2.0.0", actor="bob", now="09:00", notes=("theirs",))
    cluster.before_write = lambda: other.change(theirs, check_mode=False)[0]
    result = run(cluster, notes=["ours"])
    assert result["record"]["notes"] == ["theirs", "ours"]


def store_of(cluster: MemoryCluster, version: str = "2.0.0") -> ReleaseStore:
    return ReleaseStore(cluster, version, clock=FakeClock())


def attachment(cluster: MemoryCluster, version: str = "2.0.0") -> Attachment:
    return Attachment(store_of(cluster, version), "functions")


def test_an_attachment_comes_back_as_it_was(cluster):
    content, file = random.Random(1).randbytes(10_000), attachment(cluster)
    file.write(1, content)
    assert (file.read(), file.attempt) == (content, 1)
    with pytest.raises(ConflictError):
        attachment(cluster).write(1, b"unseen")


def test_an_attachment_that_is_too_large_is_refused(cluster):
    with pytest.raises(InputError, match="too large for a ConfigMap"):
        attachment(cluster).write(1, random.Random(1).randbytes(800_000))


def test_a_damaged_attachment_is_not_given_back_and_may_be_written_over(cluster):
    file = attachment(cluster)
    file.write(1, b"sources")
    cluster.objects["ConfigMap", "release-2.0.0-functions"]["data"]["sha256"] = "0"
    with pytest.raises(VerificationError, match="is damaged"):
        file.read()
    file.write(1, b"others")
    assert file.read() == b"others"


@pytest.mark.parametrize("version", ["2.0.0-RC1", "2.0/0", "", "-2", "2" * 61])
def test_a_version_that_names_no_config_map_is_refused(cluster, version):
    with pytest.raises(InputError, match="cannot name a ConfigMap"):
        run(cluster, name=version)


def test_two_hundred_services_fit(cluster):
    names = []
    for number in range(200):
        name = f"service-{number}"
        names.append(name)
        body = {**cluster.objects["Deployment", NAME]}
        environment = [{"name": f"KEY_{n}", "value": f"{name}-{n * number}"} for n in range(40)]
        template = {**body["spec"]["template"]}
        template["spec"] = {"containers": [{"name": name, "image": OLD, "env": environment}]}
        body["metadata"] = {**body["metadata"], "name": name, "uid": f"uid-{name}"}
        cluster.put("Deployment", {**body, "spec": {**body["spec"], "template": template}})
        owner = [{"uid": f"uid-{name}", "controller": True}]
        metadata = {"name": f"{name}-1", "uid": f"rs-{name}", "ownerReferences": owner}
        cluster.put("ReplicaSet", {"metadata": metadata, "spec": {"template": template}})
    run(opened(cluster), pin={"deployments": names, "config_maps": []})
    assert len(kept_pins(cluster)["deployments"]) == 200


def test_a_record_that_no_config_map_would_take_is_packed(cluster):
    """The API server takes 1 MiB: https://kubernetes.io/docs/concepts/configuration/configmap/#motivation."""
    opened(cluster)
    images = {
        f"shop/service-{n}:v2": {"digest": f"sha256:{n:064}", "pinned": f"shop/service-{n}:v2@{n}"}
        for n in range(6000)
    }
    run(cluster, facts={"images": images})
    data = cluster.objects["ConfigMap", "release-2.0.0"]["data"]
    assert len(json.dumps(data)) < 1_000_000
    record = store_of(cluster).read()
    assert record is not None
    assert record.body["facts"]["images"] == images
    [other] = store_of(cluster, "2.1.0")._others()
    assert other == record
    cluster.put(
        "ConfigMap", {"metadata": {"name": "release-2.0.0"}, "data": {"record.json.gz": "x"}}
    )
    with pytest.raises(VerificationError, match="is damaged"):
        store_of(cluster).read()


def test_of_other_releases_the_records_alone_are_read(cluster):
    for phase in ORDER["phases"]:
        opens(cluster, "1.9.1", phase, 1)
    run(cluster, name="1.9.1", pin={"deployments": [NAME], "config_maps": []})
    attachment(cluster, "1.9.1").write(1, b"a report")
    listed = cluster.list_objects("ConfigMap", label_selector=RECORDS)
    assert [body["metadata"]["name"] for body in listed] == ["release-1.9.1"]
    # As a version of the collection wrote it that set no such label.
    del cluster.objects["ConfigMap", "release-1.9.1"]["metadata"]["labels"][COMPONENT]
    with pytest.raises(PhaseOrderError, match=r"2\.0\.0 cannot begin: release 1\.9\.1 is running"):
        opens(cluster, "2.0.0", "preflight", 2)
