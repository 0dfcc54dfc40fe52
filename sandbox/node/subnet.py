# SPDX-License-Identifier: GPL-3.0-or-later
"""The pods' addresses: 127.x.0.0/16 of this run, handed out in turn so that none returns at once."""

from __future__ import annotations

import secrets
import socket
import typing as t

SECOND_OCTETS = range(16, 251)


def pick_octet(is_free: t.Callable[[int], bool]) -> int:
    """The second octet of this run: a random one that nothing uses."""
    candidates = list(SECOND_OCTETS)
    secrets.SystemRandom().shuffle(candidates)
    for octet in candidates:
        if is_free(octet):
            return octet
    raise OSError("No loopback network 127.16-250.0.0/16 is free for the pods.")


def can_bind(address: str, port: int = 8080) -> bool:
    with socket.socket() as probe:
        # As servers do: connections that linger after a crash keep nobody from listening again.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return False
    return True


class Subnet:
    """Free addresses of 127.<octet>.0.0/16."""

    def __init__(self, octet: int, is_free: t.Callable[[str], bool] = can_bind) -> None:
        self._octet = octet
        self._is_free = is_free
        self._taken: set[str] = set()
        self._next = 2

    @property
    def cidr(self) -> str:
        return f"127.{self._octet}.0.0/16"

    def claim(self, wanted: str = "") -> str:
        """`wanted` when it is ours and free, otherwise the next free one."""
        mine = wanted.startswith(f"127.{self._octet}.") and wanted not in self._taken
        if mine and self._is_free(wanted):
            self._taken.add(wanted)
            return wanted
        for _ in range(65000):
            address = f"127.{self._octet}.{self._next // 250}.{self._next % 250 + 1}"
            self._next = self._next + 1 if self._next < 62000 else 2
            if address not in self._taken and self._is_free(address):
                self._taken.add(address)
                return address
        raise OSError(f"No address of {self.cidr} is free for another pod.")

    def release(self, address: str) -> None:
        self._taken.discard(address)
