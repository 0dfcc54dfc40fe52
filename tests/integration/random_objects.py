"""Objects that a database has beside its tables, one method each, made by chance."""

import typing as t

from tests.integration.random_script import RandomScript, literal, quoted


class RandomObjects(RandomScript):
    """What stands by itself or hangs on tables that were made before."""

    def _sequence(self) -> None:
        what = self.place()
        self.add(
            f"CREATE SEQUENCE {what} AS smallint INCREMENT -2 START 50 MAXVALUE 100 MINVALUE 1 CYCLE; SELECT nextval({literal(what)})"
        )
        self._owned("SEQUENCE", what)

    def _large_objects(self) -> None:
        number = 900_000 + self._dice.randint(0, 9999)
        self.add(
            f"SELECT lo_from_bytea({number}, sha256('{number}')); COMMENT ON LARGE OBJECT {number} IS 'large'"
        )
        self.add(f"ALTER LARGE OBJECT {number} OWNER TO {quoted(self._one(self.roles))}")

    def _foreign(self) -> None:
        wrapper, server, table = quoted(self.name()), quoted(self.name()), self.place()
        self.add(f"CREATE FOREIGN DATA WRAPPER {wrapper} OPTIONS (a {literal(self._word(5))})")
        self.add(f"CREATE SERVER {server} TYPE 'x' VERSION '1' FOREIGN DATA WRAPPER {wrapper}")
        self.add(
            f"CREATE USER MAPPING FOR {quoted(self._one(self.roles))} SERVER {server} OPTIONS (who 'me')"
        )
        self.add(
            f"CREATE FOREIGN TABLE {table} ({quoted(self.name())} int NOT NULL) SERVER {server}"
        )
        self._owned("FOREIGN TABLE", table)

    def _publications(self) -> None:
        if self._keyed:
            table, key = self._one(self._keyed)
            self.add(
                f"CREATE PUBLICATION {quoted(self.name())} FOR TABLE ONLY {table} ({key}) WHERE ({key} > 1) WITH (publish = 'insert')"
            )
        schema = quoted(self._one(self.schemas))
        self.add(f"CREATE PUBLICATION {quoted(self.name())} FOR TABLES IN SCHEMA {schema}")
        self.add(f"CREATE PUBLICATION {quoted(self.name())} FOR ALL TABLES")

    def _subscription(self) -> None:
        self.add(
            f"CREATE SUBSCRIPTION {quoted('sub' + str(self.seed))} CONNECTION 'dbname=nowhere' PUBLICATION none WITH (connect = false, slot_name = NONE)"
        )

    def _event_trigger(self) -> None:
        function, trigger = self.place(), quoted(self.name())
        self.add(
            f"CREATE FUNCTION {function}() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'"
        )
        self.add(
            f"CREATE EVENT TRIGGER {trigger} ON {self._one(('ddl_command_end', 'sql_drop', 'ddl_command_start'))} EXECUTE FUNCTION {function}()"
        )

    def _cast(self) -> None:
        self.add(f"CREATE CAST ({self.composite} AS {self.enum}) WITH INOUT AS ASSIGNMENT")

    def _conversion(self) -> None:
        self.add(f"CREATE CONVERSION {self.place()} FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8")

    def _text_search(self) -> None:
        dictionary, configuration, template = self.place(), self.place(), self.place()
        self.add(
            f"CREATE TEXT SEARCH TEMPLATE {template} (INIT = dsimple_init, LEXIZE = dsimple_lexize)"
        )
        self.add(f"CREATE TEXT SEARCH DICTIONARY {dictionary} (TEMPLATE = {template})")
        self.add(
            f"CREATE TEXT SEARCH PARSER {self.place()} (START = prsd_start, GETTOKEN = prsd_nexttoken, END = prsd_end, LEXTYPES = prsd_lextype)"
        )
        self.add(
            f"CREATE TEXT SEARCH CONFIGURATION {configuration} (COPY = simple); ALTER TEXT SEARCH CONFIGURATION {configuration} ALTER MAPPING FOR word WITH {dictionary}"
        )

    def _language(self) -> None:
        handler = self.place()  # of a handler that is the system's own pg_dump makes an extension
        self.add(
            f"CREATE FUNCTION {handler}() RETURNS language_handler LANGUAGE c AS '$libdir/plpgsql', 'plpgsql_call_handler'"
        )
        self.add(f"CREATE LANGUAGE {quoted(self.name())} HANDLER {handler}")

    def _access_method(self) -> None:
        method = quoted(self.name())
        self.add(
            f"CREATE ACCESS METHOD {method} TYPE TABLE HANDLER heap_tableam_handler; CREATE TABLE {self.place()} (id int) USING {method}"
        )

    def _transform(self) -> None:
        self.add(
            "CREATE TRANSFORM FOR int LANGUAGE sql (FROM SQL WITH FUNCTION prsd_lextype(internal), TO SQL WITH FUNCTION int4recv(internal))"
        )


OTHERS: tuple[t.Callable[[RandomObjects], None], ...] = (
    RandomObjects._sequence,
    RandomObjects._large_objects,
    RandomObjects._foreign,
    RandomObjects._cast,
    RandomObjects._conversion,
    RandomObjects._text_search,
    RandomObjects._language,
    RandomObjects._access_method,
    RandomObjects._transform,
    RandomObjects._publications,
    RandomObjects._subscription,
    RandomObjects._event_trigger,
)
