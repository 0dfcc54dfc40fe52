# SPDX-License-Identifier: GPL-3.0-or-later
"""Each expectation here was recorded from the history that the Supabase CLI 3.1.0 wrote."""

from __future__ import annotations

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._migration.splitter import (
    split_script,
    without_leading_comments,
)


def split(text: str) -> list[str]:
    return [statement.text for statement in split_script(text).statements]


@pytest.mark.parametrize(
    ("text", "statements"),
    [
        pytest.param("", [], id="nothing"),
        pytest.param(" ;; \n;", [], id="empty-statements-are-dropped"),
        pytest.param("a;b", ["a", "b"], id="the-last-needs-no-semicolon"),
        pytest.param("a ; \n b;\n", ["a", "b"], id="space-is-trimmed"),
        pytest.param("a\r\n;b", ["a", "b"], id="carriage-returns-are-space"),
        pytest.param("\ufeffa;", ["a"], id="byte-order-mark"),
        pytest.param("\u00a0a\u2003;", ["a"], id="javascripts-space"),
        pytest.param("\u0085a;", ["\u0085a"], id="not-javascripts-space"),
        pytest.param("select 'a;b';c", ["select 'a;b'", "c"], id="string"),
        pytest.param("select 'it''s;';c", ["select 'it''s;'", "c"], id="doubled-quote"),
        pytest.param(r"select 'a\';b", [r"select 'a\'", "b"], id="backslash-in-a-plain-string"),
        pytest.param(r"select E'a\';b';c", [r"select E'a\';b'", "c"], id="escape-string"),
        pytest.param(r"select xE'a\';b", [r"select xE'a\'", "b"], id="not-an-escape-string"),
        pytest.param("E'a'\n'\\';b';c", ["E'a'\n'\\';b'", "c"], id="continued-escape-string"),
        pytest.param("E'a' '\\';b", ["E'a' '\\'", "b"], id="not-continued-on-the-same-line"),
        pytest.param(
            "E'a' -- x\n'\\';b';c", ["E'a' -- x\n'\\';b'", "c"], id="continued-after-comment"
        ),
        pytest.param('select "a;b";c', ['select "a;b"', "c"], id="identifier"),
        pytest.param("a -- x;y\n;b", ["a -- x;y", "b"], id="line-comment"),
        pytest.param("a -- x;y\r;b", ["a -- x;y", "b"], id="line-comment-ends-at-carriage-return"),
        pytest.param("a;-- the end", ["a", "-- the end"], id="comment-at-the-end-is-a-statement"),
        pytest.param(
            "/* a; /* b; */ c; */ d;e", ["/* a; /* b; */ c; */ d", "e"], id="nested-comments"
        ),
        pytest.param("/*/ ; */ a;b", ["/*/ ; */ a", "b"], id="comment-marks-do-not-overlap"),
        pytest.param("a / b;c", ["a / b", "c"], id="division"),
        pytest.param("$$a;b$$;c", ["$$a;b$$", "c"], id="dollar-quote"),
        pytest.param("$x$a;$$;$x$;c", ["$x$a;$$;$x$", "c"], id="tagged-dollar-quote"),
        pytest.param("$é$;$é$;c", ["$é$;$é$", "c"], id="tag-beyond-ascii"),
        pytest.param("a$b$;c$b$", ["a$b$", "c$b$"], id="dollar-in-an-identifier"),
        pytest.param("select $1;b", ["select $1", "b"], id="parameter"),
        pytest.param("$a$a$;b", ["$a$a$", "b"], id="closing-quote-shares-a-dollar"),
        pytest.param("(a;b);c", ["(a;b)", "c"], id="parentheses"),
        pytest.param("((a);b);c", ["((a)", "b)", "c"], id="one-parenthesis-closes-all"),
        pytest.param("(a ';)' ;b);c", ["(a ';)' ;b)", "c"], id="string-in-parentheses"),
        pytest.param(r"\;a;b", [r"\;a", "b"], id="backslash-hides-a-semicolon"),
        pytest.param(
            "create function f() begin atomic a; b; end; c",
            ["create function f() begin atomic a; b; end", "c"],
            id="atomic-body",
        ),
        pytest.param(
            "BEGIN\n ATOMIC select case when x then y end; END; c",
            ["BEGIN\n ATOMIC select case when x then y end; END", "c"],
            id="end-of-a-case-is-not-the-end",
        ),
        pytest.param(
            "begin atomic a; /* ; */ end; c",
            ["begin atomic a; /* ; */ end", "c"],
            id="comment-before-end",
        ),
        pytest.param(
            "begin atomic a; endless; end; c", ["begin atomic a; endless; end", "c"], id="endless"
        ),
        pytest.param("select atomic; c", ["select atomic", "c"], id="a-column-called-atomic"),
    ],
)
def test_statements_are_cut_as_the_cli_cuts_them(text, statements):
    assert split(text) == statements


def test_each_statement_knows_its_line():
    lines = [statement.line for statement in split_script("\n\na;\n-- x\nb\n; c;\n").statements]
    assert lines == [3, 4, 6]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("\\d x", 1),
        ("a;\n  \\i b.sql\n", 2),
        ("select E'\n\\n'", None),
        ("$$\n\\d\n$$", None),
        ("-- x\n/*\n\\d */", None),
        ("a \\ b", None),
    ],
)
def test_psql_meta_commands_are_found_where_they_are_commands(text, line):
    assert split_script(text).meta_command == line


@pytest.mark.parametrize(
    ("sql", "bare"),
    [
        ("-- a\n/* b /* c */ */ select 1 -- d", "select 1 -- d"),
        ("-- a", ""),
        ("/* a", ""),
        ("", ""),
        ("-1", "-1"),
    ],
)
def test_leading_comments_are_no_statement(sql, bare):
    assert without_leading_comments(sql) == bare
