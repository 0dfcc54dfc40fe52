"""Schemas by rules and chance, of every kind of object that PostgreSQL 18 dumps; the same seed makes the same one.

The kinds are those of the manual's chapter "SQL Commands" that begin with CREATE and live in a database, but for security
labels, which need a provider, and tablespaces, which are the server's.
"""

import typing as t

from tests.integration.random_objects import OTHERS, RandomObjects
from tests.integration.random_script import literal, quoted

# Type and an expression of it by the row's number `g`.
_TYPES = (
    ("int", "g"),
    ("bigint", "g * 10000000000"),
    ("smallint", "g"),
    ("numeric(12,3)", "g / 7.0"),
    ("double precision", "g / 3.0"),
    ("real", "g / 3.0"),
    ("text", "'line ' || g || E'\\n\\\\.\\ttab'"),
    ("varchar(40)", "'ü' || g"),
    ('char(5) COLLATE "C"', "g::text"),
    ("bytea", "sha256(g::text::bytea)"),
    ("boolean", "g % 2 = 0"),
    ("date", "date '2025-01-01' + g"),
    ("timestamptz", "timestamptz '2025-01-01 00:00+02' + g * interval '1 hour'"),
    ("time", "time '00:00' + g * interval '1 minute'"),
    ("interval", "g * interval '1 day 3 hours'"),
    ("uuid", "md5(g::text)::uuid"),
    ("jsonb", "jsonb_build_object('a', g, 'b', ARRAY[1, NULL])"),
    ("json", "json_build_object('a', g)"),
    ("xml", "('<a>' || g || '</a>')::xml"),
    ("int[]", "ARRAY[g, NULL, 3]"),
    ("text[][]", "ARRAY[['a', 'b'], ['\"', E'\\\\']]"),
    ("int4range", "int4range(g, g + 5)"),
    ("nummultirange", "nummultirange(numrange(g, g + 1))"),
    ("tstzrange", "tstzrange('2025-01-01', '2025-02-01')"),
    ("inet", "'10.0.0.1'::inet + g"),
    ("cidr", "'10.0.0.0/8'::cidr"),
    ("macaddr", "'08:00:2b:01:02:03'::macaddr"),
    ("bit varying(16)", "g::bit(8)"),
    ("money", "g::numeric::money"),
    ("tsvector", "to_tsvector('simple', 'word ' || g)"),
    ("point", "point(g, g)"),
    ("polygon", "polygon(circle(point(g, g), 1))"),
    ("pg_lsn", "'0/1'::pg_lsn + g"),
)
_INDEXES = (
    "USING btree (({key}) DESC NULLS LAST) INCLUDE ({other})",
    "USING hash ({key})",
    "USING brin ({key})",
    "USING btree (({key} + 1)) WHERE {key} > 3",
    "USING gist (int4range({key}, {key} + 1))",
    "USING gin ((ARRAY[{key}]))",
    "USING btree ({key}) WITH (fillfactor = 70)",
)


