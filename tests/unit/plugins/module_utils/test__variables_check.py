# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._variables.check import (
    Secret,
    Variables,
    missing_secrets,
    unknown_variables,
)

TOKEN = Secret("secret_token", "TOKEN", "the API")


def variables(*, extra: set[str] = frozenset(), inventory: set[str] = frozenset()) -> Variables:
    return Variables(
        known=frozenset({"release_version", "db_backup_name"}),
        prefixes=("release_", "db_backup_"),
        extra=frozenset(extra),
        inventory=frozenset(inventory),
    )


@pytest.mark.parametrize(
    ("given", "refused"),
    [
        pytest.param(variables(extra={"release_version"}), [], id="an-option-of-a-role-is-known"),
        pytest.param(
            variables(inventory={"our_region"}), [], id="an-inventory-may-have-names-of-its-own"
        ),
        pytest.param(
            variables(extra={"our_region"}, inventory={"our_region"}), [], id="and-override-them"
        ),
        pytest.param(
            variables(extra={"_raw_params"}),
            ["stray words (a value with spaces needs -e 'name=\"a value\"')"],
            id="a-value-that-was-cut-at-its-blank-is-explained",
        ),
        pytest.param(
            variables(extra={"release_verison"}),
            ["release_verison (did you mean release_version?)"],
            id="a-typo-on-the-command-line-is-refused",
        ),
        pytest.param(
            variables(inventory={"db_backup_nam"}),
            ["db_backup_nam (did you mean db_backup_name?)"],
            id="a-typo-in-the-inventory-is-refused",
        ),
        pytest.param(variables(extra={"zzz"}), ["zzz"], id="nothing-near-nothing-proposed"),
        pytest.param(variables(extra={"ansible_verbosity"}), [], id="ansible's-own-are-its-own"),
    ],
)
def test_unknown_variables(given: Variables, refused: list[str]) -> None:
    assert unknown_variables(given) == refused


@pytest.mark.parametrize("value", ["", "  ", None])
def test_a_secret_without_a_value_is_named_with_its_source(value: str | None) -> None:
    values = {} if value is None else {"secret_token": value}
    assert missing_secrets([TOKEN], values) == [
        "secret_token (environment variable TOKEN, for the API)"
    ]


def test_a_secret_with_a_value_is_not_mentioned() -> None:
    assert missing_secrets([TOKEN], {"secret_token": "set"}) == []


def test_a_secret_that_is_not_needed_may_be_empty() -> None:
    assert missing_secrets([Secret("secret_token", "TOKEN", "the API", needed=False)], {}) == []
