# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
name: slack
type: notification
short_description: Shows a run in one Slack message that is edited as its phases go by
version_added: 0.1.0
description:
  - Posts one message for a run and edits it in place, one line for each play with its time and hosts.
  - Failures and live progress go to the thread of that message. When a run ends badly, the person on call is mentioned.
  - Never fails or slows a run. Messages are sent by a thread of its own, and what was lost is told at the end.
  - Says nothing without a token and channel, or a webhook, and nothing in check mode.
  - What is not set here is taken from variables of the same name that localhost has in the inventory.
author:
  - EasyMO (@easymo)
options:
  slack_api_url:
    description: URL of Slack's Web API.
    type: str
    env:
      - name: EASYMO_DEPLOY_SLACK_API_URL
    ini:
      - section: callback_easymo_slack
        key: api_url
  slack_bot_token:
    description: Bot token with the scope C(chat:write).
    type: str
    env:
      - name: EASYMO_DEPLOY_SLACK_BOT_TOKEN
    ini:
      - section: callback_easymo_slack
        key: bot_token
  slack_channel:
    description: Name or id of the channel.
    type: str
    env:
      - name: EASYMO_DEPLOY_SLACK_CHANNEL
    ini:
      - section: callback_easymo_slack
        key: channel
  slack_webhook_url:
    description:
      - Incoming webhook, used when there is no token.
      - It can't edit, so only the start, failures and the end are posted.
    type: str
    env:
      - name: EASYMO_DEPLOY_SLACK_WEBHOOK_URL
    ini:
      - section: callback_easymo_slack
        key: webhook_url
  slack_ca_cert:
    description: File with the certificate authorities that may have signed the API's certificate.
    type: path
    env:
      - name: EASYMO_DEPLOY_SLACK_CA_CERT
    ini:
      - section: callback_easymo_slack
        key: ca_cert
  release_version:
    description: The release, for the title.
    type: str
    env:
      - name: EASYMO_DEPLOY_RELEASE_VERSION
    ini:
      - section: callback_easymo_slack
        key: release_version
  release_on_call:
    description: Id of the Slack user or user group to mention when a run ends badly. Another name is only shown.
    type: str
    env:
      - name: EASYMO_DEPLOY_ON_CALL
    ini:
      - section: callback_easymo_slack
        key: on_call
requirements:
  - slack_sdk >= 3.36
"""

import os
import time
import typing as t

from ansible import context
from ansible.plugins.callback import CallbackBase

from ansible_collections.easymo.deploy.plugins.module_utils._messages.board import Board
from ansible_collections.easymo.deploy.plugins.module_utils._messages.outbox import Outbox
from ansible_collections.easymo.deploy.plugins.module_utils._messages.redactor import Redactor
from ansible_collections.easymo.deploy.plugins.module_utils._messages.run_message import RunMessage
from ansible_collections.easymo.deploy.plugins.module_utils._progress import subscribe
from ansible_collections.easymo.deploy.plugins.plugin_utils._interruption import when_cut_short
from ansible_collections.easymo.deploy.plugins.plugin_utils._observing import (
    PlayVariables,
    hosts_of,
    observing,
    sentence,
    task_name,
)

if t.TYPE_CHECKING:
    from ansible_collections.easymo.deploy.plugins.module_utils._messages.slack import SlackClient

OPTIONS = (
    "slack_api_url",
    "slack_bot_token",
    "slack_channel",
    "slack_webhook_url",
    "slack_ca_cert",
    "release_version",
    "release_on_call",
)
DEFAULT_API_URL = "https://slack.com/api/"
REQUEST_TIMEOUT = 10.0


def connect(settings: t.Mapping[str, str]) -> SlackClient | None:
    """The client that the settings ask for, None when they ask for none."""
    ca_cert = settings["slack_ca_cert"] or None
    by_token = settings["slack_bot_token"] and settings["slack_channel"]
    if not by_token and not settings["slack_webhook_url"]:
        return None
    # Only a run that talks to Slack pays for importing its client.
    from ansible_collections.easymo.deploy.plugins.module_utils._messages import slack  # noqa: PLC0415

    if by_token:
        return slack.SlackApi(
            api_url=settings["slack_api_url"] or DEFAULT_API_URL,
            token=settings["slack_bot_token"],
            channel=settings["slack_channel"],
            timeout=REQUEST_TIMEOUT,
            ca_cert=ca_cert,
        )
    return slack.SlackWebhook(
        url=settings["slack_webhook_url"], timeout=REQUEST_TIMEOUT, ca_cert=ca_cert
    )


class CallbackModule(CallbackBase):
    """Forwards what Ansible says to a RunMessage, once a play's variables say where Slack is."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "easymo.deploy.slack"
    TITLE = "The Slack callback"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        self.silent = bool(context.CLIARGS.get("check"))
        self._playbook = ""
        self._started = time.monotonic()
        self._message: RunMessage | None = None
        self._outbox: Outbox | None = None
        self._unsubscribe: t.Callable[[], None] = lambda: None

    @observing
    def v2_playbook_on_start(self, playbook: t.Any) -> None:
        self._playbook = os.path.basename(playbook._file_name or "")  # noqa: PTH119
        self._started = time.monotonic()

    @observing
    def v2_playbook_on_play_start(self, play: t.Any) -> None:
        if self._message is None:
            self._open(play)
        if self._message:
            self._message.play_started(play.get_name(), hosts_of(play))

    def _open(self, play: t.Any) -> None:
        variables = PlayVariables.of(play)
        settings = {
            name: str(self.get_option(name) or "") or variables.get(name) for name in OPTIONS
        }
        client = connect(settings)
        if client is None:
            return
        release = settings["release_version"]
        title = f"Release {release}" if release else self._playbook
        board = Board(title, self._playbook, self._started, settings["release_on_call"])
        secrets = [settings["slack_bot_token"], settings["slack_webhook_url"]]
        self._outbox = Outbox(client)
        self._message = RunMessage(board, self._outbox, Redactor([*variables.secrets(), *secrets]))
        self._unsubscribe = subscribe(self._message.progressed)
        when_cut_short(self._interrupted)

    @observing
    def v2_playbook_on_task_start(self, task: t.Any, is_conditional: bool) -> None:  # noqa: ARG002
        if self._message:
            self._message.task_started(task_name(task))

    @observing
    def v2_playbook_on_handler_task_start(self, task: t.Any) -> None:
        if self._message:
            self._message.task_started(task_name(task))

    @observing
    def v2_runner_on_ok(self, result: t.Any) -> None:
        if self._message:
            self._message.host_done(result.host.get_name())

    @observing
    def v2_runner_on_failed(self, result: t.Any, ignore_errors: bool = False) -> None:
        if self._message and not ignore_errors:
            why = sentence(result.result)
            self._message.host_failed(result.host.get_name(), task_name(result.task), why)

    @observing
    def v2_runner_on_unreachable(self, result: t.Any) -> None:
        if self._message:
            name, why = task_name(result.task), sentence(result.result)
            self._message.host_failed(result.host.get_name(), name, why, unreachable=True)

    @observing
    def v2_playbook_on_stats(self, stats: t.Any) -> None:
        if self._message and self._outbox:
            self._unsubscribe()
            good = not any(stats.failures.values()) and not any(stats.dark.values())
            lost = self._message.finished(good=good)
            if lost:
                noun = "message was" if lost == 1 else "messages were"
                self._display.warning(f"Slack: {lost} {noun} not delivered. {self._outbox.reason}")

    @observing
    def _interrupted(self) -> None:
        if self._message:
            self._message.interrupted()
