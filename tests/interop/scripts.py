"""Migrations of every shape, for both to run: written ones, and ones put together by Hypothesis."""

from hypothesis import strategies as st

REALISTIC: dict[str, str | bytes] = {
    "1_a.sql": "create table a(id int primary key, note text default 'x;y');",
    "2_.sql": "comment on table a is 'no name; all the same';",
    "0003_zeros.sql": "create schema zeros; create table zeros.t(id int)",
    "20240101000000_init.sql": """
-- first; comment
create table public.agents (id bigint generated always as identity primary key, name text not null default 'a;''b');
/* outer ; /* inner ; */ still outer ; */
create or replace function public.touch() returns trigger language plpgsql as $fn$
begin
  new.name := 'it''s; ' || $q$nested; $q$;
  return new; -- ;
end;
$fn$;
create trigger touch before update on public.agents for each row execute function public.touch();
alter table public.agents enable row level security;
drop policy if exists "read; all" on public.agents;
create policy "read; all" on public.agents for select using (true);
insert into public.agents(name) values ('one;'), (E'two\\'; three'), ($$four;$$), (U&'d\\0061t;')
on conflict do nothing;
-- the end
""",
    "20240102000000_bom.sql": b"\xef\xbb\xbfcreate table bom(id int);\n",
    "20240103000000_crlf.sql": b"create table crlf(id int);\r\n-- why;\r\ninsert into crlf values (1);\r\n",
    "20240104000000_atomic_body.sql": """
create function public.twice(n int) returns int language sql begin atomic
  select case when n > 0 then n end;
  select n * 2;
end;
select public.twice(1);
create table has_atomic(atomic int);
""",
    "20240105000000_own.sql": "BEGIN;\ncreate table own(id int);\nCOMMIT;\nbegin; insert into own values (1); end;",
    "20240106000000_concurrently.sql": """create table big(id int);
create index concurrently if not exists big_id on big(id);
insert into big values (1);
drop index concurrently big_id;""",
    "20240107000000_piecemeal.sql": "-- pg-delta: transaction=false\ncreate table piecemeal(id int);\nvacuum;",
    "20240108000000_only_at_end.sql": "create table last_piece(id int);\n\n-- nothing comes; after\n/* really */",
    "20240109000000_enum.sql": """do $$ begin create type mood as enum ('sad;', 'ok');
exception when duplicate_object then null; end $$;
alter type mood add value if not exists 'happy';""",
    "20240110000000_settings.sql": "set search_path = zeros; create table here(id int); set statement_timeout = 9999;",
    "20240111000000_after_settings.sql": "create table not_in_zeros(id int);",
    "20240112000000_ünïcode ; name.sql": 'create table "tä;ble"("c;ol" text default \'ß;\');',
    "20240113000000_rules.sql": """create view seen as select id from agents;
create rule no_delete as on delete to a do instead (select 1; select 2);""",
    "20240114000000_savepoints.sql": """begin; savepoint s; create table s1(); rollback to savepoint s;
create table s2(); commit;""",
    "20240115000000_role.sql": "reset role; create table by_role(id int); set role none;",
    "20240116000000_dollars.sql": "select 1 as a$b$; create table d1(id int); select $tag$;$other$;$tag$;",
    "20240116100000_discard.sql": "-- first\ndiscard all; create table discarded(id int)",
    "20240116200000_commits.sql": "do $$ begin create table kept(); commit; end $$; create table after_do()",
    "20240116300000_local.sql": "set local search_path = zeros; create table in_zeros(id int)",
    "20240116400000_lock.sql": "create table locked(id int); lock table locked; reindex table locked",
    "20240116500000_reindex.sql": "reindex schema zeros",
    "20240117000000_tabs.sql": "\t\n  create\ttable\ttabs ( id int ) ;;; ; \n\u00a0\n",
}
"""Each with a `;` where it is none, or a way to run that is not the usual one."""

NOT_MIGRATIONS = {
    "README.md": "# Notes",
    "notes.sql": "this is no SQL;",
    "20240101_no-underscore": "x",
    "x20240101000000_prefix.sql": "nor this;",
    "20240101000000-dash.sql": "nor this;",
    "20240101000000_upper.SQL": "nor this;",
}

