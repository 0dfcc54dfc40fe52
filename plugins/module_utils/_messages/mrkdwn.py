# SPDX-License-Identifier: GPL-3.0-or-later
"""Text for Slack from untrusted parts: no mention, link or style can be smuggled in.

https://docs.slack.dev/messaging/formatting-message-text
"""

from __future__ import annotations

import re

from .._formats import shortened

# What programs write for a terminal: colours, cursor movements and other control characters.
CONTROL = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-_])|[\x00-\x08\x0b-\x1f\x7f-\x9f]"
)
# An address is a link only as it is. It ends before what a sentence may end with.
ADDRESS = re.compile(r"https?://[^\s<>|]+[^\s<>|.,;:!?)\"'\]}*_~`]")
BROADCASTS = ("channel", "here", "everyone")
WORD_JOINER = "\u2060"
# Slack pairs the originals into bold, strike and code wherever they stand.
LOOKALIKES = str.maketrans({"*": "\u2217", "~": "\u223c", "`": "'"})


def escape(text: str) -> str:
    """Slack reads mentions and links only between unescaped angles."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def one_line(text: str) -> str:
    """Without what only a terminal obeys, not escaped."""
    return " ".join(CONTROL.sub("", text).split())


def plain(text: str) -> str:
    """One line in which style marks, @names and :emoji: are only characters, and addresses stay links."""
    line = one_line(text)
    stored, place = [], 0
    for address in ADDRESS.finditer(line):
        stored += [_characters(line[place : address.start()]), escape(address[0])]
        place = address.end()
    return "".join([*stored, _characters(line[place:])])


def _characters(text: str) -> str:
    line = escape(text).translate(LOOKALIKES)
    return re.sub(r"(@|(?<!\w)_|_(?!\w)|:(?=[\w+-]+:))", rf"\1{WORD_JOINER}", line)


def code(text: str, limit: int = 120) -> str:
    """A short text as code. A grave accent would end it, so it becomes an apostrophe."""
    line = shortened(one_line(text), limit).replace("`", "'")
    return f"`{escape(line)}`" if line else ""


def code_block(text: str, limit: int = 1_500) -> str:
    stored = shortened(CONTROL.sub("", text).strip(), limit).replace("`", "'")
    return f"```{escape(stored)}```" if stored else ""


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
