"""Migrations by chance, for whatever a database has; the same seed and database make the same ones.

The idioms are those that `sqlmigrate`, `prisma migrate diff`, Rails' `db/structure.sql` and people write. Where one asks
whether something is there, it is there as often as not.
"""

import random
import typing as t

from psycopg2.extensions import cursor

from tests.integration.random_script import literal

SHOP = r"""
CREATE SCHEMA shop; CREATE TYPE shop.mood AS ENUM ('good', 'bad');
CREATE TABLE shop.buyers (id int PRIMARY KEY, name varchar(40), phone text, email varchar(90) NOT NULL DEFAULT '', mood shop.mood, "Score" int DEFAULT 0 CHECK ("Score" >= 0));
CREATE TABLE shop.orders (id bigserial PRIMARY KEY, buyer_id int REFERENCES shop.buyers (id), total numeric NOT NULL, note varchar(20), state text DEFAULT 'new', code varchar(9) COLLATE "C" UNIQUE, at timestamptz DEFAULT now());
CREATE TABLE shop.tally (day date PRIMARY KEY, n int); CREATE TABLE shop.audit (what text, at timestamptz DEFAULT now());
CREATE TABLE shop.visits (id int GENERATED ALWAYS AS IDENTITY, page text, on_day date NOT NULL, seconds int);
CREATE INDEX orders_note ON shop.orders (lower(note)); CREATE INDEX orders_open ON shop.orders (at) WHERE state = 'new';
CREATE UNIQUE INDEX visits_of ON shop.visits (page, on_day, id);
CREATE FUNCTION shop.count_order() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN UPDATE shop.tally SET n = n + 1; RETURN NEW; END$$;
CREATE FUNCTION shop.log_visit() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN INSERT INTO shop.audit (what) VALUES (NEW.page); RETURN NULL; END$$;
CREATE FUNCTION shop.touch() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN NEW.phone := lower(NEW.phone) || '!'; RETURN NEW; END$$;
CREATE FUNCTION shop.total_of(buyer int, since date DEFAULT '2000-01-01') RETURNS numeric LANGUAGE sql STABLE AS 'SELECT sum(total) FROM shop.orders WHERE buyer_id = buyer AND at > since';
CREATE FUNCTION shop.tidy() RETURNS int LANGUAGE plpgsql AS $$BEGIN DELETE FROM shop.audit; RETURN 1; END$$;
INSERT INTO shop.buyers SELECT g, 'n' || g, 'P' || g, g || '@x', (ARRAY['good', 'bad'])[1 + g % 2]::shop.mood, g FROM generate_series(1, 40) g;
INSERT INTO shop.orders (buyer_id, total, note) SELECT 1 + g % 40, g, 'o' || g FROM generate_series(1, 60) g;
INSERT INTO shop.tally SELECT date '2026-01-01' + g, g FROM generate_series(1, 9) g; INSERT INTO shop.audit SELECT 'a' || g FROM generate_series(1, 9) g;
INSERT INTO shop.visits (page, on_day, seconds) SELECT '/' || g, date '2026-01-01' + g, g FROM generate_series(1, 30) g;
CREATE TRIGGER counts AFTER INSERT ON shop.orders FOR EACH ROW EXECUTE FUNCTION shop.count_order();
CREATE TRIGGER logs AFTER INSERT ON shop.visits FOR EACH ROW EXECUTE FUNCTION shop.log_visit();
CREATE TRIGGER touches BEFORE UPDATE ON shop.buyers FOR EACH ROW EXECUTE FUNCTION shop.touch();
CREATE VIEW shop.open_orders AS WITH a AS (SELECT *, 1 AS one FROM shop.orders) SELECT a.*, b.name FROM a JOIN shop.buyers b ON b.id = a.buyer_id WHERE a.state = 'new';
CREATE VIEW shop.names AS SELECT id, name FROM shop.buyers;
CREATE MATERIALIZED VIEW shop.sums AS SELECT buyer_id, sum(total) AS total FROM shop.orders GROUP BY 1;
ALTER TABLE shop.orders ENABLE ROW LEVEL SECURITY; CREATE POLICY "see own" ON shop.orders FOR SELECT TO clerk USING (total > 3); CREATE POLICY adds ON shop.orders FOR INSERT WITH CHECK (true);
GRANT SELECT, INSERT ON shop.orders, shop.buyers TO clerk; GRANT USAGE ON SCHEMA shop TO clerk;
GRANT SELECT ON shop.names TO clerk; REVOKE EXECUTE ON FUNCTION shop.total_of(int, date) FROM PUBLIC;
CREATE TABLE shop.parts (id int) PARTITION BY RANGE (id); CREATE TABLE shop.parts_rest PARTITION OF shop.parts DEFAULT; INSERT INTO shop.parts SELECT g FROM generate_series(1, 20) g;
ALTER TABLE shop.visits ADD CONSTRAINT short CHECK (seconds < 9000); CREATE SEQUENCE shop.numbers START 7;
"""
"""What a release is made for, beside what chance made: triggers, views, policies and privileges that mean something."""

