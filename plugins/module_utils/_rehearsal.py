# SPDX-License-Identifier: GPL-3.0-or-later
"""Migrations tried on a copy of their database, which is made of its backup and dropped again whatever happens."""

from __future__ import annotations

import typing as t
from datetime import datetime
from pathlib import Path

from ._arguments import refuse_secrets
from ._checks.health import refuse_failures, run_probes
from ._checks.models import Check
from ._cluster import MonotonicClock
from ._errors import DeployError, InputError, refuse_missing
from ._kubernetes import cluster_elsewhere
from ._lock.apply import lock_check
from ._migration.runner import migrating
from ._migration.server_wide import ServerWide
from ._migration.task import migrate
from ._module import Module, Result, with_options
from ._postgres import PostgresTarget
from ._release.store import ReleaseStore
from ._release.task import change_record, plain
from ._restore.apply import carry_out
from ._s3 import BOTO3
from ._time import UTC

PHASE = "database"
_NOTHING: t.Mapping[str, t.Any] = {
    "status": "nothing_pending",
    "pending": [],
    "durations": {},
    "locks": {},
    "checks": [],
    "left_out": [],
    "rights_compared": 0,
    "backup": "",
    "failure": "",
    "waiver": "",
    "waived_by": "",
}
"""What a record has of a rehearsal."""
QUERY_TIMEOUT = 10.0
"""Seconds that a query may take."""
_RESTORING: t.Mapping[str, t.Any] = {
    "method": "scratch",
    "key": None,
    "approved_by": None,
    "reason": None,
    "maintenance_db": "postgres",
    "psql": "psql",
    "timeout": 3600,
    "fence": 0,
}
"""The options of pg_restore that are the same for each copy. To make one needs no deploy lock."""


def rehearse(module: Module) -> Result:
    """One task: see what is pending in the database, try it on a copy, and record how that went.

    DeployError: why the rehearsal failed, once that is recorded and the copy is gone.
    """
    options = module.params["rehearsal"]
    name, database = options["backup"], options["copy"]["login_db"]
    waiver, waived_by = options["waiver"].strip(), options["waived_by"].strip()
    refuse_secrets(waiver=waiver, waived_by=waived_by)
    if module.params["state"] != "applied":
        raise InputError("Option 'rehearsal' goes with state 'applied': leave one of both out.")
    if waiver and not waived_by:
        raise InputError(
            f"The rehearsal is waived ({waiver!r}) without a name: set "
            "migration_rehearsal_waived_by too."
        )
    refuse_missing([BOTO3])
    looked = migrate(with_options(module, {}, check_mode=True))
    pending = [migration["name"] for migration in looked["pending"]]
    entry, remarks, failures = {**_NOTHING, "pending": pending}, list[str](), []
    if not pending:
        if not waiver:
            looked["changed"] = _drop_left(module)
    elif waiver:
        entry |= {"status": "waived", "waiver": waiver, "waived_by": waived_by}
    elif module.check_mode:
        entry |= {"status": "due"}
        remarks = [
            f"Would restore the backup of {name} into {database}, apply {', '.join(pending)} there, "
            f"run {len(options['queries'])} queries, and drop it."
        ]
    else:
        files = [Path(module.params["directory"], each["file"]) for each in looked["pending"]]
        sql = "\n".join(file.read_text("utf-8", "replace") for file in files)
        failures = _try_on_copy(module, entry, sql, remarks)
        entry |= {
            "status": "failed" if failures else "passed",
            "failure": " ".join(map(str, failures)),
        }
        if entry["left_out"]:
            left_out = "; ".join(entry["left_out"])
            remarks.append(f"{database} lacks {left_out}: changes to these are not rehearsed.")
    if pending and not module.check_mode:
        _record(module, entry)
    rehearsal = {"name": name, **entry}
    if failures:
        raise DeployError(
            f"In the rehearsal: {entry['failure']} The live database was not touched.",
            reason=failures[0].reason,
            rehearsal=rehearsal,
        )
    return {**looked, "rehearsal": rehearsal, "remarks": remarks}


def _try_on_copy(
    module: Module, entry: dict[str, t.Any], sql: str, remarks: list[str]
) -> list[DeployError]:
    """Why `sql` failed. What is seen on the way goes into the entry, what the server keeps into the remarks."""
    options, failures, before = module.params["rehearsal"], [], None
    # The copy is there only for a while, and what it shares with others outlives it.
    shared = {**options["copy"], "login_db": _RESTORING["maintenance_db"]}
    try:
        restored = _restore(module, state="present")
        entry.update(backup=restored["backup"]["uri"])
        entry.update({name: restored[name] for name in ("left_out", "rights_compared")})
        with migrating(PostgresTarget.from_params(shared)) as session:
            before = ServerWide.read(session)
        applied = migrate(with_options(module, options["copy"]))
        rows = run_probes([*_checks(options)])
        entry["checks"] = [row.to_result() for row in rows]
        refuse_failures(rows)
        entry.update(durations=applied["durations"], locks=applied["locks"])
    except DeployError as exc:
        failures.append(exc)
    finally:
        try:
            _restore(module, state="absent")
            if before is not None:
                with migrating(PostgresTarget.from_params(shared)) as session:
                    remarks += before.take_back(session, sql)
        except DeployError as exc:
            failures.append(exc)
    return failures


def _checks(options: t.Mapping[str, t.Any]) -> t.Iterator[Check]:
    for query in options["queries"]:
        probe = {**options["copy"], "query": query["query"], "expect": query["expect"]}
        yield Check(query["name"], "postgres", probe, QUERY_TIMEOUT)


def _drop_left(module: Module) -> bool:
    """It holds what users wrote, and nothing else would come back to it. Out of reach, it stays."""
    try:
        return bool(_restore(module, state="absent")["changed"])
    except DeployError as exc:
        module.warn(f"A copy that an interrupted rehearsal left may still be there: {exc}")
        return False


def _restore(module: Module, *, state: str) -> Result:
    """What pg_restore does to the copy. Each is made anew: the request is another each time."""
    options = module.params["rehearsal"]
    params = {**options["copy"], **_RESTORING, "name": options["backup"], "state": state}
    params |= {name: options[name] for name in ("release", "owners", "pg_restore")}
    params["request"] = datetime.now(UTC).isoformat()
    return carry_out(with_options(module, params))


def _record(module: Module, entry: t.Mapping[str, t.Any]) -> None:
    options, cluster = module.params["rehearsal"], cluster_elsewhere(module)
    lock_check(module, cluster=cluster)()
    change_record(
        ReleaseStore(cluster, options["release"], clock=MonotonicClock()),
        fence=module.params["fence"],
        phase=PHASE,
        evidence=plain({"rehearsals": {options["backup"]: entry}}),
    )