class RandomSchema(RandomObjects):
    """`sql` makes all in an empty database, as a superuser."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for schema in self.schemas[1:]:
            owner = f" AUTHORIZATION {quoted(self._one(self.roles))}" if self._perhaps() else ""
            self.add(f"CREATE SCHEMA {quoted(schema)}{owner}")
        self.add("CREATE EXTENSION btree_gist; CREATE EXTENSION hstore")
        self._types()
        self._functions()
        for _n in range(self.tables):
            self._one(_TABLES)(self)
        for rule in OTHERS:
            if self._perhaps(0.7):
                rule(self)
        self._rights()

    def _types(self) -> None:
        self.enum, self.domain, self.composite = self.place(), self.place(), self.place()
        labels = ", ".join(literal(self.name(10)) for _n in range(3))
        self.add(f"CREATE TYPE {self.enum} AS ENUM ({labels})")
        self.add(
            f"CREATE DOMAIN {self.domain} AS int DEFAULT 5 CONSTRAINT {quoted(self.name())} CHECK (VALUE > 0)"
        )
        self.add(
            f"CREATE TYPE {self.composite} AS ({quoted(self.name())} int, {quoted(self.name())} text)"
        )
        for kind, what in (("TYPE", self.enum), ("DOMAIN", self.domain), ("TYPE", self.composite)):
            self._owned(kind, what)
        if self._perhaps():
            self.add(
                f"CREATE TYPE {self.place()} AS RANGE (SUBTYPE = float8, MULTIRANGE_TYPE_NAME = {self.place()})"
            )
        if self._perhaps():
            base, (reads, writes) = self.place(), (self.place(), self.place())
            self.add(
                f"CREATE TYPE {base}; CREATE FUNCTION {reads}(cstring) RETURNS {base} LANGUAGE internal IMMUTABLE STRICT"
                f" AS 'int4in'; CREATE FUNCTION {writes}({base}) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS"
                f" 'int4out'; CREATE TYPE {base} (INPUT = {reads}, OUTPUT = {writes}, LIKE = int4)"
            )
        if self._perhaps():
            self.add(f"CREATE TYPE {self.place()}")
        if self._perhaps():
            self.add(f"CREATE COLLATION {self.place()} (provider = builtin, locale = 'C.UTF-8')")

    def _functions(self) -> None:
        self.function, self.trigger = self.place(), self.place()
        self.add(
            f"CREATE FUNCTION {self.function}(n int, {quoted(self.name())} text DEFAULT {literal(self._word(9))}) RETURNS int"
            f" LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog AS 'SELECT n + 1'"
        )
        self._owned("FUNCTION", f"{self.function}(int, text)")
        self.add(
            f"CREATE FUNCTION {self.trigger}() RETURNS trigger LANGUAGE plpgsql AS $_$BEGIN RETURN NEW; END$_$"
        )
        self.add(f"CREATE FUNCTION {self.place()}(n int) RETURNS int RETURN n + 1")
        self.add(
            f"CREATE FUNCTION {self.place()}(VARIADIC a anyarray) RETURNS TABLE (x int, y text) LANGUAGE sql AS"
            " $$SELECT 1, 'a'$$"
        )
        self.add(
            f"CREATE PROCEDURE {self.place()}(INOUT a int) LANGUAGE sql BEGIN ATOMIC SELECT a; END"
        )
        if self._perhaps():
            self.add(
                f"CREATE AGGREGATE {self.place()}(int) (SFUNC = int4pl, STYPE = int, INITCOND = '0')"
            )
            self.add(
                f"CREATE AGGREGATE {self.place()}(*) (SFUNC = int8inc, STYPE = bigint, INITCOND = '0')"
            )
        if self._perhaps():
            schema = quoted(self._one(self.schemas))
            self.add(
                f"CREATE OPERATOR {schema}.<+> (LEFTARG = int, RIGHTARG = int, FUNCTION = int4pl, COMMUTATOR = OPERATOR({schema}.<+>))"
            )
            family = self.place()
            self.add(
                f"CREATE OPERATOR FAMILY {family} USING btree; CREATE OPERATOR CLASS {self.place()} FOR TYPE int USING"
                f" btree FAMILY {family} AS OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >,"
                " FUNCTION 1 btint4cmp(int, int)"
            )

    def _columns(self) -> tuple[list[str], list[tuple[str, str]]]:
        columns, values = [], []
        for _n in range(self._dice.randint(0, 6)):
            kind, value = self._one(_TYPES)
            name = quoted(self.name())
            options = self._one(
                (
                    "",
                    "",
                    " NOT NULL",
                    " STORAGE EXTERNAL" if kind in ("text", "bytea", "jsonb") else "",
                )
            )
            columns.append(f"{name} {kind}{options}")
            if self._perhaps(0.9) or options == " NOT NULL":
                values.append((name, value))
        for kind, value in (
            (self.enum, f"(enum_range(NULL::{self.enum}))[1 + g % 3]"),
            (self.domain, "g"),
            (self.composite, f"ROW(g, 'x')::{self.composite}"),
            ("hstore", "hstore('a', g::text)"),
        ):
            if self._perhaps(0.2):
                name = quoted(self.name())
                columns.append(f"{name} {kind if kind != 'hstore' else 'public.hstore'}")
                values.append((name, value.replace("hstore(", "public.hstore(")))
        return columns, values

    def _fill(
        self, table: str, key: str, values: list[tuple[str, str]], rows: int | None = None
    ) -> None:
        names = ", ".join([key, *(name for name, _value in values)])
        exprs = ", ".join(["g", *(value for _name, value in values)])
        rows = self._dice.choice((0, 1, 3, 20)) if rows is None else rows
        self.add(f"INSERT INTO {table} ({names}) SELECT {exprs} FROM generate_series(1, {rows}) g")

    def plain(self) -> None:
        table, key = self.place(), quoted(self.name())
        columns, values = self._columns()
        if self._perhaps(0.2):
            columns.append(
                f"{quoted(self.name())} int GENERATED ALWAYS AS ({key} * 2) {self._one(('STORED', 'VIRTUAL'))}"
            )
        if self._perhaps(0.2):
            columns.append(
                f"{quoted(self.name())} {self._one(('serial', 'int GENERATED ALWAYS AS IDENTITY (START 7 INCREMENT 3)', 'bigint GENERATED BY DEFAULT AS IDENTITY'))}"
            )
        if self._perhaps(0.2):
            columns.append(f"{quoted(self.name())} int DEFAULT {self.function}(3)")
        if self._perhaps(0.2):
            columns.append(
                f"CONSTRAINT {quoted(self.name())} CHECK ({key} > 0){self._one(('', ' NO INHERIT', ' NOT ENFORCED'))}"
            )
        unlogged = "UNLOGGED " if self._perhaps(0.1) else ""
        primary = self._perhaps(0.8)
        end = (
            self._one((" PRIMARY KEY", " PRIMARY KEY DEFERRABLE", " UNIQUE NULLS NOT DISTINCT"))
            if primary
            else ""
        )
        options = self._one(("", "", " WITH (fillfactor = 80, autovacuum_enabled = false)"))
        self.add(
            f"CREATE {unlogged}TABLE {table} ({', '.join([key + ' int' + end, *columns])}){options}"
        )
        self._fill(table, key, values)
        for _n in range(self._dice.choice((0, 0, 1, 2))):
            if self._perhaps(0.8):
                index = self._one(_INDEXES).format(key=key, other=key)
                self.add(f"CREATE INDEX {quoted(self.name())} ON {table} {index}")
        if end == " PRIMARY KEY" and not unlogged:
            if self._keyed and self._perhaps(0.5):
                other, other_key = self._one(self._keyed)
                action = self._one(
                    (
                        "",
                        " ON DELETE CASCADE",
                        " ON UPDATE SET NULL DEFERRABLE INITIALLY DEFERRED",
                        " NOT ENFORCED",
                        " NOT VALID",
                    )
                )
                column = quoted(self.name())
                self.add(f"ALTER TABLE {table} ADD {column} int")
                self.add(
                    f"ALTER TABLE {table} ADD CONSTRAINT {quoted(self.name())} FOREIGN KEY ({column}) REFERENCES {other} ({other_key}){action}"
                )
            self._keyed.append((table, key))
        self._adorn(table, key)

    def _adorn(self, table: str, key: str) -> None:
        if self._perhaps(0.2):
            when = self._one(("BEFORE INSERT OR UPDATE", "AFTER DELETE"))
            trigger = quoted(self.name())
            self.add(
                f"CREATE TRIGGER {trigger} {when} ON {table} FOR EACH ROW EXECUTE FUNCTION {self.trigger}()"
            )
            if self._perhaps(0.3):
                self.add(
                    f"ALTER TABLE {table} {self._one(('DISABLE', 'ENABLE REPLICA', 'ENABLE ALWAYS'))} TRIGGER {trigger}"
                )
        if self._perhaps(0.2):
            self.add(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
            self.add(
                f"CREATE POLICY {quoted(self.name())} ON {table} FOR SELECT TO {quoted(self._one(self.roles))} USING ({key} > 0)"
            )
        if self._perhaps(0.1):
            self.add(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        if self._perhaps(0.15):
            self.add(
                f"CREATE RULE {quoted(self.name())} AS ON DELETE TO {table} DO ALSO NOTIFY nothing"
            )
        if self._perhaps(0.15):
            self.add(f"CREATE STATISTICS {self.place()} ON ({key} + 1), ({key} % 3) FROM {table}")
        if self._perhaps(0.2):
            view = self.place()
            self.add(
                f"CREATE VIEW {view} {self._one(('', 'WITH (security_barrier) ', 'WITH (security_invoker) '))}AS SELECT {key} AS k FROM {table} WHERE {key} > 1"
            )
            self._owned("VIEW", view)
        if self._perhaps(0.15):
            self.add(
                f"CREATE MATERIALIZED VIEW {self.place()} AS SELECT count(*) AS n, max({key}) AS m FROM {table}{self._one(('', ' WITH NO DATA'))}"
            )
        if self._perhaps(0.1):
            self.add(f"ALTER TABLE {table} REPLICA IDENTITY FULL")
        if self._perhaps(0.1):
            self.add(f"COMMENT ON COLUMN {table}.{key} IS {literal(self._word(20))}")
        if self._perhaps(0.1):
            self.add(f"ALTER TABLE {table} ALTER {key} SET STATISTICS 50")
        self._owned("TABLE", table)

    def partitioned(self) -> None:
        table, key = self.place(), quoted(self.name())
        columns, values = self._columns()
        how = self._one(("RANGE", "LIST", "HASH"))
        primary = self._one(("", " PRIMARY KEY"))
        self.add(
            f"CREATE TABLE {table} ({', '.join([f'{key} int{primary}', *columns])}) PARTITION BY {how} ({key})"
        )
        for part in range(3):
            bounds = {
                "RANGE": f"FROM ({part * 10}) TO ({part * 10 + 10})",
                "LIST": f"IN ({', '.join(str(n) for n in range(part, 100, 3))})",
                "HASH": f"WITH (MODULUS 3, REMAINDER {part})",
            }[how]
            self.add(f"CREATE TABLE {self.place()} PARTITION OF {table} FOR VALUES {bounds}")
        if how != "HASH" and self._perhaps():
            self.add(
                f"CREATE TABLE {self.place()} PARTITION OF {table} DEFAULT PARTITION BY LIST ({key})"
            )
        self._fill(table, key, values)
        if self._perhaps(0.4):
            self.add(f"CREATE INDEX {quoted(self.name())} ON {table} ({key})")
        self._owned("TABLE", table)

    def inherited(self) -> None:
        parent, child, key = self.place(), self.place(), quoted(self.name())
        columns, values = self._columns()
        self.add(f"CREATE TABLE {parent} ({', '.join([f'{key} int NOT NULL', *columns])})")
        self.add(
            f"CREATE TABLE {child} ({quoted(self.name())} text DEFAULT 'x') INHERITS ({parent})"
        )
        self._fill(parent, key, values)
        self._fill(child, key, values)
        self._adorn(child, key)

    def typed(self) -> None:
        table, kind, key = self.place(), self.place(), quoted(self.name())
        self.add(
            f"CREATE TYPE {kind} AS ({key} int); CREATE TABLE {table} OF {kind} ({key} WITH OPTIONS DEFAULT 3)"
        )
        self._fill(table, key, [])

    def temporal(self) -> None:
        table, key, span = self.place(), quoted(self.name()), quoted(self.name())
        self.add(
            f"CREATE TABLE {table} ({key} int, {span} daterange, PRIMARY KEY ({key}, {span} WITHOUT OVERLAPS), EXCLUDE USING gist ({key} WITH =, {span} WITH &&))"
        )
        self._fill(table, key, [(span, "daterange('2025-01-01', NULL)")])

    def bare(self) -> None:
        table = self.place()
        self.add(f"CREATE TABLE {table} (); INSERT INTO {table} DEFAULT VALUES")

    def _rights(self) -> None:
        role = quoted(self._one(self.roles))
        for schema in map(quoted, self.schemas):
            if self._perhaps():
                self.add(f"GRANT USAGE, CREATE ON SCHEMA {schema} TO {role} WITH GRANT OPTION")
            if self._perhaps():
                self.add(f"GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA {schema} TO {role}")
            if self._perhaps():
                self.add(
                    f"ALTER DEFAULT PRIVILEGES FOR ROLE {role} IN SCHEMA {schema} GRANT SELECT ON TABLES TO PUBLIC"
                )
        for table, key in self._keyed[:3]:
            self.add(
                f"GRANT UPDATE ({key}) ON {table} TO {role}; REVOKE ALL ON {table} FROM PUBLIC"
            )
        self.add(f"REVOKE EXECUTE ON FUNCTION {self.function}(int, text) FROM PUBLIC")


_TABLES: tuple[t.Callable[[RandomSchema], None], ...] = (
    *(RandomSchema.plain,) * 12,
    *(RandomSchema.partitioned,) * 2,
    *(RandomSchema.inherited,) * 2,
    RandomSchema.typed,
    RandomSchema.temporal,
    RandomSchema.bare,
)
