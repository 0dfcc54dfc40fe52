# SPDX-License-Identifier: GPL-3.0-or-later
"""The one place that talks to PostgreSQL: where it is, how to reach it, and what went wrong in whose words."""

from __future__ import annotations

import os
import re
import typing as t
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from ._errors import DeployError, InputError, Library, RefusedError, UnreachableError

if t.TYPE_CHECKING:
    from psycopg2.extensions import connection


PSYCOPG2 = Library("psycopg2-binary >= 2.9.10")
with PSYCOPG2:
    import psycopg2
    import psycopg2.extensions

Row = tuple[t.Any, ...]
Values: t.TypeAlias = "t.Sequence[t.Any] | None"


@dataclass(frozen=True)
class PostgresTarget:
    """One database on one server, and the role to use. The password is in no text made of it."""

    host: str
    user: str
    database: str
    port: int = 5432
    password: str | None = field(default=None, repr=False)
    ssl_mode: str = "verify-full"
    ca_cert: str | None = None
    connect_timeout: int = 10

    @classmethod
    def from_params(cls, params: t.Mapping[str, t.Any]) -> PostgresTarget:
        """Of the options of the doc fragment _postgres, and libpq's variables for what these leave open.

        InputError for an address that can't do what is done here.
        """
        host, port = _needed(params, "login_host", "PGHOST"), _port(params)
        _refuse_transaction_pooler(host, port)
        return cls(
            host=host,
            port=port,
            user=_needed(params, "login_user", "PGUSER"),
            password=params["login_password"] or os.environ.get("PGPASSWORD"),
            database=params["login_db"],
            ssl_mode=params["ssl_mode"] or _verifying_mode(),
            ca_cert=params["ca_cert"] or os.environ.get("PGSSLROOTCERT"),
            connect_timeout=params["connect_timeout"],
        )

    @property
    def where(self) -> str:
        return f"database {self.database!r} at {self.host}:{self.port}"

    def environment(self) -> dict[str, str]:
        """libpq's variables, for a client program."""
        given = {
            "PGHOST": self.host,
            "PGPORT": str(self.port),
            "PGUSER": self.user,
            "PGDATABASE": self.database,
            "PGSSLMODE": self.ssl_mode,
            "PGCONNECT_TIMEOUT": str(self.connect_timeout),
            "PGPASSWORD": self.password,
            "PGSSLROOTCERT": self.ca_cert,
            **{name: os.environ.get(name) for name in _FILES},
        }
        return {name: value for name, value in given.items() if value}


_FILES = ("PGPASSFILE", "PGSSLCERT", "PGSSLKEY")
"""What libpq reads by itself."""
_VERIFYING = ("verify-ca", "verify-full")


def _needed(params: t.Mapping[str, t.Any], option: str, variable: str) -> str:
    if value := params[option] or os.environ.get(variable):
        return str(value)
    raise InputError(f"Option {option!r} is missing: set it, or {variable} in the environment.")


def _port(params: t.Mapping[str, t.Any]) -> int:
    value = params["login_port"] or os.environ.get("PGPORT") or "5432"
    if not str(value).isdecimal():
        raise InputError(f"PGPORT in the environment is {value!r}, which is no port: correct it.")
    return int(value)


def _verifying_mode() -> str:
    """What weakens TLS has to be said as an option."""
    mode = os.environ.get("PGSSLMODE", "")
    return mode if mode in _VERIFYING else "verify-full"


class SqlError(Exception):
    """PostgreSQL said no to one statement."""

    def __init__(self, *, sqlstate: str, message: str, position: int | None) -> None:
        super().__init__(f"{message} (SQLSTATE {sqlstate})")
        self.sqlstate = sqlstate
        self.message = message
        self.position = position
        """Where in the statement, counted in characters from 1; None when it did not say."""


