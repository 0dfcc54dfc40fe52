"""What readiness decides by, without the servers that it asks."""

import typing as t
from contextlib import nullcontext
from unittest import mock

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._alerts.plan import selectors
from ansible_collections.easymo.deploy.plugins.module_utils._checks import (
    cluster,
    database,
    metrics,
    web,
)
from ansible_collections.easymo.deploy.plugins.module_utils._checks.database import denials
from ansible_collections.easymo.deploy.plugins.module_utils._checks.models import (
    Check,
    Finding,
    Kind,
    failed,
    passed,
)
from ansible_collections.easymo.deploy.plugins.module_utils._checks.preflight import run_preflight
from ansible_collections.easymo.deploy.plugins.module_utils._errors import RefusedError
from ansible_collections.easymo.deploy.plugins.module_utils._postgres import SqlError
from tests.fakes.cluster import MemoryCluster
from tests.unit.plugins.module_utils._checks.ground import ground


class KeyOf:
    """A bucket whose key may not do some things, as AWS refuses them; remembers what is left in it."""

    name = "backups"

    def __init__(self, *refused: str) -> None:
        self.refused = refused
        self.open: list[str] = []

    def _do(self, what: str) -> None:
        if what in self.refused:
            raise RefusedError(f"S3 refused {what} (AccessDenied).")

    def list(self, _prefix: str) -> t.Iterator[t.Any]:
        self._do("ListBucket")
        return iter(())

    def list_uploads(self, _prefix: str) -> t.Iterator[t.Any]:
        self._do("ListMultipartUploads")
        return iter(())

    def read(self, _key: str) -> t.Iterator[bytes]:
        self._do("GetObject")
        raise RefusedError("S3 refused GetObject (NoSuchKey).")

    def start_upload(self, key: str) -> str:
        self._do("PutObject")
        self.open.append(key)
        return "u1"

    def upload_part(self, _key: str, _upload: str, _number: int, _body: bytes) -> str:
        self._do("UploadPart")
        return "etag"

    def abort_upload(self, key: str, _upload: str) -> None:
        self._do("Abort")
        self.open.remove(key)


@pytest.mark.parametrize(
    ("refused", "told"),
    [
        ([], []),
        (["ListBucket"], ["list"]),
        (["ListMultipartUploads"], ["list unfinished uploads"]),
        (["GetObject"], ["get"]),
        (["PutObject"], ["put"]),
        (["UploadPart"], ["put"]),
        (["GetObject", "PutObject"], ["get", "put"]),
    ],
)
def test_each_right_that_the_key_lacks_is_named_and_nothing_is_left(refused, told):
    bucket = KeyOf(*refused)
    assert list(denials(bucket, "v2/", "v2/probe")) == told
    assert bucket.open == []


def test_a_key_that_may_not_abort_is_told():
    assert list(denials(KeyOf("Abort"), "v2/", "v2/probe")) == ["abort an upload"]


KNOWN = {'http{ns="prod",status="200"}', 'lag{group="worker"}', "up"}


def count(selector: str) -> int:
    """Of the series in KNOWN, as Prometheus counts them; `!=""` asks for any value."""
    wanted = selectors(selector)[0]

    def has(one: str) -> bool:
        seen = selectors(one)[0]
        pairs = dict(matcher.split("=", 1) for matcher in seen.matchers)
        return seen.name == wanted.name and all(
            (label := metrics.label_of(matcher)) in pairs
            and (matcher.endswith('!=""') or pairs[label] == matcher.split("=", 1)[1])
            for matcher in wanted.matchers
        )

    return sum(map(has, KNOWN))


@pytest.mark.parametrize(
    ("selector", "why"),
    [
        ('http{ns="prod",status="500"}', ""),
        ("up", ""),
        ('http{ns="other",status="500"}', 'there are series of http, but none with ns="other"'),
        ('http{ns="prod",outcome="error"}', 'there are series of http{ns="prod"}, but none with the label outcome'),
        ('lag{group="workers"}', 'there are series of lag, but none with group="workers"'),
        ('requests{ns="prod"}', 'there is no series of requests{ns="prod"}'),
    ],
)  # fmt: skip
def test_what_is_missing_of_a_selector_is_found(selector, why):
    (asked,) = selectors(selector)
    assert metrics.missing(*metrics.without_events(asked, ["status", "outcome"]), count) == why


def error(state: str, message: str) -> SqlError:
    return SqlError(sqlstate=state, message=message, position=None)


