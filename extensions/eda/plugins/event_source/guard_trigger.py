# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""An event source for ansible-rulebook that tells when to look, and never what somebody says is to be seen there."""

from __future__ import annotations

DOCUMENTATION = r"""
short_description: Trigger a look when Alertmanager posts, and every minute
version_added: 0.3.0
description:
  - Takes Alertmanager's webhook. Whatever is posted is a reason to look, never evidence, so that nothing of it reaches
    a rule. An event is C(look) with why, V(start), V(alert) or V(time), in this plugin's own words.
  - While the action of a rule runs, no event comes. However many are posted meanwhile, one follows.
  - A post needs the token as C(Authorization) C(Bearer). Alertmanager sends it by C(http_config.authorization).
  - Answers 202 to what Alertmanager posts, 401 to a wrong token, 400 to what is none of its messages, 413 to more
    than O(max_bytes), 408 to a body that does not come within 10 seconds.
options:
  host:
    description: The address to listen at.
    type: str
    default: 127.0.0.1
  port:
    description: The port to listen at.
    type: int
    default: 5001
  token_file:
    description:
      - A file with the token, of 16 characters or more. It is read at each post, so that a new token needs no restart.
    type: str
  token:
    description: The token itself, where a credential of EDA's controller brings it. Either this or O(token_file).
    type: str
  certfile:
    description: A file with the server's certificate and those between, as PEM. Without it, this listens without TLS.
    type: str
  keyfile:
    description: A file with its key.
    type: str
  every:
    description: Seconds after which to look although nobody posted.
    type: float
    default: 60
  pause:
    description: Seconds at least from one look for a post to the next one for a post.
    type: float
    default: 10
  max_bytes:
    description: The longest body that is read.
    type: int
    default: 1048576
"""

EXAMPLES = r"""
- easymo.deploy.guard_trigger:
    host: 0.0.0.0
    token_file: /run/secrets/guard-token
    certfile: /etc/guard/tls.crt
    keyfile: /etc/guard/tls.key
"""

import asyncio
import hmac
import json
import logging
import re
import ssl
import typing as t
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

logger = logging.getLogger(__name__)

START, ALERT, TIME = "start", "alert", "time"
_SHORTEST_TOKEN = 16
_BODY_WITHIN = 10.0
_BEGINS_WITHIN = 5.0
_GLANCE = 0.05
_KINDS: dict[str, type] = {
    **dict.fromkeys(("host", "certfile", "keyfile"), str),
    **dict.fromkeys(("port", "max_bytes"), int),
    **dict.fromkeys(("every", "pause"), float),
}
_DEEPEST = 50
_BRACKET = re.compile(rb"[\[\]{}]")


@dataclass(frozen=True)
class Options:
    """As they are documented; ValueError for those that cannot be."""

    token: t.Callable[[], bytes]
    host: str = "127.0.0.1"
    port: int = 5001
    certfile: str = ""
    keyfile: str = ""
    every: float = 60.0
    pause: float = 10.0
    max_bytes: int = 1 << 20

    @classmethod
    def read(cls, args: t.Mapping[str, t.Any]) -> Options:
        # What a rulebook leaves to a variable that is not set comes as an empty text.
        given = {name: value for name, value in args.items() if value not in (None, "")}
        unknown = sorted(set(given) - {*cls.__dataclass_fields__, "token_file"})
        if unknown:
            raise ValueError(f"guard_trigger: there is no option {', '.join(unknown)}.")
        if ("token" in given) == ("token_file" in given):
            raise ValueError(
                "guard_trigger: give token_file, or token: without one anybody could trigger a look."
            )
        if ("certfile" in given) != ("keyfile" in given):
            raise ValueError("guard_trigger: certfile and keyfile come together.")
        made: dict[str, t.Any] = {
            name: kind(given[name]) for name, kind in _KINDS.items() if name in given
        }
        options = cls(token=_token_of(given), **made)
        if options.every <= 0 or options.pause < 0 or options.max_bytes <= 0:
            raise ValueError(
                "guard_trigger: every and max_bytes must be above 0, and pause must not be below."
            )
        if len(options.token()) < _SHORTEST_TOKEN:
            raise ValueError(
                f"guard_trigger: the token has fewer than {_SHORTEST_TOKEN} characters."
            )
        return options

    def tls(self) -> ssl.SSLContext | None:
        if not self.certfile:
            return None
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.certfile, self.keyfile)
        return context


