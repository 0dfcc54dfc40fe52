#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: announce
short_description: Tell people something about a release, in one or more channels
version_added: 0.1.0
description:
  - Sends one message to Slack, by e-mail, to PagerDuty and to the status page.
  - A channel that can't be reached is a warning, and it is listed in RV(undelivered).
  - What is wrong with the options is refused before the first message goes out.
  - With O(release) the record of the release remembers the announcement by O(key), and it goes out once. A channel
    that it did not reach is tried again by the next task with this key. Where the record can't be read or written it
    goes out even so, with a warning, and may go out again.
  - What has the form of a secret, such as a token or a password in an address, is blanked out of texts, not of HTML.
extends_documentation_fragment:
  - easymo.deploy._module.in_controller
  - easymo.deploy._kubernetes.elsewhere
  - easymo.deploy._mail
  - easymo.deploy._libraries.requests
options:
  text:
    description:
      - What is announced. Each channel may have a text of its own instead.
      - Slack reads its mrkdwn styles in it, such as C(*bold*). Mentions and links in angle brackets are escaped,
        because a text often quotes what others wrote.
      - C(@channel) or C(@here) as its very first word mentions in Slack.
    type: str
    default: ""
  release:
    description:
      - The release that this is an announcement of. Where its record has O(key) already, it is sent only to the
        channels that it did not reach. The record keeps RV(undelivered) by it.
    type: str
  key:
    description: What the announcement is called in the record. Needed with O(release).
    type: str
  timeout:
    description: Seconds that each channel has at most, with the waits that a rate limit asks for.
    type: int
    default: 20
  ca_cert:
    description: File with the certificate authorities that may have signed the certificates of the services.
    type: path
  slack:
    description: Post to Slack.
    type: dict
    suboptions:
      api_url:
        description: URL of the Web API.
        type: str
        default: https://slack.com/api/
      token:
        description: Bot token with the scope C(chat:write). Needs O(slack.channel).
        type: str
      channel:
        description: Name or id of the channel.
        type: str
      webhook_url:
        description: Incoming webhook, used when there is no O(slack.token). The URL is a secret.
        type: str
      text:
        description: Text for Slack instead of O(text).
        type: str
      mention:
        description: Contacts to mention, V(channel), V(here), or ids of users or groups. Another name is only shown.
        type: list
        elements: str
      people:
        description:
          - Ids of users or groups by the name that stands in the text, as C(@name). Each is a mention there, unless its
            id is none.
        type: dict
      archive:
        description:
          - Archive the channel once the message is in it. One that is archived already is left so.
          - Needs O(slack.token) with the scope C(channels:manage), for a private channel C(groups:write).
        type: bool
        default: false
  pagerduty:
    description: Send an event to PagerDuty's Events API v2. Repeating it is harmless.
    type: dict
    suboptions:
      url:
        description: URL of the Events API.
        type: str
        default: https://events.pagerduty.com
      routing_key:
        description: Integration key of the service.
        type: str
        required: true
      action:
        description: What happened to the incident.
        type: str
        choices: [trigger, acknowledge, resolve]
        default: trigger
      dedup_key:
        description: Names the incident; what opens and what resolves it must say the same.
        type: str
        required: true
      severity:
        description: How bad it is.
        type: str
        choices: [critical, error, warning, info]
        default: critical
      source:
        description: What is affected.
        type: str
        default: easymo.deploy
      summary:
        description: Title of the incident instead of O(text), cut at 120 characters. Of a longer one
          O(pagerduty.details) has all as C(message).
        type: str
      details:
        description: More about it, shown in the incident.
        type: dict
  statuspage:
    description: Open an incident on the status page, or update the open one of that name.
    type: dict
    suboptions:
      url:
        description: URL of the Statuspage API.
        type: str
        default: https://api.statuspage.io/v1
      token:
        description: API key.
        type: str
        required: true
      page_id:
        description: Id of the page.
        type: str
        required: true
      name:
        description: Title of the incident.
        type: str
        required: true
      status:
        description: Its state.
        type: str
        required: true
        choices: [investigating, identified, monitoring, resolved, scheduled, in_progress, verifying, completed]
      body:
        description: Text of this update instead of O(text).
        type: str
      minutes:
        description:
          - How many minutes a maintenance is planned to take from now, when it is opened with V(scheduled),
            V(in_progress), V(verifying) or V(completed).
        type: int
        default: 120
