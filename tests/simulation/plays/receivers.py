"""Whom a release tells: PagerDuty, Slack, a status page and a dashboard's banner. Each keeps what it was sent.

- https://developer.pagerduty.com/docs/send-alert-event: 202, a status, a message and the key of the incident.
- https://docs.slack.dev/reference/methods/chat.postMessage: `ok`, the channel's id, and `ts`, which names the message.
- https://docs.slack.dev/reference/methods/conversations.list: the channels, and whether the app is in each.
- https://developer.statuspage.io/#tag/incidents: incidents and maintenances, listed by what is still open of them.
"""

from __future__ import annotations

import json
import typing as t

from ..web import Answered, Asked, json_answer
from ..world import World

PAGER, SLACK, STATUS_PAGE = "events.pagerduty.com", "slack.com", "status.example.com"
DASHBOARD = "api.example.com"
TOKEN = "token-of-a-test"
VARIABLES = {
    "secret_pagerduty_routing_key": TOKEN,
    "slack_channel": "release",
    "secret_slack_bot_token": TOKEN,
    "statuspage_url": f"https://{STATUS_PAGE}/v1",
    "statuspage_page_id": "shop",
    "secret_statuspage_token": TOKEN,
    "api_url": f"https://{DASHBOARD}",
    "secret_admin_token": TOKEN,
    "release_banner": {"enabled": True, "message": "We upgrade."},
}
"""Of an inventory that has them all."""
OPEN = {
    "unresolved": ("investigating", "identified", "monitoring"),
    "active_maintenance": ("in_progress", "verifying"),
    "scheduled": ("scheduled",),
}
"""States of a status page's incidents, by where they are listed."""


class Receivers:
    def __init__(self, world: World) -> None:
        self.paged: set[str] = set()
        """The keys of PagerDuty's incidents that nobody has resolved."""
        self.pages: list[str] = []
        """The titles of all."""
        self.posts: list[str] = []
        """Slack's, with each edit."""
        self.incidents: dict[str, dict[str, t.Any]] = {}
        """Of the status page, by their id."""
        self.updates: list[str] = []
        """What it said, each state with its text."""
        self.banner: t.Any = None
        world.sites |= {PAGER: self._page, SLACK: self._post}
        world.sites |= {STATUS_PAGE: self._publish, DASHBOARD: self._show}

    def _page(self, asked: Asked) -> Answered:
        event = json.loads(asked.body)
        key = event["dedup_key"]
        if event["event_action"] == "resolve":
            self.paged.discard(key)
        elif key not in self.paged:
            self.paged.add(key)
            page = event["payload"]
            where = page["custom_details"]
            self.pages.append(
                f"{page['severity']}, {where.get('host')}, {where.get('task')}: {page['summary']}"
            )
        return json_answer(
            {"status": "success", "message": "Event processed", "dedup_key": key}, 202
        )

    def _post(self, asked: Asked) -> Answered:
        method = asked.path.rpartition("/")[2]
        if method == "conversations.list":
            listed = {"id": "C0RELEASE", "name": VARIABLES["slack_channel"], "is_member": True}
            return json_answer({"ok": True, "channels": [listed]})
        if method in ("chat.postMessage", "chat.update"):
            self.posts.append(json.loads(asked.body)["text"])
        return json_answer({"ok": True, "channel": "C0RELEASE", "ts": f"{len(self.posts)}.0"})

    def _publish(self, asked: Asked) -> Answered:
        last = asked.path.rpartition("/")[2]
        if asked.method == "GET":
            return json_answer(
                [known for known in self.incidents.values() if known["status"] in OPEN[last]]
            )
        wanted = json.loads(asked.body)["incident"]
        number = last if asked.method == "PATCH" else f"i{len(self.incidents)}"
        self.updates.append(f"{wanted['name']}: {wanted['status']}: {wanted['body']}")
        updates = [{"status": wanted["status"], "body": wanted["body"]}]
        self.incidents[number] = {**wanted, "id": number, "incident_updates": updates}
        return json_answer(self.incidents[number], 200 if asked.method == "PATCH" else 201)

    def _show(self, asked: Asked) -> Answered:
        if asked.path != "/admin/banner":
            return Answered(404, b"")
        if asked.method != "GET":
            self.banner = json.loads(asked.body) if asked.method == "POST" else None
        return json_answer({"banner": self.banner})
