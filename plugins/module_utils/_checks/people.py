# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of the people a release needs: members and channels of Slack, who is on call, mail, and sign-offs."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import itemgetter
from textwrap import indent

from .._decode import restored, under
from .._doc_fragments._identity import IDENTITY
from .._doc_fragments._mail import MAIL_SERVER
from .._doc_fragments._module import AUTHORITIES, nested
from .._doc_fragments._sign_offs import REQUIRED
from .._errors import DeployError, RefusedError, UnreachableError, VerificationError
from .._http import REQUESTS
from .._identity import Demands, account_in, known_as, named
from .._messages import plan
from .._messages.apply import would_take
from .._messages.slack import SlackAnswer, call
from .._release.models import SIGN_OFFS
from .._release.record import SignOff
from .._time import Deadline, format_time
from .models import FAIL, HOLD, Finding, Ground, Kind, Kinds, Options, failed, held, passed
from .sign_offs import (
    counts,
    judged,
    known_sign_offs,
    missing_because,
    plan_sign_off,
    read_given,
    read_wanted,
    subject_of,
)
from .web import api_options, get_json

_PAGE = 1000
SCOPES = "users:read, users:read.email, usergroups:read, channels:read and groups:read"
ABSENT = frozenset({"user_not_found", "users_not_found", "user_not_visible", "channel_not_found"})
TOKEN = frozenset(
    {"invalid_auth", "not_authed", "token_revoked", "token_expired", "account_inactive"}
)


@dataclass(frozen=True)
class SlackUser:
    id: str = ""
    name: str = ""
    display_name: str = under("profile.display_name")
    deleted: bool = False


@dataclass(frozen=True)
class SlackGroup:
    """`disabled`: when it was, in seconds since 1970, 0 for never."""

    id: str = ""
    handle: str = ""
    disabled: int = under("date_delete", default=0)


@dataclass(frozen=True)
class SlackChannel:
    name: str = ""
    is_archived: bool = False
    is_member: bool = True


@dataclass(frozen=True)
class SlackLookup(SlackAnswer):
    """What the methods that look up answer, each a part of it. `cursor`: of the next page, "" after the last."""

    user: SlackUser | None = None
    channel: SlackChannel | None = None
    usergroups: tuple[SlackGroup, ...] = ()
    members: tuple[SlackUser, ...] = ()
    channels: tuple[SlackChannel, ...] = ()
    cursor: str = under("response_metadata.next_cursor")


Ask = t.Callable[..., SlackLookup]
"""Calls a method of Slack's Web API with these parameters."""
Shift = tuple[str, datetime, "datetime | None"]


def look_slack(options: Options, ground: Ground) -> Finding:
    """Whether the people and channels that messages name are there, as Slack's Web API tells."""

    def ask(method: str, **params: t.Any) -> SlackLookup:
        return call(
            SlackLookup,
            method,
            options["api_url"],
            options["token"],
            http="GET",
            params=params,
            timeout=ground.timeout,
            ca_cert=options["ca_cert"],
        )

    contacts = [look_up(find_person, ask, name) for name in options["people"]]
    contacts += [look_up(find_channel, ask, name) for name in options["channels"]]
    for status in (FAIL, HOLD):
        if wrong := [entry.detail for entry in contacts if entry.status == status]:
            return Finding(status, "; ".join(wrong))
    return passed(f"{', '.join(entry.detail for entry in contacts) or 'no contact'} can be reached")


def find_person(ask: Ask, name: str) -> str:
    """A member by id, e-mail address or name, or a user group by its handle."""
    wanted = name.removeprefix("@")
    if re.fullmatch(r"[UW][A-Z0-9]{7,}", wanted):
        return _refusal_of_user(ask("users.info", user=wanted).user)
    if re.fullmatch(r"[^@\s]+@[^@\s]+", name):
        return _refusal_of_user(ask("users.lookupByEmail", email=name).user)
    for group in ask("usergroups.list").usergroups:
        if wanted in (group.handle, group.id):
            return "is a user group that was disabled" if group.disabled else ""
    for page in _pages(ask, "users.list"):
        for user in page.members:
            if wanted in (user.name, user.display_name):
                return _refusal_of_user(user)
    return "is not a member or user group of the workspace: correct the name, or invite them"