attributes:
  check_mode:
    description: Checks the options and lists the receivers, without a message to anybody.
    support: partial
    details: A status page update that is there already is announced as a change.
  diff_mode:
    description: A message has no state before and after.
    support: none
  idempotent:
    description: Slack and e-mail can't be asked what they were told. The record of O(release) remembers it for all.
    support: partial
requirements:
  - kubernetes, only for O(release)
  - requests, for all channels but O(email)
"""

EXAMPLES = r"""
- name: Say once that the release was rolled back, page the engineer on call, and tell customers
  easymo.deploy.announce:
    text: "Release {{ release_version }} was rolled back: {{ deploy_failed.message }}"
    slack:
      token: "{{ secret_slack_bot_token }}"
      channel: "#v2-deployment"
      mention: [U0ONCALL01]
    pagerduty:
      routing_key: "{{ secret_pagerduty_routing_key }}"
      dedup_key: "shop/{{ release_version }}"
    statuspage:
      token: "{{ secret_statuspage_token }}"
      page_id: shop
      name: Upgrade to Shop 2.0
      status: completed
      body: The upgrade was postponed. Service was not interrupted.
    release: "{{ release_version }}"
    key: rolled-back
    kubernetes: {namespace: shop-prod}
"""

RETURN = r"""
delivered:
  description:
    - The messages that arrived, or in check mode those that would be sent. Of each, C(channel) is its option,
      C(target) its receiver, and C(changed) whether the other side did not know it already. C(id) is what the other
      side calls it, C(location) the id of the Slack channel, and C(action) what was asked of PagerDuty.
  returned: always
  type: list
  elements: dict
undelivered:
  description: The channels that got no message, and why.
  returned: always
  type: list
  elements: dict
"""

from ..module_utils._errors import DeployError, InputError, refuse_missing
from ..module_utils._http import REQUESTS
from ..module_utils._messages.apply import deliver, read_attachments
from ..module_utils._messages.plan import CHANNELS, plan_messages
from ..module_utils._module import SECRET, Module, Result, documented, execute, with_options
from ..module_utils._redaction import Redactor
from ..module_utils._release.task import change_record, store_of

module_spec = documented(DOCUMENTATION, required_by={"release": ["key", "kubernetes"]})


def run(module: Module) -> Result:
    key, store = module.params["key"], store_of(module)
    record = None
    try:
        record = store.read() if store else None
    except DeployError as exc:
        module.warn(f"Whether {key!r} was announced before is not known, so it is announced. {exc}")
    known = [each for each in record.announcements if each.name == key] if record else []
    if record and known:
        missed = {receiver.channel for each in known for receiver in each.undelivered}
        if not any(module.params[channel] for channel in missed & {*CHANNELS}):
            document = record.to_result()["document"]
            return {"changed": False, "delivered": [], "undelivered": [], "document": document}
        reached = dict.fromkeys({*CHANNELS} - missed)
        module = with_options(module, reached)
    result = send(module)
    if store:
        entry = {"undelivered": Redactor(secrets_of(module)).within(result["undelivered"])}
        try:
            before, after = change_record(
                store, announcements={key: entry}, check_mode=module.check_mode
            )
        except DeployError as exc:
            module.warn(f"{key!r} may be announced again: the record does not have it. {exc}")
        else:
            result["changed"] |= before != after
            result["document"] = after.to_result()["document"]
    return result


def secrets_of(module: Module) -> list[str]:
    """What a channel's answer may quote."""
    options = [option for channel in CHANNELS for option in (module.params[channel] or {}).items()]
    return [value for name, value in options if name in SECRET and value]


def send(module: Module) -> Result:
    attached = (module.params["email"] or {}).get("attachments") or ()
    # What a task before this one would have written is not there in check mode.
    contents = {} if module.check_mode else read_attachments(attached)
    messages = plan_messages(module.params, contents)
    if not messages:
        raise InputError(f"No channel is set: set at least one of {', '.join(CHANNELS)}.")
    refuse_missing(REQUESTS for each in messages if each.kind != "email")

    delivered, undelivered = deliver(
        () if module.check_mode else messages,
        timeout=module.params["timeout"],
        ca_cert=module.params["ca_cert"],
    )
    if module.check_mode:
        delivered = [message.result() for message in messages]
    for failure in undelivered:
        module.warn("Not announced to {channel} ({target}): {msg}".format(**failure))
    changed = any(message["changed"] for message in delivered)
    return {"changed": changed, "delivered": delivered, "undelivered": undelivered}


def main() -> None:
    execute(module_spec, run)


if __name__ == "__main__":
    main()
