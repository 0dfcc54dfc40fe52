# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of the people a release needs: members and channels of Slack, who is on call, mail, and sign-offs."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from .._errors import DeployError, RefusedError, UnreachableError, VerificationError
from .._http import REQUESTS
from .._messages import plan
from .._messages.apply import would_take
from .._messages.slack import call
from .._release.models import SIGN_OFFS
from .._release.record import SignOff
from .._release.sign_off import (
    Subject,
    Wanted,
    counts,
    known_sign_offs,
    missing_because,
    plan_sign_off,
    read_given,
    read_wanted,
    subject_of,
)
from .._time import UTC, Deadline, format_time, read_time
from .models import FAIL, HOLD, PASS, Finding, Ground, Kind, Kinds, Options, failed, held, passed
from .web import get_json

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
class ContactCheck:
    """`problem` is empty for one that is there and can be reached."""

    name: str
    problem: str = ""
    unknown: bool = False


def look_slack(options: Options, ground: Ground) -> t.Sequence[Finding]:
    """Whether the people and channels that messages name are there, as Slack's Web API tells."""
    call = caller(options, ground.timeout)
    persons = [_looked(find_person, call, name) for name in options["people"]]
    persons += [_looked(find_channel, call, name) for name in options["channels"]]
    return [judge_slack(persons)]


def judge_slack(contacts: t.Sequence[ContactCheck]) -> Finding:
    wrong = [
        f"{entry.name} {entry.problem}" for entry in contacts if entry.problem and not entry.unknown
    ]
    if wrong:
        return failed("; ".join(wrong))
    unknown = [f"{entry.name} {entry.problem}" for entry in contacts if entry.unknown]
    if unknown:
        return held("; ".join(unknown))
    return passed(f"{', '.join(entry.name for entry in contacts) or 'no contact'} can be reached")


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


def _looked(find: t.Callable[[Call, str], str], call: Call, name: str) -> ContactCheck:
    try:
        return ContactCheck(name, find(call, name))
    except UnreachableError as exc:
        return ContactCheck(name, f"cannot be looked up: {exc}", unknown=True)
    except RefusedError as exc:
        word = str(exc.details.get("word", ""))
        if word in ABSENT:
            return ContactCheck(name, "is not in the workspace: correct it, or invite them")
        return ContactCheck(name, f"cannot be looked up: {exc}", unknown=word not in TOKEN)


def caller(options: Options, timeout: float) -> Call:
    def ask(method: str, **arguments: t.Any) -> t.Mapping[str, t.Any]:
        return call(
            method,
            options["api_url"],
            options["token"],
            http="GET",
            refusal=_refused,
            params={name: value for name, value in arguments.items() if value not in ("", None)},
            timeout=timeout,
            ca_cert=options["ca_cert"],
        )

    return ask


def _refused(status: int, _headers: t.Mapping[str, str], word: str) -> DeployError:
    if status == 429 or word == "ratelimited":
        return UnreachableError("Slack limits the rate: try again in a minute.")
    if status >= 500:
        return UnreachableError(f"Slack answered HTTP {status}: try again later.")
    if word == "missing_scope":
        return RefusedError(f"Slack refused (missing_scope): give the app {SCOPES}.", word=word)
    if word in TOKEN:
        return RefusedError(f"Slack refused ({word}): check the bot token.", word=word)
    return RefusedError(f"Slack refused ({word}).", word=word)


@dataclass(frozen=True)
class Shift:
    """`until` is None for one that never ends."""

    who: str
    since: datetime
    until: datetime | None


def look_pagerduty(options: Options, ground: Ground) -> t.Sequence[Finding]:
    """Whether somebody is on call now and to the release's end, as PagerDuty's REST API tells."""
    until = ground.now + timedelta(minutes=options["minutes"])
    return [
        judge_pagerduty(name, list(_shifts(options, name, until, ground)), ground.now, until)
        for name in options["schedules"]
    ]