def find_channel(ask: Ask, name: str) -> str:
    if re.fullmatch(r"[CG][A-Z0-9]{7,}", name):
        return _refusal_of_channel(ask("conversations.info", channel=name).channel)
    kinds = "public_channel,private_channel"
    for page in _pages(ask, "conversations.list", types=kinds):
        for channel in page.channels:
            if channel.name == name.removeprefix("#"):
                return _refusal_of_channel(channel)
    return "is not a channel visible to the app: create it, and invite the app if it is private"


def _pages(ask: Ask, method: str, **params: str) -> t.Iterator[SlackLookup]:
    more: dict[str, str] = {}
    while True:
        page = ask(method, limit=_PAGE, **params, **more)
        yield page
        more = {"cursor": page.cursor}
        if not page.cursor:
            return


def _refusal_of_user(user: SlackUser | None) -> str:
    if user is None:
        raise RefusedError("Slack's answer has no user: check 'api_url'.")
    return "was deactivated in Slack: choose somebody else" if user.deleted else ""


def _refusal_of_channel(channel: SlackChannel | None) -> str:
    if channel is None:
        raise RefusedError("Slack's answer has no channel: check 'api_url'.")
    if channel.is_archived:
        return "is archived: unarchive it, or choose another"
    return "" if channel.is_member else "does not have the app: invite it there"


def look_up(find: t.Callable[[Ask, str], str], ask: Ask, name: str) -> Finding:
    """The name, with what is wrong with it."""
    try:
        problem = find(ask, name)
        return failed(f"{name} {problem}") if problem else passed(name)
    except UnreachableError as exc:
        return held(f"{name} cannot be looked up: {exc}")
    except RefusedError as exc:
        word = str(exc.details.get("word", ""))
        if word in ABSENT:
            return failed(f"{name} is not in the workspace: correct it, or invite them")
        cure = ": check the bot token" if word in TOKEN else ""
        cure = f": give the app {SCOPES}" if word == "missing_scope" else cure
        why = f"Slack refused ({word}){cure}." if word else exc
        return (failed if word in TOKEN else held)(f"{name} cannot be looked up: {why}")


def look_pagerduty(options: Options, ground: Ground) -> list[Finding]:
    """Whether somebody is on call now and to the release's end, as PagerDuty's REST API tells."""
    until = ground.now + timedelta(minutes=options["minutes"])
    return [
        on_call(schedule, _shifts(options, schedule, until, ground), ground.now, until)
        for schedule in options["schedules"]
    ]


def on_call(schedule: str, shifts: t.Iterable[Shift], now: datetime, until: datetime) -> Finding:
    """Every moment from `now` to `until` needs somebody."""
    covered, people = now, []
    for who, since, ended in sorted(shifts, key=itemgetter(1)):
        if since > covered or covered > until:
            break
        if ended is None or ended > covered:
            people.append(who)
            covered = ended or until + timedelta(seconds=1)
    text = ", then ".join(dict.fromkeys(people))
    if covered >= until and people:
        return passed(f"{text} on call to {until:%H:%M UTC}, says {schedule}")
    gap = f"{text} is on call only until {covered:%Y-%m-%d %H:%M UTC}"
    what = f"{gap if people else 'no person is on call'} in the schedule {schedule}"
    return failed(f"{what}: find somebody until {until:%H:%M UTC}")


@dataclass(frozen=True)
class _OnCall:
    who: str = under("user.summary", "user.id", required=True)
    start: datetime | None = None
    end: datetime | None = None


@dataclass(frozen=True)
class _OnCalls:
    """Of PagerDuty's REST API, https://developer.pagerduty.com/api-reference/3a6b910f11050-list-all-of-the-on-calls."""

    oncalls: tuple[_OnCall, ...]


def _shifts(options: Options, schedule: str, until: datetime, ground: Ground) -> list[Shift]:
    """Who is on call since when and until when, None for ever."""
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
        oncalls = restored(_OnCalls, answer, "answer").oncalls
    except ValueError:
        raise VerificationError("PagerDuty's answer is no on-call list: check 'api_url'.") from None
    return [(oncall.who, oncall.start or ground.now, oncall.end) for oncall in oncalls]


def look_mail(options: Options, ground: Ground) -> Finding:
    """Whether a mail server would take a mail. None is sent: the conversation ends before its text."""
    mail = plan.mail({**options, "subject": ""}, text="")
    would_take(options, Deadline(ground.timeout), options["ca_cert"])
    return passed(f"{options['host']}:{options['port']} takes mail for {mail.target}")


