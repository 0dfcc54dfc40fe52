# SPDX-License-Identifier: GPL-3.0-or-later
"""The Python libraries of the plugins, each with its lowest version. A plugin says when it can do without one."""

from __future__ import annotations

KUBERNETES_CLIENT = "requirements: [kubernetes >= 34]"
POSTGRES_CLIENT = "requirements: [psycopg2-binary >= 2.9.10]"


class ModuleDocFragment:
    BOTO3 = "{options: {}, requirements: [boto3 >= 1.40]}"
    CONFLUENT_KAFKA = "{options: {}, requirements: [confluent-kafka >= 2.11]}"
    ICALENDAR = "{options: {}, requirements: [icalendar >= 7]}"
    JINJA2 = "{options: {}, requirements: [jinja2 >= 3.1]}"
    JMESPATH = "{options: {}, requirements: [jmespath >= 1.0]}"
    KUBERNETES: str = f"{{options: {{}}, {KUBERNETES_CLIENT}}}"
    PGLAST = "{options: {}, requirements: [pglast >= 8.8]}"
    PSYCOPG2: str = f"{{options: {{}}, {POSTGRES_CLIENT}}}"
    REDIS = "{options: {}, requirements: [redis >= 6]}"
    REQUESTS = "{options: {}, requirements: [requests >= 2.32]}"
