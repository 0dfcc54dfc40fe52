# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  fence:
    description:
      - The epoch at which this run took the deploy lock, as M(easymo.deploy.deploy_lock) returns it. Before each write
        the lock is looked at in O(kubernetes), unless that was done less than 5 seconds ago, and the task fails with
        V(LeaseLost) when another run holds it, or V(Frozen) when deployments are frozen.
      - V(0) asks for no lock at all.
    type: int
    default: 0
    version_added: 0.3.0
  lock:
    description: The Lease that is the lock. C(easymo-deploy) when not given.
    type: str
    version_added: 0.3.0
  kubernetes:
    description: The cluster of the deploy lock. Needed with O(fence).
    type: dict
    version_added: 0.3.0
    suboptions:
      kubeconfig:
        description:
          - A kubeconfig file to connect with. The user's default one when neither this nor the host is given.
        type: path
      context:
        description: The context of the kubeconfig to use instead of its current one.
        type: str
      host:
        description: URL of the API server. Needs the token.
        type: str
      api_key:
        description: Bearer token to authenticate with at the host.
        type: str
      ca_cert:
        description: File with the certificate authorities that may have signed the certificate of the host.
        type: path
      validate_certs:
        description: Whether the certificate of the host is verified.
        type: bool
        default: true
      namespace:
        description: The namespace to work in.
        type: str
        required: true
requirements:
  - kubernetes, only with O(fence)
"""
