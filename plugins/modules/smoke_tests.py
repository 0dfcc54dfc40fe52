#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: smoke_tests
short_description: Use a platform as its users do, all tests at once
version_added: 0.2.0
description:
  - Runs all O(tests) side by side and each to its end, whatever becomes of the others, and reports every one that
    fails.
  - A test asks databases and services, writes to the WhatsApp webhook, pays an order from a wallet, or looks at metrics
    once.
  - The verdict is V(rollback) when a test failed, V(hold) when one can't be told, and else V(proceed).
  - In check mode nothing at all is asked or sent; each test tells what it would do.
  - Runs in the controller when the connection is local, and shows each test as it ends.
author:
  - EasyMO (@easymo)
extends_documentation_fragment:
  - easymo.deploy._attributes_read_only
  - easymo.deploy._attributes_controller
attributes:
  check_mode:
    support: full
    details: Says what each test would ask and send, and asks and sends nothing.
options:
  tests:
    description: The tests. Each has the options of its kind under the name of its kind.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: What the test is called.
        type: str
        required: true
      kind:
        description: What it does, and which of the options below is read.
        type: str
        choices: [health, webhook, payment, metrics]
        required: true
      scenario:
        description: The scenario of a runbook that it plays, kept with its result.
        type: str
        default: ""
      note:
        description: What its line says first when it passes, for example V(1% traffic).
        type: str
        default: ""
      health:
        description: Checks as those of M(easymo.deploy.health_check). All must pass.
        type: dict
        suboptions:
          checks:
            description: The checks. Each has the options of its kind under the name of its kind.
            type: list
            elements: dict
            required: true
            suboptions:
              name:
                description: What the check is called in the results.
                type: str
                required: true
              kind:
                description: What is checked, and which of the options below is read.
                type: str
                choices: [postgres, redis, kafka, http, kubernetes]
                required: true
              timeout:
                description: Seconds one look may take.
                type: float
                default: 10
              postgres:
                description: Connect to a database and ask it something.
                type: dict
                suboptions:
                  login_host:
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
                  connect_timeout:
                    description: Seconds to wait for a connection, at most the timeout of the check.
                    type: int
                    default: 10
                  query:
                    description: The question. It runs read-only.
                    type: str
                    default: SELECT 1
                  expect:
                    description: The first column of the first row of the answer.
                    type: str
                    default: "1"
              redis:
                description: PING a Redis server.
                type: dict
                suboptions:
                  host:
                    description: Host of the server.
                    type: str
                    required: true
                  port:
                    description: Its port.
                    type: int
                    default: 6379
                  username:
                    description: User, where the server has users.
                    type: str
                  password:
                    description: Password.
                    type: str
                  tls:
                    description: Whether to speak TLS. The certificate is verified.
                    type: bool
                    default: false
                  ca_cert:
                    description: File with the certificate authorities that may have signed the server's certificate.
                    type: path
              kafka:
                description: List the topics of a cluster.
                type: dict
                suboptions:
                  bootstrap:
                    description: Where to begin, as C(host:port), several with commas between.
                    type: str
                    required: true
                  topics:
                    description: Topics that must be there. Without any, one topic of whatever name must be.
                    type: list
                    elements: str
                    default: []
                  tls:
                    description: Whether to speak TLS. The certificate is verified.
                    type: bool
                    default: false
                  ca_cert:
                    description: File with the certificate authorities that may have signed the brokers' certificates.
                    type: path
                  username:
                    description: User for SASL.
                    type: str
                  password:
                    description: Password for SASL.
                    type: str
                  sasl_mechanism:
                    description: How SASL is done.
                    type: str
                    choices: [PLAIN, SCRAM-SHA-256, SCRAM-SHA-512]
                    default: SCRAM-SHA-512
              http:
                description: Ask a URL and compare the answer.
                type: dict
                suboptions:
                  url:
                    description: The URL. Redirects are not followed.
                    type: str
                    required: true
                  method:
                    description: The method.
                    type: str
                    default: GET
                  headers:
                    description: Headers to send. Their values are kept out of all output.
                    type: dict
                    default: {}
                  body:
                    description: Body to send. What is not text is sent as JSON.
                    type: raw
                  status:
                    description: Status codes that are well.
                    type: list
                    elements: int
                    default: [200]
                  json:
                    description:
                      - What the JSON of the answer must hold, as dotted paths with their values.
                      - A number and the same number as text are equal.
                    type: dict
                    default: {}
                  text:
                    description: What the body must contain.
                    type: str
                  ca_cert:
                    description: File with the certificate authorities that may have signed the server's certificate.
                    type: path
              kubernetes:
                description:
                  - All pods run and are ready, none is in a crash loop. Pods that end or have succeeded do not
                    count.
                type: dict
                suboptions:
                  kubeconfig:
                    description: A kubeconfig file to connect with.
                    type: path
                  context:
                    description: The context of the kubeconfig.
                    type: str
                  host:
                    description: URL of the API server.
                    type: str
                  api_key:
                    description: Bearer token for the API server.
                    type: str
                  ca_cert:
                    description:
                      - File with the certificate authorities that may have signed the API server's certificate.
                    type: path
                  validate_certs:
                    description: Whether the certificate of the API server is verified.
                    type: bool
                    default: true
                  namespace:
                    description: The namespace of the pods.
                    type: str
                    required: true
                  label_selector:
                    description: Only pods with these labels.
                    type: str
                    default: ""
                  log_without:
                    description:
                      - A text that the last 500 log lines of no container may contain, for example V(ERROR).
                      - Needs C(get) on C(pods/log).
                    type: str
                    default: ""
          wait_timeout:
            description: Seconds to go on asking until a check passes. V(0) is to ask once.
            type: float
            default: 0
          wait_sleep:
            description: Seconds between two looks.
            type: float
            default: 1.0
      webhook:
        description: Exchanges as those of M(easymo.deploy.webhook_check). All must pass.
        type: dict
        suboptions:
          url:
            description: URL of the webhook.
            type: str
            required: true
          verify_token:
            description: The token that the verification challenge must carry.
            type: str
            required: true
          app_secret:
            description: The secret that messages are signed with.
            type: str
            required: true
          guards:
            description:
              - Whether the challenges and what must be refused are sent. Without them, only
                O(tests[].webhook.messages) are.
            type: bool
            default: true
          oversized_bytes:
            description:
              - Size of the oversized message. Any answer of 4xx refuses it; 200, 5xx and silence fail.
              - It is well signed and holds no message, so a webhook that takes it has nothing to act upon. V(0)
                sends none.
            type: int
            default: 2097152
          messages:
            description: Text messages to send.
            type: list
            elements: dict
            default: []
            suboptions:
              name:
                description: What the probe is called.
                type: str
                required: true
              from:
                description: The number the message comes from.
                type: str
                required: true
              text:
                description: What it says.
                type: str
                required: true
              route:
                description:
                  - Where the platform must say that it sent the message. Without it, any answer of 200 will do.
                type: str
                choices: [agent, menu, fallback]
              reply_contains:
                description: What the reply must say, in small letters or capitals.
                type: str
                default: ""
              buttons:
                description: Whether the reply must offer buttons, or must not. Without it, that does not matter.
                type: bool
              recorded_in:
                description:
                  - Tables of O(tests[].webhook.database) that must have a row with the message's id in their column
                    C(message_id).
                type: list
                elements: str
                default: []
              not_recorded_in:
                description: Tables of O(tests[].webhook.database) that must have none.
                type: list
                elements: str
                default: []
          message_prefix:
            description:
              - What tells the messages' ids from those of users. An id is C(wamid.), this, a random word and a number.
              - Letters, digits, C(.), C(_) and C(-), at most 60.
            type: str
            default: easymo-deploy
          logs:
            description:
              - The project whose functions' log must name every accepted message by its id.
              - The platform allows thirty such queries a minute, and one is sent every two seconds until all are seen.
            type: dict
            suboptions:
              api_url:
                description: Base URL of the API.
                type: str
                default: https://api.supabase.com
              project_ref:
                description: The project, its twenty-letter reference.
                type: str
                required: true
              access_token:
                description: Token of an account or a service user.
                type: str
                required: true
              ca_cert:
                description: File with the certificate authorities that may have signed the API's certificate.
                type: path
              request_timeout:
                description: Seconds to wait for the answer to one request.
                type: int
                default: 60
          database:
            description: The database to look for messages in. Read only.
            type: dict
            suboptions:
              login_host:
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
              connect_timeout:
                description: Seconds to wait for a connection.
                type: int
                default: 10
          seen_timeout:
            description: Seconds to go on looking for the messages that were accepted.
            type: float
            default: 30
          ca_cert:
            description: File with the certificate authorities that may have signed the webhook's certificate.
            type: path
          request_timeout:
            description: Seconds to wait for the answer to one request.
            type: int
            default: 30
      payment:
        description:
          - Order something and pay for it from a wallet. The order must be paid and the balance less by its amount.
          - The requests carry C(Idempotency-Key). Whoever runs the test again with the same key pays nothing more, and
            the test then says that the order was paid before.
        type: dict
        suboptions:
          api_url:
            description: URL of the public API, below which C(/wallet) is the wallet's service.
            type: str
            required: true
          number:
            description: Whose wallet pays. A test number.
            type: str
            required: true
          vendor_id:
            description: Who is ordered from. A test vendor.
            type: raw
            required: true
          amount:
            description: What the order costs, in whole francs.
            type: int
            required: true
          key:
            description: What makes the order the same one when the test is run again.
            type: str
            required: true
          prove_key:
            description:
              - Order twice with the same key before paying, and fail when that made two orders.
              - For a service that knows no such key, set it to V(false). A run that is killed and repeated may
                then pay twice.
            type: bool
            default: true
          ca_cert:
            description: File with the certificate authorities that may have signed the API's certificate.
            type: path
          request_timeout:
            description: Seconds to wait for the answer to one request.
            type: float
            default: 10
      metrics:
        description:
          - Metrics as those of M(easymo.deploy.metrics_gate), each looked at once.
          - A value beyond its rollback bound fails the test, one between its bounds holds.
        type: dict
        suboptions:
          prometheus_url:
            description: URL of Prometheus. Needed when a metric is of the kind V(prometheus).
            type: str
          prometheus_token:
            description: Bearer token for Prometheus.
            type: str
          ca_cert:
            description: File with the certificate authorities that may have signed the certificate of Prometheus.
            type: path
          metrics:
            description: What to look at.
            type: list
            elements: dict
            required: true
            suboptions:
              name:
                description: What the metric is called.
                type: str
                required: true
              kind:
                description: Who is asked.
                type: str
                choices: [prometheus, postgres]
                default: prometheus
              query:
                description:
                  - PromQL that gives one series, or SQL that gives one value. SQL runs read-only.
                type: str
                required: true
              unit:
                description: The unit of the value, for people.
                type: str
                default: ""
              pass:
                description: Where the value should be. Without bounds, any number passes.
                type: dict
                suboptions:
                  min:
                    description: The lowest good value.
                    type: float
                  max:
                    description: The highest good value.
                    type: float
              rollback:
                description:
                  - Where the value is so bad that the release goes back. Without bounds, the metric only holds.
                type: dict
                suboptions:
                  below:
                    description: Lower values are breaches.
                    type: float
                  above:
                    description: Higher values are breaches.
                    type: float
              connection:
                description: The database to ask. Needed with the kind V(postgres).
                type: dict
                suboptions:
                  login_host:
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
                  connect_timeout:
                    description: Seconds to wait for a connection.
                    type: int
                    default: 10
          missing:
            description: What a metric without data makes of the test when nothing else is wrong. It never passes.
            type: str
            choices: [hold, skip]
            default: hold
          query_timeout:
            description: Seconds to wait for the answer to one query.
            type: float
            default: 10
  fail_on:
    description: The verdicts that fail the task.
    type: list
    elements: str
    choices: [hold, rollback]
    default: [hold, rollback]