_FILLED = """
SELECT format('%I.%I', n.nspname, c.relname), c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' ORDER BY 1
"""
_COLUMNS = """
SELECT quote_ident(attname), format_type(atttypid, atttypmod), attnotnull, atthasdef, attgenerated <> '' OR attidentity <> ''
FROM pg_attribute WHERE attrelid = %s AND attnum > 0 AND NOT attisdropped ORDER BY attnum
"""
_NAMED = {
    "index": "SELECT indexrelid::regclass::text FROM pg_index i WHERE indrelid = %s AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = i.indexrelid) ORDER BY 1",
    "constraint": "SELECT quote_ident(conname) FROM pg_constraint WHERE conrelid = %s AND contype IN ('c', 'f') AND conislocal AND conparentid = 0 ORDER BY 1",
    "policy": "SELECT quote_ident(polname) FROM pg_policy WHERE polrelid = %s ORDER BY 1",
    "trigger": "SELECT quote_ident(tgname) FROM pg_trigger WHERE tgrelid = %s AND NOT tgisinternal ORDER BY 1",
}
_VIEWS = """
SELECT c.oid::regclass::text, rtrim(pg_get_viewdef(c.oid), ';') FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'v' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND NOT EXISTS (SELECT FROM pg_depend d JOIN pg_rewrite r ON r.oid = d.objid WHERE d.refobjid = c.oid AND r.ev_class <> c.oid) ORDER BY 1
"""
_FUNCTIONS = """
SELECT p.oid::regprocedure::text, pg_get_functiondef(p.oid) FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE n.nspname = 'shop' ORDER BY 1
"""


class Table(t.NamedTuple):
    name: str
    columns: list[tuple[str, str, bool, bool, bool]]
    """Name, type, whether it is NOT NULL, has a default, is made by the server."""
    named: dict[str, list[str]]
    constraints: dict[str, str]


class RandomMigrations:
    """`write` makes the statements of one file."""

    def __init__(self, seed: int, rows: cursor) -> None:
        self._dice = random.Random(seed)
        self._count = 0
        rows.execute(_FILLED)
        self._tables: list[Table] = []
        for name, oid in rows.fetchall():
            rows.execute(f"SELECT count(*) FROM ONLY {name}")
            filled = rows.fetchall()[0][0] > 2
            rows.execute(_COLUMNS, (oid,))
            columns = rows.fetchall()
            named = {}
            for kind, sql in _NAMED.items():
                rows.execute(sql, (oid,))
                named[kind] = [each for (each,) in rows.fetchall()]
            rows.execute(
                "SELECT quote_ident(conname), pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = %s",
                (oid,),
            )
            if filled and columns:
                self._tables.append(Table(name, columns, named, dict(rows.fetchall())))
        rows.execute(_VIEWS)
        self._views = rows.fetchall()
        rows.execute(_FUNCTIONS)
        self._functions = rows.fetchall()

    def write(self) -> list[str]:
        """One idiom, or two."""
        made: list[str] = []
        for _n in range(self._dice.choice((1, 1, 2))):
            idioms = self._dice.choices(_IDIOMS, [weight for weight, _idiom in _IDIOMS])
            made += idioms[0][1](self)
        return made or self.write()

    def one(self, of: t.Sequence[t.Any]) -> t.Any:
        return self._dice.choice(of)

    def new(self) -> str:
        self._count += 1
        return f"new_{self._count}"

    def table(self) -> Table:
        ours = [each for each in self._tables if each.name.startswith("shop.")]
        return self.one(self.one((ours, self._tables)))

    def having(self, kind: str) -> tuple[str, str, Table] | None:
        """A table and one of its things of a kind."""
        tables = [each for each in self._tables if each.named[kind]]
        if not tables:
            return None
        table = self.one(tables)
        return table.name, self.one(table.named[kind]), table

    def column(self, table: Table) -> str:
        return self.one(table.columns)[0]


