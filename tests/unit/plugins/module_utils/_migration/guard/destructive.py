"""Generates destructive SQL: every way to destroy, written every way it may be, wrapped in all that runs it."""

import random
import re

from hypothesis import strategies as st

# <x> is an object of the shop; a word in capitals is a keyword.
STATEMENTS = [
    "DROP TABLE <users>",
    "DROP TABLE IF EXISTS <orders> CASCADE",
    "DROP INDEX <orders_user_id_idx>",
    "DROP SEQUENCE <order_numbers>",
    "DROP TYPE <order_status>",
    "DROP MATERIALIZED VIEW <daily_totals>",
    "DROP SCHEMA public CASCADE",
    "DROP EXTENSION pgcrypto",
    "DROP VIEW <active_users>",
    'DROP POLICY "Read own" ON <users>',
    "DROP TRIGGER users_touch ON <users>",
    "DROP FUNCTION <archive_old> (int)",
    "ALTER TABLE <users> DROP COLUMN name",
    "ALTER TABLE <users> ADD COLUMN extra text , DROP COLUMN IF EXISTS name",
    "ALTER TABLE <users> RENAME TO people2",
    "ALTER TABLE <users> RENAME COLUMN name TO title",
    "ALTER TABLE <users> ALTER COLUMN phone TYPE bigint USING 1",
    "ALTER TABLE <users> ALTER COLUMN name SET NOT NULL",
    "ALTER TABLE <users> ADD COLUMN extra text NOT NULL",
    "ALTER TABLE <users> ADD COLUMN extra uuid DEFAULT gen_random_uuid ( )",
    "ALTER TABLE <orders> ADD CONSTRAINT c CHECK ( total > 0 )",
    "ALTER TABLE <orders> ADD FOREIGN KEY ( courier_id ) REFERENCES <users> ( id )",
    "ALTER TABLE <orders> ADD UNIQUE ( number )",
    "ALTER TABLE <users> DROP CONSTRAINT users_email_key",
    "ALTER TABLE <users> ENABLE ROW LEVEL SECURITY",
    "ALTER TABLE <people> DISABLE ROW LEVEL SECURITY",
    "ALTER TABLE <people> NO FORCE ROW LEVEL SECURITY",
    "ALTER TABLE <users> ADD COLUMN extra positive_amount",
    "ALTER TABLE <users> ADD COLUMN extra ticket",
    "ALTER TABLE <users> ADD COLUMN extra text DEFAULT make_code ( )",
    "ALTER TABLE <users> DISABLE TRIGGER ALL",
    "ALTER TABLE <users> SET SCHEMA app",
    "ALTER TABLE <users> OWNER TO somebody",
    "ALTER TYPE <order_status> RENAME VALUE 'paid' TO 'done'",
    "CREATE INDEX ON <orders> ( number )",
    "TRUNCATE <users>",
    "REVOKE SELECT ON <users> FROM authenticated",
    "REINDEX TABLE <users>",
    "LOCK TABLE <users> IN ACCESS EXCLUSIVE MODE",
    "REFRESH MATERIALIZED VIEW <daily_totals>",
]
CHANGES = [
    "DELETE FROM <users>",
    "DELETE FROM ONLY <orders> WHERE total > 3",
    "UPDATE <users> SET name = 'x'",
    "INSERT INTO <users> ( id ) VALUES ( NULL ) ON CONFLICT ( id ) DO UPDATE SET name = 'x'",
    "MERGE INTO <users> u USING <orders> o ON u.id = o.user_id WHEN MATCHED THEN DELETE",
]
ADDITIVE = [
    "SELECT 1",
    "CREATE TABLE IF NOT EXISTS app.users (id int)",
    "CREATE TABLE notes (id int)",
    "CREATE TYPE app.order_status AS ENUM ('new')",
    'CREATE POLICY "Read all" ON users USING (true)',
    "CREATE FUNCTION app.archive_old(int) RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "CREATE FUNCTION archive_old(text) RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "ALTER TABLE users ADD COLUMN IF NOT EXISTS nickname text",
    "INSERT INTO users (id) VALUES (gen_random_uuid()) ON CONFLICT DO NOTHING",
    "SET search_path = public, app",
    "SET search_path = public",
    "SELECT set_config('search_path', 'public, app', false)",
    "DO $$ BEGIN CREATE TYPE mood AS ENUM ('a'); EXCEPTION WHEN duplicate_object THEN NULL; END $$",
    "COMMENT ON TABLE users IS 'DROP TABLE users; -- '",
    "-- DROP TABLE users;\nSELECT 2",
    "CREATE VIEW app.active_users AS SELECT 1 AS one",
    "GRANT SELECT ON users TO authenticated",
]

_SPACE = [" ", "  ", "\n", "\t", " -- ; it's\n", " /* $$ ; /* ' */ */ ", "\r\n"]
_HOLES = re.compile(r"<(\w+)>")