def _token_of(given: t.Mapping[str, t.Any]) -> t.Callable[[], bytes]:
    if "token" in given:
        return str(given["token"]).encode
    path = Path(given["token_file"])
    return lambda: path.read_bytes().strip()


async def main(queue: asyncio.Queue[dict[str, str]], args: dict[str, t.Any]) -> None:
    options = Options.read(args)
    posted = asyncio.Event()
    runner = web.AppRunner(application(options, posted), access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, options.host, options.port, ssl_context=options.tls())
        await site.start()
        await trigger(queue, posted, options)
    finally:
        await runner.cleanup()


def application(options: Options, posted: asyncio.Event) -> web.Application:
    """Sets `posted` for each message of Alertmanager's."""

    async def post(request: web.Request) -> web.Response:
        if not _authorized(request, options):
            logger.warning(
                "guard_trigger: a post from %s without the token was refused.", request.remote
            )
            raise web.HTTPUnauthorized(
                text="Send the token as 'Authorization: Bearer'.\n",
                headers={"WWW-Authenticate": "Bearer"},
            )
        try:
            body = await asyncio.wait_for(request.read(), _BODY_WITHIN)
        except TimeoutError:
            raise web.HTTPRequestTimeout(text="The body did not come in time.\n") from None
        if not _of_alertmanager(body):
            logger.warning(
                "guard_trigger: a post from %s is no message of Alertmanager's.", request.remote
            )
            raise web.HTTPBadRequest(text="This is no message of Alertmanager's.\n")
        posted.set()
        return web.Response(status=202, text="A look follows.\n")

    made = web.Application(client_max_size=options.max_bytes)
    made.router.add_post("/alerts", post)
    return made


def _authorized(request: web.Request, options: Options) -> bool:
    scheme, _blank, token = request.headers.get("Authorization", "").partition(" ")
    try:
        wanted = options.token()
    except OSError as exc:
        logger.error("guard_trigger: the token cannot be read, so nobody is let in: %s.", exc)
        return False
    same = hmac.compare_digest(token.strip().encode("utf-8", "surrogateescape"), wanted)
    return scheme.lower() == "bearer" and len(wanted) >= _SHORTEST_TOKEN and same


def _of_alertmanager(body: bytes) -> bool:
    try:
        message = None if _deep(body) else json.loads(body)
    except ValueError:
        return False
    return isinstance(message, dict) and isinstance(message.get("alerts"), list)


def _deep(body: bytes) -> bool:
    """Beside the Java machine there is little stack: Python's parser would end the process before it sees that."""
    depth = 0
    for found in _BRACKET.finditer(body):
        depth += 1 if found.group() in b"[{" else -1
        if depth > _DEEPEST:
            return True
    return False


async def trigger(
    queue: asyncio.Queue[dict[str, str]], posted: asyncio.Event, options: Options
) -> None:
    """One event at a time. What is posted from its moment on asks for another one."""
    clock = asyncio.get_running_loop().time
    why, next_for_post = START, 0.0
    while True:
        posted.clear()
        began = clock()
        if why == ALERT:
            next_for_post = began + options.pause
        logger.info("guard_trigger: a look, for %s.", why)
        await queue.put({"look": why})
        await _look_is_over()
        why = await _next(posted, began + options.every, next_for_post, clock)


async def _next(
    posted: asyncio.Event, due: float, next_for_post: float, clock: t.Callable[[], float]
) -> str:
    try:
        await asyncio.wait_for(posted.wait(), max(0.0, due - clock()))
    except TimeoutError:
        return TIME
    await asyncio.sleep(max(0.0, next_for_post - clock()))
    return ALERT


async def _look_is_over() -> None:
    """ansible-rulebook queues an action for each event, and tells no source when one ends. But it names their tasks."""
    clock = asyncio.get_running_loop().time
    begins_until = clock() + _BEGINS_WITHIN
    while not _looking() and clock() < begins_until:
        await asyncio.sleep(_GLANCE)
    while _looking():
        await asyncio.sleep(_GLANCE)


def _looking() -> bool:
    return any(one.get_name().startswith("action::") for one in asyncio.all_tasks())
