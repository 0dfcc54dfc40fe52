import typing as t

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._errors import (
    InputError,
    VerificationError,
)
from ansible_collections.easymo.deploy.plugins.module_utils._functions.api import (
    apply_secrets,
    digest,
    plan_secrets,
)
from tests.tables import cases


class Project:
    """The secrets of a SupabaseFunctionsApi, in memory. `deaf` takes everything and keeps nothing."""

    def __init__(self, deaf: bool = False, **values: str) -> None:
        self.values = values
        self.deaf = deaf
        self.digest = digest

    def secrets(self) -> dict[str, str]:
        return {name: self.digest(value) for name, value in self.values.items()}

    def set_secrets(self, values: t.Mapping[str, str]) -> None:
        if not self.deaf:
            self.values.update(values)


def test_only_what_differs_is_set():
    project = Project(same="1", old="1", other="1")
    wanted = {"same": "1", "old": "2", "new": "3"}
    plan = plan_secrets(project.secrets(), wanted)
    assert plan == {"new": "new", "old": "changed"}
    assert apply_secrets({name: wanted[name] for name in plan}, project)
    assert project.values == {"same": "1", "old": "2", "new": "3", "other": "1"}
    assert not plan_secrets(project.secrets(), wanted)


def test_what_was_set_and_is_not_listed_is_told():
    with pytest.raises(VerificationError, match="lacks A"):
        apply_secrets({"A": "1"}, Project(deaf=True))


def test_digests_of_another_kind_are_noticed():
    project = Project()
    project.digest = str.upper
    assert not apply_secrets({"A": "b"}, project)


@cases(
    ("values", "words"),
    {
        "reserved": ({"SUPABASE_URL": "x"}, "'SUPABASE_URL' cannot name a secret"),
        "space": ({"A B": "x"}, "'A B' cannot name a secret"),
        "long-name": ({"n" * 257: "x"}, "cannot name a secret"),
        "number": ({"A": 1}, "The values of A are empty or no text"),
        "empty": ({"A": ""}, "The values of A are empty"),
        "long": ({"A": "s3cret" * 5000}, "The values of A are longer than the 24576"),
        "many": ({f"A{n}": "x" for n in range(101)}, "at most 100 secrets"),
    },
)
def test_what_supabase_would_not_take_is_refused_without_the_value(values, words):
    with pytest.raises(InputError, match=words) as raised:
        plan_secrets({}, values)
    assert "s3cret" not in str(raised.value)
