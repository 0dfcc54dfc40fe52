"""How the record names the one who signs or decides, beside the name that was typed."""

import subprocess
import typing as t
from dataclasses import replace
from pathlib import Path

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._checks.sign_offs import judged
from ansible_collections.easymo.deploy.plugins.module_utils._errors import (
    InputError,
    VerificationError,
)
from ansible_collections.easymo.deploy.plugins.module_utils._identity import (
    AUTHORITY,
    Demands,
    Scope,
    account_in,
    known_as,
    place_of,
    signed_by_key,
)
from ansible_collections.easymo.deploy.plugins.module_utils._release.record import Act, SignOff
from tests.fakes.cluster import MemoryCluster
from tests.tables import cases

GITHUB = {
    "GITHUB_ACTIONS": "true",
    "GITHUB_ACTOR": "jane",
    "GITHUB_SERVER_URL": "https://github.com",
    "GITHUB_REPOSITORY": "shop/api",
    "GITHUB_RUN_ID": "17",
}
GITLAB = {
    "GITLAB_CI": "true",
    "GITLAB_USER_LOGIN": "jane",
    "CI_JOB_URL": "https://gitlab.com/shop/api/-/jobs/17",
}


@pytest.mark.parametrize(
    ("environment", "place"),
    [
        (GITHUB, "jane in https://github.com/shop/api/actions/runs/17"),
        (
            {
                **GITHUB,
                "GITHUB_TRIGGERING_ACTOR": "joe",
                "GITHUB_WORKFLOW_REF": "shop/api/release.yml@main",
            },
            "joe in https://github.com/shop/api/actions/runs/17 of shop/api/release.yml@main",
        ),
        (
            {**GITLAB, "CI_COMMIT_REF_NAME": "main, or not"},
            "jane in https://gitlab.com/shop/api/-/jobs/17 of main or not",
        ),
    ],
)
def test_a_job_is_named_by_who_began_it_and_its_address(environment, place):
    assert place_of(environment) == place


def test_without_the_servers_word_the_place_is_left(monkeypatch):
    cluster = MemoryCluster()
    place = place_of({})
    assert "@" in place
    assert known_as(cluster) == f"{cluster.account()}, {place}"
    monkeypatch.setattr(cluster, "account", lambda: "")
    assert known_as(cluster) == place


@pytest.mark.parametrize("account", ["ann@shop.com", ""])
def test_who_names_himself_with_a_comma_does_not_become_another_account(monkeypatch, account):
    cluster = MemoryCluster()
    monkeypatch.setattr(cluster, "account", lambda: account)
    monkeypatch.setenv("LOGNAME", "jane@shop.com, x")
    assert account_in(known_as(cluster)) == account


QA = SignOff("qa", "Jane Doe", "then", "QA sign-off", "", 1, "c0ffee", "acc:jane, jane@laptop")
HOLD = Act(
    gate="monitoring", decision="approve", by="Jane", reason="it was looked at", watch="w", held="h"
)
HERE = Scope("2.0.0", "production", "easymo-prod", "ca1")
KEYS = ("jane", "eve")


@pytest.fixture(scope="module")
def keys(tmp_path_factory) -> dict[str, str]:
    """Private keys by name; `checkout`, where jane alone may sign; `encrypted`, hers with a passphrase."""
    folder = tmp_path_factory.mktemp("keys")
    for name, phrase in (("jane", ""), ("eve", ""), ("encrypted", "secret")):
        argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", phrase, "-f", str(folder / name)]
        subprocess.run(argv, check=True, capture_output=True)
    public = (folder / "jane.pub").read_text("utf-8")
    (folder / "allowed").write_text(
        f'jane@shop.com namespaces="release-sign-off" {public}', "utf-8"
    )
    other = f'jane@shop.com namespaces="git" {public}'
    (folder / "other").write_text(other, "utf-8")
    return {name: str(folder / name) for name in (*KEYS, "encrypted")} | {"checkout": str(folder)}


