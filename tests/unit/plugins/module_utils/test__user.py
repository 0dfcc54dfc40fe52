"""Who a run belongs to, where the system knows no name for its account."""

import os
import pwd
import typing as t

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._user import user_here


@pytest.fixture
def nameless(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container with `USER 10001`, of which /etc/passwd has no line."""

    def no_entry(uid: int) -> t.NoReturn:
        raise KeyError(f"getpwuid(): uid not found: {uid}")

    for variable in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", no_entry)


@pytest.mark.usefixtures("nameless")
def test_an_account_without_a_name_is_told_by_its_number() -> None:
    assert user_here() == f"uid-{os.getuid()}"


@pytest.mark.usefixtures("nameless")
def test_a_name_in_the_environment_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "guard")
    assert user_here() == "guard"
