# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from textwrap import indent

from ._checks import health
from ._metrics import ONE_LOOK, PROMETHEUS
from ._module import AUTHORITIES, nested
from ._webhook import WEBHOOK

KINDS = f"""name:
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
{health("tests[].health")}webhook:
  description:
    - Send a webhook what it must accept and what it must refuse. That is the verification challenge with the right and
      with a wrong token, an unsigned, a wrongly signed, a malformed and an oversized message, and then each of
      O(tests[].webhook.messages) signed as Meta signs them. All must pass.
    - Looks for the messages that were accepted where O(tests[].webhook.logs),
      O(tests[].webhook.messages[].recorded_in) and O(tests[].webhook.messages[].not_recorded_in) say. An answer of 200
      alone is no proof that a message was worked on.
    - Reports every exchange that went wrong, not just the first. One that gets no answer does not keep the others from
      being sent, but when none of the first ones gets any, no message is sent.
  type: dict
  suboptions:
{nested(WEBHOOK, 4, "tests[].webhook")}payment:
  description:
    - Order something and pay for it from a wallet. The order must be paid and the balance less by its amount.
    - The requests carry an idempotency key. A test that is run again with the same key pays nothing more, and
      the test then says that the order was paid before.
  type: dict
  suboptions:
    api_url:
      description: URL of the API below which O(tests[].payment.form) has its paths.
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
    form:
      description: The paths and fields of the service, and where in its answers what counts is, in JMESPath (U(https://jmespath.org)).
      type: dict
      default: {{}}
      version_added: 0.3.0
      suboptions:
        wallet_path:
          description: Of the wallet, with C({{number}}) for O(tests[].payment.number).
          type: str
          default: /wallet/wallets/{{number}}
        order_path:
          description: Where an order is posted.
          type: str
          default: /wallet/orders
        pay_path:
          description: Where it is paid, with C({{id}}) for the order's id.
          type: str
          default: /wallet/orders/{{id}}/pay
        key_header:
          description: The header of the idempotency key.
          type: str
          default: Idempotency-Key
        number_field:
          description: In the body of an order, the field for O(tests[].payment.number).
          type: str
          default: user
        vendor_field:
          description: The field for O(tests[].payment.vendor_id).
          type: str
          default: vendor_id
        amount_field:
          description: The field for O(tests[].payment.amount).
          type: str
          default: amount
        balance:
          description: In the answer on the wallet, its balance.
          type: str
          default: balance
        order_id:
          description: In the answer on an order, its id.
          type: str
          default: id
        status:
          description: In the answer on an order or a payment, the order's status.
          type: str
          default: status
        payment_id:
          description: In the answer on a payment, its id, kept as evidence. It may be missing.
          type: str
          default: payment_id
        paid:
          description: The statuses of an order that has its money.
          type: list
          elements: str
          default: [paid, fulfilled]
    token:
      description: A bearer token, for a service that asks for one.
      type: str
      version_added: 0.3.0
    prove_key:
      description:
        - Order twice with the same key before paying, and fail when that made two orders.
        - For a service that knows no such key, set it to V(false). A run that is killed and repeated may
          then pay twice.
      type: bool
      default: true
{indent(AUTHORITIES, " " * 4)}    request_timeout:
      description: Seconds to wait for the answer to one request.
      type: float
      default: 10
metrics:
  description:
    - Metrics as those of M(easymo.deploy.metrics_gate), each looked at once.
    - A value beyond its rollback bound fails the test, one between its bounds holds.
  type: dict
  suboptions:
{nested(PROMETHEUS, 4, "tests[].metrics")}    metrics:
      description: What to look at.
      type: list
      elements: dict
      required: true
      suboptions:
{nested(ONE_LOOK, 8, "tests[].metrics.metrics[]")}    wait_timeout:
      description: Seconds to wait for metrics without data, as long as all others are good.
      type: float
      default: 0
    missing:
      description: What a metric without data makes of the test when nothing else is wrong. It never passes.
      type: str
      choices: [hold, skip]
      default: hold
    query_timeout:
      description: Seconds to wait for the answer to one query.
      type: float
      default: 10
"""


class ModuleDocFragment:
    DOCUMENTATION: str = f"""
options:
  tests:
    suboptions:
{indent(KINDS, " " * 6)}"""
