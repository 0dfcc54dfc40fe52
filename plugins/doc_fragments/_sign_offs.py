# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from textwrap import indent

REQUIRED = r"""name:
  description: The sign-off's name.
  type: str
  required: true
what:
  description: The line of the checklist that is signed.
  type: str
  required: true
of:
  description: Who should sign it, in words.
  type: str
  default: ""
section:
  description: The section of the checklist.
  type: str
  default: ""
"""


class ModuleDocFragment:
    DOCUMENTATION: str = f"""
options:
  sign_off:
    description:
      - Writes who signed a line of the checklist that no machine can check, and nothing else. That is one commit of
        the release, in the attempt that is open. After a rollback it is the next attempt.
      - A sign-off without a name, one that is not required, and one for another release or another commit are refused.
      - The same person signing the same again changes nothing. Another person signs in the place of the first only by
        O(sign_off.instead).
      - May be done before any phase has begun. The record is V(planned) until then.
    type: dict
    suboptions:
      required:
        description: What is to be signed, of which O(sign_off.name) is one.
        type: list
        elements: dict
        required: true
        suboptions:
{indent(REQUIRED, " " * 10)}      name:
        description: Which one is signed.
        type: str
        required: true
      by:
        description: The name of the person who signs.
        type: str
        required: true
      key:
        description:
          - A private SSH key without a passphrase, or the public key of one that an agent holds. It signs what is
            written.
        type: path
      note:
        description: What that person wants to be remembered.
        type: str
        default: ""
      instead:
        description: Whether this person knowingly signs in the place of another, whose signature is gone then.
        type: bool
        default: false
      signed_release:
        description: The release that the person looked at. The task fails when it is another than O(name).
        type: str
        default: ""
      checkout:
        description:
          - The checkout of the application, a git work tree. The commit at which it is counts as the one that is
            signed.
        type: path
      commit:
        description: The commit that is released, its full name, where no checkout tells. It wins over the checkout.
        type: str
        default: ""
"""
