"""A record's history says which entry another hand changed, and a record that is broken is one sentence."""

import contextlib
import copy
import json
import re
import typing as t
from pathlib import Path

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._errors import (
    DeployError,
    VerificationError,
)
from ansible_collections.easymo.deploy.plugins.module_utils._release import history
from ansible_collections.easymo.deploy.plugins.module_utils._release.plan import (
    RecordChange,
    plan_record,
)
from ansible_collections.easymo.deploy.plugins.module_utils._release.record import Record
from ansible_collections.easymo.deploy.plugins.module_utils._release.store import (
    KEY,
    ReleaseStore,
)
from tests.fakes.cluster import FakeClock, MemoryCluster

Body = dict[str, t.Any]
RECORDS = Path(__file__).parents[4] / "stories" / "records"
CHANGES: tuple[dict[str, t.Any], ...] = (
    {"phase": "database", "phase_status": "running"},
    {"phase": "database", "phase_status": "done", "evidence": {"backups": ["a"]}},
    {"facts": {"sign_offs": {"qa": {"by": "Jane"}, "product": {"by": "Joe"}}}},
    {"notes": ("It rains.",)},
)


@pytest.fixture
def cluster() -> MemoryCluster:
    cluster = MemoryCluster()
    for number, more in enumerate(CHANGES):
        write(cluster, number, **more)
    return cluster


def write(cluster: MemoryCluster, second: int, **more: t.Any) -> None:
    now = f"2026-11-24T06:00:{second:02}Z"
    change = RecordChange(version="2.0.0", actor="ann@laptop", now=now, **more)
    ReleaseStore(cluster, "2.0.0", clock=FakeClock()).change(change, check_mode=False)


def stored(cluster: MemoryCluster) -> Body:
    body = cluster.read("ConfigMap", "release-2.0.0")
    assert body is not None
    return t.cast("Body", json.loads(body["data"][KEY]))


def put(cluster: MemoryCluster, text: str) -> None:
    body = cluster.read("ConfigMap", "release-2.0.0")
    assert body is not None
    cluster.put("ConfigMap", {**body, "data": {KEY: text}})


def edited(body: Body, path: str, value: t.Any) -> Body:
    body = copy.deepcopy(body)
    *outer, last = path.split(".")
    place = body
    for key in outer:
        place = place[int(key) if isinstance(place, list) else key]
    if value is None:
        del place[last]
    else:
        place[last] = value
    return body


def test_what_runs_write_holds(cluster):
    body = stored(cluster)
    assert [len(entry["changed"]) > 0 for entry in body["history"]] == [True] * len(CHANGES)
    assert history.why_untrue(body) == ""


@pytest.mark.parametrize(("path", "value", "said"), [
    ("facts.sign_offs.qa.by", "Eve", "facts.sign_offs.qa of the record since"),
    ("facts.sign_offs.qa", None, "facts.sign_offs.qa of the record since"),
    ("facts.sign_offs.legal", {"by": "Eve"}, "facts.sign_offs.legal of the record since"),
    ("phases.database.evidence.backups", [], "phases.database of the record since"),
    ("status", "done", "status of the record since"),
    ("notes", [], "notes of the record since"),
    ("history.1.at", "2026-11-24T05:00:00Z", "Entry 2 of the record's history, of 2026-11-24T05:00:00Z"),
    ("history.1.by", "eve", "Entry 2 of the record's history, of 2026-11-24T06:00:01Z by eve"),
    ("history.0.hash", "0", "Entry 1 of the record's history"),
    ("history.2.changed", {}, "Entry 3 of the record's history"),
    ("history.1.hash", None, "cannot be read"),
    ("history", 7, "cannot be read"),
], ids=str)  # fmt: skip
def test_what_another_hand_changed_is_named(cluster, path, value, said):
    assert said in history.why_untrue(edited(stored(cluster), path, value))


def test_entries_that_change_places_are_told(cluster):
    body = stored(cluster)
    body["history"][1:3] = reversed(body["history"][1:3])
    assert "Entry 2 of the record's history" in history.why_untrue(body)


def test_a_write_of_ours_does_not_hide_what_another_hand_changed_before(cluster):
    put(cluster, json.dumps(edited(stored(cluster), "facts.sign_offs.qa.by", "Eve")))
    write(cluster, 10, notes=("Later.",))
    assert history.why_untrue(stored(cluster)) == (
        "Another hand changed facts.sign_offs.qa of the record before ann@laptop wrote it at 2026-11-24T06:00:10Z."
    )


def test_a_long_history_becomes_shorter_and_holds(cluster):
    for number in range(history.KEPT):
        write(cluster, 20, notes=(f"Note {number}.",))
    body = stored(cluster)
    assert len(body["history"]) <= history.KEPT
    assert history.why_untrue(body) == ""
    assert "status" in history.why_untrue({**body, "status": "done"})


@pytest.mark.parametrize("version", ["0.1", "0.2"])
def test_a_record_of_before_has_none_and_gets_one_by_the_next_write(version):
    config_map, _end = json.JSONDecoder().raw_decode((RECORDS / f"of_{version}.json").read_text())
    cluster = MemoryCluster()
    cluster.put("ConfigMap", {**config_map, "metadata": {"name": "release-2.0.0"}})
    before = stored(cluster)
    assert history.why_untrue(before) == ""
    write(cluster, 1, notes=("Later.",))
    after = stored(cluster)
    assert history.why_untrue(after) == ""
    assert [*after["phases"]] == [*before["phases"]]
    assert {**after, "notes": [], "history": [], "phases": {}} == {
        **Record.load(json.dumps(before), "it").body,
        "notes": [],
        "history": [],
        "phases": {},
    }


NESTED = "[" * 100_000
BROKEN = {
    "a number of 5,000 digits": '{"attempt": %s}' % ("9" * 5000),
    "no JSON": "{'attempt': 1}",
    "cut off": '{"version": "2.0.0", "attempt": 1, "phases": {"datab',
    "nothing": "",
    "a list": "[]",
    "another kind": '{"phases": 1}',
    "nested": NESTED,
    "a bare number": "7",
}


@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN)
def test_a_broken_record_is_one_sentence(cluster, text):
    put(cluster, text)
    with pytest.raises(VerificationError) as raised:
        ReleaseStore(cluster, "2.0.0", clock=FakeClock()).read()
    assert re.fullmatch(
        r"ConfigMap 'release-2.0.0' has no valid release record \(.{3,200}\): restore it, .*",
        str(raised.value),
    )


ODD: tuple[t.Any, ...] = (
    None,
    1,
    -1,
    1e308,
    True,
    "x",
    [],
    [1],
    {},
    {"a": 1},
    {"a": {"b": []}},
    [[]],
)


def test_a_record_of_other_kinds_is_refused_or_goes_on(cluster):
    """Of each of its keys, and of each of a phase's."""
    body = stored(cluster)
    paths = [*body, *(f"phases.database.{key}" for key in body["phases"]["database"])]
    for path in paths:
        for value in ODD:
            spoilt = edited(body, path, value)
            with contextlib.suppress(DeployError):
                record = Record.load(json.dumps(spoilt), "it")
                for number, more in enumerate(CHANGES):
                    change = RecordChange(version="2.0.0", actor="a", now=f"{number}", **more)
                    after = plan_record(record, change)
                    history.with_history(record.body, after.body, "a", "b")
                history.why_untrue(spoilt)