def ssh(keys: dict[str, str], **more: t.Any) -> Demands:
    return Demands.read(
        {"verified": "ssh", "allowed_signers": "allowed", "checkout": keys["checkout"], **more}
    )


@pytest.mark.parametrize("act", [QA, HOLD], ids=["sign-off", "decision"])
def test_a_signature_by_a_key_says_who_it_was(keys, act):
    assert ssh(keys).person(signed_by_key(act, HERE, keys["jane"]), HERE) == "jane@shop.com"


ALTERED: tuple[tuple[str, t.Any, dict[str, t.Any]], ...] = (
    ("another line", QA, {"name": "security"}),
    ("another name", QA, {"by": "Eve"}),
    ("another commit", QA, {"git_sha": "bad"}),
    ("another attempt", QA, {"attempt": 2}),
    ("another note", QA, {"note": "all is well"}),
    ("another time", QA, {"at": "later"}),
    ("another account", QA, {"known_as": "acc:eve, eve@laptop"}),
    ("another decision", HOLD, {"decision": "reject"}),
    ("another hold", HOLD, {"held": "later"}),
    ("another watch", HOLD, {"watch": "later"}),
    ("another gate", HOLD, {"gate": "ramp"}),
    ("another reason", HOLD, {"reason": "why not"}),
    ("another decision's time", HOLD, {"at": "later"}),
    ("no signature", QA, {"signature": ""}),
    ("no signature at all", QA, {"signature": "-----BEGIN SSH SIGNATURE-----"}),
    ("an option", QA, {"signature": "-Y"}),
)
"""What a signature is put under that was made for something else."""


@pytest.mark.parametrize(("act", "changes"), [a[1:] for a in ALTERED], ids=[a[0] for a in ALTERED])
def test_a_signature_of_something_else_counts_for_nothing(keys, act, changes):
    signed = replace(signed_by_key(act, HERE, keys["jane"]), **changes)
    with pytest.raises(VerificationError, match="SSH signature"):
        ssh(keys).person(signed, HERE)


def namespace(name: str, authority: str) -> MemoryCluster:
    cluster = MemoryCluster()
    cluster.namespace = name
    cluster.put("ConfigMap", {"metadata": {"name": AUTHORITY}, "data": {"ca.crt": authority}})
    return cluster


@cases("elsewhere", {
    "release": ("2.0.1", "production", "shop", "ca1"),
    "environment": ("2.0.0", "staging", "shop", "ca1"),
    "namespace": ("2.0.0", "production", "shop-2", "ca1"),
    "cluster": ("2.0.0", "production", "shop", "ca2"),
})  # fmt: skip
def test_a_signature_counts_nowhere_else(keys, elsewhere):
    def scope(release: str, environment: str, name: str, authority: str) -> Scope:
        return ssh(keys, environment=environment).scope(namespace(name, authority), release)

    here = scope("2.0.0", "production", "shop", "ca1")
    signed = signed_by_key(QA, here, keys["jane"])
    assert ssh(keys).person(signed, scope("2.0.0", "production", "shop", "ca1"))
    with pytest.raises(VerificationError, match="another text, time, cluster or environment"):
        ssh(keys).person(signed, scope(*elsewhere))


@cases("line", {
    "of a domain": ("*@shop.com", ""),
    "of all but one": ("!eve@shop.com,*@shop.com", ""),
    "of a pattern and a name": ("*@shop.com,jane@shop.com", "jane@shop.com"),
})  # fmt: skip
def test_a_pattern_is_no_person(keys, line):
    names, person = line
    public = Path(keys["jane"] + ".pub").read_text("utf-8")
    Path(keys["checkout"], "patterns").write_text(f"{names} {public}", "utf-8")
    demands, signed = ssh(keys, allowed_signers="patterns"), signed_by_key(QA, HERE, keys["jane"])
    if person:
        assert demands.person(signed, HERE) == person
    else:
        with pytest.raises(VerificationError, match="which is no one person"):
            demands.person(signed, HERE)