class Session:
    """One connection in autocommit: BEGIN and COMMIT are statements like any other.

    Raises SqlError, and UnreachableError when the connection is gone.
    """

    def __init__(self, target: PostgresTarget, opened: connection) -> None:
        self._target = target
        self._connection = opened

    def execute(self, sql: str, values: Values = None) -> None:
        self._run(sql, values, fetch=False)

    def rows(self, sql: str, values: Values = None) -> list[Row]:
        return self._run(sql, values, fetch=True)

    @property
    def in_transaction(self) -> bool:
        """Whether a BEGIN still waits for its COMMIT."""
        return self._connection.info.transaction_status in (
            psycopg2.extensions.TRANSACTION_STATUS_INTRANS,
            psycopg2.extensions.TRANSACTION_STATUS_INERROR,
        )

    @property
    def announced_process(self) -> int:
        """What the other side called itself when it was connected to; a pooler says another number than its server."""
        return int(self._connection.info.backend_pid)

    @property
    def process(self) -> int:
        """The server's process that answers now."""
        return int(self.rows("SELECT pg_catalog.pg_backend_pid()")[0][0])

    @property
    def server_version(self) -> tuple[int, str]:
        """Its major version and its full name, for example `(18, "18.6")`."""
        full = str(self.rows("SHOW server_version")[0][0])
        return self._connection.server_version // 10000, full.split(maxsplit=1)[0]

    def cancel(self) -> None:
        """Have the server stop the statement that another thread waits for; none is fine, too."""
        with suppress(psycopg2.Error):
            self._connection.cancel()

    def _run(self, sql: str, values: Values, *, fetch: bool) -> list[Row]:
        try:
            with self._connection.cursor() as cursor:
                cursor.execute(sql, values)
                return cursor.fetchall() if fetch else []
        except psycopg2.Error as exc:
            if _connection_lost(exc):
                raise UnreachableError(
                    f"The connection to {self._target.where} was lost: {_first_line(exc)}; the "
                    "result of its last statement is unknown."
                ) from exc
            raise _sql_error(exc) from exc


@contextmanager
def connected(target: PostgresTarget, *, application_name: str) -> t.Iterator[Session]:
    """A session that is closed at the end of the block."""
    try:
        opened = psycopg2.connect(
            host=target.host,
            port=target.port,
            user=target.user,
            password=target.password,
            dbname=target.database,
            sslmode=target.ssl_mode,
            sslrootcert=target.ca_cert,
            connect_timeout=target.connect_timeout,
            application_name=application_name,
            # A dead peer is noticed within a minute, and not after two hours.
            keepalives_idle=30,
            keepalives_interval=10,
            keepalives_count=3,
            **_no_client_certificate(),
        )
    except psycopg2.OperationalError as exc:
        raise connection_failure(target, str(exc)) from exc
    except psycopg2.Error as exc:
        raise InputError(f"Cannot connect to {target.where}: {_first_line(exc)}.") from exc
    try:
        opened.autocommit = True
        yield Session(target, opened)
    finally:
        opened.close()


LOCK_NOT_AVAILABLE = "55P03"


@contextmanager
def transaction(session: Session) -> t.Iterator[None]:
    """BEGIN and COMMIT, or ROLLBACK when the server refused something in the block."""
    session.execute("BEGIN")
    try:
        yield
        session.execute("COMMIT")
    except SqlError:
        session.execute("ROLLBACK")
        raise


# Those that the server has: they came with 9.6, 14 and 17. A role or a database may have any of them set.
LIFT_TIMEOUTS = """
SELECT pg_catalog.set_config(name, '0', false)
FROM pg_catalog.unnest(ARRAY['statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout',
                             'idle_session_timeout', 'transaction_timeout']) AS name
WHERE pg_catalog.current_setting(name, true) IS NOT NULL;
"""


def lift_timeouts(session: Session) -> None:
    """For work that takes as long as it takes, as pg_dump and pg_restore do it."""
    # First, for it may be too short to ask anything.
    session.execute(f"SET statement_timeout = 0; {LIFT_TIMEOUTS}")


def connection_failure(target: PostgresTarget, text: str) -> DeployError:
    """Sort what libpq said about a failed connection: refused by the server, by TLS, or not there at all."""
    reason = _connection_reason(mask_secret(text, target.password))
    starting = "starting up" in reason or "shutting down" in reason
    if reason.startswith("FATAL:") and not starting:
        advice = "Check user, password and database name."
        if "not currently accepting connections" in reason:
            advice = "A restore that was killed leaves it closed: run that restore again, which opens it."
        return RefusedError(
            f"User {target.user!r} was refused by {target.where}: {reason.removeprefix('FATAL:').strip()}. {advice}"
        )
    if "certificate" in reason.lower() or "SSL" in reason:
        return RefusedError(
            f"TLS with {target.where} failed: {reason}. Check 'ca_cert' and 'ssl_mode' "
            f"(now {target.ssl_mode!r}), and that the certificate names the host."
        )
    if reason in _NO_WAY and _only_ipv6(text):
        return UnreachableError(
            f"Cannot reach {target.where}: it has IPv6 addresses alone, and this machine no way there ({reason}). "
            "Give this machine IPv6, or set the address of the pooler in session mode, or buy the IPv4 add-on."
        )
    return UnreachableError(f"Cannot reach {target.where}: {reason}.")


