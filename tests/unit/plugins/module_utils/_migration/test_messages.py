import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._migration import messages as sent
from ansible_collections.easymo.deploy.plugins.module_utils._migration.messages import messages
from tests.tables import cases

_ROW = "insert into a values ('x; (')"


def _together(statements: list[str]) -> list[list[int]]:
    return [
        [*each.starts] for each in messages(dict(enumerate(statements)), "BEGIN") if each.starts
    ]


@cases(
    ("statements", "expected"),
    {
        "what is plain": (["a", "create function f() as $x$ a; '\\' $x$", "b -- '"], [[0, 1, 2]]),
        "comments are not sent": (["a", "-- c", "/* d */ b"], [[0, 2]]),
        "a string may end elsewhere": (["a", "select 'a\\', 'b'", "b"], [[0], [1], [2]]),
        "a body of its own": (["a", "begin atomic b; end", "c"], [[0], [1], [2]]),
        "a rule that is cut": (["create rule r (b", "c)", "d"], [[0], [1], [2]]),
        "a comment in a comment": (["a", "b /* /* */ */", "c"], [[0], [1], [2]]),
        "after it the role is taken": (["a", "reset role", "b"], [[0], [1], [2]]),
        "before any query": (["set transaction isolation level serializable", "b"], [[0], [1]]),
        "takes the numbers away": (["a", "select pg_advisory_unlock_all()"], [[0], [1]]),
    },
)
def test_by_itself_is_what_may_end_elsewhere_for_the_server(statements, expected):
    assert _together(statements) == expected


def test_a_message_ends_where_it_gets_long(monkeypatch):
    monkeypatch.setattr(sent, "LONGEST", 2 * len(_ROW))
    assert _together([_ROW] * 5) == [[0, 1], [2, 3], [4]]


@pytest.mark.parametrize(("each", "numbered"), [(False, [0, 1, 4]), (True, [0, 1, 2, 3, 4])])
def test_rows_have_the_number_of_the_first_of_them(each, numbered):
    statements = dict(enumerate(["a", _ROW, _ROW, _ROW, "b"]))
    [message] = messages(statements, "BEGIN", each=each)
    assert [*message.numbered] == numbered
    assert [message.sql[at:].partition("\n")[0] for at in message.starts.values()] == [
        *statements.values()
    ]
