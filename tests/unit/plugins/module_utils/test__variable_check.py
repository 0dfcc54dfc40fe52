import typing as t

import pytest
from ansible.template import is_trusted_as_template, trust_as_template

from ansible_collections.easymo.deploy.plugins.module_utils._variable_check import (
    CHOICES,
    evaluated,
    incomplete,
    missing_secrets,
    placeholders,
    refused_services,
    take_as_text,
    unknown_variables,
    with_secrets,
)
from tests.tables import cases

TOKEN = {"name": "secret_token", "environment": "TOKEN", "purpose": "the API"}


def unknown(*, extra: t.Iterable[str] = (), inventory: t.Iterable[str] = ()) -> list[str]:
    known = frozenset({"release_version", "db_backup_name"})
    return unknown_variables(
        known, frozenset(extra), frozenset(inventory), ("release_", "db_backup_")
    )


@cases(("given", "refused"), {
    "an-option-of-a-role-is-known": (unknown(extra={"release_version"}), []),
    "an-inventory-may-have-names-of-its-own": (unknown(inventory={"our_region"}), []),
    "and-override-them": (unknown(extra={"our_region"}, inventory={"our_region"}), []),
    "a-value-that-was-cut-at-its-blank-is-explained": (unknown(extra={"_raw_params"}),
        ["stray words (a value with spaces needs -e 'name=\"a value\"')"]),
    "a-typo-on-the-command-line-is-refused": (unknown(extra={"release_verison"}),
        ["release_verison (did you mean release_version?)"]),
    "a-typo-in-the-inventory-is-refused": (unknown(inventory={"db_backup_nam"}),
                                           ["db_backup_nam (did you mean db_backup_name?)"]),
    "nothing-near-nothing-proposed": (unknown(extra={"zzz"}), ["zzz"]),
    "ansible's-own-are-its-own": (unknown(extra={"ansible_verbosity"}), []),
})  # fmt: skip
def test_unknown_variables(given, refused):
    assert given == refused


@pytest.mark.parametrize("value", ["", "  ", None])
def test_a_secret_without_a_value_is_named_with_its_source(value):
    values = {} if value is None else {"secret_token": value}
    assert missing_secrets([TOKEN], values) == [
        "secret_token (environment variable TOKEN, for the API)"
    ]


def test_a_secret_with_a_value_and_one_that_is_not_needed_are_not_mentioned():
    assert missing_secrets([TOKEN], {"secret_token": "set"}) == []
    assert missing_secrets([{**TOKEN, "needed": False}], {}) == []


def test_a_value_that_contains_itself_is_no_placeholder():
    itself: dict[str, object] = {"left": "CHANGE_ME"}
    itself["itself"] = itself
    assert list(placeholders("release_flags", itself)) == []


def test_a_secret_in_what_people_say_is_told_by_its_path():
    token = "ghp_" + "a1B2" * 9
    told = " ".join(
        with_secrets(
            {"reason": token, "release_waivers": {"ci": {"by": "ann", "reason": f"was {token}"}}}
        )
    )
    assert told.startswith("'reason' looks as if it holds a secret")
    assert "'release_waivers.ci.reason' looks" in told
    assert token not in told
    assert list(with_secrets({"reason": "the token has expired", "secret_token": token})) == []


def test_what_people_say_on_the_command_line_is_no_template():
    typed = trust_as_template("{{ lookup('pipe', 'id') }}")
    extra = {"by": typed, "release_waivers": {"ci": {"reason": [typed]}}, "release_version": typed}
    assert len(list(evaluated(extra, is_trusted_as_template))) == 2
    take_as_text(extra)
    assert list(evaluated(extra, is_trusted_as_template)) == []
    assert (extra["by"], extra["release_waivers"]) == (typed, {"ci": {"reason": [typed]}})
    assert is_trusted_as_template(extra["release_version"]), "what is no text of a person stays"


@cases(
    ("names", "told"),
    {
        "no-connection-lacks-nothing": (set(), []),
        "nor-does-a-whole-one": ({"slack_channel", "secret_slack_bot_token"}, []),
        "all-that-one-lacks-is-told-at-once": (
            {"statuspage_url"},
            [
                "statuspage_url is set without statuspage_page_id and secret_statuspage_token: set what is missing, "
                "or leave statuspage_url out."
            ],
        ),
    },
)
def test_a_connection_without_its_siblings(names, told):
    assert incomplete(names) == told


@cases(("given", "namespaces", "told"), {
    "signatures of what a tag names later": ({"release_image_signatures": {"public_key": "a.pub"}}, "a",
        "release_image_signatures needs release_pin_digests: true"),
    "digests that nobody looks up": ({"release_pin_digests": True, "release_check_images": "false"}, "a",
        "release_pin_digests needs the digests from release_check_images"),
    "a service that is not there": ({"release_services": ["wallet", "walet"]}, "a",
        "release_services names walet, and the group microservices of the inventory does not"),
    "several namespaces": ({}, "ab", "The services of the inventory are in several namespaces (a, b)"),
})  # fmt: skip
def test_what_cannot_be_of_the_services_is_refused(given, namespaces, told):
    values = {**dict.fromkeys(CHOICES), **given}
    (refused,) = refused_services(values, {"wallet"}, [*namespaces])
    assert refused.startswith(told)
    assert refused_services(dict.fromkeys(CHOICES), {"wallet"}, ["a"]) == []