Idiom: t.TypeAlias = "t.Callable[[RandomMigrations], list[str]]"
_IDIOMS: list[tuple[int, Idiom]] = []


def _idiom(weight: int) -> t.Callable[[Idiom], Idiom]:
    def add(made: Idiom) -> Idiom:
        _IDIOMS.append((weight, made))
        return made

    return add


@_idiom(6)
def _new_table(m: RandomMigrations) -> list[str]:
    name, old = m.new(), m.table()
    made = [
        f"CREATE TABLE IF NOT EXISTS public.{name} (id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, what text NOT NULL DEFAULT '', buyer int {m.one(('', 'REFERENCES shop.buyers (id)'))})",
        f"CREATE INDEX ON public.{name} (what)",
        f"ALTER TABLE public.{name} ENABLE ROW LEVEL SECURITY",
        f"CREATE POLICY p ON public.{name} FOR SELECT USING (true)",
        f"INSERT INTO public.{name} (what) SELECT 'x' FROM {old.name}",
        f"UPDATE public.{name} SET what = 'y'; DELETE FROM public.{name} WHERE id = 1",
        f"COMMENT ON TABLE public.{name} IS 'new'",
        f"CREATE VIEW public.{name}_v AS SELECT * FROM public.{name}",
        f"GRANT SELECT ON public.{name} TO guest; REVOKE ALL ON public.{name} FROM PUBLIC",
        f"ALTER TABLE public.{name} DROP COLUMN what CASCADE",
    ]
    return made[: m.one(range(1, len(made)))]


@_idiom(10)
def _add_column(m: RandomMigrations) -> list[str]:
    table, name = m.table(), m.new()
    what = m.one(
        (
            "text",
            "int DEFAULT 5",
            "text NOT NULL DEFAULT ''",
            "timestamptz NOT NULL DEFAULT now()",
            "jsonb DEFAULT '{}'::jsonb",
            "boolean NOT NULL DEFAULT false",
            "uuid DEFAULT gen_random_uuid()",
            "serial",
            "int GENERATED ALWAYS AS IDENTITY",
            "int GENERATED ALWAYS AS (2 * 3) STORED",
            "int GENERATED ALWAYS AS (2 * 3) VIRTUAL",
            "int CHECK (1 = 1)",
            "int REFERENCES shop.buyers (id)",
            "int UNIQUE",
            "shop.mood DEFAULT 'good'",
            "timestamptz DEFAULT clock_timestamp()",
        )
    )
    return [f"ALTER TABLE {table.name} ADD COLUMN {m.one(('', 'IF NOT EXISTS '))}{name} {what}"]


@_idiom(4)
def _add_again(m: RandomMigrations) -> list[str]:
    table = m.table()
    name, kind, *_more = m.one(table.columns)
    return [f"ALTER TABLE {table.name} ADD COLUMN IF NOT EXISTS {name} {kind}"]


@_idiom(5)
def _fill(m: RandomMigrations) -> list[str]:
    table, name = m.table(), m.new()
    also = m.one(("", "", f", {m.column(table)} = NULL"))
    where = m.one((f" WHERE {name} IS NULL", ""))
    return [
        f"ALTER TABLE {table.name} ADD COLUMN {name} int",
        f"UPDATE {table.name} SET {name} = 1{also}{where}",
    ]


@_idiom(3)
def _drop_column(m: RandomMigrations) -> list[str]:
    table = m.table()
    return [
        f"ALTER TABLE {table.name} DROP COLUMN IF EXISTS {m.one((m.column(table), m.column(table), 'absent'))}"
    ]