def look_sign_offs(options: Options, ground: Ground) -> list[Finding]:
    """Whether everything that no machine can check was signed by a person, a row for each line.

    What the inventory or the command line signs counts, too; what of it is refused has a row of its own.
    """
    record, wanted = ground.record.get(), read_wanted(options["required"])
    subject = subject_of(record, ground.release, ground.commit.get())
    known, now = known_sign_offs(record), format_time(ground.now)
    new: dict[str, SignOff] = {}
    refused = []
    asks, demands = read_given(options["given"]), Demands.read(options["identity"])
    who = known_as(ground.cluster()) if asks or demands.other_than_deployer else ""
    for given in asks:
        signed = known.get(given.name)
        if signed is not None and counts(signed, subject) and not given.instead:
            # A signature of one's own counts more than a name that is only given here.
            continue
        try:
            new |= plan_sign_off(known, wanted, given, subject, now, who)
        except DeployError as exc:
            refused.append(failed(str(exc), name=f"given_sign_off_{given.name}"))
    rows = []
    there = {name: act for name, act in {**known, **new}.items() if counts(act, subject)}
    people = judged(
        there, demands, demands.scope(ground.cluster(), ground.release), account_in(who)
    )
    for entry in wanted:
        signed, name = {**known, **new}.get(entry.name), f"sign_off_{entry.name}"
        facts = {SIGN_OFFS: {entry.name: new[entry.name].to_json()}} if entry.name in new else None
        # A missing signature holds, and is no failure.
        judge, detail = held, missing_because(entry, signed, subject)
        person, why = people.get(entry.name, ("", ""))
        if signed is not None and why:
            detail = f"the signature of {signed.by} does not count: {why}"
        elif signed is not None and not detail:
            note = f", {signed.note}" if signed.note else ""
            judge, detail = passed, f"{named(signed.by, person)} signed it at {signed.at}{note}"
        rows.append(judge(detail, name=name, item=entry.item, facts=facts))
    return [*rows, *refused]


SLACK_OPTIONS = f"""  description: Whether people and channels are in the workspace, and the app is in the channels.
  suboptions:
{api_options("Base URL of the Web API.", "https://slack.com/api/")}    people:
      description: Members by id, e-mail address or name, and user groups by handle, such as V(@on-call).
      type: list
      elements: str
      default: []
    channels:
      description: Channels by id or name.
      type: list
      elements: str
      default: []
"""
PAGERDUTY_OPTIONS = f"""  description: Whether somebody is on call from now to the end of the release.
  suboptions:
{api_options("Base URL of the REST API.", "https://api.pagerduty.com")}    schedules:
      description: Ids of the schedules.
      type: list
      elements: str
      required: true
    minutes:
      description: For how many minutes from now somebody must be on call.
      type: int
      default: 0
"""
SIGN_OFFS_OPTIONS = f"""  description:
    - Whether people have signed what no machine can check, a row C(sign_off_NAME) for each. See
      O(easymo.deploy.release#module:sign_off).
  suboptions:
    required:
      description: What must be signed.
      type: list
      elements: dict
      required: true
      suboptions:
{nested(REQUIRED, 8, "checks[].sign_offs.required[]")}    given:
      description:
        - Sign-offs that come with the task, by name, each a person's name or a dictionary with C(by),
          C(note), C(release) and C(instead). They count, and RV(facts) has them.
      type: dict
      default: {{}}
    identity:
      description: What the release wants of who signs.
      type: dict
      default: {{}}
      suboptions:
{nested(IDENTITY, 8, "checks[].sign_offs.identity")}"""
MAIL_OPTIONS = f"""  description: Whether a mail server would take a mail for all recipients. None is sent.
  suboptions:
{nested(MAIL_SERVER, 4, "checks[].mail")}{indent(AUTHORITIES, " " * 4)}"""

KINDS: Kinds = {
    "slack": Kind(look_slack, SLACK_OPTIONS, (REQUESTS,)),
    "pagerduty": Kind(look_pagerduty, PAGERDUTY_OPTIONS, (REQUESTS,)),
    "mail": Kind(look_mail, MAIL_OPTIONS),
    "sign_offs": Kind(look_sign_offs, SIGN_OFFS_OPTIONS, reads_record=True),
}
