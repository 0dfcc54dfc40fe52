# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from textwrap import indent

from ._monitoring import SERVER


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
    version_added: 0.2.0
  request_timeout:
    description: Seconds that one request to either may take.
    type: float
    default: 10
"""