@_idiom(5)
def _alter_column(m: RandomMigrations) -> list[str]:
    table = m.table()
    name, kind, *_more = m.one(table.columns)
    wider = "varchar(200)" if kind.startswith("character varying") else kind
    what = m.one(
        (
            f"TYPE {wider}",
            "TYPE text",
            f"TYPE varchar(3) USING left({name}::text, 3)",
            "SET NOT NULL",
            "DROP NOT NULL",
            "DROP DEFAULT",
            "SET DEFAULT NULL",
            "SET STATISTICS 50",
        )
    )
    return [f"ALTER TABLE {table.name} ALTER COLUMN {name} {what}"]


@_idiom(4)
def _widen(m: RandomMigrations) -> list[str]:
    table, column = m.one(
        (
            ("shop.orders", "note"),
            ("shop.buyers", "name"),
            ("shop.orders", "code"),
            ("shop.buyers", "email"),
        )
    )
    return [f"ALTER TABLE {table} ALTER {column} TYPE {m.one(('text', 'varchar(100)'))}"]


@_idiom(5)
def _constrain(m: RandomMigrations) -> list[str]:
    table, name = m.table(), m.new()
    column = m.column(table)
    what = m.one(
        (
            f"CHECK ({column} IS NOT NULL OR true)",
            f"CHECK ({column} IS NOT NULL) NOT VALID",
            f"CHECK ({column} IS NOT NULL OR true) NOT VALID",
            "CHECK (true) NOT VALID",
        )
    )
    validate = [f"ALTER TABLE {table.name} VALIDATE CONSTRAINT {name}"] * m.one((0, 1))
    return [f"ALTER TABLE {table.name} ADD CONSTRAINT {name} {what}", *validate]


@_idiom(3)
def _reference(m: RandomMigrations) -> list[str]:
    end = m.one((" NOT VALID", ""))
    return [
        f"ALTER TABLE shop.orders ADD CONSTRAINT {m.new()} FOREIGN KEY (buyer_id) REFERENCES shop.buyers (id){end}"
    ]


@_idiom(3)
def _constraint_anew(m: RandomMigrations) -> list[str]:
    found = m.having("constraint")
    if not found:
        return []
    table, name, of = found
    definition = of.constraints[name].removesuffix(" NOT VALID")
    anew = m.one(
        (
            [],
            [f"ALTER TABLE {table} ADD CONSTRAINT {name} {definition} NOT VALID"],
            [f"ALTER TABLE {table} ADD CONSTRAINT {name} {definition}"],
        )
    )
    return [f"ALTER TABLE {table} DROP CONSTRAINT {m.one(('', 'IF EXISTS '))}{name}", *anew]


@_idiom(5)
def _index(m: RandomMigrations) -> list[str]:
    table = m.table()
    column = m.column(table)
    return [
        f"CREATE INDEX {m.new()} ON {table.name} {m.one((f'USING brin (({column}::text))', f'(({column} IS NULL))', f'((1)) WHERE {column} IS NULL'))}"
    ]


@_idiom(4)
def _drop_index(m: RandomMigrations) -> list[str]:
    found = m.having("index")
    return [f"DROP INDEX IF EXISTS {m.one((found[1], 'shop.absent')) if found else 'shop.absent'}"]


@_idiom(4)
def _row_security(m: RandomMigrations) -> list[str]:
    table = m.one((m.table().name, "shop.orders", "shop.orders"))
    return [
        f"ALTER TABLE {table} {m.one(('ENABLE', 'ENABLE', 'DISABLE', 'NO FORCE', 'FORCE'))} ROW LEVEL SECURITY"
    ]


@_idiom(6)
def _policies(m: RandomMigrations) -> list[str]:
    found, new, table = m.having("policy"), m.new(), m.table()
    make = f"CREATE POLICY {new} ON {table.name} {m.one(('', '', 'AS RESTRICTIVE '))}USING (true)"
    if found is None:
        return [make]
    old, name, _table = found
    again = f"CREATE POLICY {name} ON {old} FOR SELECT USING (true)"
    gone = f"DROP POLICY IF EXISTS {name} ON {old}"
    return m.one(
        (
            [make],
            [gone, again],
            [gone, again],
            [gone],
            [f"DROP POLICY IF EXISTS absent ON {old}"],
        )
    )


