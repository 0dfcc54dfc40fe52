# SPDX-License-Identifier: GPL-3.0-or-later
"""What Slack takes for a message and how it answers: limits, shapes, pages."""

from __future__ import annotations

import json
import typing as t

from sandbox.sinks.slack_blocks import blocks_error
from sandbox.sinks.store import Record
from sandbox.sinks.workspace import TEAM

Args = t.Mapping[str, t.Any]

TEXT_LIMIT = 40_000


class SlackError(Exception):
    """The word in `error` of an answer that is not ok."""


def content(args: Args) -> tuple[str, list[Record]]:
    """The text and blocks of a message, checked as far as Slack's limits go."""
    text = str(args.get("text") or "")
    blocks = args.get("blocks") or []
    if isinstance(blocks, str):
        try:
            blocks = json.loads(blocks)
        except ValueError as exc:
            raise SlackError("invalid_blocks_format") from exc
    if not text and not blocks and not args.get("attachments"):
        raise SlackError("no_text")
    if len(text) > TEXT_LIMIT:
        raise SlackError("msg_too_long")
    if error := blocks_error(blocks):
        raise SlackError(error)
    return text, blocks


def attachments(args: Args) -> list[Record]:
    """The older way to lay a message out, which Alertmanager still takes."""
    given = args.get("attachments") or []
    return [one for one in given if isinstance(one, dict)] if isinstance(given, list) else []


def shown(message: Record) -> Record:
    """A message as Slack returns it."""
    answer = {
        "type": "message",
        **{k: message[k] for k in ("ts", "user", "text")},
        "team": TEAM["team_id"],
    }
    if message["blocks"]:
        answer["blocks"] = message["blocks"]
    if message["attachments"]:
        answer["attachments"] = message["attachments"]
    if message["edits"]:
        answer["edited"] = {"user": message["user"], "ts": message["edits"][-1]["ts"]}
    if message["reactions"]:
        answer["reactions"] = [
            {"name": name, "users": by, "count": len(by)}
            for name, by in message["reactions"].items()
        ]
    if message["thread_ts"]:
        answer["thread_ts"] = message["thread_ts"]
    return answer


def flag(args: Args, name: str) -> bool:
    """Slack's flags come as JSON, in a form or in a query."""
    return str(args.get(name, "")).lower() in ("1", "true")


def has_more(answer: Record) -> Record:
    return {**answer, "has_more": bool(answer["response_metadata"]["next_cursor"])}


def page(name: str, items: list[Record], args: Args) -> Record:
    """One page of a list by `limit` and `cursor`, as Slack pages."""
    try:
        start, limit = int(args.get("cursor") or 0), int(args.get("limit") or 100)
    except ValueError as exc:
        raise SlackError("invalid_cursor") from exc
    following = str(start + limit) if start + limit < len(items) else ""
    return {name: items[start : start + limit], "response_metadata": {"next_cursor": following}}
