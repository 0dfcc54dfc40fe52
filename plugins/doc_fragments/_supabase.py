# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from textwrap import indent

SUPABASE = r"""api_url:
  description: URL of the Supabase Management API.
  type: str
  default: https://api.supabase.com
project_ref:
  description: Reference of the project, twenty lower-case letters.
  type: str
  required: true
access_token:
  description: Personal access token for the Management API.
  type: str
  required: true
ca_cert:
  description: File with the certificate authorities that may have signed the certificates of the APIs.
  type: path
request_timeout:
  description: Seconds to wait for the answer to one request.
  type: int
  default: 60
"""


class ModuleDocFragment:
    DOCUMENTATION: str = f"""
options:
{indent(SUPABASE, " " * 2)}"""
