import typing as t

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._errors import (
    InputError,
    VerificationError,
)
from ansible_collections.easymo.deploy.plugins.module_utils._functions.apply import (
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

    def delete_secrets(self, names: t.Sequence[str]) -> None:
        for name in names:
            del self.values[name]


def test_only_what_differs_is_set():
    project = Project(same="1", old="1", gone="1", other="1")
    wanted = {"same": "1", "old": "2", "new": "3"}
    plan = plan_secrets(project.secrets(), wanted, ["gone", "never"])
    assert (plan.new, plan.changed, plan.removed, plan.unchanged) == (
        ("new",), ("old",), ("gone",), ("same",),
    )  # fmt: skip
    assert apply_secrets(plan, wanted, project)
    assert project.values == {"same": "1", "old": "2", "new": "3", "other": "1"}
    assert not plan_secrets(project.secrets(), wanted, ["gone"]).differs


def test_what_was_set_and_is_not_listed_is_told():
    project = Project(deaf=True)
    plan = plan_secrets({}, {"A": "1"}, [])
    with pytest.raises(VerificationError, match="missing A"):
        apply_secrets(plan, {"A": "1"}, project)


def test_digests_of_another_kind_are_noticed():
    project = Project()
    project.digest = str.upper
    assert not apply_secrets(plan_secrets({}, {"A": "b"}, []), {"A": "b"}, project)


@cases(
    ("values", "absent", "words"),
    {
        "reserved": ({"SUPABASE_URL": "x"}, [], "'SUPABASE_URL' cannot name a secret"),
        "space": ({"A B": "x"}, [], "'A B' cannot name a secret"),
        "long-name": ({}, ["n" * 257], "cannot name a secret"),
        "both": ({"A": "x"}, ["A"], "A cannot be set and absent"),
        "empty": ({"A": ""}, [], "The values of A are empty"),
        "long": ({"A": "s3cret" * 5000}, [], "The values of A are longer than the 24576"),
        "many": ({f"A{n}": "x" for n in range(101)}, [], "at most 100 secrets"),
    },
)
def test_what_supabase_would_not_take_is_refused_without_the_value(values, absent, words):
    with pytest.raises(InputError, match=words) as raised:
        plan_secrets({}, values, absent)
    assert "s3cret" not in str(raised.value)
