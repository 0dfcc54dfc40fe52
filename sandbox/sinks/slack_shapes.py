# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is in the Slack workspace, what Slack takes for a message, and how it answers: limits, shapes, pages.

Everybody is invented, and on PagerDuty too, under the same address. Blocks are let go: a release sends none.
"""

from __future__ import annotations

import typing as t

from sandbox.sinks.store import Record

TEAM = {"team": "EasyMO", "team_id": "T0EASYMO1"}
BOT = "U0DEPLOYER"
MANAGER = "U0MANAGER1"
# Id: user name, name, address, whether it is a program.
USERS = {
    BOT: ("deployer", "Deployer", "deployer@easymo.example", True),
    "U0ONCALL01": ("amina", "Amina Uwase", "amina@easymo.example", False),
    "U0BACKUP01": ("kwame", "Kwame Mensah", "kwame@easymo.example", False),
    MANAGER: ("wanjiru", "Wanjiru Kariuki", "wanjiru@easymo.example", False),
    "U0SUPPORT1": ("grace", "Grace Mutesi", "grace@easymo.example", False),
    "U0PRODUCT1": ("daniel", "Daniel Okello", "daniel@easymo.example", False),
    "U0QUALITY1": ("fatou", "Fatou Diallo", "fatou@easymo.example", False),
    "U0SECURITY": ("tendai", "Tendai Moyo", "tendai@easymo.example", False),
    "U0GONE0001": ("jonas", "Jonas Habimana", "jonas@easymo.example", False),
}
GONE = ("U0GONE0001",)
"""Who left: the account is deactivated."""
# Id: handle, name, members.
GROUPS = {
    "S0ONCALL01": ("on-call", "On-call engineers", ("U0ONCALL01", "U0BACKUP01")),
    "S0DEVOPS01": ("devops", "DevOps", ("U0ONCALL01", "U0BACKUP01", MANAGER)),
    "S0OLDTEAM1": ("v1-team", "Team of v1", ("U0GONE0001",)),
}
DISABLED = ("S0OLDTEAM1",)
CHANNELS = {
    "C0DEPLOY01": "v2-deployment",
    "C0ALERTS01": "engineering-alerts",
    "C0FEEDBAK1": "user-feedback",
    "C0SUPPORT1": "engineering-support",
    "C0DEVOPS01": "devops",
    "C0GENERAL1": "general",
    "C0DEPLOY00": "v1-deployment",
}
NOT_JOINED = ("C0GENERAL1", "C0DEPLOY00")
"""Channels that the deployer is no member of."""
ARCHIVED = ("C0DEPLOY00",)
DISBANDED = 1_735_689_601


def channel_shape(channel_id: str, name: str) -> Record:
    return {
        "id": channel_id,
        "name": name,
        "is_archived": channel_id in ARCHIVED,
        "is_member": channel_id not in NOT_JOINED,
    }


def user_shape(user_id: str) -> Record:
    name, real_name, email, is_bot = USERS[user_id]
    return {
        "id": user_id,
        "team_id": TEAM["team_id"],
        "name": name,
        "real_name": real_name,
        "deleted": user_id in GONE,
        "tz": "Africa/Nairobi",
        "is_bot": is_bot,
        "profile": {
            "real_name": real_name,
            "display_name": name,
            "email": email,
        },
    }


def group_shape(group_id: str, *, users: bool, count: bool) -> Record:
    handle, name, members = GROUPS[group_id]
    group: Record = {
        "id": group_id,
        "team_id": TEAM["team_id"],
        "name": name,
        "handle": handle,
        "date_delete": DISBANDED if group_id in DISABLED else 0,
    }
    return (
        group
        | ({"users": list(members)} if users else {})
        | ({"user_count": len(members)} if count else {})
    )


Args = t.Mapping[str, t.Any]

TEXT_LIMIT = 40_000


class SlackError(Exception):
    """The word in `error` of an answer that is not ok."""


def content(args: Args) -> str:
    """The text of a message, checked as far as Slack's limits go."""
    text = str(args.get("text") or "")
    if not text and not args.get("attachments"):
        raise SlackError("no_text")
    if len(text) > TEXT_LIMIT:
        raise SlackError("msg_too_long")
    return text


def attachments(args: Args) -> list[Record]:
    """The older way to lay a message out, which Alertmanager still takes."""
    given = args.get("attachments") or []
    return [item for item in given if isinstance(item, dict)] if isinstance(given, list) else []


def shown(message: Record) -> Record:
    answer = {
        "type": "message",
        **{k: message[k] for k in ("ts", "user", "text")},
        "team": TEAM["team_id"],
    }
    if message["attachments"]:
        answer["attachments"] = message["attachments"]
    if message["edits"]:
        answer["edited"] = {"user": message["user"], "ts": message["edits"][-1]["ts"]}
    if message["thread_ts"]:
        answer["thread_ts"] = message["thread_ts"]
    return answer


def flag(args: Args, name: str) -> bool:
    """Slack's flags come as JSON, in a form or in a query."""
    return str(args.get(name, "")).lower() in ("1", "true")


def page(name: str, items: list[Record], args: Args) -> Record:
    try:
        start, limit = int(args.get("cursor") or 0), int(args.get("limit") or 100)
    except ValueError as exc:
        raise SlackError("invalid_cursor") from exc
    following = str(start + limit) if start + limit < len(items) else ""
    return {name: items[start : start + limit], "response_metadata": {"next_cursor": following}}
