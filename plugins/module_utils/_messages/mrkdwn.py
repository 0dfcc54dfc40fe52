# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Text for Slack from parts that nobody vouches for: no mention, link or style can be smuggled in.

https://docs.slack.dev/messaging/formatting-message-text
"""

from __future__ import annotations

import re

BROADCASTS = ("channel", "here", "everyone")
WORD_JOINER = "\u2060"
# Slack pairs the originals into bold, strike and code wherever they stand.
LOOKALIKES = str.maketrans({"*": "\u2217", "~": "\u223c", "`": "'"})


def escape(text: str) -> str:
    """Slack reads mentions and links only between unescaped angles."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def plain(text: str) -> str:
    """One line in which style marks, @names and :emoji: are only characters."""
    line = escape(" ".join(text.split())).translate(LOOKALIKES)
    return re.sub(r"(@|(?<!\w)_|_(?!\w)|:(?=\w))", rf"\1{WORD_JOINER}", line)


def code(text: str, limit: int = 120) -> str:
    """A short text as code. A grave accent would end it, so it becomes an apostrophe."""
    line = shortened(" ".join(text.split()), limit).replace("`", "'")
    return f"`{escape(line)}`" if line else ""


def code_block(text: str, limit: int = 1_500) -> str:
    kept = shortened(text.strip(), limit).replace("`", "'")
    return f"```{escape(kept)}```" if kept else ""


def shortened(text: str, limit: int) -> str:
    """At most `limit` characters, with a mark where something was left out."""
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def mention(who: str) -> str:
    """`channel`, `here`, a user id or a user group id mentions; any other name is only shown."""
    name = who.removeprefix("@")
    if name in BROADCASTS:
        return f"<!{name}>"
    if re.fullmatch(r"[UW][A-Z0-9]{6,}", name):
        return f"<@{name}>"
    if re.fullmatch(r"S[A-Z0-9]{6,}", name):
        return f"<!subteam^{name}>"
    return f"@{plain(name)}"