@_idiom(4)
def _triggers(m: RandomMigrations) -> list[str]:
    make = "CREATE TRIGGER logs AFTER INSERT ON shop.visits FOR EACH ROW EXECUTE FUNCTION shop.log_visit()"
    gone = "DROP TRIGGER IF EXISTS logs ON shop.visits"
    return m.one(
        (
            [gone, make],
            [gone, make],
            [gone],
            ["DROP TRIGGER IF EXISTS absent ON shop.visits"],
            ["ALTER TABLE shop.visits DISABLE TRIGGER logs"],
            [make.replace("logs", m.new(), 1)],
        )
    )


@_idiom(6)
def _functions(m: RandomMigrations) -> list[str]:
    name, definition = m.one(m._functions)
    make = definition.replace("CREATE OR REPLACE", m.one(("CREATE OR REPLACE", "CREATE")))
    more = "CREATE FUNCTION shop.total_of(buyer int, since date DEFAULT '2000-01-01', many int DEFAULT 3) RETURNS numeric LANGUAGE sql AS 'SELECT 1.0'"
    less = "CREATE FUNCTION shop.total_of(buyer int) RETURNS numeric LANGUAGE sql AS 'SELECT 1.0'"
    new = m.new()
    return m.one(
        (
            [definition],
            [definition],
            [f"DROP FUNCTION IF EXISTS {name} {m.one(('', 'CASCADE'))}", make],
            [
                f"CREATE FUNCTION public.{new}() RETURNS int LANGUAGE sql AS 'SELECT 1'",
                f"SELECT public.{new}()",
            ],
            [
                f"CREATE FUNCTION public.{new}() RETURNS void LANGUAGE plpgsql AS $$BEGIN DELETE FROM shop.audit; END$$",
                f"SELECT public.{new}()",
            ],
            ["SELECT shop.tidy()"],
            ["DROP FUNCTION shop.total_of(int, date)", m.one((more, less))],
            ["DROP FUNCTION IF EXISTS shop.absent(int)"],
        )
    )


@_idiom(7)
def _views(m: RandomMigrations) -> list[str]:
    name, query = m.one(m._views)
    more = m.one(
        (
            query,
            f"SELECT v.*, 1 AS {m.new()} FROM ({query}) v",
            f"WITH v AS ({query}) SELECT v.*, 1 AS {m.new()} FROM v",
            f"SELECT 1 AS {m.new()}",
        )
    )
    anew = m.one(([f"CREATE VIEW {name} AS {more}"], [f"CREATE VIEW {name} AS {more}"], []))
    replace = [f"CREATE OR REPLACE VIEW {name} AS SELECT v.*, 1 AS {m.new()} FROM ({query}) v"]
    return m.one(
        (
            replace,
            [f"DROP VIEW IF EXISTS {name}", *anew],
            [f"DROP VIEW IF EXISTS {name}", *anew],
        )
    )


@_idiom(2)
def _materialized(m: RandomMigrations) -> list[str]:
    return [
        m.one(
            (
                "REFRESH MATERIALIZED VIEW shop.sums",
                "DROP MATERIALIZED VIEW shop.sums",
                "DROP MATERIALIZED VIEW IF EXISTS shop.absent",
                f"CREATE MATERIALIZED VIEW public.{m.new()} AS SELECT state, count(*) FROM shop.orders GROUP BY 1",
            )
        )
    ]


@_idiom(7)
def _insert(m: RandomMigrations) -> list[str]:
    return [
        m.one(
            (
                "INSERT INTO shop.orders (buyer_id, total) VALUES (1, 5)",
                "INSERT INTO shop.visits (page, on_day) VALUES ('/', '2026-02-02')",
                "INSERT INTO shop.buyers (id, name) VALUES (1, 'x') ON CONFLICT DO NOTHING",
                "INSERT INTO shop.buyers (id, name) SELECT id + 1000, name FROM shop.buyers WHERE id < 3 ON CONFLICT (id) DO NOTHING",
                "INSERT INTO shop.buyers (id, name) VALUES (1, 'x') ON CONFLICT (id) DO UPDATE SET name = EXCLUDED.name",
                "INSERT INTO shop.audit (what) SELECT 'new' WHERE NOT EXISTS (SELECT FROM shop.audit WHERE what = 'new')",
            )
        )
    ]


