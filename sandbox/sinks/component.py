# SPDX-License-Identifier: GPL-3.0-or-later
"""The sinks as a component of the sandbox: how to start them and where they are reached."""

from __future__ import annotations

import json
import secrets
import typing as t
import urllib.request

from sandbox import application
from sandbox.component import Component, responds
from sandbox.names import RELEASE_VERSION
from sandbox.sinks import incidents
from sandbox.world import Facts, World

ON_CALL = "on-call-engineer"
MANAGER = "engineering-manager"
CI_STATUSES = {"ci/lint": "Style and types", "ci/unit": "84 unit tests"}
"""What a commit passed before it was tagged, as another system reports it: context to description."""
CI_CHECK_RUNS = {"ci/build": "success", "ci/security": "success", "docs": "skipped"}
"""The same as GitHub Actions does: name to conclusion."""
SINKS = ("slack", "pagerduty", "github", "statuspage", "openai")


class Sinks(Component):
    name = "sinks"
    program = "sandbox.sinks.server"
    ports = ("sinks",)
    faults: t.Mapping[str, str] = {
        "rate-limited": "All but one request in seconds=1 are answered 429 with Retry-After.",
        "errors": "Every request is answered 500.",
        "hangs": "Every request is answered only after seconds=60.",
        "token-revoked": "The token is no longer valid.",
        "channel-missing": "Slack has none of its channels any more, or not the target.",
        "not-in-channel": "The bot is in no Slack channel any more, or not in the target.",
        "nobody-on-call": "PagerDuty has nobody on call.",
    }

    def prepare(self, world: World) -> None:
        world.folder("sinks")
        commit = application.prepare(world)
        application.write(application.folder(world) / "staging-results", RELEASE_VERSION, commit)

    def ready(self, world: World) -> bool:
        return responds(f"{world.url('sinks')}/api/messages.json")

    def settle(self, world: World) -> None:
        """Channels, people and components are there from the start; CI has passed the release's commit."""
        if commit := application.prepare(world):
            report_ci(world, commit)

    def facts(self, world: World) -> Facts:
        base = world.url("sinks")
        return {
            **tokens(world),
            "url": f"{base}/",
            "slack_api_url": f"{base}/slack/api/",
            "slack_webhook_url": webhook_url(world, "v2-deployment"),
            "pagerduty_url": f"{base}/pagerduty",
            "pagerduty_api_url": f"{base}/pagerduty",
            "pagerduty_schedule": incidents.SCHEDULE,
            "pagerduty_routing_key": routing_key(world, ON_CALL),
            "github_api_url": f"{base}/github",
            "github_repository": application.REPOSITORY,
            "checkouts": str(application.folder(world)),
            "commit": application.prepare(world),
            "staging_results": str(application.folder(world) / "staging-results"),
            "statuspage_url": f"{base}/statuspage/v1",
            "statuspage_page_id": incidents.PAGE_ID,
            "openai_url": f"{base}/openai",
        }


COMPONENT = Sinks()


def report_ci(world: World, commit: str) -> None:
    """Unless it was reported before."""
    url = f"{world.url('sinks')}/github/repos/{application.REPOSITORY}"
    if _github(world, f"{url}/commits/{commit}/status")["statuses"]:
        return
    for context, description in CI_STATUSES.items():
        status = {"state": "success", "context": context, "description": description}
        _github(world, f"{url}/statuses/{commit}", status)
    for name, conclusion in CI_CHECK_RUNS.items():
        run = {"name": name, "head_sha": commit, "conclusion": conclusion}
        _github(world, f"{url}/check-runs", run)


def _github(world: World, url: str, body: Facts | None = None) -> Facts:
    request = urllib.request.Request(  # noqa: S310 - our own http URL
        url,
        data=json.dumps(body).encode() if body else None,
        headers={"Authorization": f"Bearer {tokens(world)['github_token']}"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
        return t.cast("Facts", json.load(answer))


_TOKENS: t.Mapping[str, t.Callable[[], str]] = {
    "slack_bot_token": lambda: f"xoxb-sandbox-{secrets.token_hex(16)}",
    "pagerduty_token": lambda: f"u+sandbox{secrets.token_hex(6)}",
    "github_token": lambda: f"ghp_sandbox{secrets.token_hex(12)}",
    "statuspage_token": lambda: secrets.token_hex(20),
    "openai_api_key": lambda: f"sk-sandbox-{secrets.token_hex(16)}",
}


def tokens(world: World) -> dict[str, str]:
    return {name: world.secret(name, make) for name, make in _TOKENS.items()}


def webhooks(world: World) -> dict[str, str]:
    """By channel the secret part of its incoming webhook's URL."""
    return {
        channel: world.secret(name, lambda: f"T0EASYMO1/B0DEPLOY1/{secrets.token_hex(12)}")
        for channel, name in (
            ("v2-deployment", "slack_webhook"),
            ("engineering-alerts", "slack_alerts_webhook"),
        )
    }


def webhook_url(world: World, channel: str) -> str:
    return f"{world.url('sinks')}/slack/webhook/{webhooks(world)[channel]}"


def services(world: World) -> dict[str, str]:
    return {routing_key(world, who): who for who in (ON_CALL, MANAGER)}


def routing_key(world: World, who: str) -> str:
    name = "pagerduty_routing_key" if who == ON_CALL else f"pagerduty_routing_key {who}"
    return world.secret(name, lambda: secrets.token_hex(16))