requirements:
  - requests >= 2.32
  - what M(easymo.deploy.health_check) needs for the kinds of its checks
  - psycopg2-binary >= 2.9.10 (for messages and metrics that are looked for in a database)
"""

EXAMPLES = r"""
- name: Pay an order from the test wallet
  easymo.deploy.smoke_tests:
    tests:
      - name: Payment integration
        kind: payment
        payment:
          api_url: https://api.easymo.com
          number: "250780000001"
          vendor_id: 7e570000-0000-4000-8000-000000000001
          amount: 1500
          key: release-2.0.0-attempt-1

- name: Ask a service and write to the webhook at the same time, and decide by hand
  easymo.deploy.smoke_tests:
    fail_on: []
    tests:
      - name: Microservices health
        kind: health
        health:
          wait_timeout: 20
          checks:
            - name: wallet-service
              kind: http
              http: {url: https://api.easymo.com/health/wallet-service}
      - name: Agent routing
        kind: webhook
        note: 1% traffic
        webhook:
          url: https://abcdefghijklmnopqrst.supabase.co/functions/v1/wa-webhook
          verify_token: "{{ wa_verify_token }}"
          app_secret: "{{ wa_app_secret }}"
          messages:
            - {name: an internal number gets the agent, from: "250780000001", text: I need vegetables, route: agent}
  register: smoke
"""

RETURN = r"""
verdict:
  description: V(proceed), V(hold) or V(rollback).
  returned: success, and when the verdict fails the task
  type: str
  sample: proceed
sentence:
  description: Every test that failed or holds, empty when there is none.
  returned: success
  type: str
  sample: ""
lines:
  description: A line for each test.
  returned: success, and when the verdict fails the task
  type: list
  elements: str
  sample: ["\u2705 Agent routing: PASS (1% traffic; 2 of 2 well; 0.31 s)"]
results:
  description: What came of each test, in their order.
  returned: success, and when the verdict fails the task
  type: list
  elements: dict
  contains:
    name: {description: The test., returned: always, type: str, sample: Payment integration}
    kind: {description: Its kind., returned: always, type: str, sample: payment}
    scenario: {description: The scenario that it plays., returned: always, type: str, sample: Payment Flow}
    status:
      description: V(pass), V(fail), V(hold), V(skip), or V(planned) in check mode.
      returned: always
      type: str
      sample: pass
    seconds: {description: How long it took., returned: always, type: float, sample: 0.31}
    detail:
      description: What was seen, or what is wrong.
      returned: always
      type: str
      sample: order 4f1c paid from the wallet, balance 48500
    steps:
      description: The single checks, exchanges or metrics, as the modules of their own return them.
      returned: always
      type: list
      elements: dict
    facts:
      description: For a payment, C(order_id), C(payment_id), C(amount), C(number), C(balance_before) and the like.
      returned: for a payment that got as far as an order
      type: dict
reason:
  description: One word for why the task failed.
  returned: failure
  type: str
  sample: VerificationFailed
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._library import refuse_missing
from ..module_utils._module import Module, emit_progress, execute
from ..module_utils._smoke.kinds import RUNNERS, intention, libraries
from ..module_utils._smoke.models import Result
from ..module_utils._smoke.options import KINDS, read_tests, test_options
from ..module_utils._smoke.outcome import conclude
from ..module_utils._smoke.plan import line
from ..module_utils._smoke.run import run_tests


def module_spec() -> dict[str, t.Any]:
    return {
        "argument_spec": {
            "tests": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": test_options(),
                "required_if": [("kind", kind, [kind]) for kind in KINDS],
            },
            "fail_on": {
                "type": "list",
                "elements": "str",
                "choices": ["hold", "rollback"],
                "default": ["hold", "rollback"],
            },
        },
        "supports_check_mode": True,
    }


def run(module: Module) -> dict[str, t.Any]:
    tests = read_tests(module.params["tests"])
    refuse_missing(libraries(tests))
    if module.check_mode:
        found = [
            Result(test.name, test.kind, "planned", 0.0, intention(test), test.scenario)
            for test in tests
        ]
    else:
        found = run_tests(tests, RUNNERS, tell=lambda result: tell(module, result))
    return conclude([result.to_result() for result in found], module.params["fail_on"])


def tell(module: Module, result: Result) -> None:
    row = result.to_result()
    emit_progress(
        module, "SmokeTestEnded", line(row), {"name": row["name"], "status": row["status"]}
    )


def main() -> None:
    execute(AnsibleModule(**module_spec()), run)


if __name__ == "__main__":
    main()
