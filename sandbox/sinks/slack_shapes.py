# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is in the Slack workspace, what Slack takes for a message, and how it answers: limits, shapes, pages.

Everybody is invented, and on PagerDuty too, under the same address. Blocks: required fields, lengths, and nothing that
Slack does not know. https://docs.slack.dev/reference/block-kit/blocks, each block's and element's own page below it,
and /reference/block-kit/composition-objects/text-object. Other blocks are known by their type alone.
"""

from __future__ import annotations

import json
import typing as t

from sandbox.sinks.store import Record

TEAM = {"team": "EasyMO", "team_id": "T0EASYMO1"}
URL = "https://easymo.slack.example/"
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
FOUNDED = 1_735_689_600
"""When all of it was made: 2025-01-01."""


def channel_shape(channel_id: str, name: str) -> Record:
    nothing = {"value": "", "creator": "", "last_set": 0}
    return {
        "id": channel_id,
        "name": name,
        "name_normalized": name,
        "is_channel": True,
        "is_group": False,
        "is_im": False,
        "is_mpim": False,
        "is_private": False,
        "is_archived": channel_id in ARCHIVED,
        "is_general": name == "general",
        "is_shared": False,
        "is_member": channel_id not in NOT_JOINED,
        "created": FOUNDED,
        "creator": MANAGER,
        "topic": nothing,
        "purpose": nothing,
        "previous_names": [],
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
        "tz_label": "East Africa Time",
        "tz_offset": 10_800,
        "is_bot": is_bot,
        "updated": FOUNDED,
        "profile": {
            "real_name": real_name,
            "real_name_normalized": real_name,
            "display_name": name,
            "display_name_normalized": name,
            "email": email,
        },
    }


def group_shape(group_id: str, *, users: bool, count: bool) -> Record:
    """A user group, with its members or their number only for who asks."""
    handle, name, members = GROUPS[group_id]
    group: Record = {
        "id": group_id,
        "team_id": TEAM["team_id"],
        "is_usergroup": True,
        "name": name,
        "description": "",
        "handle": handle,
        "is_external": False,
        "date_create": FOUNDED,
        "date_update": FOUNDED,
        "date_delete": FOUNDED + 1 if group_id in DISABLED else 0,
        "auto_type": None,
        "created_by": MANAGER,
        "updated_by": MANAGER,
        "deleted_by": MANAGER if group_id in DISABLED else None,
        "prefs": {"channels": [], "groups": []},
    }
    return (
        group
        | ({"users": list(members)} if users else {})
        | ({"user_count": len(members)} if count else {})
    )


Shape = t.Mapping[str, t.Any]
Check = t.Callable[[t.Any], bool]

LIMIT = 50
IN_ALL = 13_000
"""Characters of all texts. No page names it; Slack answered so: https://github.com/slackapi/bolt-js/issues/2509"""
ID = 255
UNCHECKED = frozenset(
    {"file", "image", "input", "markdown", "rich_text", "table", "video", "context_actions", "card"}
)


def blocks_error(blocks: t.Any) -> str:
    """Slack's word for what is wrong with them, "" for nothing."""
    if not isinstance(blocks, list) or len(blocks) > LIMIT or not all(map(block, blocks)):
        return "invalid_blocks"
    if not distinct(blocks, "block_id"):
        return "invalid_blocks"
    return "msg_blocks_too_long" if sum(map(characters, blocks)) > IN_ALL else ""


def distinct(parts: t.Iterable[Shape], name: str) -> bool:
    """Whether no two of them have the same id."""
    ids = [part[name] for part in parts if name in part]
    return len(set(ids)) == len(ids)


def block(given: t.Any) -> bool:
    kind = given.get("type") if isinstance(given, dict) else None
    if kind in UNCHECKED:
        return True
    return isinstance(kind, str) and kind in BLOCKS and BLOCKS[kind](given)


def written(limit: int) -> Check:
    return lambda value: isinstance(value, str) and 0 < len(value) <= limit


def text(limit: int, *kinds: str) -> Check:
    def check(value: t.Any) -> bool:
        plain = (
            {"emoji"} if isinstance(value, dict) and value.get("type") == "plain_text" else set()
        )
        return (
            has(value, {"type": kinds.__contains__, "text": written(limit)})
            and set(value) <= {"type", "text", "verbatim"} | plain
            and isinstance(value.get("emoji", True), bool)
        )

    return check


def several(most: int, check: Check) -> Check:
    return lambda value: (
        isinstance(value, list) and 0 < len(value) <= most and all(map(check, value))
    )


def has(
    value: t.Any, needed: t.Mapping[str, Check], may: t.Mapping[str, Check] | None = None
) -> bool:
    """`may`: what it may have besides; None when that is judged elsewhere."""
    if not isinstance(value, dict) or not all(
        k in value and c(value[k]) for k, c in needed.items()
    ):
        return False
    if may is None:
        return True
    known = {**needed, **may, "type": bool, "block_id": written(ID)}
    return all(name in known and known[name](value[name]) for name in value)


def address(value: t.Any) -> bool:
    return written(3_000)(value) and value.split(":")[0] in ("http", "https", "mailto")


ANY_TEXT, PLAIN = ("plain_text", "mrkdwn"), ("plain_text",)


def section(given: Shape) -> bool:
    parts: dict[str, Check] = {
        "text": text(3_000, *ANY_TEXT),
        "fields": several(10, text(2_000, *ANY_TEXT)),
    }
    present = [name for name in parts if name in given]
    return bool(present) and has(given, {name: parts[name] for name in present}, parts)


def element(given: t.Any) -> bool:
    """A button; Slack has other elements, and nobody sends them here."""
    if not isinstance(given, dict) or given.get("type") != "button":
        return False
    may: dict[str, Check] = {
        "action_id": written(ID),
        "url": address,
        "value": written(2_000),
        "style": ("primary", "danger").__contains__,
        "confirm": lambda value: isinstance(value, dict),
        "accessibility_label": written(75),
    }
    return has(given, {"text": text(75, *PLAIN)}, may)


def actions(given: Shape) -> bool:
    elements = {"elements": several(25, element)}
    return has(given, elements, {}) and distinct(given["elements"], "action_id")


BLOCKS: dict[str, Check] = {
    "actions": actions,
    "context": lambda given: has(given, {"elements": several(10, text(3_000, *ANY_TEXT))}, {}),
    "divider": lambda given: has(given, {}, {}),
    "header": lambda given: has(given, {"text": text(150, *PLAIN)}, {}),
    "section": section,
}


def characters(given: t.Any) -> int:
    """Of every text in it."""
    if isinstance(given, dict):
        own = given.get("text")
        rest = sum(characters(value) for name, value in given.items() if name != "text")
        return rest + (len(own) if isinstance(own, str) else characters(own))
    return sum(map(characters, given)) if isinstance(given, list) else 0


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
    return [item for item in given if isinstance(item, dict)] if isinstance(given, list) else []


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
    if message["thread_ts"]:
        answer["thread_ts"] = message["thread_ts"]
    return answer


def flag(args: Args, name: str) -> bool:
    """Slack's flags come as JSON, in a form or in a query."""
    return str(args.get(name, "")).lower() in ("1", "true")


def page(name: str, items: list[Record], args: Args) -> Record:
    """One page of a list by `limit` and `cursor`, as Slack pages."""
    try:
        start, limit = int(args.get("cursor") or 0), int(args.get("limit") or 100)
    except ValueError as exc:
        raise SlackError("invalid_cursor") from exc
    following = str(start + limit) if start + limit < len(items) else ""
    return {name: items[start : start + limit], "response_metadata": {"next_cursor": following}}