@pytest.mark.parametrize(("key", "allowed"), [("eve", "allowed"), ("jane", "other")])
def test_who_is_not_allowed_to_sign_releases_signs_none(keys, key, allowed):
    signed = signed_by_key(QA, HERE, keys[key])
    with pytest.raises(VerificationError, match="SSH signature"):
        ssh(keys, allowed_signers=allowed).person(signed, HERE)


def test_a_key_with_a_passphrase_asks_nobody(keys):
    with pytest.raises(InputError, match="name a key without a passphrase"):
        signed_by_key(QA, HERE, keys["encrypted"])


def test_one_that_is_not_there_is_a_sentence(keys):
    with pytest.raises(InputError, match="ssh-keygen could not sign by"):
        signed_by_key(QA, HERE, keys["jane"] + "-none")
    signed = signed_by_key(QA, HERE, keys["jane"])
    with pytest.raises(InputError, match="allowed_signers"):
        ssh(keys, allowed_signers="gone").person(signed, HERE)


PRODUCT = replace(QA, name="product", by="Joe")


@pytest.mark.parametrize(("demands", "product", "why"), [
    ({}, PRODUCT, ""),
    ({"verified": "cluster"}, PRODUCT, ""),
    ({"verified": "cluster"}, replace(PRODUCT, known_as="joe@laptop"), "the API server named no account"),
    ({"verified": "cluster", "different_people": ["qa", "product"]}, PRODUCT, "acc:jane signed 'qa' too"),
    ({"verified": "cluster", "different_people": ["product"]}, PRODUCT, ""),
    (
        {"verified": "cluster", "different_people": ["qa", "product"]},
        replace(PRODUCT, known_as="acc:joe, joe@laptop"),
        "",
    ),
    ({"verified": "cluster", "other_than_deployer": True}, replace(PRODUCT, known_as="acc:bot, ci"), "acc:bot deploys"),
    ({"verified": "cluster", "other_than_deployer": True}, PRODUCT, ""),
    ({"verified": "ssh", "allowed_signers": "a"}, PRODUCT, "it has no SSH signature"),
], ids=str)  # fmt: skip
def test_what_a_release_wants_of_who_signs(demands, product, why):
    people = judged({"qa": QA, "product": product}, Demands.read(demands), HERE, "acc:bot")
    assert why in people["product"][1]
    assert bool(why) == bool(people["product"][1])


@pytest.mark.parametrize(("deployer", "why"), [(None, ""), ("", "names no account of who deploys")])
def test_nobody_is_another_than_a_deployer_who_is_not_known(deployer, why):
    demands = Demands.read({"verified": "cluster", "other_than_deployer": True})
    ((_person, reason),) = judged({"qa": QA}, demands, HERE, deployer).values()
    assert why in reason
    assert bool(why) == bool(reason)


@pytest.mark.parametrize(("known", "allowed"), [
    ("acc:jane, jane@laptop", True),
    ("acc:eve, acc:jane, eve@laptop", False),
    ("jane@laptop", False),
    ("", False),
], ids=str)  # fmt: skip
def test_only_who_is_named_approves(known, allowed):
    demands = Demands.read({"verified": "cluster", "approvers": ["acc:jane"]})
    act = replace(HOLD, known_as=known)
    if allowed:
        assert demands.refuse_approver(act, HERE) == "acc:jane"
    else:
        with pytest.raises(VerificationError):
            demands.refuse_approver(act, HERE)


@pytest.mark.parametrize(("given", "said"), [
    ({"approvers": ["jane"]}, "approvers needs a verified identity"),
    ({"other_than_deployer": True}, "other_than_deployer needs a verified identity"),
    ({"different_people": ["qa"]}, "different_people needs a verified identity"),
    ({"verified": "ssh"}, "name the file of who may sign"),
    ({"verified": "cluster", "different_people": ["qa", "legal"]}, "'legal'"),
], ids=str)  # fmt: skip
def test_a_demand_that_nothing_verifies_is_refused_early(given, said):
    with pytest.raises(InputError, match=said):
        Demands.read(given, ["qa", "product"])
