# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether PostgreSQL's programs on this machine are as new as the servers, and other programs are there."""

from __future__ import annotations

import typing as t

from .. import _child_process
from .._backup import programs
from .._backup.plan import refuse_older_programs
from .._errors import DeployError, InputError
from .._options import postgres_options
from .._postgres import PSYCOPG2, PostgresTarget, connected
from .models import Finding, Ground, Kind, Options, failed, passed

OF_POSTGRES = ("pg_dump", "pg_restore", "psql")


def look(options: Options, _ground: Ground) -> t.Sequence[Finding]:
    problems: list[str] = []
    found: dict[str, programs.Program] = {}
    for name in OF_POSTGRES:
        try:
            found[name] = programs.find(options[name], name)
        except DeployError as exc:
            problems.append(str(exc))
    for name in options["others"]:
        try:
            _child_process.find_program(name, name)
        except DeployError as exc:
            problems.append(str(exc))
    for server in options["servers"] if len(found) == len(OF_POSTGRES) else ():
        problems += _too_old(found, PostgresTarget.from_params(server))
    if problems:
        return [failed(" ".join(dict.fromkeys(problems)))]
    versions = ", ".join(f"{name} {one.version}" for name, one in found.items())
    return [passed(f"{versions} are as new as the servers")]


def _too_old(found: t.Mapping[str, programs.Program], target: PostgresTarget) -> t.Iterator[str]:
    with connected(target, application_name="easymo.deploy preflight_check") as session:
        server = session.server_version
    try:
        refuse_older_programs(
            server=server,
            pg_dump=found["pg_dump"].numbers,
            pg_restore=found["pg_restore"].numbers,
        )
    except InputError as exc:
        yield str(exc)


KIND = Kind(
    look,
    {
        **{name: {"type": "str", "default": name} for name in OF_POSTGRES},
        "servers": {
            "type": "list",
            "elements": "dict",
            "default": [],
            "options": postgres_options(),
        },
        "others": {"type": "list", "elements": "str", "default": []},
    },
    (PSYCOPG2,),
)
