# SPDX-License-Identifier: GPL-3.0-or-later
"""How a database is reached, by itself and as part of other options."""

from __future__ import annotations

from textwrap import indent

from ._libraries import POSTGRES_CLIENT

LOGIN = """login_host:
  description: Host of the PostgreSQL server. Without it, E(PGHOST) must be set.
  type: str
login_port:
  description: Port of the PostgreSQL server. Without it, E(PGPORT), or else V(5432).
  type: int
login_user:
  description: Role to connect as. Without it, E(PGUSER) must be set.
  type: str
login_password:
  description:
    - Its password. Without it, E(PGPASSWORD), or what libpq reads in E(PGPASSFILE) or C(~/.pgpass). Reaches client
      programs through their environment only, never through their arguments.
  type: str
login_db:
  description: Database to connect to.
  type: str
  required: true
ssl_mode:
  description:
    - How TLS is used, as libpq's C(sslmode). Anything below V(verify-full) accepts a server in the middle. Without it,
      V(verify-full), or V(verify-ca) if E(PGSSLMODE) says so; no variable turns verification off.
  type: str
  choices: [disable, allow, prefer, require, verify-ca, verify-full]
ca_cert:
  description:
    - File with the certificate authorities that may have signed the server's certificate. Without it, E(PGSSLROOTCERT).
      libpq reads E(PGSSLCERT) and E(PGSSLKEY) itself.
  type: path
"""

DATABASE = f"""{LOGIN}connect_timeout:
  description: Seconds to wait for a connection.
  type: int
  default: 10
"""


class ModuleDocFragment:
    DOCUMENTATION: str = f"""{POSTGRES_CLIENT}
options:
{indent(DATABASE, " " * 2)}"""
