# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from textwrap import indent

SIGNATURES = """signatures:
  description:
    - Whose signature each image must have, which cosign 2 verifies for the digest that the registry returned.
    - Keys of a cloud and a proxy are taken from the environment, as cosign does.
  type: dict
  suboptions:
    program:
      description: Name or path of cosign.
      type: str
      default: cosign
    public_key:
      description: File of the public key, or a reference that cosign knows, for example C(awskms://...).
      type: str
    identity:
      description: Who signed without a key of their own, as the certificate names them. Needs C(issuer).
      type: str
    issuer:
      description: Who vouched for that identity, for example C(https://token.actions.githubusercontent.com).
      type: str
    ca_roots:
      description: File with the authorities that may have issued certificates. Those of Sigstore without it.
      type: path
    transparency_log:
      description:
        - Whether a signature counts only if a public log has it. V(false) is for keys and authorities of one's own.
      type: bool
      default: true
    offline:
      description: Whether the log's promise beside the signature is enough, so that no log is asked.
      type: bool
      default: false
    provenance:
      description: Type of an attestation that the same signer must have made of each image, as C(slsaprovenance1).
      type: str
    timeout:
      description: Seconds that cosign may take for one image.
      type: float
      default: 60
"""


class ModuleDocFragment:
    SIGNATURES: str = f"options:\n{indent(SIGNATURES, '  ')}"
