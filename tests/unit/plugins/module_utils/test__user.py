"""Who a run belongs to, where the system knows no name for its account, and who decides something, and why."""

import os
import pwd
import typing as t

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._arguments import (
    as_meant,
    decided_by,
    read_who_and_why,
    refuse_placeholders,
    refuse_secrets,
    user_here,
)
from ansible_collections.easymo.deploy.plugins.module_utils._errors import InputError


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


def test_what_holds_the_place_of_a_name_or_a_reason_is_neither() -> None:
    for typed in (
        "",
        " ",
        "…",
        "-",
        "WHY",
        "<reason>",
        "'WHY'",
        "NAME",
        "your name",
        "$USER",
        "TBD",
        None,
        [],
    ):
        assert as_meant(typed) == as_meant(typed, name=True) == "", typed


@pytest.mark.parametrize(
    "reason", ["no reason known", "why not: nobody is awake", "503", "错误", " x "]
)
def test_a_reason_may_have_these_words_in_it(reason: str) -> None:
    assert as_meant(reason) == reason.strip()


@pytest.mark.parametrize("name", ["Jane Doe", "Name Nakamura", "bo", "user"])
def test_a_name_is_of_two_letters(name: str) -> None:
    assert as_meant(name, name=True) == name
    assert as_meant(name[:1], name=True) == ""


def test_what_says_nothing_is_refused_by_what_to_type() -> None:
    assert read_who_and_why(by=" Ann ", reason="a mail") == ["Ann", "a mail"]
    with pytest.raises(InputError) as caught:
        read_who_and_why(by="ann", feature_reason="WHY")
    assert str(caught.value) == (
        "'feature_reason' is 'WHY', which gives no reason: add -e \"feature_reason='WHY'\", "
        "with the reason in the place of WHY."
    )
    with pytest.raises(InputError, match="'by' is 'NAME', which is no name: add -e"):
        refuse_placeholders(reason="", by="NAME")
    refuse_placeholders(by="", reason=None)


LEFT = "ghp_" + "a1B2" * 9
PASSWORD = "Zx9!" + "qqqq"


@pytest.mark.parametrize("text", [f"it was {LEFT}", LEFT, f"it had password={PASSWORD}"])
@pytest.mark.parametrize(
    "read",
    [
        lambda text: read_who_and_why(reason=text),
        lambda text: refuse_secrets(note=text),
        lambda text: decided_by("release_waivers.ci", {"by": "ann", "reason": text}),
    ],
)
def test_what_looks_like_a_secret_is_refused_by_the_name_of_the_option_alone(
    read: t.Callable[[str], object], text: str
) -> None:
    with pytest.raises(InputError, match=r"looks as if it holds a secret, and others") as caught:
        read(text)
    assert LEFT not in str(caught.value)
    assert PASSWORD not in str(caught.value)
