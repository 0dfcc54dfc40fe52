# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
name: slack
type: notification
short_description: Shows a release in one Slack message that is edited as its phases go by
version_added: 0.1.0
description:
  - Posts one message for an attempt at a release, with its phases, the services that are through, the newest values of
    the metrics, and links. Every run of the attempt on this machine edits that message, by the release record.
  - Its thread gets failures, decisions, and one line for each phase that is done. When a run ends badly, the person on
    call is mentioned and the cause quoted, in one reply that the channel sees too.
  - Never fails or slows a run. What was lost is told at the end.
  - Says nothing without a token and channel, or a webhook, nothing in check mode, and nothing of a run that only looks,
    or that was refused before it changed anything.
author:
  - Maintainers of easymo.deploy (@easymo)
options:
  slack_webhook_url:
    description:
      - Incoming webhook, used when there is no token. Without this option, the variable C(slack_webhook_url).
      - It can't edit, so only the start, what stopped the run, and the end are posted.
    type: str
    env:
      - name: EASYMO_DEPLOY_SLACK_WEBHOOK_URL
    ini:
      - section: callback_easymo_slack
        key: webhook_url
notes:
  - Where to - C(slack_channel), a name or an id, with C(slack_bot_token) or C(secret_slack_bot_token), a token with
    the scope C(chat:write). C(slack_api_url), C(slack_ca_cert) for an API elsewhere.
  - What - C(release_title) or C(release_version), and C(environment_name). The phases and their planned minutes are
    C(release_plan), the links C(release_links), a list of C(text) and C(url).
  - Who - C(release_on_call), the id of the Slack user or user group to mention when a run ends badly, and
    C(release_on_call_name). Another name is only shown, and the message says that no notification went out.
  - The file C(slack_state_path), or C(.deploy/<release_version>/slack.json) in the current directory, remembers which
    message is the release's. It has no secrets. Without the file, the next run posts a message of its own.
extends_documentation_fragment:
  - easymo.deploy._libraries.requests
"""

import os
import re
import time
import typing as t
from pathlib import Path

from ansible import context

from ..module_utils._messages.headline import Release, ReleaseStatus
from ..module_utils._messages.outbox import MessageState, Outbox
from ..module_utils._messages.run_message import RunMessage
from ..module_utils._messages.slack import SlackClient
from ..module_utils._redaction import Redactor
from ..module_utils._story.plan import Plan, dictionaries
from ..module_utils._terminal.models import Ending, RunEnded, Status
from ..plugin_utils import _run_events
from ..plugin_utils._run_events import Observer, PlayVariables, observing

ONLY_LOOKS = frozenset({"status.yml", "diagnose.yml", "readiness.yml", "report.yml"})
DEFAULT_API_URL = "https://slack.com/api/"
REQUEST_TIMEOUT = 10.0
Get = t.Callable[[str], str]
"""The value of a variable as text, "" for none."""


def connect(get: Get) -> SlackClient | None:
    """The client that the variables ask for, None when they ask for none."""
    by_token = get("slack_bot_token") and get("slack_channel")
    if not by_token and not get("slack_webhook_url"):
        return None
    return SlackClient(
        token=get("slack_bot_token") if by_token else "",
        channel=get("slack_channel"),
        api_url=get("slack_api_url") or DEFAULT_API_URL,
        webhook_url=get("slack_webhook_url"),
        timeout=REQUEST_TIMEOUT,
        ca_cert=get("slack_ca_cert") or None,
    )


def message_state(get: Get) -> MessageState:
    """A webhook can't edit, so there is nothing for it to remember."""
    folder = re.sub(r"[^\w.+-]", "_", get("release_version")).strip(".")
    path = get("slack_state_path") or (folder and f".deploy/{folder}/slack.json")
    if not path or not (get("slack_bot_token") and get("slack_channel")):
        return MessageState(None)
    return MessageState(Path(path), get("slack_api_url") or DEFAULT_API_URL, get("slack_channel"))


def describe(get: Get, playbook: str, plan: t.Any, links: t.Any = None) -> Release:
    """What the inventory says of the release; of a list that is none, nothing."""
    version = get("release_version")
    return Release(
        title=get("release_title") or (f"Release {version}" if version else playbook),
        playbook=playbook,
        environment=get("environment_name"),
        on_call=get("release_on_call"),
        on_call_name=get("release_on_call_name"),
        plan=Plan.read(plan),
        links=tuple(
            (str(entry.get("text") or entry["url"]), str(entry["url"]))
            for entry in dictionaries(links, "url")
            if re.match(r"https?://[^/\s]", str(entry["url"]))
        ),
    )


class CallbackModule(Observer):
    """Forwards what Ansible says to a RunMessage, once a play's variables say where Slack is."""

    CALLBACK_NAME = "easymo.deploy.slack"
    TITLE = "The Slack callback"

    def __init__(self) -> None:
        super().__init__()
        self.silent = bool(context.CLIARGS.get("check"))
        self._started = time.time()
        self._message: RunMessage | None = None

    @observing
    def v2_playbook_on_start(self, playbook: t.Any) -> None:
        self._playbook = os.path.basename(playbook._file_name or "")  # noqa: PTH119
        self._started = time.time()
        self.silent = self.silent or self._playbook in ONLY_LOOKS

    @observing
    def v2_playbook_on_play_start(self, play: t.Any) -> None:
        variables = PlayVariables.of(play)
        if self._message is None:
            self._open(variables)
        if self._message and _run_events.host_names(play) and _run_events.selected(play, variables):
            self._message.on(_run_events.play_of(play, self._redact))

    def _open(self, variables: PlayVariables) -> None:
        given = {
            "slack_webhook_url": self.get_option("slack_webhook_url"),
            "slack_bot_token": variables.get("slack_bot_token")
            or variables.get("secret_slack_bot_token"),
        }

        def get(name: str) -> str:
            return given.get(name) or variables.get(name)

        client = connect(get)
        if client is None:
            return
        plan, links = variables.raw("release_plan"), variables.value("release_links")
        release = describe(get, self._playbook, plan, links)
        stored = message_state(get)
        secrets = [get("slack_bot_token"), get("slack_webhook_url")]
        self._redact = Redactor([*variables.secrets(), *secrets])
        status, outbox = ReleaseStatus(release, self._started), Outbox(client, posted=stored.posted)
        message = self._message = RunMessage(status, outbox, self._redact, stored)
        self._listen(lambda progress: message.on(_run_events.reported(progress)))

    def _ended(self, result: t.Any, status: Status, *, ignored: bool = False) -> None:
        if self._message:
            self._message.on(_run_events.ended(result, status, self._redact, ignored=ignored))

    @observing
    def v2_playbook_on_stats(self, stats: t.Any) -> None:
        self._unsubscribe()
        self._finish(_run_events.ending_of(stats))

    @observing
    def _finish(self, ending: Ending) -> None:
        """Once: a run that ended by itself is not interrupted afterwards."""
        message, self._message = self._message, None
        if message:
            message.on(RunEnded(ending, time.monotonic()))
            lost = message.close()
            if lost and ending != "interrupted":
                self._display.warning(f"Slack: {lost}")