@pytest.mark.parametrize(
    ("answer", "status", "told"),
    [
        (None, "pass", "1 of 1 queries"),
        (error("42P01", 'relation "agents" does not exist'), "pass", "come with the release"),
        (error("42P01", 'relation "orders" does not exist'), "fail", "orders"),
        (error("42703", 'column "agents" does not exist'), "fail", "column"),
        (error("42501", "permission denied for table agents"), "fail", "permission denied"),
    ],
)
def test_only_a_table_of_the_release_may_be_missing(monkeypatch, answer, status, told):
    session = mock.MagicMock()
    session.rows.side_effect = [answer or []]
    monkeypatch.setattr(database, "connected", lambda *_, **_more: nullcontext(session))
    monkeypatch.setattr(database.PostgresTarget, "from_params", lambda _given: mock.Mock(where="x"))
    asked = {"connection": {}, "queries": {"users": "SELECT 1"}, "new_tables": ["agents"]}
    found = database.look_queries(asked, ground())
    assert (found.status, told in found.detail) == (status, True), found.detail


def test_functions_that_are_new_are_told_and_a_secret_that_is_missing_is_wrong(monkeypatch):
    api = mock.Mock(list=lambda: [mock.Mock(slug="a")], secrets=lambda: {"TOKEN": "x"})
    monkeypatch.setattr(web, "SupabaseFunctionsApi", lambda _options, **_more: api)
    found = web.look_functions({"functions": ["a", "b"], "secrets": ["TOKEN"]}, ground())
    assert (found.status, "b come with the release" in found.detail) == ("pass", True)
    assert web.look_functions({"functions": [], "secrets": ["KEY"]}, ground()).status == "fail"


READERS: dict[str, t.Any] = {
    "name": "flags",
    "deployments": ["a"],
    "delivery": "environment",
    "probe": {},
}


def read_by(options: dict[str, t.Any], pod: dict[str, t.Any]) -> Finding:
    place = MemoryCluster()
    place.put("Deployment", {"metadata": {"name": "a"}, "spec": {"template": {"spec": pod}}})
    place.put("ConfigMap", {"metadata": {"name": "flags"}})
    return cluster.look_flags_readers(options, ground(cluster=lambda: place))


@pytest.mark.parametrize(
    ("container", "status"),
    [
        ({"envFrom": [{"configMapRef": {"name": "flags", "optional": True}}]}, "pass"),
        ({"env": [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "flags", "key": "A"}}}]}, "pass"),
        ({"env": [{"name": "A", "value": "flags"}]}, "fail"),
        ({"envFrom": [{"secretRef": {"name": "flags"}}]}, "fail"),
        ({}, "fail"),
    ],
)  # fmt: skip
def test_a_reader_takes_its_environment_from_the_config_map(container, status):
    assert read_by(READERS, {"containers": [{"name": "a"}, container]}).status == status


@pytest.mark.parametrize(
    ("volume", "mount", "more", "status", "words"),
    [
        ({"configMap": {"name": "flags"}}, {}, {}, "pass", "a mounts the ConfigMap flags"),
        ({"projected": {"sources": [{"configMap": {"name": "flags"}}]}}, {}, {}, "pass", "mounts"),
        ({"configMap": {"name": "other"}}, {}, {}, "fail", "does not mount"),
        ({"configMap": {"name": "flags"}}, {"subPath": "A"}, {}, "fail", "a subPath is never"),
        ({"configMap": {"name": "flags"}}, {}, {"probe": {}}, "fail", "must be asked"),
        ({"configMap": {"name": "flags"}}, {}, {"probe": {"files": "/f"}}, "pass", "mounts"),
    ],
    ids=["folder", "projected", "another", "subPath", "nobody asked", "files"],
)
def test_a_reader_mounts_the_config_map_as_a_folder_and_can_be_asked(
    volume, mount, more, status, words
):
    container = {"name": "a", "volumeMounts": [{"name": "v", "mountPath": "/f", **mount}]}
    spec = {"containers": [container], "volumes": [{"name": "v", **volume}]}
    options = {**READERS, "delivery": "volume", "probe": {"command": ["tell"]}, **more}
    found = read_by(options, spec)
    assert (found.status, words in found.detail) == (status, True), found
    assert bool(found.warnings) == (options["probe"] == {"files": "/f"})


# What every kind has


def row(check: Check, finding: Finding) -> tuple[str, str]:
    kinds = {"a": Kind(lambda _options, _ground: finding)}
    (ended,) = run_preflight([check], kinds, ground(), report=lambda _row: None)
    return ended.status, ended.detail


@pytest.mark.parametrize(
    ("check", "finding", "seen"),
    [
        (Check("a", "a", {}, cure="Mend it."), failed("it broke."), ("fail", "it broke. Mend it.")),
        (Check("a", "a", {}, cure="Mend it."), passed("it is well"), ("pass", "it is well")),
        (Check("a", "a", {}, unless="nobody needs it"), failed(""), ("skipped", "nobody needs it")),
        (Check("a", "a", {}, needs={"secret_x": " ", "secret_y": "y"}), failed(""),
         ("skipped", "not known from here: secret_x has no value")),
        (Check("a", "a", {"b": [{"c": "CHANGE_ME: it"}]}), failed(""),
         ("skipped", "not known before a.b[0].c is filled in")),
    ],
)  # fmt: skip
def test_a_row_has_its_cure_and_is_not_asked_for_what_is_not_there(check, finding, seen):
    assert row(check, finding) == seen
