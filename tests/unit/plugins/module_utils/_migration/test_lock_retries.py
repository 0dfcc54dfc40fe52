import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._migration import runner
from ansible_collections.easymo.deploy.plugins.module_utils._migration.models import Migration
from ansible_collections.easymo.deploy.plugins.module_utils._migration.runner import (
    LockRetries,
    SessionTimeouts,
)
from ansible_collections.easymo.deploy.plugins.module_utils._migration.supabase import (
    FileRun,
    SupabaseFiles,
)
from ansible_collections.easymo.deploy.plugins.module_utils._postgres import SqlError
from tests.fakes.session import MemorySession, NoWatch
from tests.tables import cases


class Busy:
    """Fails with `sqlstate` as often as told, then succeeds."""

    def __init__(self, failures: int, sqlstate: str = "55P03") -> None:
        self.left = failures
        self.sqlstate = sqlstate
        self.attempts = 0
        self.waits: list[float] = []
        self.told: list[str] = []

    def attempt(self) -> None:
        self.attempts += 1
        if self.left:
            self.left -= 1
            raise SqlError(sqlstate=self.sqlstate, message="no", position=None)

    def insist(self, count: int, *, undone: bool = True, jitter: float = 0) -> None:
        retries = LockRetries(count, NoWatch(), lambda _event, text, _data: self.told.append(text))
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(runner.time, "sleep", self.waits.append)
            patched.setattr(runner.random, "random", lambda: jitter)
            retries.insist("1_a.sql", self.attempt, lambda: undone)


def test_waits_grow_from_one_second_to_fifteen():
    busy = Busy(6)
    busy.insist(6)
    assert busy.waits == [1, 2, 4, 8, 15, 15]
    assert busy.told[0] == "1_a.sql: another transaction held a lock; again in 1.0 s (1 of 6)"


def test_waits_are_up_to_a_quarter_shorter_so_that_two_do_not_meet_again():
    busy = Busy(2)
    busy.insist(2, jitter=1)
    assert busy.waits == [0.75, 1.5]


@cases(
    ("failures", "options", "attempts"),
    {
        "no more than told": (9, {"count": 2}, 3),
        "none": (9, {"count": 0}, 1),
        "not when something stayed": (1, {"count": 5, "undone": False}, 1),
    },
)
def test_it_gives_up(failures, options, attempts):
    busy = Busy(failures)
    with pytest.raises(SqlError):
        busy.insist(**options)
    assert busy.attempts == attempts


@pytest.mark.parametrize(("sqlstate", "attempts"), [("40P01", 2), ("42P07", 1), ("57014", 1)])
def test_only_locks_are_a_reason_to_try_again(sqlstate, attempts):
    busy = Busy(1, sqlstate)
    if attempts == 1:
        with pytest.raises(SqlError):
            busy.insist(5)
    else:
        busy.insist(5)
    assert busy.attempts == attempts


def run_until(statements: list[str], failing: str) -> tuple[MemorySession, FileRun]:
    """A file whose statements run one by one, of which one was refused."""
    session = MemorySession(refuse=failing)
    migration = Migration("1", "x", "1_x.sql", ";\n".join(statements).encode())
    retries = LockRetries(0, NoWatch(), lambda *_event: None)
    insert = SupabaseFiles("").history_row
    run = FileRun(session, migration, SessionTimeouts(5, 0), retries, insert, None)
    with pytest.raises(SqlError):
        run._one_by_one(range(len(statements)))
    return session, run


@pytest.mark.parametrize(
    ("statements", "failing", "again_from"),
    [
        (["a", "b"], 1, 1),
        (["BEGIN", "a", "b", "COMMIT"], 2, 0),
        (["a", "BEGIN", "b", "COMMIT", "BEGIN", "c"], 5, 4),
        (["a", "CALL p()"], 1, None),
        (["DO $$ $$"], 0, None),
        (["BEGIN", "DO $$ $$"], 1, 0),
        (["BEGIN", "a", "COMMIT AND CHAIN", "b"], 3, None),
    ],
)
def test_a_walk_goes_back_as_far_as_nothing_is_left(statements, failing, again_from):
    session, run = run_until(statements, statements[failing])
    assert run._rewind() is (again_from is not None)
    assert not session.in_transaction
    if again_from is not None:
        assert run.done == again_from
