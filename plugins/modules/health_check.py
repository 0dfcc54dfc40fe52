#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: health_check
short_description: Check databases, caches, queues, URLs, functions and pods at once
version_added: 0.1.0
description:
  - Runs all checks side by side and reports every one that fails, in one sentence each.
  - Only looks. Nothing is changed anywhere.
  - Runs in the controller when the connection is local, and on the host otherwise.
extends_documentation_fragment:
  - easymo.deploy._module.reads_in_controller
  - easymo.deploy._checks
  - easymo.deploy._libraries.confluent_kafka
  - easymo.deploy._libraries.kubernetes
  - easymo.deploy._libraries.psycopg2
  - easymo.deploy._libraries.redis
  - easymo.deploy._libraries.requests
  - easymo.deploy._libraries.jmespath
options:
  checks:
    description: The checks. Each has the options of its kind under the name of its kind.
    type: list
    elements: dict
    required: true
  wait_timeout:
    description: Seconds to go on asking until a check passes. V(0) is to ask once.
    type: float
    default: 0
requirements:
  - Each library is needed only for the kinds of checks that are given.
"""

EXAMPLES = r"""
- name: Check everything a release needs, waiting up to a minute
  easymo.deploy.health_check:
    wait_timeout: 60
    checks:
      - name: checkout database
        kind: postgres
        postgres:
          login_host: prod-checkout-db.example.com
          login_user: deployer
          login_password: "{{ vault_checkout_db_password }}"
          login_db: checkout_prod
      - name: redis
        kind: redis
        redis: {host: prod-redis.example.com, password: "{{ vault_redis_password }}", tls: true}
      - name: kafka
        kind: kafka
        kafka: {bootstrap: "prod-kafka:9092", topics: [orders]}
      - name: webhook worker
        kind: http
        http:
          url: https://api.easymo.com/health/mail-worker
          json: {status: ok, checks.redis.status: ok}
      - name: pods
        kind: kubernetes
        kubernetes: {namespace: shop-prod}
      - name: worker without a port
        kind: exec
        exec: {namespace: shop-prod, deployment: mailer, command: [python, -m, mailer.health]}

- name: Call every function, as anybody would
  easymo.deploy.health_check:
    wait_timeout: 30
    checks:
      - name: functions
        kind: function_calls
        function_calls:
          functions_url: https://abcdefghijklmnopqrst.supabase.co/functions/v1
          names: [webhook, admin-agents, health]
          version: 2.0.0
          probes:
            webhook: {path: /_health, status: [200]}
            admin-agents: {status: [401]}
"""

RETURN = r"""
results:
  description:
    - What came of each check and function, in their order. Its C(status) is V(pass), V(fail), or V(unknown) of a
      metric that has no value, with which the task fails, too. C(seconds) is how long the last look took, and C(detail)
      what it saw.
  returned: success, and when a check fails
  type: list
  elements: dict
  sample: [{name: redis, kind: redis, status: pass, seconds: 0.004, detail: PONG}]
"""

import typing as t

from ..module_utils._checks.health import check_all, libraries, read_checks, refuse_failures
from ..module_utils._errors import refuse_missing
from ..module_utils._module import Module, documented, execute

module_spec = documented(DOCUMENTATION)


def run(module: Module) -> dict[str, t.Any]:
    refuse_missing(libraries(read_checks(module.params)))
    outcomes = check_all(module.params)
    refuse_failures(outcomes)
    return {"changed": False, "results": [outcome.to_result() for outcome in outcomes]}


def main() -> None:
    execute(module_spec, run)


if __name__ == "__main__":
    main()
