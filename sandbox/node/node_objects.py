# SPDX-License-Identifier: GPL-3.0-or-later
"""The Node object and its status, as the kubelet writes them."""

from __future__ import annotations

import typing as t

from sandbox.kubernetes.controllers.objects import timestamp

Object = dict[str, t.Any]

LEASE_SECONDS = 40
CAPACITY = {"cpu": "16", "memory": "32Gi", "ephemeral-storage": "100Gi"}


def node_object(name: str, pod_cidr: str) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "labels": {
                "kubernetes.io/hostname": name,
                "kubernetes.io/os": "linux",
                "kubernetes.io/arch": "amd64",
            },
        },
        "spec": {"podCIDR": pod_cidr, "podCIDRs": [pod_cidr]},
    }


def node_status(
    name: str, port: int, *, pods: int, ready: bool, before: t.Sequence[Object], now: float
) -> Object:
    """With room for so many `pods`; `before` are the conditions that it had."""
    words = (
        ("True", "KubeletReady", "kubelet is posting ready status")
        if ready
        else ("False", "KubeletNotReady", "container runtime is down")
    )
    state, reason, message = words
    capacity = {**CAPACITY, "pods": str(pods)}
    same = [c for c in before if c["type"] == "Ready" and c["status"] == state]
    return {
        "capacity": capacity,
        "allocatable": capacity,
        "addresses": [
            {"type": "InternalIP", "address": "127.0.0.1"},
            {"type": "Hostname", "address": name},
        ],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": port}},
        "nodeInfo": {
            "architecture": "amd64",
            "containerRuntimeVersion": "containerd://2.1.0",
            "kernelVersion": "sandbox",
            "kubeletVersion": "v1.36.2",
            "operatingSystem": "linux",
            "osImage": "EasyMO sandbox",
        },
        "conditions": [
            {
                "type": "Ready",
                "status": state,
                "lastHeartbeatTime": timestamp(now),
                "lastTransitionTime": same[0]["lastTransitionTime"] if same else timestamp(now),
                "reason": reason,
                "message": message,
            }
        ],
    }
