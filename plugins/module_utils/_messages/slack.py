# SPDX-License-Identifier: GPL-3.0-or-later
"""Slack by slack_sdk, one attempt a call: by bot token, which can edit and thread, or by incoming webhook."""

from __future__ import annotations

import http.client
import json
import ssl
import typing as t

from .._errors import Library, RefusedError, UnreachableError
from .._time import Deadline
from .plan import Message

T = t.TypeVar("T")


class BusyError(UnreachableError):
    """The other side did nothing and asks to come back: always safe to repeat."""

    def __init__(self, message: str, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after


def retrying(  # noqa: UP047 - targets may run an older Python
    call: t.Callable[[], T], deadline: Deadline, *, idempotent: bool
) -> T:
    """The first result of `call`, or its last error once waiting would pass the deadline."""
    pause = 0.5
    while True:
        try:
            return call()
        except UnreachableError as exc:
            busy = isinstance(exc, BusyError)
            wait = exc.retry_after if isinstance(exc, BusyError) else pause
            if wait >= deadline.left() or not (busy or idempotent):
                raise
        pause *= 2
        deadline.sleep(wait)


def retry_after(headers: t.Mapping[str, str]) -> float:
    """Seconds from a Retry-After header; a date or nonsense counts as one."""
    value = next((v for k, v in headers.items() if k.lower() == "retry-after"), "")
    try:
        return max(0.0, float(value))
    except ValueError:
        return 1.0


SLACK_SDK = Library("slack-sdk >= 3.36")
with SLACK_SDK:
    import slack_sdk
    import slack_sdk.errors

GONE = frozenset(
    {"message_not_found", "cant_update_message", "edit_window_closed", "thread_not_found"}
)

NO_BLOCKS = frozenset(
    {"invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long", "invalid_payload"}
)
"""How a workspace, or what stands in for one behind a webhook, refuses blocks that it does not know."""

ADVICE = {
    "invalid_auth": "check the bot token",
    "not_authed": "set the bot token",
    "token_revoked": "install the app again and use its new token",
    "account_inactive": "install the app again and use its new token",
    "channel_not_found": "check the channel's name and invite the app to it",
    "not_in_channel": "invite the app to the channel",
    "is_archived": "unarchive the channel or choose another",
    "missing_scope": "give the app the scope chat:write, and channels:manage to archive a channel",
    "msg_too_long": "shorten the text",
    "no_service": "the webhook was removed, make a new one",
}


class GoneError(RefusedError):
    """The message that was to be edited or answered is not there, or no longer to be edited."""


class NoBlocksError(RefusedError):
    """The other side takes no blocks, or not these."""


Blocks = t.Sequence[dict[str, t.Any]]


class SlackClient:
    """One channel of one workspace; without a token that of a webhook, which can post, and not edit or reply.

    `location` is the channel's id once a message was posted by token.
    """

    def __init__(
        self,
        *,
        timeout: float,
        token: str | None = None,
        channel: str | None = None,
        api_url: str = "",
        webhook_url: str | None = None,
        ca_cert: str | None = None,
    ) -> None:
        self.can_edit = bool(token)
        self.location = (token and channel) or ""
        if token:
            self._client = web_client(api_url, token, timeout, ca_cert)
        else:
            self._hook = slack_sdk.WebhookClient(webhook_url or "", **_how(timeout, ca_cert))

    def post(
        self, text: str, thread_ts: str = "", broadcast: bool = False, blocks: Blocks = ()
    ) -> str:
        """The message's ts, "" by webhook. `broadcast` shows a reply in the channel too.

        `blocks` are shown instead of the text, which notifications show.
        """
        if not self.can_edit:
            body = {"text": text, **({"blocks": list(blocks)} if blocks else {})}
            answer = attempt(lambda: self._hook.send_dict(body))
            if answer.status_code != 200:
                raise failure(answer.status_code, answer.headers, str(answer.body)[:60])
            return ""
        answer = attempt(
            lambda: self._client.chat_postMessage(
                channel=self.location,
                text=text,
                blocks=list(blocks) or None,
                thread_ts=thread_ts or None,
                reply_broadcast=bool(thread_ts and broadcast) or None,
                unfurl_links=False,
                unfurl_media=False,
            )
        )
        # Only posting takes a channel's name; an edit wants the id.
        self.location = str(answer["channel"])
        return str(answer["ts"])

    def update(self, ts: str, text: str, blocks: Blocks = ()) -> None:
        """By token alone. Without `blocks` Slack would keep those that were there."""
        attempt(
            lambda: self._client.chat_update(
                channel=self.location, ts=ts, text=text, blocks=list(blocks)
            )
        )

    def archive(self) -> None:
        """The channel, once a message was posted into it."""
        try:
            attempt(lambda: self._client.conversations_archive(channel=self.location))
        except RefusedError as exc:
            if "already_archived" not in str(exc):
                raise


def web_client(
    api_url: str, token: str, timeout: float, ca_cert: str | None
) -> slack_sdk.WebClient:
    """That repeats nothing by itself."""
    base = api_url.rstrip("/") + "/"
    return slack_sdk.WebClient(token=token, base_url=base, **_how(timeout, ca_cert))


def _how(timeout: float, ca_cert: str | None) -> dict[str, t.Any]:
    context = ssl.create_default_context(cafile=ca_cert)
    return {"timeout": max(1, round(timeout)), "ssl": context, "retry_handlers": []}


def attempt(
    call: t.Callable[[], t.Any], refusal: t.Callable[[t.Any], Exception] | None = None
) -> t.Any:
    """One call; whatever goes wrong becomes one of our errors, without URL or token in it."""
    try:
        return call()
    except slack_sdk.errors.SlackApiError as exc:
        raise (refusal or from_answer)(exc.response) from None
    except (
        slack_sdk.errors.SlackClientError,
        OSError,
        http.client.HTTPException,
        json.JSONDecodeError,
    ) as exc:
        raise UnreachableError(
            f"Slack can't be reached ({reason_of(exc)}): check the network and the API's URL."
        ) from None


def from_answer(response: t.Any) -> Exception:
    status, headers = getattr(response, "status_code", 0), getattr(response, "headers", {})
    return failure(status, headers, str(response.get("error") or f"HTTP {status}"))


def failure(status: int, headers: t.Mapping[str, str], word: str) -> Exception:
    """What Slack's refusal means; `word` is Slack's own."""
    if status == 429:
        wait = retry_after(headers)
        return BusyError(f"Slack limits the rate for {wait:.0f} s: try again later.", wait)
    if status >= 500:
        return UnreachableError(f"Slack answered HTTP {status}: try again later.")
    advice = ADVICE.get(word, "see Slack's documentation of the method")
    error = GoneError if word in GONE else NoBlocksError if word in NO_BLOCKS else RefusedError
    return error(f"Slack refused the message ({word}): {advice}.")


def reason_of(exc: BaseException) -> str:
    """What happened, without the address: a webhook's URL is a secret."""
    inner = getattr(exc, "reason", None)
    return str(inner) if isinstance(inner, OSError) else type(exc).__name__


def send_slack_message(
    message: Message, deadline: Deadline, ca_cert: str | None
) -> dict[str, t.Any]:
    """A message that was perhaps posted is not posted again: people would be told twice."""
    options = message.options
    names = ("token", "channel", "api_url", "webhook_url")
    given = {name: options[name] for name in names if options.get(name)}
    client = SlackClient(**given, timeout=max(1.0, deadline.left()), ca_cert=ca_cert)
    ts = retrying(lambda: client.post(message.text), deadline, idempotent=False)
    if options.get("archive"):
        retrying(client.archive, deadline, idempotent=True)
    return message.result(id=ts, location=client.location)
