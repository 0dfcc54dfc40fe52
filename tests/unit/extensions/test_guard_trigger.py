"""What the event source answers, and how often it makes it look. That ansible-rulebook heeds it is told by a story."""

import asyncio
import json
import runpy
import typing as t
from pathlib import Path

import pytest
import yaml
from aiohttp.test_utils import TestClient, TestServer
from ansible_rulebook.validators import Validate

from tests import virtual_time

ROOT = Path(__file__).parents[3]
SOURCE = runpy.run_path(str(ROOT / "extensions/eda/plugins/event_source/guard_trigger.py"))
TOKEN = "a-token-of-the-guard_trigger"
MESSAGE = {"version": "4", "status": "firing", "alerts": [{"labels": {"alertname": "Broken"}}]}

Answer = tuple[int, bool]
"""The status, and whether somebody is told to look."""


def answers(
    body: t.Any = MESSAGE, *, token: str = TOKEN, scheme: str = "Bearer", **options: t.Any
) -> Answer:
    async def ask() -> Answer:
        posted = asyncio.Event()
        read = SOURCE["Options"].read({"token": TOKEN, **options})
        async with TestClient(TestServer(SOURCE["application"](read, posted))) as client:
            sent = body if isinstance(body, bytes) else json.dumps(body).encode()
            headers = {"Authorization": f"{scheme} {token}"} if token else {}
            answer = await client.post("/alerts", data=sent, headers=headers)
            return answer.status, posted.is_set()

    return asyncio.run(ask())


def test_alertmanager_with_the_token_makes_it_look():
    assert answers() == (202, True)


@pytest.mark.parametrize("token", ["", "wrong", TOKEN[:-1], f"{TOKEN}x", TOKEN.upper()])
def test_nobody_without_the_token_does(token):
    assert answers(token=token) == (401, False)
    assert answers(scheme="Basic") == (401, False)


@pytest.mark.parametrize(
    "body",
    [b"", b"\xff\xfe", b"{", b"[]", b"null", b"1", b"[" * 200_000, {}, {"alerts": 1}, b"NaN"],
    ids=repr,
)
def test_rubbish_is_no_reason_to_look(body):
    assert answers(body) == (400, False)


def test_a_body_that_is_too_long_is_not_read():
    assert answers({**MESSAGE, "more": "x" * 1000}, max_bytes=500) == (413, False)


def test_a_token_that_was_replaced_needs_no_restart(tmp_path):
    path = tmp_path / "token"
    path.write_text(f"{TOKEN}\n")
    read = SOURCE["Options"].read({"token_file": str(path)})
    assert read.token() == TOKEN.encode()
    path.write_text("another-token-of-the-guard_trigger")
    assert read.token() == b"another-token-of-the-guard_trigger"


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ({}, "give token_file, or token"),
        ({"token": TOKEN, "token_file": "/x"}, "give token_file, or token"),
        ({"token": "short"}, "fewer than 16"),
        ({"token": TOKEN, "certfile": "a.pem"}, "come together"),
        ({"token": TOKEN, "every": 0}, "above 0"),
        ({"token": TOKEN, "toke": "x"}, "no option toke"),
        ({"token": TOKEN, "port": "http"}, "invalid literal"),
    ],
)
def test_bad_options_are_refused(args, said):
    with pytest.raises(ValueError, match=said):
        SOURCE["Options"].read(args)


class Looks:
    """A queue whose reader takes `lasts` seconds to look, as ansible-rulebook does it: in a task of that name."""

    def __init__(self, lasts: float) -> None:
        self.why: list[str] = []
        self.at_once = 0
        self._lasts = lasts
        self._running = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def put(self, event: dict[str, str]) -> None:
        assert list(event) == ["look"]
        task = asyncio.create_task(
            self._look(event["look"]), name="action::run_playbook::Guard::Look"
        )
        self._tasks.add(task)

    async def _look(self, why: str) -> None:
        self.why.append(why)
        self._running += 1
        self.at_once = max(self.at_once, self._running)
        await asyncio.sleep(self._lasts)
        self._running -= 1


def ringing(lasts: float, posts: t.Sequence[float], seconds: float, **options: t.Any) -> Looks:
    """What came of posts at these times."""

    async def run() -> Looks:
        looks, posted = Looks(lasts), asyncio.Event()
        read = SOURCE["Options"].read({"token": TOKEN, **options})
        task = asyncio.create_task(SOURCE["trigger"](looks, posted, read))
        passed = 0.0
        for at in posts:
            await asyncio.sleep(at - passed)
            passed = at
            posted.set()
        await asyncio.sleep(seconds - passed)
        task.cancel()
        return looks

    return virtual_time.run(run())


def test_it_looks_when_it_is_started_and_then_every_so_often():
    assert ringing(0.01, [], 1.0, every=0.4).why == ["start", "time", "time"]


def test_posts_during_a_look_have_one_more():
    looks = ringing(0.5, [0.1, 0.2, 0.3, 0.4], 2.0, pause=0)
    assert looks.why == ["start", "alert"]
    assert looks.at_once == 1


def test_posts_without_end_have_no_more_looks_than_the_pause_allows():
    looks = ringing(0.01, [n / 20 for n in range(30)], 1.9, pause=0.8)
    assert looks.why == ["start", "alert", "alert", "alert"]


def test_a_look_that_takes_longer_than_a_minute_delays_the_next_one():
    looks = ringing(0.5, [], 1.4, every=0.2)
    assert looks.at_once == 1
    assert looks.why == ["start", "time", "time"]


def test_the_rulebook_is_one_and_hands_nothing_of_an_event_on():
    text = (ROOT / "extensions/eda/rulebooks/guard.yml").read_text("utf-8")
    [rules] = rulebook = yaml.safe_load(text)
    Validate.rulebook(rulebook)
    [rule] = rules["rules"]
    assert rule["action"] == {"run_playbook": {"name": "easymo.deploy.guard"}}
    [source] = rules["sources"]
    given = {*source["easymo.deploy.guard_trigger"]}
    assert given - {"token_file"} <= {*SOURCE["Options"].__dataclass_fields__}
