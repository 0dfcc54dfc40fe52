#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: webhook_check
short_description: Send a WhatsApp webhook what it must accept and what it must refuse
version_added: 0.1.0
description:
  - Sends the verification challenge with the right and with a wrong token, an unsigned, a wrongly signed, a malformed
    and an oversized message, and then each of O(messages) signed as Meta signs them.
  - Looks for the messages that were accepted where O(logs), O(messages[].recorded_in) and O(messages[].not_recorded_in)
    say. An answer of 200 alone is no proof that a message was worked on.
  - Reports every probe that went wrong, not just the first. One that gets no answer does not keep the others from being
    sent, but when none of the first ones gets any, no message is sent.
  - In check mode only the challenges and the refusals are sent, since a message that is accepted is acted upon.
author:
  - EasyMO (@easymo)
extends_documentation_fragment:
  - easymo.deploy._attributes_read_only
  - easymo.deploy._attributes_controller
attributes:
  check_mode:
    support: partial
    details: Sends none of O(messages), since each would be acted upon. The other probes change nothing and are sent.
options:
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
    description: Whether the challenges and what must be refused are sent. Without them, only O(messages) are.
    type: bool
    default: true
    version_added: 0.2.0
  oversized_bytes:
    description:
      - Size of the oversized message. Any answer of 4xx refuses it; 200, 5xx and silence fail.
      - It is well signed and holds no message, so a webhook that takes it has nothing to act upon. V(0) sends none.
    type: int
    default: 2097152
    version_added: 0.2.0
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
        description: Where the platform must say that it sent the message. Without it, any answer of 200 will do.
        type: str
        choices: [agent, menu, fallback]
      reply_contains:
        description: What the reply must say, in small letters or capitals.
        type: str
        default: ""
        version_added: 0.2.0
      buttons:
        description: Whether the reply must offer buttons, or must not. Without it, that does not matter.
        type: bool
        version_added: 0.2.0
      recorded_in:
        description: Tables of O(database) that must have a row with the message's id in their column C(message_id).
        type: list
        elements: str
        default: []
        version_added: 0.2.0
      not_recorded_in:
        description: Tables of O(database) that must have none.
        type: list
        elements: str
        default: []
        version_added: 0.2.0
  message_prefix:
    description:
      - What tells the messages' ids from those of users. An id is C(wamid.), this, a random word and a number.
      - Letters, digits, C(.), C(_) and C(-), at most 60.
    type: str
    default: easymo-deploy
    version_added: 0.2.0
  logs:
    description:
      - The project whose functions' log must name every accepted message by its id.
      - The platform allows thirty such queries a minute, and one is sent every two seconds until all are seen.
    type: dict
    version_added: 0.2.0
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
    version_added: 0.2.0
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
    version_added: 0.2.0
  ca_cert:
    description: File with the certificate authorities that may have signed the webhook's certificate.
    type: path
  request_timeout:
    description: Seconds to wait for the answer to one request.
    type: int
    default: 30
requirements:
  - psycopg2-binary >= 2.9.10 (with O(database))
  - requests >= 2.32
"""

EXAMPLES = r"""
- name: Check that the webhook is ours and closed to others
  easymo.deploy.webhook_check:
    url: https://abcdefghijklmnopqrst.supabase.co/functions/v1/wa-webhook
    verify_token: "{{ wa_verify_token }}"
    app_secret: "{{ wa_app_secret }}"

- name: Check where messages go
  easymo.deploy.webhook_check:
    url: https://abcdefghijklmnopqrst.supabase.co/functions/v1/wa-webhook
    verify_token: "{{ wa_verify_token }}"
    app_secret: "{{ wa_app_secret }}"
    messages:
      - name: MENU gets the menu
        from: "250780000001"
        text: MENU
        route: menu
        buttons: true

- name: Check that a message is worked on
  easymo.deploy.webhook_check:
    url: https://abcdefghijklmnopqrst.supabase.co/functions/v1/wa-webhook
    verify_token: "{{ wa_verify_token }}"
    app_secret: "{{ wa_app_secret }}"
    message_prefix: release-2.0.0
    messages:
      - name: a customer asks for vegetables
        from: "250780000001"
        text: I need vegetables
        route: agent
        reply_contains: vendors
        recorded_in: [agent_requests]
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
    outcome: {description: "V(pass) or V(fail).", type: str, sample: pass}
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

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._http import REQUESTS
from ..module_utils._library import refuse_missing
from ..module_utils._module import Module, execute
from ..module_utils._options import webhook_options
from ..module_utils._postgres import PSYCOPG2
from ..module_utils._webhook.check import check_webhook
from ..module_utils._webhook.exchange import refuse_failures

NEEDS = (REQUESTS,)


def module_spec() -> dict[str, t.Any]:
    return {"argument_spec": webhook_options(), "supports_check_mode": True}


def run(module: Module) -> dict[str, t.Any]:
    if module.params["database"]:
        refuse_missing([PSYCOPG2])
    outcomes = check_webhook(module.params, send_messages=not module.check_mode)
    refuse_failures(module.params["url"], outcomes)
    return {"changed": False, "probes": [outcome.to_result() for outcome in outcomes]}


def main() -> None:
    execute(AnsibleModule(**module_spec()), run, needs=NEEDS)


if __name__ == "__main__":
    main()
