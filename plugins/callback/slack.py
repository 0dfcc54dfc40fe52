# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
name: slack
type: notification
short_description: Shows a release in one Slack message that is edited as its phases go by
version_added: 0.1.0
description:
  - Posts one message for an attempt at a release, with all its phases in order, their times against the plan, the
    services that are through, the newest values of the metrics, and buttons that are links. Every run of the attempt on
    this machine edits that message. A run on another machine, and the next attempt, post their own.
  - The message is made of blocks; its text says the same, for notifications and for whatever takes no blocks.
  - What earlier runs did is taken from the release record, as this run's tasks return it. A message that an earlier run
    left is edited once that record was seen.
  - Its thread gets failures, decisions, and one line for each phase that is done. When a run ends badly, the person on
    call is mentioned and the cause quoted, in one reply that the channel sees too.
  - A run that was refused before it changed anything says nothing.
  - Never fails or slows a run. Messages are sent by a thread of its own, and what was lost is told at the end.
  - Says nothing without a token and channel, or a webhook, and nothing in check mode. C(status.yml), C(diagnose.yml),
    C(readiness.yml) and C(report.yml) only look, so it says nothing of them either.
  - What is not set here is taken from variables of the same name that localhost has in the inventory, the token
    also from C(secret_slack_bot_token).
author:
  - Maintainers of easymo.deploy (@easymo)
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
      - It can't edit, so only the start, what stopped the run, and the end are posted.
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
  slack_state_path:
    description:
      - File that remembers which message is the release's. Without it, C(.deploy/<release_version>/slack.json) in the
        current directory.
      - It has no secrets. Without the file, the next run posts a message of its own.
    type: path
    version_added: 0.2.0
    env:
      - name: EASYMO_DEPLOY_SLACK_STATE_PATH
    ini:
      - section: callback_easymo_slack
        key: state_path
  release_title:
    description: What people call the release, for the title. Without it, the word release and the version.
    type: str
    version_added: 0.2.0
    env:
      - name: EASYMO_DEPLOY_RELEASE_TITLE
    ini:
      - section: callback_easymo_slack
        key: release_title
  environment_name:
    description: Where it is deployed to, for the title.
    type: str
    version_added: 0.2.0
    env:
      - name: EASYMO_DEPLOY_ENVIRONMENT_NAME
    ini:
      - section: callback_easymo_slack
        key: environment_name
  release_on_call:
    description:
      - Id of the Slack user or user group to mention when a run ends badly.
      - Another name is only shown, and the message says that no notification went out.
    type: str
    env:
      - name: EASYMO_DEPLOY_ON_CALL
    ini:
      - section: callback_easymo_slack
        key: on_call
  release_on_call_name:
    description: Name of the person on call, shown where no notification is sent.
    type: str
    version_added: 0.2.0
    env:
      - name: EASYMO_DEPLOY_ON_CALL_NAME
    ini:
      - section: callback_easymo_slack
        key: on_call_name
notes:
  - The phases and their planned minutes are the inventory's C(release_plan), the units of metrics are those of its
    C(release_metrics), the buttons its C(release_links), a list of C(text) and C(url).
extends_documentation_fragment:
  - easymo.deploy._libraries.slack_sdk
"""

import os
import re
import time
import typing as t
from pathlib import Path

from ansible import context
from ansible.plugins.callback import CallbackBase

from ..module_utils._messages.outbox import MessageState, Outbox
from ..module_utils._messages.release_status import Link, Release, ReleaseStatus
from ..module_utils._messages.run_message import RunMessage
from ..module_utils._progress import subscribe
from ..module_utils._redaction import Redactor
from ..module_utils._release.models import sentence_of
from ..module_utils._release.record import Record
from ..module_utils._story.plan import Plan
from ..module_utils._terminal.telling import LOCKS
from ..plugin_utils._interruption import when_cut_short
from ..plugin_utils._module_of import module_of
from ..plugin_utils._observing import PlayVariables, hosts_of, observing, task_name

if t.TYPE_CHECKING:
    from ..module_utils._messages.slack import SlackClient

OPTIONS = (
    "slack_api_url",
    "slack_bot_token",
    "slack_channel",
    "slack_webhook_url",
    "slack_ca_cert",
    "slack_state_path",
    "release_version",
    "release_title",
    "environment_name",
    "release_on_call",
    "release_on_call_name",
)
ONLY_LOOKS = frozenset({"status.yml", "diagnose.yml", "readiness.yml", "report.yml"})
DEFAULT_API_URL = "https://slack.com/api/"
REQUEST_TIMEOUT = 10.0


def connect(settings: t.Mapping[str, str]) -> SlackClient | None:
    """The client that the settings ask for, None when they ask for none."""
    ca_cert = settings["slack_ca_cert"] or None
    by_token = settings["slack_bot_token"] and settings["slack_channel"]
    if not by_token and not settings["slack_webhook_url"]:
        return None
    # Only a run that talks to Slack pays for importing its client.
    from ..module_utils._messages import slack  # noqa: PLC0415

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


def message_state(settings: t.Mapping[str, str]) -> MessageState:
    """A webhook can't edit, so there is nothing for it to remember."""
    folder = re.sub(r"[^\w.+-]", "_", settings["release_version"]).strip(".")
    path = settings["slack_state_path"] or (folder and f".deploy/{folder}/slack.json")
    if not path or not (settings["slack_bot_token"] and settings["slack_channel"]):
        return MessageState(None)
    return MessageState(
        Path(path), settings["slack_api_url"] or DEFAULT_API_URL, settings["slack_channel"]
    )


