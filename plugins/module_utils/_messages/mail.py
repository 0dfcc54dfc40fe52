# SPDX-License-Identifier: GPL-3.0-or-later
"""E-mail by smtplib: text and HTML in one mail, encrypted before a password is said."""

from __future__ import annotations

import smtplib
import socket
import ssl
import typing as t
from contextlib import contextmanager
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from pathlib import Path

from .._errors import InputError, RefusedError, UnreachableError
from .._time import Deadline
from .models import Delivered, Mail

ATTACHED_LIMIT = 10_000_000


def read_attachments(paths: t.Iterable[str]) -> dict[str, bytes]:
    """The files by path; one that can't be read is refused before anybody is told anything."""
    contents: dict[str, bytes] = {}
    for path in paths:
        try:
            contents[path] = Path(path).read_bytes()
        except OSError as exc:
            raise InputError(
                f"email.attachments has '{path}', which can't be read ({exc.strerror}): correct the path."
            ) from None
    if sum(map(len, contents.values())) > ATTACHED_LIMIT:
        raise InputError(
            f"email.attachments are more than {ATTACHED_LIMIT // 1_000_000} MB together: link to them instead."
        )
    return contents


def compose(mail: Mail) -> EmailMessage:
    message = EmailMessage()
    message["From"] = mail.sender
    message["To"] = ", ".join(mail.recipients)
    message["Subject"] = mail.subject
    message["Date"] = formatdate(localtime=False)
    message["Message-ID"] = make_msgid(domain=mail.sender.rpartition("@")[2].strip("<> ") or None)
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(mail.text)
    if mail.html:
        message.add_alternative(mail.html, subtype="html")
    for each in mail.attachments:
        kind, _slash, subtype = each.content_type.partition("/")
        if kind == "text":
            text = each.content.decode("utf-8", "replace")
            message.add_attachment(text, subtype=subtype, filename=each.filename)
        else:
            message.add_attachment(
                each.content, maintype=kind, subtype=subtype, filename=each.filename
            )
    return message


def send_mail(mail: Mail, deadline: Deadline, ca_cert: str | None) -> Delivered:
    """One attempt: a mail sent twice is worse than one that is reported as not sent."""
    message = compose(mail)
    with conversation(mail, deadline, ca_cert) as session:
        missed = session.send_message(message, to_addrs=list(mail.recipients))
    if missed:
        raise RefusedError(
            f"{_server(mail)} refused {', '.join(sorted(missed))}; the others got the mail."
        )
    return Delivered(mail.kind, mail.target, id=message["Message-ID"])


def would_take(mail: Mail, deadline: Deadline, ca_cert: str | None) -> None:
    """Raise unless the server takes the sender and all recipients. Nothing is sent."""
    with conversation(mail, deadline, ca_cert) as session:
        session.ehlo_or_helo_if_needed()
        replies = [session.mail(mail.sender), *map(session.rcpt, mail.recipients)]
        session.rset()
    for whom, (code, said) in zip((mail.sender, *mail.recipients), replies, strict=True):
        if code >= 400:
            kind = RefusedError if code >= 500 else UnreachableError
            raise kind(
                f"{_server(mail)} does not take {whom} ({answer(code, said)}): check the address."
            )


def _server(mail: Mail) -> str:
    return f"The mail server {mail.host}:{mail.port}"


@contextmanager
def conversation(mail: Mail, deadline: Deadline, ca_cert: str | None) -> t.Iterator[smtplib.SMTP]:
    """With the mail's server, encrypted and logged in as it asks for. What goes wrong is a DeployError."""
    server = _server(mail)
    try:
        with connect(mail, max(0.1, deadline.left()), ca_cert) as session:
            encrypt(session, mail, ca_cert, server)
            if mail.username:
                session.login(mail.username, mail.password)
            yield session
    except smtplib.SMTPRecipientsRefused as exc:
        raise RefusedError(
            f"{server} refused all recipients ({answer(*max(exc.recipients.values()))}): check the addresses."
        ) from None
    except smtplib.SMTPResponseException as exc:
        kind = RefusedError if exc.smtp_code >= 500 else UnreachableError
        raise kind(
            f"{server} did not take the mail ({answer(exc.smtp_code, exc.smtp_error)})."
        ) from None
    except ssl.SSLError as exc:
        raise RefusedError(
            f"{server} failed TLS verification ({exc.reason}): check ca_cert and email.host."
        ) from None
    except (OSError, smtplib.SMTPException) as exc:
        why = (
            "no answer in time"
            if isinstance(exc, (socket.timeout, TimeoutError))
            else type(exc).__name__
        )
        raise UnreachableError(f"{server} can't be reached ({why}): check email.host.") from None


def connect(mail: Mail, timeout: float, ca_cert: str | None) -> smtplib.SMTP:
    """A port for implicit TLS, by RFC 8314, says nothing in clear."""
    if mail.starttls != "implicit":
        return smtplib.SMTP(mail.host, mail.port, timeout=timeout)
    context = ssl.create_default_context(cafile=ca_cert)
    return smtplib.SMTP_SSL(mail.host, mail.port, timeout=timeout, context=context)


def encrypt(session: smtplib.SMTP, mail: Mail, ca_cert: str | None, server: str) -> None:
    session.ehlo_or_helo_if_needed()
    if mail.starttls == "implicit":
        return
    offered = session.has_extn("starttls")
    if mail.starttls == "never" or (
        mail.starttls == "optional" and not offered and not mail.username
    ):
        return
    if not offered:
        raise RefusedError(f"{server} does not offer STARTTLS: nothing was sent.")
    session.starttls(context=ssl.create_default_context(cafile=ca_cert))
    session.ehlo()


def answer(code: int, text: bytes | str) -> str:
    said = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    return f"{code} {' '.join(said.split())}"[:200]
