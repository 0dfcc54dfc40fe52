"""What a rehearsal and a restore are refused for, and why a restore did not bring all back."""

import typing as t

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.easymo.deploy.plugins.module_utils._restore.recorded import (
    refuse_unapproved,
)
from ansible_collections.easymo.deploy.plugins.module_utils._rollback import restore_causes
from tests.tables import cases

LOST = {"failed": True, "msg": "This run lost the deploy lock."}
BAD = {"failed": True, "msg": "Database 'a' serves as before."}
WELL = {"changed": True}
SKIPPED = {"skipped": True, "changed": False}


@cases(("given", "added"), {
    "none": ({"by": "", "reason": None}, "Add -e \"by='NAME'\" -e \"reason='WHY'\"."),
    "nobody": ({"by": " ", "reason": "garbled"}, "Add -e \"by='NAME'\"."),
    "no reason": ({"by": "Jane", "reason": " "}, "Add -e \"reason='WHY'\"."),
})  # fmt: skip
def test_without_an_approval_it_is_refused_with_what_to_add(given, added):
    with pytest.raises(DeployError, match="approval") as refused:
        refuse_unapproved(**given)
    assert str(refused.value).endswith(added)


def host(name: str, **results: t.Any) -> dict[str, t.Any]:
    return {"host": name, "checked": WELL, "stopped": WELL, "started": WELL, **results}


@cases(("ended", "tests", "causes"), {
    "all is back": ([host("a", kept=SKIPPED, restored=WELL)], WELL, []),
    "restored before": ([host("a", kept=SKIPPED, restored=SKIPPED)], SKIPPED, []),
    "left out by --limit": ([host("a", restored=WELL), {"host": "b"}], {}, []),
    "one of two": ([host("a", restored=BAD), host("b", restored=WELL)], {},
                   ["a, 'Restore the database': Database 'a' serves as before."]),
    "not stopped, which is one cause for all": (
        [host(name, stopped=LOST, restored=SKIPPED) for name in "ab"], {},
        ["Not all services are stopped: This run lost the deploy lock."]),
    "cut off": ([host("a")], {}, ["a: nothing was restored, for the run did not come to it."]),
    "its tests fail": ([host("a", restored=WELL)], {"failed": True, "msg": "login: HTTP 500"},
                       ["'Test user flows': login: HTTP 500"]),
})  # fmt: skip
def test_a_restore_tells_each_cause_once(ended, tests, causes):
    assert restore_causes(ended, tests) == causes
