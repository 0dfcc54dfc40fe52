#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: webhook_check
short_description: Send a webhook what it must accept and what it must refuse
version_added: 0.1.0
description:
  - Sends the verification challenge with the right and with a wrong token, an unsigned, a wrongly signed, a malformed
    and an oversized message, and then each of O(messages) signed as Meta signs them.
  - Looks for the messages that were accepted where O(logs), O(messages[].recorded_in) and O(messages[].not_recorded_in)
    say. An answer of 200 alone is no proof that a message was worked on.
  - Reports every probe that went wrong, not just the first. One that gets no answer does not keep the others from being
    sent, but when none of the first ones gets any, no message is sent.
  - In check mode only the challenges and the refusals are sent, since a message that is accepted is acted upon.
extends_documentation_fragment:
  - easymo.deploy._module.reads_in_controller
  - easymo.deploy._webhook
  - easymo.deploy._libraries.psycopg2
  - easymo.deploy._libraries.requests
attributes:
  check_mode:
    support: partial
    details: Sends none of O(messages), since each would be acted upon. The other probes change nothing and are sent.
requirements:
  - psycopg2-binary, only with O(database)
"""

EXAMPLES = r"""
- name: Check that the webhook is ours and closed to others
  easymo.deploy.webhook_check:
    url: https://abcdefghijklmnopqrst.supabase.co/functions/v1/webhook
    verify_token: "{{ webhook_token }}"
    app_secret: "{{ webhook_secret }}"

- name: Check where messages go
  easymo.deploy.webhook_check:
    url: https://abcdefghijklmnopqrst.supabase.co/functions/v1/webhook
    verify_token: "{{ webhook_token }}"
    app_secret: "{{ webhook_secret }}"
    messages:
      - name: MENU gets the menu
        from: "250780000001"
        text: MENU
        route: menu
        buttons: true

- name: Check that a message is worked on
  easymo.deploy.webhook_check:
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
probes:
  description: Every exchange, in the order in which they were made.
  returned: always
  type: list
  elements: dict
  contains:
    name: {description: What was probed., type: str, sample: unsigned message}
    outcome:
      description: V(pass), V(fail), or V(unknown) for a message that was taken without telling what was replied.
      type: str
      sample: pass
    status: {description: "The HTTP status, null when there was no answer.", type: int, sample: 401}
    seconds: {description: How long the answer took., type: float, sample: 0.012}
    evidence: {description: "What was seen, or what is wrong with it.", type: str, sample: refused with 401}
    message_id:
      description: The id of a message, for finding it again.
      returned: for each of O(messages)
      type: str
      sample: wamid.easymo-deploy.61f0d3a2b4c5d6e7.0
reason:
  description: One word for why the task failed.
  returned: failure
  type: str
  sample: VerificationFailed
"""

import typing as t

from ..module_utils._documentation import documented
from ..module_utils._errors import refuse_missing
from ..module_utils._http import REQUESTS
from ..module_utils._module import Module, execute
from ..module_utils._postgres import PSYCOPG2
from ..module_utils._webhook.check import check_webhook, refuse_failures

NEEDS = (REQUESTS,)


module_spec = documented(DOCUMENTATION)


def run(module: Module) -> dict[str, t.Any]:
    if module.params["database"]:
        refuse_missing([PSYCOPG2])
    outcomes = check_webhook(module.params, send_messages=not module.check_mode)
    refuse_failures(module.params["url"], outcomes)
    return {"changed": False, "probes": [outcome.to_result() for outcome in outcomes]}


def main() -> None:
    execute(module_spec, run, needs=NEEDS)


if __name__ == "__main__":
    main()
