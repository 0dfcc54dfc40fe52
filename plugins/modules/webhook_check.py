#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: webhook_check
short_description: Send a WhatsApp webhook what it must accept and what it must refuse
version_added: 0.1.0
description:
  - Sends the verification challenge with the right and with a wrong token, an unsigned, a wrongly signed and a
    malformed message, and then each of O(messages) signed as Meta signs them.
  - Reports every probe that went wrong, not just the first.
  - In check mode only the challenges and the refusals are sent, since a message that is accepted is acted upon.
author:
  - EasyMO (@easymo)
extends_documentation_fragment:
  - easymo.deploy._attributes_read_only
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
  ca_cert:
    description: File with the certificate authorities that may have signed the webhook's certificate.
    type: path
  request_timeout:
    description: Seconds to wait for the answer to one request.
    type: int
    default: 30
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
"""

RETURN = r"""
probes:
  description: Every exchange, in the order in which they were made.
  returned: always
  type: list
  elements: dict
  contains:
    name: {description: What was probed., type: str, sample: unsigned message}
    status: {description: "V(pass) or V(fail).", type: str, sample: pass}
    detail: {description: "What is wrong, empty for V(pass).", type: str, sample: ""}
    seconds: {description: How long the answer took., type: float, sample: 0.012}
reason:
  description: One word for why the task failed.
  returned: failure
  type: str
  sample: VerificationFailed
"""

import secrets
import time
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.easymo.deploy.plugins.module_utils._errors import (
    VerificationError,
)
from ansible_collections.easymo.deploy.plugins.module_utils._module import execute
from ansible_collections.easymo.deploy.plugins.module_utils._options import webhook_options
from ansible_collections.easymo.deploy.plugins.module_utils._webhook.client import (
    REQUESTS,
    HttpWebhook,
)
from ansible_collections.easymo.deploy.plugins.module_utils._webhook.models import (
    Message,
    Probe,
    Webhook,
)
from ansible_collections.easymo.deploy.plugins.module_utils._webhook.probes import plan_probes


def run(module: AnsibleModule) -> dict[str, t.Any]:
    webhook = HttpWebhook(
        module.params["url"],
        ca_cert=module.params["ca_cert"],
        timeout=module.params["request_timeout"],
    )
    messages = [
        Message(entry["name"], entry["from"], entry["text"], entry["route"] or "")
        for entry in ([] if module.check_mode else module.params["messages"])
    ]
    probes = plan_probes(
        messages,
        verify_token=module.params["verify_token"],
        app_secret=module.params["app_secret"],
        challenge=secrets.token_hex(8),
    )
    outcomes = [exchange(webhook, probe) for probe in probes]
    failed = [outcome for outcome in outcomes if outcome["status"] == "fail"]
    if failed:
        findings = "; ".join(f"{outcome['name']}: {outcome['detail']}" for outcome in failed)
        raise VerificationError(
            f"{len(failed)} of {len(outcomes)} probes of {module.params['url']} failed: {findings}.",
            probes=outcomes,
        )
    return {"changed": False, "probes": outcomes}


def exchange(webhook: Webhook, probe: Probe) -> dict[str, t.Any]:
    started = time.monotonic()
    detail = probe.judge(webhook.send(probe.request))
    return {
        "name": probe.name,
        "status": "fail" if detail else "pass",
        "detail": detail,
        "seconds": round(time.monotonic() - started, 3),
    }


def main() -> None:
    execute(
        AnsibleModule(argument_spec=webhook_options(), supports_check_mode=True),
        run,
        needs=[REQUESTS],
    )


if __name__ == "__main__":
    main()
