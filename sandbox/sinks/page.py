# SPDX-License-Identifier: GPL-3.0-or-later
"""The page for people: every sink as its owner would see it. All of it is untrusted and escaped.

Slack's mrkdwn becomes safe HTML: https://docs.slack.dev/messaging/formatting-message-text
"""

from __future__ import annotations

import functools
import html
import re
import typing as t
from datetime import UTC, datetime
from pathlib import Path

import jinja2
from markupsafe import Markup

from sandbox.sinks.slack import Slack
from sandbox.sinks.slack_shapes import USERS
from sandbox.sinks.store import Record, Store

EMOJI = {
    "arrow_right": "➡️",
    "bell": "🔔",
    "bar_chart": "📊",
    "calendar": "📅",
    "construction": "🚧",
    "eyes": "👀",
    "hourglass_flowing_sand": "⏳",
    "large_blue_circle": "🔵",
    "leftwards_arrow_with_hook": "↩️",
    "lock": "🔒",
    "no_entry": "⛔",
    "octagonal_sign": "🛑",
    "pause_button": "⏸️",
    "rewind": "⏪",
    "rocket": "🚀",
    "rotating_light": "🚨",
    "tada": "🎉",
    "thumbsup": "👍",
    "+1": "👍",
    "warning": "⚠️",
    "white_check_mark": "✅",
    "white_circle": "⚪",
    "x": "❌",
    "zap": "⚡",
}

BROADCASTS = ("channel", "here", "everyone")
CODE = re.compile(r"```(.*?)```|`([^`\n]+)`", re.DOTALL)
ANGLED = re.compile(r"<([^<>\n]+)>")
# A style mark opens after a non-word character and closes before one, as Slack reads it.
STYLES = tuple(
    (re.compile(rf"(?<![\w{mark}]){mark}(?=\S)(.+?)(?<=\S){mark}(?![\w{mark}])"), tag)
    for mark, tag in ((r"\*", "b"), ("_", "i"), ("~", "s"))
)
SHORTCODE = re.compile(r":([a-z0-9_+-]+):")
URL = re.compile(r"https?://[^\s<>|]+[^\s<>|.,;:!?)\"']")

Names = t.Mapping[str, str]


def to_html(text: str, names: Names) -> str:
    """`names` gives the name of a user or channel id. Line breaks stay line breaks."""
    pieces: list[str] = []
    position = 0
    for match in CODE.finditer(text):
        pieces.append(quoted(text[position : match.start()], names))
        tag = "pre" if match[1] is not None else "code"
        inner = match[1].strip("\n") if match[1] is not None else match[2]
        pieces.append(f"<{tag}>{escaped(inner)}</{tag}>")
        position = match.end()
        if tag == "pre" and text[position : position + 1] == "\n":
            position += 1
    pieces.append(quoted(text[position:], names))
    return "".join(pieces)


def escaped(text: str) -> str:
    """Slack's three entities are undone, then HTML's are made."""
    plain = text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    return html.escape(plain)


def quoted(text: str, names: Names) -> str:
    """Lines after `>` as a quotation, the others styled."""
    lines: list[str] = []
    for line in text.split("\n"):
        quote = re.match(r"(?:&gt;|>) ?", line)
        if quote:
            lines.append(f"<blockquote>{styled(line[quote.end() :], names)}</blockquote>")
        else:
            lines.append(styled(line, names))
    return "\n".join(lines).replace("</blockquote>\n", "</blockquote>")


def styled(text: str, names: Names) -> str:
    """What stands in angles is set aside while the rest is styled: no URL becomes italic."""
    aside: list[str] = []

    def keep(markup: str) -> str:
        aside.append(markup)
        return f"\x00{len(aside) - 1}\x01"

    text = text.replace("\x00", "").replace("\x01", "")
    text = ANGLED.sub(lambda match: keep(angled(match[1], names)), text)
    text = URL.sub(lambda match: keep(link(match[0], match[0])), text)
    text = SHORTCODE.sub(lambda match: EMOJI.get(match[1], match[0]), escaped(text))
    for pattern, tag in STYLES:
        text = pattern.sub(rf"<{tag}>\1</{tag}>", text)
    return re.sub("\x00(\\d+)\x01", lambda match: aside[int(match[1])], text)


def angled(inner: str, names: Names) -> str:
    target, _, label = inner.partition("|")
    kind, name = target[:1], target[1:]
    if kind == "!" and name.split("^")[0] in BROADCASTS:
        return f'<span class="mention all">@{name}</span>'
    if kind in "@#" and name:
        sign = html.escape(kind + (label or names.get(name, name)))
        return f'<span class="mention">{sign}</span>'
    if re.match(r"(https?://|mailto:)", target):
        return link(target, label or target)
    return escaped(f"<{inner}>")


def link(target: str, label: str) -> str:
    href = html.escape(target.replace("&amp;", "&"))
    return f'<a href="{href}" rel="noreferrer noopener" target="_blank">{escaped(label)}</a>'


FOLDER = Path(__file__).parent
VIEWS = ("slack", "mail", "pagerduty", "github", "statuspage")


@functools.cache
def environment() -> jinja2.Environment:
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER),
        autoescape=True,
        # What came from outside may lack anything.
        undefined=jinja2.ChainableUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["clock"] = clock
    made.filters["moment"] = moment
    return made


def render(
    store: Store, slack: Slack, mails: list[Record], query: t.Mapping[str, str], nonce: str
) -> str:
    channels = slack.channels()
    messages = {c["id"]: slack.messages(c["id"]) for c in channels}
    view = query.get("view") if query.get("view") in VIEWS else "slack"
    chosen = next((c for c in channels if c["name"] == query.get("channel")), channels[0])
    names = {c["id"]: c["name"] for c in channels} | {u: person[1] for u, person in USERS.items()}
    incidents = list(reversed(store.all("pagerduty")))
    return environment().get_template("page.html.j2").render(
        nonce=nonce,
        css=Markup((FOLDER / "page.css").read_text(encoding="utf-8")),  # noqa: S704 - our own file
        script=Markup((FOLDER / "page.js").read_text(encoding="utf-8")),  # noqa: S704 - our own file
        view=view,
        channels=channels,
        unread={channel: len(listed) for channel, listed in messages.items()},
        channel=chosen,
        threads=threads(messages[chosen["id"]]),
        users=USERS,
        mails=list(reversed(mails)),
        incidents=incidents,
        open_incidents=[i for i in incidents if i["status"] != "resolved"],
        statuses=list(reversed(store.all("github"))),
        page_incidents=list(reversed(store.all("statuspage"))),
        components=store.all("statuspage_components"),
        mrkdwn=lambda text: Markup(to_html(str(text), names)),  # noqa: S704 - it escapes
    )  # fmt: skip


def threads(messages: list[Record]) -> list[Record]:
    """What the channel itself shows: its messages, each with its replies, and replies that were sent to it too."""
    return [
        {**message, "replies": [m for m in messages if m["thread_ts"] == message["ts"]]}
        for message in messages
        if not message["thread_ts"] or message.get("broadcast")
    ]


def clock(ts: str) -> str:
    """The time of day of a Slack `ts`, UTC."""
    return datetime.fromtimestamp(float(ts), UTC).strftime("%H:%M:%S")


def moment(iso: str) -> str:
    return datetime.fromisoformat(iso).astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
