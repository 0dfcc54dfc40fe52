# SPDX-License-Identifier: GPL-3.0-or-later
"""The sinks over HTTP: tokens, faults and routes. `python -m sandbox.sinks.server <state folder>`."""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
import sys
import time
import typing as t
from pathlib import Path

from aiohttp import web

from sandbox import application
from sandbox.faults import Faults
from sandbox.sinks import component, github, incidents
from sandbox.sinks.page import render
from sandbox.sinks.slack import Slack
from sandbox.sinks.store import Mailbox, Store
from sandbox.world import World

Handler = t.Callable[[web.Request], t.Awaitable[web.StreamResponse]]
POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'nonce-{nonce}'; "
    "connect-src 'self'; img-src data:; frame-src 'self'; base-uri 'none'; form-action 'none'"
)

WEBHOOK_STATUS = {"ok": 200, "channel_not_found": 404, "channel_is_archived": 410}


class Server:
    """Binds the sinks to routes under one port."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._faults = Faults(world.faults_file)
        self.store = Store(world.folder("sinks") / "received.jsonl")
        self.mailbox = Mailbox(world.run / "smtp" / "mails")
        self.slack = Slack(self.store, self._wrong)
        incidents.seed(self.store)
        self._tokens = component.tokens(world)
        self._webhooks = component.webhooks(world)
        self._services = component.services(world)
        self._let_through: dict[str, float] = {}
        self.requests: dict[str, int] = {}
        """How many requests each sink answered with which status, for example `slack 429`."""

    def app(self) -> web.Application:
        app = web.Application(middlewares=[self._apply_faults], client_max_size=4 * 1024 * 1024)
        app.add_routes(
            [
                web.get("/", self._page),
                web.get("/api/messages.json", self._messages),
                web.route("*", "/slack/api/{method}", self._slack),
                web.post("/slack/webhook/{secret:.+}", self._webhook),
                web.post("/pagerduty/v2/enqueue", self._pagerduty),
                web.get("/pagerduty/oncalls", self._on_call),
                web.post("/github/repos/{owner}/{repo}/statuses/{sha}", self._github),
                web.get("/github/repos/{owner}/{repo}/commits/{sha}/status", self._github),
                web.post("/github/repos/{owner}/{repo}/check-runs", self._github),
                web.get("/github/repos/{owner}/{repo}/commits/{sha}/check-runs", self._github),
                web.route("*", "/statuspage/v1/pages/{page}/{what:.+}", self._statuspage),
                web.get("/openai/v1/models", self._openai),
            ]
        )
        return app

    @web.middleware
    async def _apply_faults(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Faults come before the sink, as a proxy or an outage would."""
        sink = request.path.split("/")[1]
        if sink not in component.SINKS:
            return await handler(request)
        answer = await self._fault(sink) or await handler(request)
        count = f"{sink} {answer.status}"
        self.requests[count] = self.requests.get(count, 0) + 1
        return answer

    async def _fault(self, sink: str) -> web.Response | None:
        if fault := self._faults.active("sinks", "hangs", sink):
            await asyncio.sleep(fault.number("seconds", 60))
        if self._faults.active("sinks", "errors", sink):
            return web.Response(status=500, text="Internal Server Error")
        if fault := self._faults.active("sinks", "rate-limited", sink):
            every, now = fault.number("seconds", 1), time.monotonic()
            if now < self._let_through.get(sink, 0.0):
                body = {"ok": False, "error": "ratelimited"}
                return web.json_response(
                    body, status=429, headers={"Retry-After": str(round(every) or 1)}
                )
            self._let_through[sink] = now + every
        return None

    def _authorised(
        self, sink: str, request: web.Request, *, schemes: tuple[str, ...], before: str = ""
    ) -> bool:
        scheme, _, token = request.headers.get("Authorization", "").partition(f" {before}")
        return (
            scheme.lower() in schemes
            and secrets.compare_digest(token.encode(), self._tokens[f"{sink}_token"].encode())
            and not self._revoked(sink)
        )

    def _revoked(self, sink: str) -> bool:
        return self._faults.active("sinks", "token-revoked", sink) is not None

    async def _slack(self, request: web.Request) -> web.Response:
        args = await arguments(request)
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        given = token if scheme.lower() == "bearer" else str(args.pop("token", ""))
        if not given:
            return web.json_response({"ok": False, "error": "not_authed"})
        if not secrets.compare_digest(given.encode(), self._tokens["slack_bot_token"].encode()):
            return web.json_response({"ok": False, "error": "invalid_auth"})
        if self._revoked("slack"):
            return web.json_response({"ok": False, "error": "token_revoked"})
        return web.json_response(self.slack.call(request.match_info["method"], args))

    def _wrong(self, fault: str, channel: str) -> bool:
        return self._faults.active("sinks", fault, channel) is not None

    async def _webhook(self, request: web.Request) -> web.Response:
        given = request.match_info["secret"].encode()
        for channel, secret in self._webhooks.items():
            if secrets.compare_digest(given, secret.encode()) and not self._revoked("slack"):
                answer = self.slack.webhook(channel, await arguments(request))
                return web.Response(status=WEBHOOK_STATUS.get(answer, 400), text=answer)
        return web.Response(status=404, text="no_service")

    async def _pagerduty(self, request: web.Request) -> web.Response:
        status, body = incidents.enqueue(self.store, self._services, await body_of(request))
        return web.json_response(body, status=status)

    async def _on_call(self, request: web.Request) -> web.Response:
        if not self._authorised("pagerduty", request, schemes=("token",), before="token="):
            return web.Response(status=401, text="Unauthorized")
        absent = self._faults.active("sinks", "nobody-on-call") is not None
        status, body = incidents.on_calls(request.query, self.store.moment(), absent=absent)
        return web.json_response(body, status=status)

    async def _github(self, request: web.Request) -> web.Response:
        if not self._authorised("github", request, schemes=("bearer", "token")):
            return web.json_response({"message": "Bad credentials"}, status=401)
        parts = request.match_info
        repository = f"{parts['owner']}/{parts['repo']}"
        if repository != application.REPOSITORY:
            # "Resource not found", also where it may not be read: https://docs.github.com/en/rest/commits/statuses.
            return web.json_response({"message": "Not Found", "status": "404"}, status=404)
        checks = request.path.endswith("/check-runs")
        if request.method == "GET":
            read = github.listed if checks else github.combined
            status, body = read(self.store, repository, parts["sha"], request.query)
        elif checks:
            status, body = github.create_run(self.store, repository, await body_of(request))
        else:
            sent = await body_of(request)
            status, body = github.create_status(self.store, repository, parts["sha"], sent)
        return web.json_response(body, status=status)

    async def _statuspage(self, request: web.Request) -> web.Response:
        if not self._authorised("statuspage", request, schemes=("oauth", "bearer")):
            return web.json_response({"error": "Could not authenticate"}, status=401)
        sent = await body_of(request)
        what = request.match_info["what"]
        if request.match_info["page"] != incidents.PAGE_ID:
            return web.json_response({"error": "Not found"}, status=404)
        status, body = statuspage_answer(self.store, request.method, what, sent)
        return web.json_response(body, status=status)

    async def _openai(self, request: web.Request) -> web.Response:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token or self._revoked("openai"):
            error = {"message": "Incorrect API key provided.", "type": "invalid_request_error",
                     "param": None, "code": "invalid_api_key"}  # fmt: skip
            return web.json_response({"error": error}, status=401)
        model = {"id": "gpt-4o", "object": "model", "created": 1715367049, "owned_by": "system"}
        return web.json_response({"object": "list", "data": [model]})

    async def _messages(self, _request: web.Request) -> web.Response:
        slack = {
            channel["name"]: self.slack.messages(channel["id"]) for channel in self.slack.channels()
        }
        return web.json_response(
            {
                "slack": slack,
                "mail": self.mailbox.mails(),
                "pagerduty": self.store.all("pagerduty"),
                "github": self.store.all("github"),
                "statuspage": {
                    "incidents": self.store.all("statuspage"),
                    "components": self.store.all("statuspage_components"),
                },
                "requests": self.requests,
            }
        )

    async def _page(self, request: web.Request) -> web.Response:
        nonce = secrets.token_urlsafe(16)
        text = render(self.store, self.slack, self.mailbox.mails(), request.query, nonce)
        headers = {
            "Content-Security-Policy": POLICY.format(nonce=nonce),
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            "Cache-Control": "no-store",
        }
        return web.Response(text=text, content_type="text/html", headers=headers)