def judge_pagerduty(
    schedule: str, shifts: t.Sequence[Shift], now: datetime, until: datetime
) -> Finding:
    """Every moment from `now` to `until` needs somebody."""
    covered, people = now, []
    for shift in sorted(shifts, key=lambda entry: entry.since):
        if shift.since > covered or covered > until:
            break
        if shift.until is None or shift.until > covered:
            people.append(shift.who)
            covered = shift.until or until + timedelta(seconds=1)
    text = ", then ".join(dict.fromkeys(people))
    if covered >= until and people:
        return passed(f"{text} on call to {until.astimezone(UTC):%H:%M UTC}, says {schedule}")
    gap = f"{covered.astimezone(UTC):%Y-%m-%d %H:%M UTC}"
    addressee = f"{text} is on call only until {gap}" if people else "no person is on call"
    return failed(f"{addressee} in the schedule {schedule}: find somebody until {until:%H:%M UTC}")


def _shifts(options: Options, schedule: str, until: datetime, ground: Ground) -> t.Iterator[Shift]:
    answer = get_json(
        "PagerDuty",
        f"{options['api_url'].rstrip('/')}/oncalls",
        timeout=ground.timeout,
        authorization=f"Token token={options['token']}" if options["token"] else "",
        ca_cert=options["ca_cert"],
        params=[
            ("schedule_ids[]", schedule),
            ("since", format_time(ground.now)),
            ("until", format_time(until)),
            ("limit", "100"),
        ],
    )
    try:
        for oncall in answer["oncalls"]:
            yield Shift(
                who=str(oncall["user"].get("summary") or oncall["user"]["id"]),
                since=read_time(oncall["start"]) if oncall["start"] else ground.now,
                until=read_time(oncall["end"]) if oncall["end"] else None,
            )
    except (KeyError, TypeError, AttributeError, ValueError):
        raise VerificationError("PagerDuty's answer is no on-call list: check 'api_url'.") from None


def look_mail(options: Options, ground: Ground) -> t.Sequence[Finding]:
    """Whether a mail server would take a mail. None is sent: the conversation ends before its text."""
    mail = plan.mail({**options, "subject": ""}, text="")
    would_take(options, Deadline(ground.timeout), options["ca_cert"])
    return [passed(f"{options['host']}:{options['port']} takes mail for {mail.target}")]


def look_sign_offs(options: Options, ground: Ground) -> t.Sequence[Finding]:
    """Whether everything that no machine can check was signed by a person, a row for each line."""
    record = ground.record.get()
    wanted = read_wanted(options["required"])
    subject = subject_of(record, ground.release, ground.commit.get())
    known = known_sign_offs(record)
    now = format_time(ground.now)
    new, problems = sign_given(known, wanted, options["given"], subject, now)
    rows = [judge_sign_offs(entry, {**known, **new}.get(entry.name), subject) for entry in wanted]
    signed = [
        replace(row, facts={SIGN_OFFS: {entry.name: new[entry.name].to_json()}})
        if entry.name in new
        else row
        for entry, row in zip(wanted, rows, strict=True)
    ]
    refused = [
        Finding(FAIL, detail, name=f"given_sign_off_{name}") for name, detail in problems.items()
    ]
    return [*signed, *refused]


def sign_given(
    known: t.Mapping[str, SignOff],
    wanted: t.Sequence[Wanted],
    given: t.Mapping[str, t.Any],
    subject: Subject,
    now: str,
) -> tuple[dict[str, SignOff], dict[str, str]]:
    """What the inventory or the command line signs, and what of it is refused."""
    new: dict[str, SignOff] = {}
    problems = {}
    for ask in read_given(given):
        signed = known.get(ask.name)
        if signed is not None and counts(signed, subject) and not ask.instead:
            # A signature of one's own counts more than a name that is only given here.
            continue
        try:
            new |= plan_sign_off(known, wanted, ask, subject, now)
        except DeployError as exc:
            problems[ask.name] = str(exc)
    return new, problems


def judge_sign_offs(wanted: Wanted, given: SignOff | None, subject: Subject) -> Finding:
    """A missing signature holds, and is no failure."""
    name = f"sign_off_{wanted.name}"
    problem = missing_because(wanted, given, subject)
    if problem or given is None:
        return Finding(HOLD, problem, name=name, item=wanted.item)
    note = f", {given.note}" if given.note else ""
    return Finding(PASS, f"{given.by} signed it at {given.at}{note}", name=name, item=wanted.item)


KINDS: Kinds = {
    "slack": Kind(look_slack, (REQUESTS,)),
    "pagerduty": Kind(look_pagerduty, (REQUESTS,)),
    "mail": Kind(look_mail),
    "sign_offs": Kind(look_sign_offs, reads_record=True),
}
