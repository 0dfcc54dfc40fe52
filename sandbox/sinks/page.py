# SPDX-License-Identifier: GPL-3.0-or-later
"""The page for people: every sink as its owner would see it. All of it is untrusted and escaped."""

from __future__ import annotations

import functools
import typing as t
from datetime import UTC, datetime
from pathlib import Path

import jinja2
from markupsafe import Markup

from sandbox.sinks import mrkdwn
from sandbox.sinks.slack import Slack
from sandbox.sinks.store import Record, Store
from sandbox.sinks.workspace import USERS

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
    messages = {c["id"]: [m for m in slack.messages(c["id"]) if not m["deleted"]] for c in channels}
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
        unread={channel: len(found) for channel, found in messages.items()},
        channel=chosen,
        threads=threads(messages[chosen["id"]]),
        users=USERS,
        mails=list(reversed(mails)),
        incidents=incidents,
        open_incidents=[i for i in incidents if i["status"] != "resolved"],
        statuses=list(reversed(store.all("github"))),
        page_incidents=list(reversed(store.all("statuspage"))),
        components=store.all("statuspage_components"),
        emoji=mrkdwn.EMOJI,
        mrkdwn=lambda text: Markup(mrkdwn.to_html(str(text), names)),  # noqa: S704 - it escapes
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
