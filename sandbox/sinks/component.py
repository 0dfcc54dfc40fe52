# SPDX-License-Identifier: GPL-3.0-or-later
"""The sinks as a component of the sandbox: how to start them and where they are reached."""

from __future__ import annotations

import secrets
import sys
import typing as t
import urllib.request

from sandbox.component import Component, Process
from sandbox.sinks import status_page
from sandbox.world import Facts, World

SINKS = ("slack", "pagerduty", "github", "statuspage", "openai")


class Sinks(Component):
    """Slack, PagerDuty, GitHub, the status page and OpenAI in one process."""

    name = "sinks"
    ports = ("sinks",)
    faults: t.Mapping[str, str] = {
        "rate-limited": "answers 429 with Retry-After to all but one request in seconds=1",
        "errors": "answers every request with HTTP 500",
        "hangs": "accepts a request and answers it only after seconds=60",
        "token-revoked": "no longer knows the token it gave out",
    }

    def prepare(self, world: World) -> None:
        for make in (slack_bot_token, webhook_secret, routing_key, github_token, statuspage_token):
            make(world)
        world.port("sinks")
        world.folder("sinks")

    def process(self, world: World) -> Process:
        return Process(argv=(sys.executable, "-m", "sandbox.sinks", str(world.directory)))

    def ready(self, world: World) -> bool:
        url = f"{base_url(world)}/api/messages.json"
        with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310 - our own http URL
            return bool(answer.status == 200)

    def settle(self, world: World) -> None:
        """Channels, people and components are there from the start."""

    def facts(self, world: World) -> Facts:
        base = base_url(world)
        return {
            "url": f"{base}/",
            "slack_api_url": f"{base}/slack/api/",
            "slack_bot_token": slack_bot_token(world),
            "slack_webhook_url": f"{base}/slack/webhook/{webhook_secret(world)}",
            "pagerduty_url": f"{base}/pagerduty",
            "pagerduty_routing_key": routing_key(world),
            "github_api_url": f"{base}/github",
            "github_token": github_token(world),
            "statuspage_url": f"{base}/statuspage/v1",
            "statuspage_token": statuspage_token(world),
            "statuspage_page_id": status_page.PAGE_ID,
            "openai_url": f"{base}/openai",
            "openai_api_key": openai_api_key(world),
        }


COMPONENT = Sinks()


def base_url(world: World) -> str:
    return f"http://127.0.0.1:{world.port('sinks')}"


def slack_bot_token(world: World) -> str:
    return world.secret("slack_bot_token", lambda: f"xoxb-sandbox-{secrets.token_hex(16)}")


def webhook_secret(world: World) -> str:
    return world.secret("slack_webhook", lambda: f"T0EASYMO1/B0DEPLOY1/{secrets.token_hex(12)}")


def routing_key(world: World) -> str:
    return world.secret("pagerduty_routing_key", lambda: secrets.token_hex(16))


def github_token(world: World) -> str:
    return world.secret("github_token", lambda: f"ghp_sandbox{secrets.token_hex(12)}")


def statuspage_token(world: World) -> str:
    return world.secret("statuspage_token")


def openai_api_key(world: World) -> str:
    return world.secret("openai_api_key", lambda: f"sk-sandbox-{secrets.token_hex(16)}")
