"""Manifests of backups that nobody took."""

import typing as t

from ansible_collections.easymo.deploy.plugins.module_utils._backup.plan import Manifest


def manifest(**changed: t.Any) -> Manifest:
    """Of eight bytes of the release 2.0.0."""
    values: dict[str, t.Any] = {
        "name": "supabase_prod",
        "release": "2.0.0",
        "database": "postgres",
        "host": "db",
        "key": "v2/supabase_prod_20251111_060012_5e1f0a.dump",
        "size": 8,
        "sha256": "00",
        "started": "2025-11-11T06:00:12Z",
        "finished": "2025-11-11T06:00:19Z",
        "server_version": "18.6",
        "pg_dump_version": "18.6",
        "compression": "zstd:1",
        "entries": 1,
        "rows": {"public.orders": 3},
    }
    return Manifest(**{**values, **changed})
