# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from ._module import nested

MAIL_SERVER = r"""host:
  description: The mail server.
  type: str
  required: true
port:
  description: Its port.
  type: int
  default: 587
starttls:
  description:
    - Whether the connection is encrypted. A server that can't prove who it is gets no mail.
    - V(implicit) is TLS from the first byte, which is what port 465 speaks.
  type: str
  choices: [required, optional, never, implicit]
  default: required
username:
  description: Name to log in with. Without it, no login.
  type: str
password:
  description: Password of O(username).
  type: str
sender:
  description: Address of the sender.
  type: str
  required: true
recipients:
  description: Addresses of the recipients.
  type: list
  elements: str
  required: true
"""


class ModuleDocFragment:
    DOCUMENTATION: str = f"""
options:
  email:
    description: Send an e-mail.
    type: dict
    suboptions:
{nested(MAIL_SERVER, 6, "email")}      subject:
        description: The subject.
        type: str
        required: true
      text:
        description: Text of the mail instead of O(text).
        type: str
      html:
        description: The same as HTML, beside the text.
        type: str
      attachments:
        description: Files to attach, together at most 10 MB. Text is sent as UTF-8.
        type: list
        elements: path
"""
