# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""A webhook check, from its options to the outcomes of its probes."""

from __future__ import annotations

import re
import secrets
import typing as t

from .._errors import InputError
from .._functions.log import FunctionLog
from .._postgres import PostgresTarget
from .client import HttpWebhook
from .exchange import Trace, ask, settle, trace, unanswered
from .models import Form, Message, Probe, ProbeResult
from .probes import plan_delivery, plan_guards, plan_messages
from .traces import PlatformSightings

PREFIX = re.compile(r"[A-Za-z0-9._-]{1,60}")

Params = t.Mapping[str, t.Any]


def check_webhook(params: Params, *, send_messages: bool) -> list[ProbeResult]:
    """Challenges and refusals first, so that nothing is sent to an address where nobody answers."""
    refuse_bad_input(params)
    webhook, challenge = _webhook(params), secrets.token_hex(8)
    guards = _guards(params, challenge) if params["guards"] else []
    outcomes = ask(webhook, guards)
    if not send_messages or not params["messages"] or (guards and unanswered(outcomes)):
        return outcomes
    probes = plan_messages(
        [read_message(entry) for entry in params["messages"]],
        app_secret=params["app_secret"],
        challenge=challenge,
        prefix=params["message_prefix"],
        form=Form(**params["answer"]) if params["answer"] else Form(),
    )
    sent = ask(webhook, probes)
    where = Trace(
        read_sightings(params), in_logs=params["logs"] is not None, wait=params["seen_timeout"]
    )
    accept = params["without_reply"] == "accept"
    return [*outcomes, *settle(probes, trace(probes, sent, where), accept=accept)]


def check_without_messages(params: Params) -> list[ProbeResult]:
    """What can be known of a webhook while nobody is sent anything."""
    challenge = secrets.token_hex(8)
    probes = [*_guards(params, challenge), plan_delivery(params["app_secret"], challenge)]
    return ask(_webhook(params), probes)


def _webhook(params: Params) -> HttpWebhook:
    return HttpWebhook(params["url"], ca_cert=params["ca_cert"], timeout=params["request_timeout"])


def _guards(params: Params, challenge: str) -> list[Probe]:
    return plan_guards(
        verify_token=params["verify_token"],
        app_secret=params["app_secret"],
        challenge=challenge,
        oversized_bytes=params["oversized_bytes"],
    )


def refuse_bad_input(params: Params) -> None:
    if not PREFIX.fullmatch(params["message_prefix"]):
        raise InputError(
            f"Option 'message_prefix' is {params['message_prefix']!r}; it is 1 to 60 letters, digits, "
            "'.', '_' and '-'."
        )
    if params["oversized_bytes"] < 0 or params["request_timeout"] <= 0:
        raise InputError("'oversized_bytes' is at least 0 and 'request_timeout' more than 0.")
    tables = [one for entry in params["messages"] for one in entry["recorded_in"]]
    tables += [one for entry in params["messages"] for one in entry["not_recorded_in"]]
    if tables and params["database"] is None:
        raise InputError(
            f"Option 'database' is missing, but messages must be found in {tables[0]!r}."
        )


def read_message(entry: Params) -> Message:
    return Message(
        name=entry["name"],
        sender=entry["from"],
        text=entry["text"],
        route=entry["route"] or "",
        reply_contains=entry["reply_contains"],
        buttons=entry["buttons"],
        recorded_in=tuple(entry["recorded_in"]),
        not_recorded_in=tuple(entry["not_recorded_in"]),
    )


def read_sightings(params: Params) -> PlatformSightings:
    logs = params["logs"]
    database = params["database"]
    return PlatformSightings(
        FunctionLog.from_params(logs) if logs else None,
        PostgresTarget.from_params(database) if database else None,
        params["message_column"],
    )
