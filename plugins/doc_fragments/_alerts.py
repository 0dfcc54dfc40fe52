# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  prometheus_url:
    description: URL of Prometheus, without C(/api).
    type: str
    required: true
  alertmanager_url:
    description: URL of its Alertmanager, without C(/api).
    type: str
  pods:
    description:
      - PromQL matchers that select the pods of the release. They take the place of C(job="pods") in every expression.
    type: str
    default: job="pods"
    version_added: 0.3.0
  monitoring_token:
    description: Bearer token for both, when they ask for one.
    type: str
  monitoring_ca_cert:
    description: File with the certificate authorities that may have signed the certificates of both.
    type: path
  request_timeout:
    description: Seconds that one request to either may take.
    type: float
    default: 10
"""
