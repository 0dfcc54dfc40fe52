"""Each expectation here was recorded from the history that the Supabase CLI 3.1.0 wrote."""

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._migration.splitter import (
    split_script,
    without_leading_comments,
)
from tests.tables import cases


def split(text: str) -> list[str]:
    return [statement.text for statement in split_script(text).statements]


@cases(("text", "statements"), {
    "nothing": ("", []),
    "empty-statements-are-dropped": (" ;; \n;", []),
    "the-last-needs-no-semicolon": ("a;b", ["a", "b"]),
    "space-is-trimmed": ("a ; \n b;\n", ["a", "b"]),
    "carriage-returns-are-space": ("a\r\n;b", ["a", "b"]),
    "byte-order-mark": ("\ufeffa;", ["a"]),
    "javascripts-space": ("\u00a0a\u2003;", ["a"]),
    "not-javascripts-space": ("\u0085a;", ["\u0085a"]),
    "string": ("select 'a;b';c", ["select 'a;b'", "c"]),
    "doubled-quote": ("select 'it''s;';c", ["select 'it''s;'", "c"]),
    "backslash-in-a-plain-string": (r"select 'a\';b", [r"select 'a\'", "b"]),
    "escape-string": (r"select E'a\';b';c", [r"select E'a\';b'", "c"]),
    "not-an-escape-string": (r"select xE'a\';b", [r"select xE'a\'", "b"]),
    "continued-escape-string": ("E'a'\n'\\';b';c", ["E'a'\n'\\';b'", "c"]),
    "not-continued-on-the-same-line": ("E'a' '\\';b", ["E'a' '\\'", "b"]),
    "continued-after-comment": ("E'a' -- x\n'\\';b';c", ["E'a' -- x\n'\\';b'", "c"]),
    "identifier": ('select "a;b";c', ['select "a;b"', "c"]),
    "line-comment": ("a -- x;y\n;b", ["a -- x;y", "b"]),
    "line-comment-ends-at-carriage-return": ("a -- x;y\r;b", ["a -- x;y", "b"]),
    "comment-at-the-end-is-a-statement": ("a;-- the end", ["a", "-- the end"]),
    "nested-comments": ("/* a; /* b; */ c; */ d;e", ["/* a; /* b; */ c; */ d", "e"]),
    "comment-marks-do-not-overlap": ("/*/ ; */ a;b", ["/*/ ; */ a", "b"]),
    "division": ("a / b;c", ["a / b", "c"]),
    "dollar-quote": ("$$a;b$$;c", ["$$a;b$$", "c"]),
    "tagged-dollar-quote": ("$x$a;$$;$x$;c", ["$x$a;$$;$x$", "c"]),
    "tag-beyond-ascii": ("$é$;$é$;c", ["$é$;$é$", "c"]),
    "dollar-in-an-identifier": ("a$b$;c$b$", ["a$b$", "c$b$"]),
    "parameter": ("select $1;b", ["select $1", "b"]),
    "closing-quote-shares-a-dollar": ("$a$a$;b", ["$a$a$", "b"]),
    "parentheses": ("(a;b);c", ["(a;b)", "c"]),
    "one-parenthesis-closes-all": ("((a);b);c", ["((a)", "b)", "c"]),
    "string-in-parentheses": ("(a ';)' ;b);c", ["(a ';)' ;b)", "c"]),
    "backslash-hides-a-semicolon": (r"\;a;b", [r"\;a", "b"]),
    "atomic-body": ("create function f() begin atomic a; b; end; c",
                    ["create function f() begin atomic a; b; end", "c"]),
    "end-of-a-case-is-not-the-end": ("BEGIN\n ATOMIC select case when x then y end; END; c",
                                     ["BEGIN\n ATOMIC select case when x then y end; END", "c"]),
    "comment-before-end": ("begin atomic a; /* ; */ end; c", ["begin atomic a; /* ; */ end", "c"]),
    "endless": ("begin atomic a; endless; end; c", ["begin atomic a; endless; end", "c"]),
    "a-column-called-atomic": ("select atomic; c", ["select atomic", "c"]),
})  # fmt: skip
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
        ("a;\nselect 'drop table x' \\gexec\n", 2),
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
