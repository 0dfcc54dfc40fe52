# SPDX-License-Identifier: GPL-3.0-or-later
"""What every module about the cluster does with its parameters before its own work begins."""

from __future__ import annotations

import socket
import typing as t

from ._kubernetes import KubernetesCluster
from ._kubernetes_client import Connection
from ._module import Module
from ._user import user_here


def cluster_for(module: Module) -> KubernetesCluster:
    return cluster_at(module, module.params)


def cluster_at(module: Module, params: t.Mapping[str, t.Any]) -> KubernetesCluster:
    """The cluster of `kubernetes_options`, wherever in the parameters they stand."""
    connection = Connection.from_params(params)
    if connection.host and not connection.validate_certs:
        module.warn("The certificate of the API server is not verified: anyone between may read.")
    return KubernetesCluster(connection)


def opener_for(module: Module) -> t.Callable[[], KubernetesCluster]:
    """Makes a client of its own at each call, for threads that each need one. Warns once."""
    first = [cluster_for(module)]
    connection = Connection.from_params(module.params)
    return lambda: first.pop() if first else KubernetesCluster(connection)


def actor_of(params: t.Mapping[str, t.Any]) -> str:
    """Who acts: as the task says, else the user of this machine."""
    return params["actor"] or f"{user_here()}@{socket.gethostname()}"
