# SPDX-License-Identifier: GPL-3.0-or-later
"""A mail server with login, STARTTLS and a port that speaks TLS at once. It delivers each mail as a file."""

from __future__ import annotations

import asyncio
import functools
import secrets
import smtplib
import ssl
import sys
import typing as t
from pathlib import Path

from sandbox.component import Component
from sandbox.faults import Faults
from sandbox.serving import stop_event
from sandbox.world import Facts, World

USER = "deployer"


class Smtp(Component):
    name = "smtp"
    program = "sandbox.smtp"
    ports = ("smtp", "smtp-tls")
    faults: t.Mapping[str, str] = {
        "rejects": "All recipients, or the target address, are refused with 550.",
        "errors": "Each mail is answered 451 after it was sent: it counts as not delivered.",
        "hangs": "Each mail is answered only after seconds=60.",
    }

    def prepare(self, world: World) -> None:
        world.certificate("smtp")
        (world.folder("smtp") / "mails").mkdir(exist_ok=True)

    def ready(self, world: World) -> bool:
        with smtplib.SMTP("127.0.0.1", world.port("smtp"), timeout=2) as session:
            return session.noop()[0] == 250

    def facts(self, world: World) -> Facts:
        return {
            "host": "127.0.0.1",
            "port": world.port("smtp"),
            "tls_port": world.port("smtp-tls"),
            "ca_cert": str(world.certificate("smtp").ca),
            "user": USER,
            "password": password(world),
        }


COMPONENT = Smtp()


def password(world: World) -> str:
    return world.secret("smtp_password")


class Delivery:
    """What aiosmtpd calls for every recipient and every mail."""

    def __init__(self, folder: Path, faults: Faults) -> None:
        self._folder = folder
        self._faults = faults
        self._count = len(list(folder.glob("*.eml")))

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, _server: object, _session: object, envelope: t.Any, address: str, _options: object
    ) -> str:
        if self._faults.active("smtp", "rejects", address):
            return "550 5.1.1 No such user here"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(  # noqa: N802 - aiosmtpd's name
        self, server: t.Any, session: t.Any, envelope: t.Any
    ) -> str:
        if fault := self._faults.active("smtp", "hangs"):
            await asyncio.sleep(fault.number("seconds", 60))
        if self._faults.active("smtp", "errors"):
            return "451 4.3.0 Mail system temporarily unavailable"
        self._count += 1
        # The session knows only of a STARTTLS.
        secured = "yes" if session.ssl or server.transport.get_extra_info("sslcontext") else "no"
        recipients = " ".join(envelope.rcpt_tos)
        trace = f"X-Sandbox-Recipients: {recipients}\r\nX-Sandbox-TLS: {secured}\r\n".encode()
        file = self._folder / f"{self._count:06d}.eml"
        partial = file.with_suffix(".partial")
        partial.write_bytes(trace + envelope.content)
        partial.replace(file)
        return f"250 2.0.0 queued as {self._count}"


async def serve(world: World) -> None:
    # The supervisor imports this file only to start it.
    from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword  # noqa: PLC0415

    made = world.certificate("smtp")
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(made.cert, made.key)
    delivery = Delivery(world.folder("smtp") / "mails", Faults(world.faults_file))
    expected = password(world).encode()

    def login(
        _server: object, _session: object, _envelope: object, _mechanism: str, given: t.Any
    ) -> t.Any:
        right = isinstance(given, LoginPassword) and given.login == USER.encode()
        right = right and secrets.compare_digest(given.password, expected)
        return AuthResult(success=right, handled=right is True)

    def session(*, implicit: bool = False) -> asyncio.Protocol:
        # It knows of the TLS that it began itself alone.
        encryption = {"auth_require_tls": False} if implicit else {"tls_context": tls}
        return t.cast(
            "asyncio.Protocol",
            SMTP(delivery, hostname="sandbox.invalid", authenticator=login, enable_SMTPUTF8=True,
                 **encryption),
        )  # fmt: skip

    stop, loop = stop_event(), asyncio.get_running_loop()
    servers = [
        await loop.create_server(session, "127.0.0.1", world.port("smtp")),
        await loop.create_server(
            functools.partial(session, implicit=True), "127.0.0.1", world.port("smtp-tls"), ssl=tls
        ),
    ]
    await stop.wait()
    for server in servers:
        server.close()


if __name__ == "__main__":
    asyncio.run(serve(World(Path(sys.argv[1]))))
