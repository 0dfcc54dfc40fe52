"""The same random calls to the sandbox's API, by the official client over HTTP, and to the simulated world.

`make same-calls MINUTES=10` tries for so long, and prints each answer that differs.
"""

import argparse
import json
import re
import secrets
import sys
import tempfile
import threading
import time
import traceback
import typing as t
from collections import Counter
from contextlib import contextmanager, suppress
from pathlib import Path

import urllib3
from kubernetes import client as official
from kubernetes.client.exceptions import ApiException
from kubernetes.dynamic import DynamicClient

from sandbox.kubernetes.errors import ApiError
from sandbox.kubernetes.store import Store
from tests.contract.random_calls import NAMESPACE, UID, Call, Calls
from tests.contract.servers import TOKEN, Served, Simulated

CALLS = 150
"""Of one sequence, upon a cluster of its own."""
LIVE, PAST = 4, 4
"""Watches that are opened before and after them."""
ARRIVED_WITHIN = 5.0
CRASHED = 599
USER_AGENT = "OpenAPI-Generator/simulation/python"
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
ADDRESS = re.compile(r"10\.\d+\.\d+\.\d+")
IDENTITY = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Answer(t.NamedTuple):
    status: int
    headers: t.Mapping[str, str]
    body: str


class Side(t.Protocol):
    store: Store

    def call(self, call: Call) -> Answer: ...

    def follow(self, call: Call) -> t.Callable[[int], list[str]]:
        """Open a watch; what is returned waits for so many lines, ends it, and gives them."""


def asked(session: t.Any, call: Call, store: Store) -> t.Any:
    """The open response, by what both sessions have in common."""
    body = call.body
    if UID in str(body):
        body = json.loads(json.dumps(body).replace(UID, _uid(store, *call.about)))
    return session.request(
        call.method,
        call.path,
        query_params=[*call.query],
        body=body,
        content_type=call.content_type,
        serialize=False,
        _request_timeout=(5.0, 30.0),
    )


def answered(session: t.Any, call: Call, store: Store) -> Answer:
    try:
        response = asked(session, call, store)
    except ApiException as exc:
        return Answer(
            exc.status, {"Retry-After": (exc.headers or {}).get("Retry-After", "")}, exc.body
        )
    data = b"".join(response.stream(None, decode_content=False))
    response.release_conn()
    return Answer(response.status, {"Retry-After": ""}, data.decode())


def _uid(store: Store, plural: str, name: str) -> str:
    with suppress(ApiError):
        return str(store.record(plural, NAMESPACE, name).body["metadata"]["uid"])
    return "nobody"


class ByHttp:
    def __init__(self, served: Served) -> None:
        self.store = served.store
        configuration = official.Configuration(host=served.url)
        configuration.api_key["authorization"] = f"Bearer {TOKEN}"
        client = official.ApiClient(configuration)
        client.user_agent = USER_AGENT
        self._session = DynamicClient(client, discoverer=lambda *_all: None)

    def call(self, call: Call) -> Answer:
        return answered(self._session, call, self.store)

    def follow(self, call: Call) -> t.Callable[[int], list[str]]:
        response = asked(self._session, call, self.store)
        lines: list[str] = []

        def read() -> None:
            rest = b""
            with suppress(urllib3.exceptions.HTTPError, OSError):
                for chunk in response.stream(None, decode_content=False):
                    *whole, rest = (rest + chunk).split(b"\n")
                    lines.extend(line.decode() for line in whole)

        thread = threading.Thread(target=read, daemon=True)
        thread.start()

        def ended(wanted: int) -> list[str]:
            give_up = time.monotonic() + ARRIVED_WITHIN
            while len(lines) < wanted and time.monotonic() < give_up:
                time.sleep(0.01)
            time.sleep(0.05)  # for those that should not come
            response.connection.sock.shutdown(2)
            thread.join(ARRIVED_WITHIN)
            return lines

        return ended


class InTheWorld:
    def __init__(self, simulated: Simulated) -> None:
        self._simulated = simulated
        self.store = simulated.store

    def call(self, call: Call) -> Answer:
        return self._simulated.during(lambda session: self._answered(session, call))

    def _answered(self, session: t.Any, call: Call) -> Answer:
        try:
            return answered(session, call, self.store)
        except Exception:
            # aiohttp answers so when the server stumbles; in the world nobody would.
            return Answer(CRASHED, {}, traceback.format_exc()[-700:])

    def follow(self, call: Call) -> t.Callable[[int], list[str]]:
        lines: list[str] = []

        def read(session: t.Any) -> None:
            for chunk in asked(session, call, self.store).stream(None, decode_content=False):
                lines.extend(line.decode() for line in chunk.splitlines())

        self._simulated.begin(read)

        def ended(_wanted: int) -> list[str]:
            self._simulated.pass_time(1.0)
            return lines

        return ended


