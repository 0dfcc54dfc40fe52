# SPDX-License-Identifier: GPL-3.0-or-later
"""The certificate authority of one run. Apart from world.py because its import is slow and seldom needed."""

from __future__ import annotations

import typing as t
from pathlib import Path

import trustme

from sandbox.world import write_private

if t.TYPE_CHECKING:
    from sandbox.world import Certificate


def issue(certificate: Certificate) -> None:
    """Write a server certificate for the loopback names, and the authority if there is none yet."""
    folder = certificate.ca.parent
    folder.mkdir(mode=0o755, exist_ok=True)
    issued = _authority(certificate.ca, folder / "ca.key").issue_cert(
        "127.0.0.1", "localhost", "::1"
    )
    write_private(certificate.key, issued.private_key_pem.bytes())
    issued.cert_chain_pems[0].write_to_path(str(certificate.cert))


def _authority(cert: Path, key: Path) -> trustme.CA:
    if key.exists():
        return trustme.CA.from_pem(cert.read_bytes(), key.read_bytes())
    authority = trustme.CA(organization_name="EasyMO sandbox")
    authority.cert_pem.write_to_path(str(cert))
    write_private(key, authority.private_key_pem.bytes())
    return authority
