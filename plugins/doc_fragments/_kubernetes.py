# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from ._libraries import KUBERNETES_CLIENT
from ._module import nested

CONNECTION = """\
  kubeconfig:
    description:
      - A kubeconfig file. Without it and without O(host), the default kubeconfig of the user is read; in
        a pod that has none, the pod's own account is used.
    type: path
  context:
    description: The context of the kubeconfig to use instead of its current one.
    type: str
  host:
    description: URL of the API server, for example V(https://kubernetes.example.com:6443). Needs O(api_key).
    type: str
  api_key:
    description: Bearer token to authenticate with at O(host).
    type: str
  ca_cert:
    description:
      - File with the certificate authorities that may have signed the certificate of the API server. Those of the
        kubeconfig when not given.
      - They are read as kubectl reads them. One without C(keyUsage), which Python refuses from 3.13 on, is trusted; a
        certificate that none of them signed, that has ended, or that is for another host is not.
    type: path
  validate_certs:
    description: Whether the certificate of O(host) is verified. Turning this off lets anyone in between read the token.
    type: bool
    default: true
  namespace:
    description: The namespace to work in.
    type: str
    required: true
"""


class ModuleDocFragment:
    DOCUMENTATION: str = f"""{KUBERNETES_CLIENT}
options:
{CONNECTION}"""

    # Of a module whose work is elsewhere.
    ELSEWHERE: str = f"""{KUBERNETES_CLIENT}
options:
  kubernetes:
    description: The cluster of the record. Needed with O(release).
    type: dict
    version_added: 0.3.0
    suboptions:
{nested(CONNECTION, 4, "kubernetes")}"""