@_idiom(5)
def _change(m: RandomMigrations) -> list[str]:
    return [
        m.one(
            (
                "UPDATE shop.orders SET state = 'old' WHERE id < 9",
                "UPDATE shop.buyers SET name = upper(name)",
                "DELETE FROM shop.audit WHERE what < 'b'",
                "TRUNCATE shop.visits",
                "WITH gone AS (DELETE FROM shop.tally RETURNING *) SELECT count(*) FROM gone",
                "MERGE INTO shop.tally t USING shop.visits v ON t.day = v.on_day WHEN MATCHED THEN UPDATE SET n = 0",
            )
        )
    ]


@_idiom(8)
def _do(m: RandomMigrations) -> list[str]:
    there = m.table()
    schema, _dot, name = there.name.replace('"', "").partition(".")
    plain = there.name.replace('"', "") == there.name
    named = (schema, name) if plain and m.one((0, 1)) else ("shop", m.new())
    column, constraint = m.one(("note", "absent")), m.one(("short", m.new()))
    look = m.one(
        (
            f"EXISTS (SELECT 1 FROM information_schema.tables WHERE table_schema = {literal(named[0])} AND table_name = {literal(named[1])})",
            f"EXISTS (SELECT FROM pg_tables WHERE schemaname = {literal(named[0])} AND tablename = {literal(named[1])})",
            f"to_regclass('{named[0]}.{named[1]}') IS NOT NULL",
        )
    )
    target = f"{named[0]}.{named[1]}"
    does = m.one(
        (
            f"DROP TABLE {target}",
            f"DELETE FROM {target}",
            f"ALTER TABLE {target} ADD COLUMN {m.new()} int",
            f"EXECUTE format('TRUNCATE %I.%I', '{named[0]}', '{named[1]}')",
        )
    )
    body = m.one(
        (
            f"IF {look} THEN {does}; END IF;",
            f"IF NOT EXISTS (SELECT 1 FROM pg_constraint WHERE conname = '{constraint}') THEN ALTER TABLE shop.visits ADD CONSTRAINT {constraint} CHECK (seconds < 9999); END IF;",
            f"IF EXISTS (SELECT 1 FROM information_schema.columns WHERE table_schema = 'shop' AND table_name = 'orders' AND column_name = '{column}') THEN ALTER TABLE shop.orders DROP COLUMN {column}; END IF;",
            f"IF NOT EXISTS (SELECT 1 FROM information_schema.columns WHERE table_schema = 'shop' AND table_name = 'orders' AND column_name = '{column}') THEN ALTER TABLE shop.orders ADD COLUMN {column} int; UPDATE shop.orders SET total = 0; END IF;",
            "IF NOT EXISTS (SELECT FROM pg_policies WHERE schemaname = 'shop' AND tablename = 'orders' AND policyname = 'adds') THEN CREATE POLICY adds ON shop.orders USING (true); ELSE DELETE FROM shop.audit; END IF;",
            f"CREATE TYPE shop.{m.one(('mood', m.new()))} AS ENUM ('a'); EXCEPTION WHEN duplicate_object THEN NULL;",
        )
    )
    return [f"DO $$ BEGIN {body} END $$"]


@_idiom(5)
def _privileges(m: RandomMigrations) -> list[str]:
    role = m.one(("clerk", "guest", "guest", "PUBLIC"))
    where = m.one((m.table().name, "shop.orders", "shop.buyers", "ALL TABLES IN SCHEMA shop"))
    return [
        m.one(
            (
                f"GRANT SELECT ON {where} TO {role}",
                f"REVOKE ALL ON {where} FROM {role}",
                f"REVOKE INSERT ON {where} FROM {role}",
            )
        )
    ]


@_idiom(3)
def _types(m: RandomMigrations) -> list[str]:
    return [
        m.one(
            (
                f"ALTER TYPE shop.mood ADD VALUE '{m.new()}'",
                "ALTER TYPE shop.mood RENAME VALUE 'bad' TO 'worse'",
                f"CREATE TYPE public.{m.new()} AS ENUM ('a')",
                "DROP TYPE IF EXISTS shop.absent",
            )
        )
    ]


