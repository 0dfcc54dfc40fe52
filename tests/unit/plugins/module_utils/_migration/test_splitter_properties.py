"""No statement is lost or merged: held against PostgreSQL's own split, and against the text itself."""

import re

import pglast
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.easymo.deploy.plugins.module_utils._migration.splitter import (
    split_script,
    without_leading_comments,
)
from tests.examples import examples
from tests.unit.plugins.module_utils._migration.guard.cases import read_cases

_SPACE_AND_SEMICOLONS = re.compile(r"[\s;\ufeff]+")

STATEMENTS = [
    statement.text
    for case in read_cases()
    if case.title != "what cannot be read"
    for source in case.sources
    for statement in source.statements
    if without_leading_comments(statement.text)
] + [
    "SELECT 'a;b', \"c;d\", $$e;f$$, $x$ $$;$$ $x$, E'g\\';h', U&'i;j'",
    "SELECT 1 /* ; /* ; */ ' */ + 2 -- ; '\n + 3",
    "INSERT INTO t VALUES ((1), ('(;'))",
    "CREATE FUNCTION f() RETURNS void BEGIN ATOMIC DELETE FROM t; SELECT CASE WHEN true THEN 1 END; END",
    "SELECT a.begin, b.end FROM a, b",
]
# What opens and closes something.
PIECES = [*"'\"\\();\n aé", "$$", "$a$", "--", "/*", "*/", "begin atomic ", "end", "E'"]
BETWEEN = st.sampled_from(
    ["", " ", "\n", "\r\n", "\n-- a comment; it's one\n", "/* ; */", ";", " ; ; "]
)


@st.composite
def scripts(draw: st.DrawFn) -> tuple[list[str], str]:
    """Statements, and a script of them."""
    statements = draw(st.lists(st.sampled_from(STATEMENTS), max_size=6))
    text = draw(BETWEEN)
    for statement in statements:
        text += (
            draw(BETWEEN) + statement + draw(st.sampled_from(["", " ", "\n"])) + ";" + draw(BETWEEN)
        )
    return statements, text


@examples(300)
@given(script=scripts())
def test_a_script_is_split_where_postgresql_splits_it(script):
    statements, text = script
    ours = [
        bare
        for piece in split_script(text).statements
        if (bare := without_leading_comments(piece.text))
    ]
    theirs = [
        bare for piece in pglast.split(text) if (bare := without_leading_comments(str(piece)))
    ]
    assert len(ours) == len(theirs) == len(statements)
    assert [_bare(one) for one in ours] == [_bare(other) for other in theirs]


@examples(400)
@given(
    text=st.one_of(
        scripts().map(lambda script: script[1]),
        st.lists(st.sampled_from(PIECES), max_size=40).map("".join),
        st.text(alphabet="ab;'\"$-/*()\\E\n\r ", max_size=60),
        st.text(max_size=60),
    )
)
def test_every_character_is_in_one_piece(text):
    pieces = split_script(text).statements
    assert _bare("".join(piece.text for piece in pieces)) == _bare(text)
    for piece in pieces:
        assert text.split("\n")[piece.line - 1].find(piece.text.split("\n")[0].rstrip("\r")) >= 0


def _bare(sql: str) -> str:
    return _SPACE_AND_SEMICOLONS.sub("", sql)
