"""PagerDuty's API of events, which keeps what it was sent.

https://developer.pagerduty.com/docs/send-alert-event: 202, a status, a message and the key of the incident.
"""

import json

from ..web import Answered, Asked
from ..world import World

HOST = "events.pagerduty.com"
KEY = "pager-key-of-a-test"


class Pager:
    def __init__(self, world: World) -> None:
        self.open: set[str] = set()
        """The keys of the incidents that nobody has resolved."""
        self.opened: list[str] = []
        """The titles of all."""
        world.sites[HOST] = self.answer

    def answer(self, asked: Asked) -> Answered:
        event = json.loads(asked.body)
        key = event["dedup_key"]
        if event["event_action"] == "resolve":
            self.open.discard(key)
        elif key not in self.open:
            self.open.add(key)
            self.opened.append(event["payload"]["summary"])
        body = {"status": "success", "message": "Event processed", "dedup_key": key}
        return Answered(202, json.dumps(body).encode(), {"Content-Type": "application/json"})
