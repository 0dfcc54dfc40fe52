# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the people and channels that messages name are there, as Slack's Web API tells."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from .._errors import DeployError, RefusedError, UnreachableError
from .._messages.slack import SLACK_SDK, attempt, web_client
from .models import Finding, Ground, Kind, Options, failed, held, passed
from .options import names, service

_PAGE = 1000
_PAGES = 50
SCOPES = "users:read, users:read.email, usergroups:read, channels:read and groups:read"
ABSENT = frozenset({"user_not_found", "users_not_found", "user_not_visible", "channel_not_found"})
TOKEN = frozenset(
    {"invalid_auth", "not_authed", "token_revoked", "token_expired", "account_inactive"}
)

Call = t.Callable[..., t.Mapping[str, t.Any]]
"""A method of the Web API by name. RefusedError when Slack says no, with Slack's own `word` in its details."""


@dataclass(frozen=True)
class Seen:
    """`problem` is empty for one that is there and can be reached."""

    name: str
    problem: str = ""
    unknown: bool = False


def look(options: Options, ground: Ground) -> t.Sequence[Finding]:
    call = caller(options, ground.timeout)
    seen = [_looked(find_person, call, name) for name in options["people"]]
    seen += [_looked(find_channel, call, name) for name in options["channels"]]
    return [judge(seen)]


def judge(seen: t.Sequence[Seen]) -> Finding:
    wrong = [f"{one.name} {one.problem}" for one in seen if one.problem and not one.unknown]
    if wrong:
        return failed("; ".join(wrong))
    unknown = [f"{one.name} {one.problem}" for one in seen if one.unknown]
    if unknown:
        return held("; ".join(unknown))
    return passed(f"{', '.join(one.name for one in seen) or 'nobody'} can be reached")


def find_person(call: Call, name: str) -> str:
    """A member by id, e-mail address or name, or a user group by its handle."""
    wanted = name.removeprefix("@")
    if re.fullmatch(r"[UW][A-Z0-9]{7,}", wanted):
        return _active(call("users.info", user=wanted)["user"])
    if re.fullmatch(r"[^@\s]+@[^@\s]+", name):
        return _active(call("users.lookupByEmail", email=name)["user"])
    groups = call("usergroups.list").get("usergroups") or []
    for group in groups:
        if wanted in (group.get("handle"), group.get("id")):
            return "is a user group that was disabled" if group.get("date_delete") else ""
    for user in _pages(call, "users.list", "members"):
        profile = user.get("profile") or {}
        if wanted in (user.get("name"), profile.get("display_name")):
            return _active(user)
    return "is not a member or user group of the workspace: correct the name, or invite them"


def find_channel(call: Call, name: str) -> str:
    if re.fullmatch(r"[CG][A-Z0-9]{7,}", name):
        return _open(call("conversations.info", channel=name)["channel"])
    wanted = name.removeprefix("#")
    kinds = "public_channel,private_channel"
    for channel in _pages(call, "conversations.list", "channels", types=kinds):
        if channel.get("name") == wanted:
            return _open(channel)
    return "is not a channel visible to the app: create it, and invite the app if it is private"


def _active(user: t.Mapping[str, t.Any]) -> str:
    return "was deactivated in Slack: choose somebody else" if user.get("deleted") else ""


def _open(channel: t.Mapping[str, t.Any]) -> str:
    if channel.get("is_archived"):
        return "is archived: unarchive it, or choose another"
    return "" if channel.get("is_member", True) else "does not have the app: invite it there"


def _pages(call: Call, method: str, key: str, **more: t.Any) -> t.Iterator[t.Mapping[str, t.Any]]:
    cursor = ""
    for _page in range(_PAGES):
        answer = call(method, limit=_PAGE, cursor=cursor, **more)
        yield from answer.get(key) or []
        cursor = str((answer.get("response_metadata") or {}).get("next_cursor") or "")
        if not cursor:
            return


def _looked(find: t.Callable[[Call, str], str], call: Call, name: str) -> Seen:
    try:
        return Seen(name, find(call, name))
    except UnreachableError as exc:
        return Seen(name, f"cannot be looked up: {exc}", unknown=True)
    except RefusedError as exc:
        word = str(exc.details.get("word", ""))
        if word in ABSENT:
            return Seen(name, "is not in the workspace: correct it, or invite them")
        return Seen(name, f"cannot be looked up: {exc}", unknown=word not in TOKEN)


def caller(options: Options, timeout: float) -> Call:
    client = web_client(options["api_url"], options["token"], timeout, options["ca_cert"])

    def call(method: str, **arguments: t.Any) -> t.Mapping[str, t.Any]:
        given = {name: value for name, value in arguments.items() if value not in ("", None)}
        answer = attempt(lambda: client.api_call(method, http_verb="GET", params=given), _refused)
        return t.cast("t.Mapping[str, t.Any]", answer.data)

    return call


def _refused(response: t.Any) -> DeployError:
    status, word = getattr(response, "status_code", 0), str(response.get("error") or "")
    if status == 429 or word == "ratelimited":
        return UnreachableError("Slack limits the rate: try again in a minute.")
    if status >= 500:
        return UnreachableError(f"Slack answered HTTP {status}: try again later.")
    if word == "missing_scope":
        return RefusedError(f"Slack refused (missing_scope): give the app {SCOPES}.", word=word)
    if word in TOKEN:
        return RefusedError(f"Slack refused ({word}): check the bot token.", word=word)
    return RefusedError(f"Slack refused ({word or f'HTTP {status}'}).", word=word)


KIND = Kind(
    look,
    {**service("https://slack.com/api/"), "people": names(), "channels": names()},
    (SLACK_SDK,),
)