FAILING: dict[str, dict[str, str]] = {
    "one transaction": {"2_b.sql": "create table b(); select 1/0; create table c()"},
    "a concurrent index before": {
        "2_b.sql": "create table b(id int); create index concurrently i on b(id); create table c(); select 1/0"
    },
    "own transactions": {
        "2_b.sql": "begin; create table b(); commit; begin; create table c(); select 1/0; commit"
    },
    "statement by statement": {
        "2_b.sql": "-- pg-delta: transaction=false\ncreate table b(); create table c(); select 1/0; create table d()"
    },
    "a syntax error in the third statement": {
        "2_b.sql": "create table b(); create table c(); creat table d()"
    },
    "a constraint checked at commit": {
        "2_b.sql": "create table b(id int unique deferrable initially deferred); insert into b values (1), (1)"
    },
    "its own COMMIT fails": {
        "2_b.sql": "begin; create table b(id int unique deferrable initially deferred);"
        "insert into b values (1), (1); commit"
    },
    "after files that work": {"2_b.sql": "create table b()", "3_c.sql": "create table b()"},
    "what commits at once, first": {"2_b.sql": "discard all; create table b(); select 1/0"},
    "what commits at once, later": {"2_b.sql": "create table b(); discard all; create table c()"},
    "what commits at once, after what runs alone": {
        "2_b.sql": "create table b(); vacuum; reindex schema public; create table c(); select 1/0"
    },
    "a block that commits": {"2_b.sql": "do $$ begin create table b(); commit; end $$; create table c(); select 1/0"},
    "a block that says commit": {"2_b.sql": "do $$ begin raise notice 'commit'; create table b(); end $$; select 1/0"},
    "vacuum in a failing file": {"2_b.sql": "create table b(); vacuum b; insert into nope values (1)"},
}  # fmt: skip

# Each is SQL that PostgreSQL runs in an empty database, with marks that mislead whoever cuts at the wrong `;`.
_LITERALS = st.sampled_from(
    ["'a;b'", "'it''s;'", "'\\'", "E'\\';'", "e'\\\\'", "$$;$$", "$x$ $$ ; $y$ $x$", "'--;'", "'/*;'", "'$$;'",
     "E'a'\n'b;'", "B'101'", "$é$;$é$", "''", "('a;' || $a$;$a$)", "'('", "$_1$;$_1$"]
)  # fmt: skip
_GAPS = st.sampled_from(
    [" ", "\n", "\t", "\r\n", " -- ;\n", " -- '\n", "/* ; */", "/* /* ' */ ; */", " --$$\n", "/**/", " -- (\r\n"]
)  # fmt: skip
_GAPS_IN_BODY = _GAPS.filter(lambda gap: "$" not in gap)
_NAMES = st.sampled_from(['"c;"', '"c""d;"', "c$d$", "ending", "atomic1", '"E\'"', "c_1", '"--"'])


@st.composite
def _select(draw: st.DrawFn) -> str:
    gap = draw(_GAPS)
    columns = draw(st.lists(_LITERALS, min_size=1, max_size=3))
    listed = f"{draw(_GAPS)}, {draw(_GAPS)}".join(f"{column}::text" for column in columns)
    return f"select{gap}{listed}{draw(_GAPS)}as {draw(_NAMES)}"


@st.composite
def _block(draw: st.DrawFn) -> str:
    tag = draw(st.sampled_from(["$$", "$do$", "$_$"]))
    return f"do{draw(_GAPS)}{tag} begin{draw(_GAPS_IN_BODY)}perform 1; perform ';' ; end; {tag}{draw(_GAPS)}"


@st.composite
def _nested(draw: st.DrawFn) -> str:
    inner = draw(_select())
    return f"select{draw(_GAPS)}count(*){draw(_GAPS)}from ({inner}) as q"


_ATOMIC = st.sampled_from(
    [
        "create or replace function f_at() returns int language sql begin atomic select 1; select 2; end",
        "create or replace function f_at() returns int\nBEGIN\nATOMIC\nselect case when true then 1 end;\nEND",
        "create or replace function f_at() returns int language sql begin atomic /* ; */ select 3; /* x */ end",
    ]
)
_COMMENTS = st.sampled_from(["-- alone;\n", "/* alone; */", "", " ", "-- it's\n", "/* ( */"])
_STATEMENTS = st.one_of(_select(), _block(), _nested(), _ATOMIC, _COMMENTS)
SCRIPTS = st.tuples(
    st.lists(_STATEMENTS, max_size=5),
    st.sampled_from([";", ";\n", " ;\r\n", "\n;\n", ";;", ";\n-- next\n"]),
    st.sampled_from(["", ";", "\n", ";\n-- end", "; /* end; */"]),
).map(lambda parts: "select 0;" + parts[1].join(parts[0]) + parts[2])
"""A file that can run, whatever it is made of."""
