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
  - A test asks databases and services, writes to the webhook, pays an order from a wallet, or looks at metrics
    once.
  - The verdict is V(rollback) when a test failed, V(hold) when one can't be told, and else V(proceed).
  - In check mode nothing at all is asked or sent; each test tells what it would do.
  - With O(collected) it runs no test, and tells and judges results that are there.
  - Runs in the controller when the connection is local, and shows each test as it ends.
extends_documentation_fragment:
  - easymo.deploy._module.reads_in_controller
  - easymo.deploy._module.verdict
  - easymo.deploy._checks.smoke_tests
  - easymo.deploy._libraries.requests
  - easymo.deploy._libraries.jmespath
  - easymo.deploy._libraries.psycopg2
attributes:
  check_mode:
    support: full
    details: Says what each test would ask and send, and asks and sends nothing.
options:
  tests:
    description: The tests. Each has the options of its kind under the name of its kind.
    type: list
    elements: dict
  collected:
    description:
      - In place of O(tests), results of this module, of M(easymo.deploy.person_check) or M(easymo.deploy.health_check),
        each with C(name), C(status), C(seconds), C(detail) and, if it has any, C(steps).
      - A result without a status counts as passed. What has the form of a secret is blanked out.
    type: list
    elements: dict
  hint:
    description: How to go on, behind the sentence of a failure.
    type: str
    default: ""
requirements:
  - what M(easymo.deploy.health_check) needs for the kinds of its checks
  - psycopg2-binary, only for messages and metrics that are looked for in a database
"""

EXAMPLES = r"""
- name: Pay an order from the test wallet
  easymo.deploy.smoke_tests:
    tests:
      - name: Payment integration
        kind: payment
        payment:
          api_url: https://api.example.com
          number: "250780000001"
          vendor_id: 7e570000-0000-4000-8000-000000000001
          amount: 1500
          key: release-2.0.0-attempt-1

- name: Tell results that were kept
  easymo.deploy.smoke_tests:
    collected: "{{ smoke.results }}"

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
          url: https://abcdefghijklmnopqrst.supabase.co/functions/v1/webhook
          verify_token: "{{ webhook_token }}"
          app_secret: "{{ webhook_secret }}"
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
lines:
  description: A line for each test.
  returned: success, and when the verdict fails the task
  type: list
  elements: str
  sample: ["\u2705 Agent routing: PASS (1% traffic; 2 of 2 well; 0.31 s)"]
results:
  description:
    - What came of each test, in their order, by its C(name) and C(kind), with the C(scenario) that it plays. The
      C(status) is V(pass), V(fail), V(hold), V(skip), or V(planned) in check mode. C(seconds) is how long it took, and
      C(detail) what was seen, or what is wrong.
    - C(steps) are the single checks, exchanges or metrics, as the modules of their own return them. A payment that got
      as far as an order has C(facts), C(order_id), C(payment_id), C(amount), C(number), C(balance_before) and the like.
  returned: success, and when the verdict fails the task
  type: list
  elements: dict
  sample:
    - {name: Payment integration, kind: payment, status: pass, seconds: 0.31, detail: "order 4f1c paid from the wallet"}
"""

import typing as t

from ..module_utils._checks.models import Finding, libraries
from ..module_utils._checks.smoke import (
    conclude,
    line,
    planned,
    run_tests,
    to_result,
)
from ..module_utils._checks.task import SMOKE_TESTS, read_tests
from ..module_utils._errors import InputError, refuse_missing
from ..module_utils._module import Module, documented, emit_progress, execute
from ..module_utils._redaction import Redactor

DEPTH = 20

module_spec = documented(
    DOCUMENTATION,
    mutually_exclusive=[("tests", "collected")],
    required_one_of=[("tests", "collected")],
)


def run(module: Module) -> dict[str, t.Any]:
    if module.params["collected"] is not None:
        return tell(module)
    tests = read_tests(module.params["tests"])
    refuse_missing(libraries(tests, SMOKE_TESTS))
    if module.check_mode:
        rows = [planned(test, SMOKE_TESTS) for test in tests]
    else:
        rows = run_tests(tests, SMOKE_TESTS, report=lambda row: report(module, row))
    return conclude([to_result(row) for row in rows], module.params["fail_on"])


def tell(module: Module) -> dict[str, t.Any]:
    results = [Redactor().within(entry, DEPTH) for entry in module.params["collected"]]
    nameless = [entry for entry in results if not entry.get("name")]
    if nameless:
        raise InputError(f"{len(nameless)} of {len(results)} results have no 'name'.")
    remarks = [line(result) for result in results]
    judged = [{"status": "pass", **result} for result in results]
    return conclude(judged, module.params["fail_on"], module.params["hint"], remarks=remarks)


def report(module: Module, row: Finding) -> None:
    emit_progress(
        module, "SmokeTestEnded", line(to_result(row)), {"name": row.name, "status": row.status}
    )


def main() -> None:
    execute(module_spec, run)


if __name__ == "__main__":
    main()
