# SPDX-License-Identifier: GPL-3.0-or-later
"""The kinds of checks that look at what a release will need, weeks before it."""

from __future__ import annotations

from textwrap import indent

from ._mail import MAIL_SERVER
from ._module import AUTHORITIES, nested
from ._monitoring import PROMETHEUS
from ._postgres import DATABASE
from ._s3 import S3
from ._supabase import SUPABASE
from ._webhook import CONNECTION as WEBHOOK_CONNECTION

CONNECTION = """    connection:
      description: The database.
      type: dict
      required: true
      suboptions:
""" + indent(DATABASE, " " * 8)

READINESS_KINDS = f"""placeholders:
  description: Whether everything of an inventory is filled in.
  type: dict
  suboptions:
    left:
      description: What is not, as RV(easymo.deploy.release_variables#module:placeholders).
      type: list
      elements: dict
      required: true
      suboptions:
        name:
          description: The path to the value.
          type: str
          required: true
        file:
          description: The file that it stands in.
          type: str
          default: ""
programs:
  description:
    - Whether the programs of PostgreSQL on this machine are as new as the servers, and other programs are there.
  type: dict
  suboptions:
    pg_dump:
      description: Name or path of pg_dump.
      type: str
      default: pg_dump
    pg_restore:
      description: Name or path of pg_restore.
      type: str
      default: pg_restore
    psql:
      description: Name or path of psql.
      type: str
      default: psql
    servers:
      description: The databases.
      type: list
      elements: dict
      default: []
      suboptions:
{indent(DATABASE, " " * 8)}    others:
      description: Names or paths of other programs.
      type: list
      elements: str
      default: []
queries:
  description:
    - Whether a database understands queries and lets this user run them, so that their tables and columns are there.
    - It only plans them (C(EXPLAIN)), read-only.
  type: dict
  suboptions:
{CONNECTION}    queries:
      description: The queries by a name of each.
      type: dict
      required: true
    new_tables:
      description: Tables that only the release brings, so that they need not be there before it.
      type: list
      elements: str
      default: []
prisma_history:
  description:
    - Whether the next migrations of Prisma may begin in a database. One with tables and no history (C(P3005)) stops
      them, as does a failed migration that is not settled (C(P3009)).
    - It only reads. A folder that is not there yet is not read.
  type: dict
  suboptions:
{CONNECTION}    directory:
      description: Folder with the migrations, a folder each with a C(migration.sql).
      type: path
      required: true
    schema:
      description: The schema Prisma is connected to.
      type: str
      default: public
series:
  description: Whether Prometheus understands queries and has series of everything that they ask for.
  type: dict
  suboptions:
{PROMETHEUS}    metrics:
      description: Metrics as of M(easymo.deploy.metrics_gate), whose queries are asked.
      type: list
      elements: dict
      default: []
    service_errors:
      description: PromQL for the share of failing requests by service, if a diagnosis asks for it.
      type: str
      default: ""
    events:
      description:
        - Labels that tell what happened, such as a status. Of these only the label must be there, for it may not have
          happened yet. Every other matcher must find something.
      type: list
      elements: str
      default: []
    new_metrics:
      description: Names of metrics that only the release brings, so that there need not be series before it.
      type: list
      elements: str
      default: []
mail:
  description: Whether a mail server would take a mail for all recipients. None is sent.
  type: dict
  suboptions:
{nested(MAIL_SERVER, 4, "checks[].mail")}{indent(AUTHORITIES, " " * 4)}bucket:
  description:
    - Whether the key may list, read and write in the prefix of a bucket, and abort uploads there.
    - It begins an upload and aborts it, and asks for an object that is not there. Nothing is left in the bucket.
  type: dict
  suboptions:
{nested(S3, 4, "checks[].bucket")}webhook:
  description:
    - Whether a webhook answers the challenge, refuses what it must, and takes a well signed notification that
      holds no message. The check answers no user.
  type: dict
  suboptions:
{indent(WEBHOOK_CONNECTION, " " * 4)}    oversized_bytes:
      description: Size of the oversized message. V(0) sends none.
      type: int
      default: 2097152
{indent(AUTHORITIES, " " * 4)}functions:
  description:
    - Whether the Management API lets the token in, the project has the secrets that its functions need, and the
      functions' log can be read.
  type: dict
  suboptions:
{indent(SUPABASE, " " * 4)}    functions:
      description: The functions of the release. Those that are not there yet are told.
      type: list
      elements: str
      default: []
    secrets:
      description: Names of the secrets that must be set. Values are never read.
      type: list
      elements: str
      default: []
rights:
  description: Whether the cluster lets this user do more than what V(rbac) asks, perhaps in another namespace.
  type: dict
  suboptions:
    namespace:
      description: The namespace. O(namespace) when empty.
      type: str
      default: ""
    rights:
      description: What is to be done, as V(get deployments.apps), a verb with a resource, and its group if it has one.
      type: list
      elements: str
      required: true
flags_readers:
  description: Whether Deployments have the flags from their ConfigMap, in the way that the release says.
  type: dict
  suboptions:
    name:
      description: The ConfigMap.
      type: str
      default: feature-flags
    deployments:
      description: The Deployments.
      type: list
      elements: str
      required: true
    delivery:
      description: How they have the flags, as O(easymo.deploy.kill_switch#module:delivery).
      type: str
      choices: [environment, volume]
      default: environment
    probe:
      description: How pods will be asked, as O(easymo.deploy.feature_flags#module:probe).
      type: dict
      default: {{}}
unknowable:
  description: A fact that is unknown here before it happens. It is listed as skipped.
  type: dict
  suboptions:
    why:
      description: Why, and where it will be seen.
      type: str
      required: true
"""
