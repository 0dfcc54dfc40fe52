# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from textwrap import indent

from ._module import AUTHORITIES
from ._postgres import DATABASE
from ._supabase import SUPABASE

CONNECTION = """url:
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
"""

WEBHOOK = f"""{CONNECTION}guards:
  description: Whether the challenges and bad messages are sent. Without them, only O(messages) are.
  type: bool
  default: true
oversized_bytes:
  description:
    - Size of the oversized message. Any answer of 4xx refuses it; 200, 5xx and silence fail.
    - It is well signed and holds no message, so a webhook that takes it has nothing to act upon. V(0) sends none.
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
      description: Where the platform must say that it sent the message. Without it, any answer of 200 will do.
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
      description: Tables of O(database) that must have a row with the message's id in their O(message_column).
      type: list
      elements: str
      default: []
    not_recorded_in:
      description: Tables of O(database) that must have none.
      type: list
      elements: str
      default: []
answer:
  description: Where in the answer of 200 the reply to a message is, in JMESPath (U(https://jmespath.org)).
  type: dict
  default: {{}}
  suboptions:
    reply:
      description:
        - The reply to the message, with C({{message_id}}) for the message's id.
        - Empty for a webhook whose answer tells nothing but that the message was taken.
      type: str
      default: "replies[?message_id=='{{message_id}}'] | [0]"
    route:
      description: Below it, where the message went, V(agent), V(menu) or V(fallback).
      type: str
      default: route
    text:
      description: Below it, the text of the reply.
      type: str
      default: text
    buttons:
      description: Below it, the reply's buttons. Empty or missing means none.
      type: str
      default: buttons
    agent:
      description: Below it, which agent replied, for people to read.
      type: str
      default: agent
without_reply:
  description:
    - What it means when an answer of 200 does not tell what was replied, and no table tells all that is asked of it.
    - V(hold) fails the probe as not known, and V(accept) lets it pass, for people are asked.
  type: str
  choices: [hold, accept]
  default: hold
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
{indent(SUPABASE, " " * 4)}database:
  description: The database to look for messages in. Read only.
  type: dict
  suboptions:
{indent(DATABASE, " " * 4)}message_column:
  description: The column of those tables that has a message's id, as text.
  type: str
  default: message_id
seen_timeout:
  description: Seconds to go on looking for the messages that were accepted.
  type: float
  default: 30
{AUTHORITIES}request_timeout:
  description: Seconds to wait for the answer to one request.
  type: int
  default: 30
"""