def normalised(text: str | None) -> t.Any:
    """Without what each server chooses for itself, or what a second's end between two answers turns round."""
    told = ADDRESS.sub("ADDRESS", IDENTITY.sub("UID", TIME.sub("TIME", text or "")))
    try:
        return json.loads(told, object_hook=_in_order)
    except ValueError:
        return told


def _in_order(value: dict[str, t.Any]) -> dict[str, t.Any]:
    entries = value.get("managedFields")
    if isinstance(entries, list):
        value["managedFields"] = sorted(entries, key=json.dumps)
    return value


def differences(seed: int, http: Side, world: Side, tried: Counter[str]) -> list[str]:
    """What the two say differently of one sequence of calls; of each kind of answer, `tried` counts how many."""

    def version(plural: str, name: str) -> str:
        if not name:
            return world.store.version
        with suppress(ApiError):
            return str(
                world.store.record(plural, NAMESPACE, name).body["metadata"]["resourceVersion"]
            )
        return ""

    calls = Calls(seed, version)
    found: list[str] = []

    def compare(call: Call, one: Answer, other: Answer) -> None:
        tried[f"{call.method} {one.status}"] += 1
        if other.status == CRASHED:
            found.append(f"seed {seed}: {call}\n  HTTP:  {_short(one)}\n  world: {other.body}")
        elif (one.status, one.headers) != (other.status, other.headers):
            found.append(f"seed {seed}: {call}\n  HTTP:  {_short(one)}\n  world: {_short(other)}")
        elif (body := normalised(one.body)) != (theirs := normalised(other.body)):
            found.append(f"seed {seed}: {call}\n  HTTP:  {body!s:.600}\n  world: {theirs!s:.600}")

    live = [
        (call, http.follow(call), world.follow(call))
        for call in (calls.watch() for _n in range(LIVE))
    ]
    for _number in range(CALLS):
        call = calls.draw()
        compare(call, http.call(call), world.call(call))
    for call, of_http, of_world in live:
        theirs = [normalised(line) for line in of_world(0)]
        ours = [normalised(line) for line in of_http(len(theirs))]
        tried[f"events of a watch: {'some' if theirs else 'none'}"] += 1
        if ours != theirs:
            found.append(f"seed {seed}: {call}\n  HTTP:  {ours!s:.600}\n  world: {theirs!s:.600}")
    _compare_pasts([calls.watch_of_the_past() for _n in range(PAST)], http, world, compare)
    return found


def _compare_pasts(
    calls: t.Sequence[Call],
    http: Side,
    world: Side,
    compare: t.Callable[[Call, Answer, Answer], None],
) -> None:
    """Side by side, because each of them takes its second."""
    answers: dict[int, Answer] = {}
    threads = [
        threading.Thread(target=lambda at=at, call=call: answers.update({at: http.call(call)}))
        for at, call in enumerate(calls)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for at, call in enumerate(calls):
        compare(call, answers[at], world.call(call))


def _short(answer: Answer) -> str:
    return f"{answer.status} {dict(answer.headers)} {answer.body:.600}"


@contextmanager
def both() -> t.Iterator[tuple[Side, Side]]:
    """Two clusters in which nothing has happened yet."""
    with (
        tempfile.TemporaryDirectory() as folder,
        Served.running(Path(folder) / "faults.json") as served,
    ):
        yield ByHttp(served), InTheWorld(Simulated(USER_AGENT))


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.contract.same_calls", description=__doc__
    )
    parser.add_argument("--seed", type=int, help="begin with it; without: a fresh one")
    parser.add_argument("--seconds", type=float, default=600.0)
    args = parser.parse_args()
    seed = args.seed if args.seed is not None else secrets.randbelow(10**9)
    began, tried, found = time.monotonic(), Counter[str](), 0
    print(f"seeds from {seed}")
    while time.monotonic() - began < args.seconds:
        with both() as (http, world):
            differ = differences(seed, http, world, tried)
        found += len(differ)
        print("".join(f"{one}\n" for one in differ), end="", flush=True)
        seed += 1
    print(f"{tried.total()} calls, {found} of them answered differently")
    for what, count in sorted(tried.items()):
        print(f"{count:7} {what}")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