def written(template: str, choose: random.Random) -> str:
    """With names as they may be spelled, keywords in any case, and anything that is space between words."""

    def spelled(found: re.Match[str]) -> str:
        name = found[1]
        name = choose.choice([name, name.upper(), f'"{name}"'])
        schema = choose.choice(["", "public.", '"public" . ', "PUBLIC ."])
        return (schema + name).replace(" ", "\0")

    tokens = _HOLES.sub(spelled, template).split(" ")
    quoted = any("'" in token or '"' in token for token in tokens)
    text = tokens[0]
    for token in tokens[1:]:
        inside = text.count("'") % 2 or (quoted and text.count('"') % 2)
        text += (" " if inside else choose.choice(_SPACE)) + _cased(token, choose)
    return text.replace("\0", " ")


def _cased(token: str, choose: random.Random) -> str:
    if not token.isupper() or not token.isalpha():
        return token
    return "".join(choose.choice([each.lower(), each]) for each in token)


def wrapped(sql: str, *, change: bool, level: int, choose: random.Random) -> list[str]:
    """Statements of which the last runs `sql`, or may."""
    tag, name = f"$w{level}$", f"wrapper_{level}"
    condition = choose.choice(["EXISTS (SELECT 1)", "now() IS NULL", "false"])
    bodies = [
        f"BEGIN {sql}; END",
        f"BEGIN IF {condition} THEN {sql}; END IF; END",
        f"BEGIN IF {condition} THEN NULL; ELSIF {condition} THEN NULL; ELSE {sql}; END IF; END",
        f"DECLARE i int; BEGIN FOR i IN 1..2 LOOP {sql}; END LOOP; END",
        f"BEGIN BEGIN {sql}; EXCEPTION WHEN OTHERS THEN NULL; END; END",
        f"BEGIN BEGIN NULL; EXCEPTION WHEN OTHERS THEN {sql}; END; END",
        f"BEGIN CASE WHEN {condition} THEN {sql}; ELSE NULL; END CASE; END",
        f"BEGIN EXECUTE $e{level}${sql}$e{level}$; END",
        f"BEGIN EXECUTE format($e{level}${sql.replace('%', '%%')}$e{level}$); END",
        f"BEGIN EXECUTE $e{level}${sql}$e{level}$ || ''; END",
    ]
    body = choose.choice(bodies)
    ways = [
        [f"DO {tag} {body} {tag}"],
        [
            f"CREATE FUNCTION {name}() RETURNS void LANGUAGE plpgsql AS {tag} {body} {tag}",
            choose.choice(
                [
                    f"SELECT {name}()",
                    f"SELECT * FROM {name}()",
                    f"INSERT INTO orders (total) SELECT 1 WHERE ({name}()) IS NULL",
                    f"DO $x{level}$ BEGIN PERFORM {name}(); END $x{level}$",
                    f"CREATE TABLE made_{level} AS SELECT {name}()",
                    f"WITH w AS (SELECT {name}()) SELECT 1 FROM w",
                ]
            ),
        ],
        [f"CREATE PROCEDURE {name}() LANGUAGE plpgsql AS {tag} {body} {tag}", f"CALL {name}()"],
        [
            f"CREATE FUNCTION {name}() RETURNS void LANGUAGE sql AS {tag} {sql} {tag}",
            f"SELECT public.{name}()",
        ],
        [
            f"CREATE TABLE fires_{level} (id int)",
            f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS {tag} {body} {tag}",
            f"CREATE TRIGGER t AFTER INSERT ON fires_{level} EXECUTE FUNCTION {name}()",
            f"INSERT INTO fires_{level} VALUES (1)",
        ],
    ]
    if change:
        ways += [
            [f"WITH w AS ({sql} RETURNING 1) SELECT * FROM w"],
            [f"EXPLAIN ANALYZE {sql}"],
            [f"PREPARE p{level} AS {sql}", f"EXECUTE p{level}"],
        ]
    return choose.choice(ways)


@st.composite
def scripts(draw: st.DrawFn) -> tuple[str, str]:
    """A destructive statement, and a script that has it among additive ones."""
    choose = random.Random(draw(st.integers(0, 2**32)))
    change = draw(st.booleans())
    template = draw(st.sampled_from(CHANGES if change else STATEMENTS))
    sql = written(template, choose)
    statements, levels = [sql], draw(st.integers(0, 3))
    for level in range(levels):
        *_before, last = statements
        is_change = change and level == 0
        statements = [*_before, *wrapped(last, change=is_change, level=level, choose=choose)]
    before = draw(st.lists(st.sampled_from(ADDITIVE), max_size=3, unique=True))
    after = draw(st.lists(st.sampled_from(ADDITIVE), max_size=2, unique=True))
    return template, ";\n".join([*before, *statements, *after])
