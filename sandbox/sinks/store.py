# SPDX-License-Identifier: GPL-3.0-or-later
"""What the sinks received: in memory to answer from, line by line in a file to lose nothing.

Mails come from the folder of the sandbox's SMTP server, each file once.
"""

from __future__ import annotations

import email
import email.policy
import json
import time
import typing as t
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path

Record = dict[str, t.Any]


class Store:
    """Records by sink and key. The file keeps every version; after a restart the last one wins."""

    def __init__(self, file: Path, clock: t.Callable[[], float] = time.time) -> None:
        self._file = file
        self._clock = clock
        self._last = 0
        self._records: dict[str, dict[str, Record]] = {}
        self.version = 0
        """Grows with every change; a page that knows it needs no redrawing."""
        if file.exists():
            for line in file.read_text(encoding="utf-8").splitlines():
                entry = json.loads(line)
                self._records.setdefault(entry["sink"], {})[entry["key"]] = entry["record"]
                self._last = max(self._last, entry["tick"])
                self.version += 1

    def tick(self) -> int:
        """Microseconds since the epoch, never the same twice: what a Slack `ts` is made of."""
        self._last = max(self._last + 1, int(self._clock() * 1_000_000))
        return self._last

    def moment(self) -> datetime:
        return datetime.fromtimestamp(self._clock(), UTC)

    def now(self) -> str:
        return self.moment().isoformat(timespec="milliseconds")

    def put(self, sink: str, key: str, record: Record) -> None:
        entry = {"at": self.now(), "tick": self.tick(), "sink": sink, "key": key, "record": record}
        with self._file.open("a", encoding="utf-8") as handle:
            handle.write(json.dumps(entry, ensure_ascii=False) + "\n")
        self._records.setdefault(sink, {})[key] = record
        self.version += 1

    def get(self, sink: str, key: str) -> Record | None:
        return self._records.get(sink, {}).get(key)

    def all(self, sink: str) -> list[Record]:
        """In the order in which they first arrived."""
        return list(self._records.get(sink, {}).values())


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
