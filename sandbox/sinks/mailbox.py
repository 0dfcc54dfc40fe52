# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the mails that the sandbox's SMTP server put into its folder, each file once."""

from __future__ import annotations

import email
import email.policy
from email.message import EmailMessage
from pathlib import Path

from sandbox.sinks.store import Record


class Mailbox:
    """Mails in the order in which they arrived; a mail never changes, so it is parsed once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._parsed: dict[str, Record] = {}

    def mails(self) -> list[Record]:
        for file in sorted(self._folder.glob("*.eml")):
            if file.name not in self._parsed:
                self._parsed[file.name] = parse(file.name, file.read_bytes())
        return list(self._parsed.values())


def parse(name: str, content: bytes) -> Record:
    """What a mail program shows; envelope recipients come from the header the server adds."""
    mail = email.message_from_bytes(content, policy=email.policy.default)
    return {
        "id": name.removesuffix(".eml"),
        "from": str(mail["from"] or ""),
        "to": str(mail["to"] or ""),
        "cc": str(mail["cc"] or ""),
        "recipients": str(mail["x-sandbox-recipients"] or "").split(),
        "secured": str(mail["x-sandbox-tls"] or "") == "yes",
        "subject": str(mail["subject"] or ""),
        "date": str(mail["date"] or ""),
        "message_id": str(mail["message-id"] or ""),
        "text": body(mail, "plain"),
        "html": body(mail, "html"),
        "attachments": [part.get_filename() or "unnamed" for part in mail.iter_attachments()],
    }


def body(mail: EmailMessage, subtype: str) -> str:
    part = mail.get_body((subtype,))
    if part is None:
        return ""
    try:
        return str(part.get_content())
    except (LookupError, UnicodeError):  # a charset nobody knows
        payload = part.get_payload(decode=True)
        return payload.decode("latin-1") if isinstance(payload, bytes) else ""
