# SPDX-License-Identifier: GPL-3.0-or-later
"""What users write: who, what and when, as the notifications that Meta sends; pure given a random source."""

from __future__ import annotations

import hashlib
import hmac
import json
import random
import typing as t
from dataclasses import dataclass

from sandbox.seed.rows import volumes

# A stable crowd, as in life, so that caches can help and one percent of it is somebody.
MOST_USERS = 1000

# How many of a hundred messages are of each kind.
TEXTS: t.Mapping[tuple[str, ...], int] = {
    (
        "I need vegetables",
        "Need tomatoes and onions in Kimironko",
        "Where can I buy groceries?",
        "buy 2 kg of fruit",
    ): 34,
    ("fuel station near Remera", "Where is diesel today?", "petrol please"): 10,
    ("I want a ride to Nyabugogo", "moto to town now", "taxi to the airport at 6"): 14,
    ("I want to sell my tomatoes", "How is my shop doing?"): 6,
    ("MENU", "menu", " Menu "): 12,
    ("Muraho", "Hello", "Good morning EasyMO", "Bonjour"): 12,
    ("ok thanks", "haha yes", "see you later 👍", "not now"): 11,
    ("house for rent in Kacyiru",): 1,
}
KINDS = tuple(TEXTS)
WEIGHTS = tuple(TEXTS.values())


@dataclass(frozen=True)
class Notification:
    """One webhook call: the body's bytes and the signature of exactly these."""

    body: bytes
    signature: str


def text(chance: random.Random) -> str:
    (kind,) = chance.choices(KINDS, WEIGHTS)
    return chance.choice(kind)


def user_count(seed_mb: int) -> int:
    """How many of the users in a database of `seed_mb` MB write."""
    return min(MOST_USERS, volumes(seed_mb)["users"])


def number(chance: random.Random, users: int) -> str:
    """The number of one of the first `users` users that the seed made."""
    return f"2507{20_000_000 + 7 * chance.randint(1, users):08d}"


def notification(
    chance: random.Random, users: int, *, app_secret: str, message_id: str, timestamp: int
) -> Notification:
    """A text message as Meta's Cloud API delivers it, signed with the app's secret."""
    message = {
        "from": number(chance, users),
        "id": message_id,
        "timestamp": str(timestamp),
        "type": "text",
        "text": {"body": text(chance)},
    }
    value = {
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": "250788000000", "phone_number_id": "106540352242922"},
        "messages": [message],
    }
    entry = {"id": "102290129340398", "changes": [{"field": "messages", "value": value}]}
    body = json.dumps({"object": "whatsapp_business_account", "entry": [entry]}).encode()
    digest = hmac.new(app_secret.encode(), body, hashlib.sha256).hexdigest()
    return Notification(body, f"sha256={digest}")
