#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: health_check
short_description: Check databases, caches, queues, URLs and pods at once, or a webhook, or functions
version_added: 0.1.0
description:
  - Runs all checks side by side and reports every one that fails, in one sentence each.
  - Only looks. Nothing is changed anywhere, but for what a message to O(webhook) does.
  - Runs in the controller when the connection is local, and on the host otherwise.
extends_documentation_fragment:
  - easymo.deploy._module.reads_in_controller
  - easymo.deploy._checks
  - easymo.deploy._webhook
  - easymo.deploy._libraries.confluent_kafka
  - easymo.deploy._libraries.kubernetes
  - easymo.deploy._libraries.psycopg2
  - easymo.deploy._libraries.redis
  - easymo.deploy._libraries.requests
  - easymo.deploy._libraries.jmespath
attributes:
  check_mode:
    support: partial
    details: Sends none of O(webhook.messages), since each would be acted upon. All else changes nothing and is done.
options:
  checks:
    description: The checks. Each has the options of its kind under the name of its kind.
    type: list
    elements: dict
  functions:
    description:
      - In place of O(checks), call edge functions. What the Management API lists as C(ACTIVE) need not answer. This
        calls each function as anybody would, with no JWT.
      - By itself a function passes when it answers anything of its own below 500. It fails when the platform answers
        in its place, for example with C(NOT_FOUND) or C(NOT_FOUND_FUNCTION_BLOB), and when the gateway asks for a JWT.
      - One that fails is called again until O(functions.wait_timeout) is over.
    type: dict
    version_added: 0.3.0
    suboptions:
      functions_url:
        description: URL below which the functions are reached. Of a project it ends in C(.supabase.co/functions/v1).
        type: str
        required: true
      names:
        description: The functions to call.
        type: list
        elements: str
        required: true
      probes:
        description:
          - How to call functions that need more than a C(GET), by name.
          - Each takes C(path) below the function, C(method), C(status) as a list of the statuses that pass, and
            C(skip) for a function that must not be called.
        type: dict
        default: {}
      version:
        description: The version that a function must tell, where its answer is a JSON object with C(version).
        type: str
      ca_cert:
        description: File with the certificate authorities that may have signed the gateway's certificate.
        type: path
      request_timeout:
        description: Seconds to wait for the answer to one request.
        type: int
        default: 10
      wait_timeout:
        description: Seconds to wait at most until every function passes, measured on a monotonic clock.
        type: int
        default: 30
      wait_sleep:
        description: Seconds between two looks.
        type: float
        default: 1.0
  wait_timeout:
    description: Seconds to go on asking until a check passes. V(0) is to ask once.
    type: float
    default: 0
  wait_sleep:
    description: Seconds between two looks.
    type: float
    default: 1.0
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

- name: Call every function
  easymo.deploy.health_check:
    functions:
      functions_url: https://abcdefghijklmnopqrst.supabase.co/functions/v1
      names: [webhook, admin-agents, health]
      version: 2.0.0
      probes:
        webhook: {path: /_health, status: [200]}
        admin-agents: {status: [401]}

- name: Check that the webhook is ours and closed to others, and that a message is worked on
  easymo.deploy.health_check:
    webhook:
      url: https://abcdefghijklmnopqrst.supabase.co/functions/v1/webhook
      verify_token: "{{ webhook_token }}"
      app_secret: "{{ webhook_secret }}"
      message_prefix: release-2.0.0
      messages:
        - name: a customer asks for vegetables
          from: "250780000001"
          text: I need vegetables
          route: agent
          reply_contains: vendors
          recorded_in: [order_lines]
        - name: MENU gets the menu
          from: "250780000001"
          text: MENU
          route: menu
          buttons: true
      logs:
        project_ref: abcdefghijklmnopqrst
        access_token: "{{ supabase_access_token }}"
      database:
        login_host: db.abcdefghijklmnopqrst.supabase.co
        login_user: postgres
        login_password: "{{ supabase_db_password }}"
        login_db: postgres
"""

RETURN = r"""
results:
  description:
    - What came of each check, in their order. Its C(status) is V(pass), V(fail), or V(unknown) of a metric that has no
      value, with which the task fails, too. C(seconds) is how long the last look took, and C(detail) what it saw.
  returned: with O(checks)
  type: list
  elements: dict
  sample: [{name: redis, kind: redis, status: pass, seconds: 0.004, detail: PONG}]
probes:
  description:
    - With O(webhook) every exchange, in the order in which they were made. Its C(outcome) is V(pass), V(fail), or
      V(unknown) for a message that was taken without telling what was replied, and C(evidence) what was seen, or what
      is wrong with it. C(message_id) of each of O(webhook.messages) is for finding it again.
    - With O(functions) the last answer of each, in the order of O(functions.names). It C(passed) when the function is
      well, otherwise C(detail) says what is wrong.
    - C(status) is the HTTP status. Without an answer it is null of a webhook, and 0 of a function. C(seconds) is how
      long the answer took.
  returned: with O(webhook) and O(functions)
  type: list
  elements: dict
  sample: [{name: unsigned message, outcome: pass, evidence: refused with 401, status: 401, seconds: 0.012}]
"""

import typing as t

from ..module_utils._checks.health import check_all, libraries, read_checks, refuse_failures
from ..module_utils._checks.webhook import check_webhook, refuse_failed_probes
from ..module_utils._errors import refuse_missing
from ..module_utils._functions.log import probe_functions
from ..module_utils._http import REQUESTS
from ..module_utils._module import Module, documented, execute
from ..module_utils._postgres import PSYCOPG2

module_spec = documented(
    DOCUMENTATION,
    mutually_exclusive=[("checks", "webhook", "functions")],
    required_one_of=[("checks", "webhook", "functions")],
)


def run(module: Module) -> dict[str, t.Any]:
    if module.params["webhook"]:
        return probe_webhook(module)
    if module.params["functions"]:
        refuse_missing([REQUESTS])
        return probe_functions(module.params["functions"])
    refuse_missing(libraries(read_checks(module.params)))
    outcomes = check_all(module.params)
    refuse_failures(outcomes)
    return {"changed": False, "results": [outcome.to_result() for outcome in outcomes]}


def probe_webhook(module: Module) -> dict[str, t.Any]:
    options = module.params["webhook"]
    refuse_missing([REQUESTS, *([PSYCOPG2] if options["database"] else [])])
    outcomes = check_webhook(options, send_messages=not module.check_mode)
    refuse_failed_probes(options["url"], outcomes)
    return {"changed": False, "probes": [outcome.to_result() for outcome in outcomes]}


def main() -> None:
    execute(module_spec, run)


if __name__ == "__main__":
    main()
