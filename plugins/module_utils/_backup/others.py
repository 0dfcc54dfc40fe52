# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""What in a database of ours belongs to other roles, as a platform's own schemas do, and what of it we may not read.

Only who owns the database is told so: for anybody else a table that cannot be read is a mistake. A superuser owns all.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

if t.TYPE_CHECKING:
    from .._postgres import Session

_SCHEMAS = """
SELECT n.nspname FROM pg_catalog.pg_namespace n
JOIN pg_catalog.pg_database d ON d.datname = pg_catalog.current_database()
WHERE n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
  AND pg_catalog.pg_has_role(d.datdba, 'USAGE') AND NOT pg_catalog.pg_has_role(n.nspowner, 'USAGE')
ORDER BY 1
"""

# pg_dump locks every table that it describes and reads every sequence; of an extension only its configuration.
_CLOSED = """
SELECT pg_catalog.format('%%s %%I.%%I', CASE c.relkind WHEN 'S' THEN 'sequence' ELSE 'table' END, n.nspname, c.relname),
       pg_catalog.format('%%I.%%I', n.nspname, c.relname)
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = ANY (%s) AND c.relkind IN ('r', 'p', 'S')
  AND NOT EXISTS (
      SELECT FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_extension x ON x.oid = d.refobjid
      WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.objsubid = 0 AND d.deptype = 'e'
        AND NOT (c.oid = ANY (COALESCE(x.extconfig, '{}'))))
  AND NOT (pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND pg_catalog.has_table_privilege(c.oid, 'SELECT')
           AND NOT pg_catalog.row_security_active(c.oid))
ORDER BY 1
"""


@dataclass(frozen=True)
class Others:
    schemas: tuple[str, ...]
    """Those of other roles, by name."""
    closed: tuple[str, ...]
    """Tables and sequences in them that we may not read whole, as SQL wants them."""
    left_out: tuple[str, ...]
    """The same for people, for example `table auth.schema_migrations`."""


def find_others(session: Session) -> Others:
    schemas = [name for (name,) in session.rows(_SCHEMAS)]
    found = session.rows(_CLOSED, (schemas,)) if schemas else []
    return Others(
        schemas=tuple(schemas),
        closed=tuple(identifier for _told, identifier in found),
        left_out=tuple(told for told, _identifier in found),
    )
