"""The functions answer with the release's version, without a JWT and not to strangers."""

import hashlib
import json
import typing as t

import boto3
import pytest
import requests
from botocore.config import Config


def call(witness: t.Any, path: str, method: str = "GET") -> requests.Response:
    url = f"{witness.facts['supabase']['gateway_url']}/functions/v1/{path}"
    return requests.request(method, url, json={} if method == "POST" else None, timeout=20)


def test_the_health_function_tells_the_version(witness):
    told = call(witness, "health").json()
    assert (told["status"], told["version"]) == ("healthy", "2.0.0")


def test_the_webhook_asks_for_a_signature_and_not_for_a_jwt(witness):
    answer = call(witness, "wa-webhook", "POST")
    assert answer.status_code == 401
    assert answer.json() == {"error": "The signature is missing or wrong."}


@pytest.mark.parametrize("slug", ["admin-agents", "admin-metrics", "health", "wa-webhook"])
def test_the_platform_lists_it(witness, slug):
    facts = witness.facts["supabase"]
    url = f"{facts['management_url']}/v1/projects/{facts['project_ref']}/functions/{slug}"
    token = {"Authorization": f"Bearer {facts['access_token']}"}
    listed = requests.get(url, headers=token, timeout=20).json()
    assert (listed["status"], listed["verify_jwt"]) == ("ACTIVE", False)


def facts(witness: t.Any) -> dict[str, t.Any]:
    """What the release record remembers of the functions."""
    record = json.loads(witness.kubectl("get configmap release-2.0.0 -o json", namespace="default"))
    documents = [json.loads(text) for text in record["data"].values() if text.startswith("{")]
    return next(each["facts"]["edge_functions"] for each in documents if "facts" in each)


def test_what_ran_before_is_kept_with_the_record(witness):
    name = f"release-2.0.0-{facts(witness)['saved']['attachment']}"
    kept = witness.kubectl(f"get configmap {name} -o name", namespace="default")
    assert kept.strip() == f"configmap/{name}"


def test_what_ran_before_is_kept_in_the_bucket_with_its_checksum(witness):
    saved = facts(witness)["saved"]
    bucket = witness.facts["seaweedfs"]
    client = boto3.client(
        "s3",
        endpoint_url=bucket["endpoint"],
        region_name=bucket["region"],
        aws_access_key_id=bucket["access_key"],
        aws_secret_access_key=bucket["secret_key"],
        config=Config(s3={"addressing_style": "path"}),
    )
    content = client.get_object(Bucket=saved["bucket"], Key=saved["key"])["Body"].read()
    assert hashlib.sha256(content).hexdigest() == saved["sha256"]
    slugs = {entry["slug"] for entry in json.loads(content)["functions"]}
    assert slugs == {"admin-agents", "admin-metrics", "health", "wa-webhook"}


def test_the_record_knows_the_versions_that_run(witness):
    platform = witness.facts["supabase"]
    url = f"{platform['management_url']}/v1/projects/{platform['project_ref']}/functions"
    token = {"Authorization": f"Bearer {platform['access_token']}"}
    listed = {each["slug"]: each for each in requests.get(url, headers=token, timeout=20).json()}
    for slug, known in facts(witness)["known"].items():
        assert known[-1]["version"] == listed[slug]["version"], slug
        assert known[-1]["sha256"] == listed[slug]["ezbr_sha256"], slug