def statuspage_answer(store: Store, method: str, what: str, sent: object) -> tuple[int, t.Any]:
    kind, _, name = what.partition("/")
    match method, kind, name:
        case "GET", "incidents", "":
            return incidents.incidents(store)
        case "GET", "incidents", _ if name in incidents.LISTS:
            return incidents.incidents(store, name)
        case "POST", "incidents", "":
            return incidents.create_incident(store, sent)
        case (("PATCH" | "PUT"), "incidents", _):
            return incidents.update_incident(store, name, sent)
        case "GET", "components", "":
            return incidents.components(store)
        case (("PATCH" | "PUT"), "components", _):
            return incidents.update_component(store, name, sent)
    return 404, {"error": "Not found"}


async def arguments(request: web.Request) -> dict[str, t.Any]:
    """What a Slack call was given: JSON body, form or query, as Slack accepts all three."""
    given: dict[str, t.Any] = dict(request.query)
    if request.content_type == "application/json":
        sent = await body_of(request)
        return given | (sent if isinstance(sent, dict) else {})
    form = await request.post()
    if "payload" in form:
        sent = json.loads(str(form["payload"]))
        return given | (sent if isinstance(sent, dict) else {})
    return given | {name: value for name, value in form.items() if isinstance(value, str)}


async def body_of(request: web.Request) -> object:
    try:
        return json.loads(await request.read() or b"null")
    except ValueError:
        return None


def main() -> None:
    logging.basicConfig(level=logging.WARNING)
    world = World(Path(sys.argv[1]))
    app = Server(world).app()
    # A hanging request must not hold up the end.
    web.run_app(
        app,
        host="127.0.0.1",
        port=world.port("sinks"),
        print=None,
        access_log=None,
        shutdown_timeout=0.1,
    )


if __name__ == "__main__":
    main()
