# SPDX-License-Identifier: GPL-3.0-or-later
"""The connections of a diagnosis, each with the options that other modules have for it."""

from __future__ import annotations

from ._kubernetes import CONNECTION
from ._metrics import ONE_LOOK
from ._module import nested
from ._monitoring import SERVER
from ._postgres import DATABASE
from ._supabase import SUPABASE


class ModuleDocFragment:
    DOCUMENTATION: str = f"""
options:
  kubernetes:
    description: The cluster, with the options of M(easymo.deploy.rollout).
    type: dict
    suboptions:
{nested(CONNECTION, 4, "kubernetes")}  prometheus:
    description: Where the metrics are, and which.
    type: dict
    suboptions:
      server:
        description: How Prometheus is reached, as O(easymo.deploy.metrics_gate#module:prometheus).
        type: dict
        required: true
        suboptions:
{nested(SERVER, 10, "prometheus.server")}      metrics:
        description: Metrics as in O(easymo.deploy.metrics_gate#module:metrics).
        type: list
        elements: dict
        default: []
        suboptions:
{nested(ONE_LOOK, 10, "prometheus.metrics[]")}      service_errors:
        description: PromQL for the share of failing requests, one series for each value of the label C(service).
        type: str
        default: ""
      query_timeout: {{description: Seconds that one query may take., type: float, default: 10}}
  supabase:
    description: The Management API. Without a value of O(supabase.access_token) it is not looked at.
    type: dict
    suboptions:
{nested(SUPABASE, 6, "supabase")}  databases:
    description: The databases that are migrated.
    type: list
    elements: dict
    default: []
    suboptions:
      name: {{description: What it is called., type: str, required: true}}
      kind:
        description: Whose history of migrations it has, as in M(easymo.deploy.migrations).
        type: str
        choices: [supabase, prisma, sql]
        required: true
      connection:
        description: How to reach it. An empty password leaves it out.
        type: dict
        required: true
        suboptions:
{nested(DATABASE, 10, "databases[].connection")}      directory:
        description: Folder of its migrations.
        type: path
        required: true
      schema: {{description: Schema that Prisma migrates., type: str, default: public}}
      expect_tables: {{description: Tables that must be there., type: list, elements: str, default: []}}
"""
