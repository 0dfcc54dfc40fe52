# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""How a database is reached, as part of other options."""

from __future__ import annotations

LOGIN = r"""login_host:
  description: Host of the server.
  type: str
  required: true
login_port:
  description: Its port.
  type: int
  default: 5432
login_user:
  description: Role to connect as.
  type: str
  required: true
login_password:
  description: Its password.
  type: str
login_db:
  description: Database to connect to.
  type: str
  required: true
ssl_mode:
  description: How TLS is used, as libpq's C(sslmode).
  type: str
  choices: [disable, allow, prefer, require, verify-ca, verify-full]
  default: verify-full
ca_cert:
  description: File with the certificate authorities that may have signed the server's certificate.
  type: path
"""

DATABASE = f"""{LOGIN}connect_timeout:
  description: Seconds to wait for a connection.
  type: int
  default: 10
"""