def describe(
    settings: t.Mapping[str, str], playbook: str, plan: t.Any, metrics: t.Any, links: t.Any = None
) -> Release:
    """What the inventory says of the release; of a list that is none, nothing."""
    version = settings["release_version"]
    return Release(
        title=settings["release_title"] or (f"Release {version}" if version else playbook),
        playbook=playbook,
        environment=settings["environment_name"],
        on_call=settings["release_on_call"],
        on_call_name=settings["release_on_call_name"],
        plan=Plan.read(plan),
        links=tuple(
            Link(str(dictionary.get("text") or dictionary["url"]), str(dictionary["url"]))
            for dictionary in dictionaries(links, "url")
            if re.match(r"https?://[^/\s]", str(dictionary["url"]))
        ),
        units={
            str(dictionary["name"]): str(dictionary.get("unit") or "")
            for dictionary in dictionaries(metrics)
        },
    )


def dictionaries(value: t.Any, key: str = "name") -> list[t.Mapping[str, t.Any]]:
    listed = value if isinstance(value, list) else []
    return [entry for entry in listed if isinstance(entry, dict) and key in entry]


def changes(action: str, result: t.Mapping[str, t.Any]) -> bool:
    """Whether it changed something. A refused run may have taken the lock."""
    return bool(result.get("changed")) and action not in LOCKS


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
        self._started = time.time()
        self._message: RunMessage | None = None
        self._outbox: Outbox | None = None
        self._unsubscribe: t.Callable[[], None] = lambda: None

    @observing
    def v2_playbook_on_start(self, playbook: t.Any) -> None:
        self._playbook = os.path.basename(playbook._file_name or "")  # noqa: PTH119
        self._started = time.time()
        self.silent = self.silent or self._playbook in ONLY_LOOKS

    @observing
    def v2_playbook_on_play_start(self, play: t.Any) -> None:
        if self._message is None:
            self._open(play)
        if self._message:
            phase = str((play.vars or {}).get("release_phase_name") or "")
            self._message.play_started(play.get_name(), phase, hosts_of(play))

    def _open(self, play: t.Any) -> None:
        variables = PlayVariables.of(play)
        settings = {
            name: str(self.get_option(name) or "") or variables.get(name) for name in OPTIONS
        }
        settings["slack_bot_token"] = settings["slack_bot_token"] or variables.get(
            "secret_slack_bot_token"
        )
        client = connect(settings)
        if client is None:
            return
        release = describe(
            settings,
            self._playbook,
            variables.raw("release_plan"),
            variables.raw("release_metrics"),
            variables.value("release_links"),
        )
        stored = message_state(settings)
        secrets = [settings["slack_bot_token"], settings["slack_webhook_url"]]
        self._outbox = Outbox(client, posted=stored.posted)
        self._message = RunMessage(
            ReleaseStatus(release, self._started),
            self._outbox,
            Redactor([*variables.secrets(), *secrets]),
            stored,
        )
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
            action = module_of(result.task)
            if changes(action, result.result):
                self._message.touched()
            if "document" in result.result:
                self._message.record_seen(Record.of_result(result.result))
                if result.result.get("decision") and result.result.get("changed"):
                    self._message.decided(str(result.result.get("sentence") or ""))
            self._message.host_done(result.host.get_name(), action)

    @observing
    def v2_runner_on_failed(self, result: t.Any, ignore_errors: bool = False) -> None:
        if self._message and not ignore_errors:
            self._failed(result, sentence_of(result.result))

    @observing
    def v2_runner_on_unreachable(self, result: t.Any) -> None:
        if self._message:
            self._failed(result, f"It is unreachable: {sentence_of(result.result)}")

    def _failed(self, result: t.Any, why: str) -> None:
        name, reason = task_name(result.task), str(result.result.get("reason") or "")
        if self._message:
            if changes(module_of(result.task), result.result):
                self._message.touched()
            self._message.host_failed(result.host.get_name(), name, why, reason)

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
