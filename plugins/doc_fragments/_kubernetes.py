# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from ._libraries import KUBERNETES_CLIENT
from ._module import nested

CONNECTION = """\
  kubeconfig:
    description:
      - A kubeconfig file, or E(K8S_AUTH_KUBECONFIG). Without it and without O(host), the default kubeconfig of the user
        is read; in a pod that has none, the pod's own account is used.
      - An option counts before variables of the environment. Beside O(kubeconfig) or O(context), those about the
        address and the account are not read; beside O(host), those about a kubeconfig are not.
    type: path
  context:
    description: The context of the kubeconfig to use instead of its current one, or E(K8S_AUTH_CONTEXT).
    type: str
  host:
    description:
      - URL of the API server, for example V(https://kubernetes.example.com:6443), or E(K8S_AUTH_HOST). Needs
        O(api_key), or O(client_cert) and O(client_key).
    type: str
  api_key:
    description: Bearer token to authenticate with at O(host), or E(K8S_AUTH_API_KEY).
    type: str
  client_cert:
    description: File with the certificate to authenticate with at O(host), or E(K8S_AUTH_CERT_FILE).
    type: path
  client_key:
    description: File with the key of O(client_cert), or E(K8S_AUTH_KEY_FILE).
    type: path
  impersonate_user:
    description:
      - The user as whom to act, if the account may, or E(K8S_AUTH_IMPERSONATE_USER).
    type: str
  impersonate_groups:
    description: The groups of O(impersonate_user), or E(K8S_AUTH_IMPERSONATE_GROUPS) with commas between.
    type: list
    elements: str
  ca_cert:
    description:
      - File with the certificate authorities that may have signed the certificate of the API server. Those of the
        kubeconfig when not given. Also E(K8S_AUTH_SSL_CA_CERT).
      - They are read as kubectl reads them. One without C(keyUsage), which Python refuses from 3.13 on, is trusted; a
        certificate that none of them signed, that has ended, or that is for another host is not.
    type: path
  proxy:
    description: URL of the HTTP proxy on the way to the API server, or E(K8S_AUTH_PROXY).
    type: str
  validate_certs:
    description:
      - Whether the certificate of O(host) is verified. Turning this off lets anyone in between read the token, and no
        variable of the environment does.
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
    suboptions:
{nested(CONNECTION, 4, "kubernetes")}"""
