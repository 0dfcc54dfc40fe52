import json

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._backup.catalog import read_catalog
from ansible_collections.easymo.deploy.plugins.module_utils._backup.plan import manifest_key
from tests.fakes.backups import manifest
from tests.fakes.bucket import MemoryBucket

DUMP = b"PGDMP..."
"""As long as a manifest says."""


def key(name: str = "supabase_prod") -> str:
    return f"v2/{name}_20251111_060012_5e1f0a.dump"


def edited(**changed: object) -> bytes:
    return json.dumps({**json.loads(manifest().to_json()), **changed}).encode()


def read(objects: dict[str, bytes], name: str | None = "supabase_prod"):
    return read_catalog(MemoryBucket(objects), prefix="v2/", name=name)


def test_a_dump_with_its_manifest_is_a_backup():
    catalog = read({key(): DUMP, manifest_key(key()): manifest().to_json()})
    assert [backup.manifest for backup in catalog.backups] == [manifest()]
    assert catalog.backups[0].uri == f"s3://backups/{key()}"
    assert catalog.backups[0].to_result()["duration"] == 7


def test_a_manifest_from_before_others_were_left_out_is_one_of_a_whole_dump():
    older = {
        name: value
        for name, value in json.loads(manifest().to_json()).items()
        if name not in ("left_out", "schemas_of_others")
    }
    catalog = read({key(): DUMP, manifest_key(key()): json.dumps(older).encode()})
    assert [backup.manifest.left_out for backup in catalog.backups] == [[]]


def test_a_dump_without_a_manifest_is_none():
    catalog = read({key(): DUMP})
    assert (catalog.backups, catalog.broken) == ((), ())


@pytest.mark.parametrize(
    ("objects", "why"),
    [
        ({manifest_key(key()): manifest().to_json()}, "its dump is gone"),
        ({key(): b"x", manifest_key(key()): manifest().to_json()}, "has 1 bytes and should have 8"),
        ({key(): DUMP, manifest_key(key()): b"{}"}, "is not a manifest"),
        ({key(): DUMP, manifest_key(key()): b"\xff"}, "is not a manifest"),
        ({key(): DUMP, manifest_key(key()): json.dumps([]).encode()}, "is not a manifest"),
        ({key(): DUMP, manifest_key(key()): manifest().to_json()[:-20]}, "is not a manifest"),
        ({key(): DUMP, manifest_key(key()): b"[" * 100_000}, "is not a manifest"),
        *(
            ({key(): DUMP, manifest_key(key()): edited(**{name: value})}, "is not a manifest")
            for name, value in [
                ("started", "yesterday"),
                ("finished", "2025-11-11T06:00:19"),
                ("size", "8"),
                ("size", True),
                ("entries", -1),
                ("rows", ["public.orders"]),
                ("rows", {"public.orders": "3"}),
                ("release", None),
            ]
        ),
        ({key(): DUMP, manifest_key(key()): edited(name="agent_core")}, "it is for agent_core"),
        (
            {key(): DUMP, manifest_key(key()): manifest(key="v2/other.dump").to_json()},
            "it describes v2/other.dump",
        ),
    ],
)
def test_a_manifest_that_does_not_describe_its_dump_is_broken(objects, why):
    catalog = read(objects)
    assert not catalog.backups
    assert why in catalog.broken[0]


def test_a_name_that_begins_alike_is_another_database():
    other = manifest(name="supabase_prod_old", key=key("supabase_prod_old"))
    objects = {other.key: DUMP, manifest_key(other.key): other.to_json()}
    assert not read(objects).backups
    assert len(read(objects, name=None).backups) == 1
