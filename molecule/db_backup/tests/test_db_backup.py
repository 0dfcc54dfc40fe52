"""Each backup in the bucket is what the record says and is one that pg_restore can read."""

import hashlib
import typing as t

import boto3
import pytest
from botocore.config import Config

RELEASE = "2.0.0-molecule-backup"
TABLES = {"supabase_prod": "vendors", "agent_core_prod": "ledger_entries"}


def download(witness: t.Any, key: str) -> bytes:
    facts = witness.facts["seaweedfs"]
    client = boto3.client(
        "s3",
        endpoint_url=facts["endpoint"],
        region_name=facts["region"],
        aws_access_key_id=facts["access_key"],
        aws_secret_access_key=facts["secret_key"],
        config=Config(s3={"addressing_style": "path"}),
    )
    body: bytes = client.get_object(Bucket=facts["bucket"], Key=key)["Body"].read()
    return body


@pytest.mark.parametrize("name", TABLES)
def test_the_backup_is_whole_and_can_be_restored(witness, tmp_path, name):
    backup = witness.record(RELEASE)["backups"][name]
    assert backup["key"].startswith("molecule/")
    content = download(witness, backup["key"])
    assert len(content) == backup["size"]
    assert hashlib.sha256(content).hexdigest() == backup["sha256"]

    (tmp_path / "dump").write_bytes(content)
    program = f"{witness.facts['postgres']['bin']}/pg_restore"
    listed = witness.host.run("%s --list %s", program, str(tmp_path / "dump"))
    assert listed.rc == 0
    assert f"TABLE DATA public {TABLES[name]} " in listed.stdout