@_idiom(4)
def _rename(m: RandomMigrations) -> list[str]:
    table = m.table()
    return [
        m.one(
            (
                f"ALTER TABLE {table.name} RENAME TO {m.new()}",
                f"ALTER TABLE {table.name} RENAME COLUMN {m.column(table)} TO {m.new()}",
                f"ALTER TABLE IF EXISTS shop.absent RENAME TO {m.new()}",
                f"ALTER TABLE {table.name} SET SCHEMA public",
                f"ALTER TABLE {table.name} OWNER TO guest",
            )
        )
    ]


@_idiom(4)
def _drop_table(m: RandomMigrations) -> list[str]:
    return [
        f"DROP TABLE {m.one((f'{m.table().name} CASCADE', 'IF EXISTS shop.absent', 'IF EXISTS shop.absent CASCADE', 'IF EXISTS shop.audit'))}"
    ]


@_idiom(4)
def _under_lock(m: RandomMigrations) -> list[str]:
    table, name = m.table(), m.new()
    return [
        f"ALTER TABLE {table.name} ADD COLUMN {name} text",
        m.one(
            (
                f"CREATE TABLE public.{name} AS SELECT 1 AS one FROM {m.table().name}",
                f"CREATE MATERIALIZED VIEW public.{name} AS SELECT count(*) FROM {table.name}",
                f"INSERT INTO shop.audit (what) SELECT 'x' FROM {table.name}",
                f"COMMENT ON COLUMN {table.name}.{name} IS 'x'",
            )
        ),
    ]


@_idiom(8)
def _exchange(m: RandomMigrations) -> list[str]:
    made = "CREATE VIEW shop.names AS SELECT id, name FROM shop.buyers"
    return m.one(
        (
            ["DROP VIEW shop.names", made, "GRANT SELECT ON shop.names TO clerk"],
            ["DROP VIEW shop.names", made, "GRANT SELECT ON shop.names TO guest"],
            ["ALTER TABLE shop.visits ADD PRIMARY KEY USING INDEX visits_of"],
            [f"CREATE TABLE public.{m.new()} PARTITION OF shop.parts FOR VALUES FROM (90) TO (91)"],
            [
                "ALTER TABLE shop.visits DISABLE TRIGGER logs",
                "ALTER TABLE shop.visits ENABLE TRIGGER logs",
            ],
            ["SELECT id FROM shop.buyers FOR UPDATE"],
            [
                f"ALTER TABLE shop.orders ADD COLUMN {m.new()} int",
                "SELECT count(*) FROM shop.visits",
            ],
            [
                f"ALTER TABLE shop.orders ADD COLUMN {m.new()} int REFERENCES shop.buyers DEFAULT NULL"
            ],
            [
                f"CREATE TABLE public.{m.new()} (id int, tidied int DEFAULT shop.tidy())",
                f"INSERT INTO public.new_{m._count} VALUES (1)",
            ],
            ["REVOKE EXECUTE ON FUNCTION shop.total_of(int, date) FROM PUBLIC, guest"],
            [f"ALTER TABLE {m.table().name} OWNER TO postgres"],
        )
    )


@_idiom(2)
def _sequences(m: RandomMigrations) -> list[str]:
    return [
        m.one(
            (
                "ALTER SEQUENCE shop.numbers RESTART WITH 100",
                "SELECT setval('shop.numbers', 50)",
                "ALTER SEQUENCE shop.numbers INCREMENT 5",
                f"CREATE SEQUENCE public.{m.new()}",
                "SELECT nextval('shop.numbers')",
            )
        )
    ]


@_idiom(3)
def _other(m: RandomMigrations) -> list[str]:
    return [
        m.one(
            (
                "LOCK TABLE shop.orders IN ACCESS EXCLUSIVE MODE",
                "REINDEX TABLE shop.orders",
                "CLUSTER shop.orders USING orders_pkey",
                f"CREATE STATISTICS public.{m.new()} ON page, seconds FROM shop.visits",
                "ANALYZE shop.orders",
                "CREATE RULE r AS ON DELETE TO shop.audit DO INSTEAD NOTHING",
                f"CREATE SCHEMA {m.new()}",
                "ALTER TABLE shop.visits SET (fillfactor = 70)",
                "ALTER TABLE shop.visits SET UNLOGGED",
            )
        )
    ]
