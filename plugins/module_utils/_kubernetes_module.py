# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""What every module about the cluster does with its parameters before its own work begins."""

from __future__ import annotations

import getpass
import socket
import time
import typing as t

from ansible_collections.easymo.deploy.plugins.module_utils._kubernetes import KubernetesCluster
from ansible_collections.easymo.deploy.plugins.module_utils._kubernetes_client import Connection

REQUIREMENT = "kubernetes >= 34"


class Module(t.Protocol):
    """An AnsibleModule, or the same shape in the controller."""

    params: dict[str, t.Any]
    check_mode: bool
    _diff: bool

    def warn(self, warning: str) -> None: ...


def cluster_for(module: Module) -> KubernetesCluster:
    connection = Connection.from_params(module.params)
    if connection.host and not connection.validate_certs:
        module.warn("The certificate of the API server is not verified: anyone between may read.")
    return KubernetesCluster(connection)


def actor_of(params: t.Mapping[str, t.Any]) -> str:
    """Who acts: as the task says, else the user of this machine."""
    return params["actor"] or f"{getpass.getuser()}@{socket.gethostname()}"


def utc_now() -> str:
    """Now as RFC 3339 with whole seconds, as Kubernetes writes times."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def say(module: Module, event: str, text: str, data: dict[str, t.Any]) -> None:
    """Live progress where somebody can see it: only the controller's shell has it."""
    progress = getattr(module, "progress", None)
    if progress is not None:
        progress(event, text, data)
