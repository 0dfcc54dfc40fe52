# SPDX-License-Identifier: GPL-3.0-or-later
"""How a database is reached, by itself and as part of other options."""

from __future__ import annotations

from textwrap import indent

from ._libraries import POSTGRES_CLIENT
from ._module import AUTHORITIES

LOGIN = f"""login_host:
  description: Host of the PostgreSQL server.
  type: str
  required: true
login_port:
  description: Port of the PostgreSQL server.
  type: int
  default: 5432
login_user:
  description: Role to connect as.
  type: str
  required: true
login_password:
  description: Its password. Reaches client programs through their environment only, never through their arguments.
  type: str
login_db:
  description: Database to connect to.
  type: str
  required: true
ssl_mode:
  description: How TLS is used, as libpq's C(sslmode). Anything below V(verify-full) accepts a server in the middle.
  type: str
  choices: [disable, allow, prefer, require, verify-ca, verify-full]
  default: verify-full
{AUTHORITIES}"""

DATABASE = f"""{LOGIN}connect_timeout:
  description: Seconds to wait for a connection.
  type: int
  default: 10
"""


class ModuleDocFragment:
    DOCUMENTATION: str = f"""{POSTGRES_CLIENT}
options:
{indent(DATABASE, " " * 2)}"""
