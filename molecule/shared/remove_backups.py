"""Removes from the sandbox's bucket what stands below a prefix: remove_backups.py PREFIX."""

import json
import os
import sys
from pathlib import Path

import boto3
from botocore.config import Config


def main(prefix: str) -> None:
    state = Path(os.environ["EASYMO_SANDBOX_STATE"], "run", "state.json")
    facts = json.loads(state.read_text(encoding="utf-8"))["components"]["seaweedfs"]
    client = boto3.client(
        "s3",
        endpoint_url=facts["endpoint"],
        region_name=facts["region"],
        aws_access_key_id=facts["access_key"],
        aws_secret_access_key=facts["secret_key"],
        config=Config(s3={"addressing_style": "path"}),
    )
    listed = client.list_objects_v2(Bucket=facts["bucket"], Prefix=prefix)
    for entry in listed.get("Contents", []):
        client.delete_object(Bucket=facts["bucket"], Key=entry["Key"])


if __name__ == "__main__":
    main(sys.argv[1])
