"""The live page in a real S3: what a browser gets, and what becomes of it while S3 is gone."""

import secrets
import typing as t
import urllib.request

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._live.page import in_bucket
from tests.integration.backups import s3_through
from tests.integration.running import bucket, client

UNSET = {"session_token": None, "profile": None, "s3_ca_cert": None}
PAGE = "<!doctype html><html lang='en'><title>Zürich 🎉</title></html>"


@pytest.fixture
def options(world) -> t.Iterator[dict[str, t.Any]]:
    made = {**UNSET, **bucket(world, f"test-{secrets.token_hex(4)}/"), "key": "2.0.0.html"}
    yield made
    client(made).delete_object(Bucket=made["bucket"], Key=f"{made['prefix']}2.0.0.html")


def test_a_browser_gets_the_newest_page_as_a_page(options, world):
    kept = in_bucket(options)
    kept.publish("an older page")
    kept.publish(PAGE)
    assert (kept.page, kept.problem) == (PAGE, "")
    website = world.facts("seaweedfs")["website"]
    url = f"{website}/{options['bucket']}/{options['prefix']}2.0.0.html"
    with urllib.request.urlopen(url, timeout=10) as answer:
        assert answer.read().decode() == PAGE
        assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
        assert answer.headers["Cache-Control"] == "no-store"


def test_while_s3_is_gone_the_last_page_stays_and_the_next_is_written(options):
    with s3_through(options) as (proxy, through):
        kept = in_bucket(through)
        kept.publish("before")
        proxy.refusing = True
        proxy.cut()
        kept.publish("meanwhile")
        assert kept.page == "before"
        assert "cannot be reached for bucket" in kept.problem
        assert options["secret_key"] not in kept.problem
        proxy.refusing = False
        kept.publish(PAGE)
    assert (kept.page, kept.problem) == (PAGE, "")
    stored = client(options).get_object(
        Bucket=options["bucket"], Key=f"{options['prefix']}2.0.0.html"
    )
    assert stored["Body"].read().decode() == PAGE


def test_a_key_that_may_not_write_is_told_by_what_to_check(options):
    kept = in_bucket({**options, "secret_key": "wrong-secret-key"})
    kept.publish(PAGE)
    assert "refused access" in kept.problem
    assert "wrong-secret-key" not in kept.problem
    assert kept.page == ""
