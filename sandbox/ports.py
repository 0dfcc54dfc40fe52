# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a pod listens: at its own port, or at a higher one in the place of a port that only root may bind.

A pod of a cluster has a network of its own, in which any user binds port 80. Pods here share the machine's, so the
same shift holds for every user, and whoever connects to a pod asks here for the port.
"""

from __future__ import annotations

import re
import typing as t

FIRST_UNPRIVILEGED = 1024
"""net.ipv4.ip_unprivileged_port_start, by the kernel's default."""
SHIFT = 61_000
"""Ports above 60999 are given to no client: net.ipv4.ip_local_port_range, by the kernel's default."""

_HOST = r"(?P<host>localhost|127\.\d+\.\d+\.\d+|\[::1\])"
_GIVEN = re.compile(rf"(?<![\w.-]){_HOST}:(?P<port>\d+)")
_IMPLIED = re.compile(rf"(?<=http://){_HOST}(?P<port>)(?=[/?\s\"']|$)")
_OWN = ("localhost", "127.0.0.1", "[::1]")


def listening(port: int) -> int:
    """The port of this machine at which a pod serves `port`."""
    return port + SHIFT if port < FIRST_UNPRIVILEGED else port


def reached(address: str) -> str:
    """`host:port` of a pod as one connects to it here."""
    host, _, port = address.rpartition(":")
    return f"{host}:{listening(int(port))}"


def seen_from_pod(word: str, address: str, ports: t.Collection[int]) -> str:
    """A word of a command as it works outside of the pod that has `address` and serves `ports`.

    Its localhost is that address. All else that listens on this machine's loopback stays what it is.
    """

    def replaced(match: re.Match[str]) -> str:
        host, port = match["host"], int(match["port"] or 80)
        if host not in _OWN:
            return f"{host}:{listening(port)}"
        return f"{address}:{listening(port)}" if port in ports else match[0]

    return _IMPLIED.sub(replaced, _GIVEN.sub(replaced, word))
