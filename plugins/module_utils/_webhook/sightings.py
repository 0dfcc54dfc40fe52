# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Where an accepted message leaves a trace: the function's log at the Management API, and the database."""

from __future__ import annotations

import re
import traceback
import typing as t
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone

from ansible_collections.easymo.deploy.plugins.module_utils import _postgres
from ansible_collections.easymo.deploy.plugins.module_utils._errors import (
    InputError,
    RefusedError,
    UnreachableError,
)
from ansible_collections.easymo.deploy.plugins.module_utils._postgres import PostgresTarget

try:
    import requests

    IMPORT_ERROR: str | None = None
except ImportError:
    IMPORT_ERROR = traceback.format_exc()

MESSAGE_ID = re.compile(r"[A-Za-z0-9._-]+")
SKEW = timedelta(minutes=5)
"""The platform's clock may differ from ours by so much."""
LINES = 1000


@dataclass(frozen=True)
class FunctionLog:
    """The log of a project's functions, as the Management API gives it."""

    api_url: str
    project_ref: str
    access_token: str = field(repr=False)
    ca_cert: str | None = None
    timeout: int = 30

    def lines(self, about: t.Collection[str]) -> list[str]:
        """Lines since shortly before now that name one of the ids."""
        now = datetime.now(timezone.utc)  # noqa: UP017 - one spelling for every Python of a target
        parameters = {
            "sql": log_query(about),
            "iso_timestamp_start": (now - SKEW).isoformat(),
            "iso_timestamp_end": (now + SKEW).isoformat(),
        }
        try:
            answer = requests.get(
                f"{self.api_url.rstrip('/')}/v1/projects/{self.project_ref}/analytics/endpoints/logs.all",
                params=parameters,
                headers={"Authorization": f"Bearer {self.access_token}"},
                timeout=self.timeout,
                verify=self.ca_cert or True,
            )
            document = answer.json()
        except (requests.RequestException, ValueError) as exc:
            raise UnreachableError(
                f"The Supabase Management API gave no log of the functions ({type(exc).__name__})."
            ) from None
        if answer.status_code in (401, 403):
            raise RefusedError(
                f"The Supabase Management API answered {answer.status_code} on the functions' log: "
                "check 'access_token' and that it may read analytics."
            )
        if not answer.ok or document.get("error"):
            raise UnreachableError(
                f"The Supabase Management API answered {answer.status_code} on the functions' log."
            )
        return [str(line.get("event_message", "")) for line in document.get("result") or []]


def log_query(about: t.Collection[str]) -> str:
    """The log's SQL takes no values apart from its text, so only what can't end a literal gets in."""
    for one in about:
        if not MESSAGE_ID.fullmatch(one):
            raise InputError(
                f"The message id {one!r} has characters that the log can't be asked for."
            )
    pattern = "|".join(one.replace(".", "[.]") for one in sorted(about))
    return (
        "select timestamp, event_message from function_logs "  # noqa: S608
        f"where regexp_contains(event_message, '{pattern}') order by timestamp desc limit {LINES}"
    )


@dataclass(frozen=True)
class PlatformSightings:
    """Sightings in a real platform. What is None can't be looked into."""

    log: FunctionLog | None
    database: PostgresTarget | None

    def logged(self, message_ids: t.Collection[str]) -> frozenset[str]:
        if self.log is None:
            raise InputError("Option 'logs' is missing, and messages are to be seen in them.")
        text = "\n".join(self.log.lines(message_ids))
        return frozenset(one for one in message_ids if one in text)

    def recorded(self, table: str, message_ids: t.Collection[str]) -> frozenset[str]:
        if self.database is None:
            raise InputError("Option 'database' is missing, and messages are to be seen in it.")
        with _postgres.connected(
            self.database, application_name="easymo.deploy webhook_check"
        ) as session:
            session.execute("SET default_transaction_read_only = on")
            # The server quotes the name: what is no table of its search path is an error of ours.
            quoted = session.rows(
                "SELECT pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname) "
                "FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
                "WHERE c.oid = pg_catalog.to_regclass(pg_catalog.quote_ident(%s))",
                (table,),
            )
            if not quoted:
                raise InputError(f"{self.database.where} has no table {table!r} to look into.")
            rows = session.rows(
                f"SELECT message_id FROM {quoted[0][0]} WHERE message_id = ANY(%s)",  # noqa: S608
                (list(message_ids),),
            )
        return frozenset(str(row[0]) for row in rows)
