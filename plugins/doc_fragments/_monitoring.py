# SPDX-License-Identifier: GPL-3.0-or-later
"""How Prometheus and Alertmanager are reached, by themselves and as part of other options."""

from __future__ import annotations

from textwrap import indent

from ._module import AUTHORITIES

SERVER = f"""url:
  description:
    - Its URL without C(/api), with the path prefix that it is served under, such as C(https://example.com/prometheus).
  type: str
  required: true
token:
  description: Bearer token.
  type: str
username:
  description: User for basic authentication, in place of a token.
  type: str
password:
  description: The user's password.
  type: str
{AUTHORITIES}client_cert:
  description: File with our certificate, in PEM, for a server that asks for one.
  type: path
client_key:
  description: File with its private key, unencrypted, in PEM. Not needed when it is in C(client_cert).
  type: path
tenant:
  description:
    - Value of the header C(X-Scope-OrgID), for Mimir, Cortex and Thanos. With a wrong one they answer with no series
      instead of an error, and that is a missing sample.
  type: str
"""

PROMETHEUS = """    prometheus:
      description: How Prometheus is reached.
      type: dict
      required: true
      suboptions:
""" + indent(SERVER, " " * 8)
"""The option of a kind that asks Prometheus."""


class ModuleDocFragment:
    DOCUMENTATION: str = f"""
options:
  prometheus:
    description: How Prometheus is reached.
    type: dict
    required: true
    suboptions:
{indent(SERVER, " " * 6)}  alertmanager:
    description: How its Alertmanager is reached.
    type: dict
    suboptions:
{indent(SERVER, " " * 6)}  pods:
    description:
      - PromQL matchers that select the pods of the release. They take the place of C(job="pods") in every expression.
    type: str
    default: job="pods"
  request_timeout:
    description: Seconds that one request to either may take.
    type: float
    default: 10
"""