def _connection_reason(text: str) -> str:
    """The last of the failures libpq lists, one for each address, without the address and the advice."""
    lines = [line.strip() for line in text.splitlines()]
    telling = [line for line in lines if line and not line.startswith("Is the server running")]
    return re.sub(r"^.* failed: ", "", telling[-1] if telling else "no reason given").rstrip(".")


_NO_WAY = (
    "Network is unreachable",
    "No route to host",
    "Cannot assign requested address",
    "Address family not supported by protocol",
)


def _only_ipv6(text: str) -> bool:
    """Whether every address that libpq tried is one; it names them in brackets after a host's name."""
    tried = re.findall(r"\(([0-9A-Fa-f.:]+)\), port|at \"([0-9A-Fa-f.:]+)\", port", text)
    return bool(tried) and all(":" in entry or ":" in other for entry, other in tried)


def _refuse_transaction_pooler(host: str, port: int) -> None:
    """By https://supabase.com/docs/guides/database/connecting-to-postgres: 6543 is that mode, 5432 is session mode."""
    if port == 6543 and host.endswith((".supabase.co", ".supabase.com")):
        raise InputError(
            f"{host}:{port} is Supabase's pooler in transaction mode, which gives each transaction another session: "
            "locks, settings and dumps do not hold there. Set port 5432, its session mode, or the direct address."
        )


def mask_secret(text: str, secret: str | None) -> str:
    return text.replace(secret, "********") if secret else text


def quote_name(name: str) -> str:
    """A name as SQL wants it, whatever stands in it."""
    return '"{}"'.format(name.replace('"', '""'))


def _connection_lost(exc: psycopg2.Error) -> bool:
    """Class 57P is the server's farewell; without any code, an operational error was not the server speaking."""
    if exc.pgcode:
        return exc.pgcode.startswith("57P")
    return isinstance(exc, (psycopg2.OperationalError, psycopg2.InterfaceError))


def _sql_error(exc: psycopg2.Error) -> SqlError:
    position = exc.diag.statement_position
    return SqlError(
        sqlstate=exc.pgcode or "",
        message=exc.diag.message_primary or _first_line(exc),
        position=int(position) if position else None,
    )


def _first_line(exc: Exception) -> str:
    return (str(exc).strip().splitlines() or [type(exc).__name__])[0].rstrip(".")


def _no_client_certificate() -> dict[str, t.Any]:
    """libpq fails when it may not look into $HOME/.postgresql; a path that is not there it passes over."""
    home = os.environ.get("HOME", "")
    readable = not home or os.access(home, os.X_OK) or os.environ.get("PGSSLCERT")
    return {} if readable else {"sslcert": "/nonexistent/postgresql.crt"}


_LOOKS = 3


def shares_sessions(session: Session, target: PostgresTarget) -> bool:
    """Whether each transaction gets another session; not with a pooler of whole sessions.

    A pooler announces a process of its own. Nothing is held open for the look, for in statement mode that is refused.
    """
    if session.process == session.announced_process:
        return False
    with connected(target, application_name="easymo.deploy, is this a pooler") as other:
        ours, theirs = set(), set()
        for _look in range(_LOOKS):
            ours.add(session.process)
            theirs.add(other.process)
    return len(ours) > 1 or bool(ours & theirs)


def refuse_pooler(session: Session, target: PostgresTarget) -> None:
    """Raise where settings, snapshots and locks of ours would be other people's."""
    if shares_sessions(session, target):
        raise RefusedError(
            f"The {target.where} is behind a pooler in transaction mode, which loses settings and locks: connect to "
            "the server itself, or to the pooler in session mode (Supabase's is at port 5432), with 'login_host' and "
            "'login_port'. Nothing was touched."
        )
