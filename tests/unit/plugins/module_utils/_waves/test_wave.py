"""Several rollouts in one task: each to its own end, each with its own options, none in another's way."""

import threading
import time
import typing as t
from contextlib import contextmanager

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._checks.models import Check
from ansible_collections.easymo.deploy.plugins.module_utils._errors import ConflictError, InputError
from ansible_collections.easymo.deploy.plugins.module_utils._module import fragment_spec
from ansible_collections.easymo.deploy.plugins.module_utils._rollout.overlap import Overlap
from ansible_collections.easymo.deploy.plugins.module_utils._waves.wave import (
    answers,
    checks_by_host,
    options_of,
    plan_waves,
    roll_waves,
    rollouts_of,
)
from tests.fakes.http_server import Handler, serving


def roll_all(
    wave: t.Any,
    rollouts: dict[str, dict[str, t.Any]],
    *steps: t.Callable[[t.Any], dict[str, t.Any]],
) -> dict[str, dict[str, t.Any]]:
    """As one wave, whose number says nothing."""
    done = roll_waves(wave, Overlap([[*rollouts]]), rollouts, *steps)
    assert all(result.pop("wave") == 1 for result in done.values())
    return done


class Wave:
    def __init__(self) -> None:
        self.params: dict[str, t.Any] = {}
        self.check_mode = True
        self._diff = True
        self.messages: list[tuple[str, str]] = []
        self.reported: list[tuple[str, str, dict[str, t.Any]]] = []

    def warn(self, warning: str) -> None:
        raise AssertionError(f"a service's warning is the wave's: {warning}")

    def progress(self, event: str, text: str, data: dict[str, t.Any]) -> None:
        self.reported.append((event, text, data))

    def progress_of(self, host: str, event: str, text: str, data: dict[str, t.Any]) -> None:
        self.messages.append((host, text))


def service(name: str, **more: t.Any) -> dict[str, t.Any]:
    empty = {"host": None, "container": None, "log_line": None}
    return {"name": name, "image": f"{name}:v2", **empty, **more}


def test_all_of_them_roll_at_once_however_many():
    together = threading.Barrier(60, timeout=30)

    def roll(_module: t.Any) -> dict[str, t.Any]:
        together.wait()  # breaks when one has to wait for another to end
        return {"changed": True}

    done = roll_all(Wave(), {f"service-{number}": {} for number in range(60)}, roll)
    assert all(result == {"changed": True, "failed": False} for result in done.values())


def test_what_becomes_of_one_changes_nothing_for_the_others():
    def roll(module: t.Any) -> dict[str, t.Any]:
        if module.params["name"] == "failing":
            raise ConflictError("it was changed", result="superseded")
        if module.params["name"] == "broken":
            raise KeyError("whoops")
        return {"changed": True, "result": "succeeded"}

    names = ("fine", "failing", "broken")
    done = roll_all(Wave(), {name: {"name": name} for name in names}, roll)
    assert list(done) == list(names)
    assert done["fine"] == {"changed": True, "failed": False, "result": "succeeded"}
    assert (done["failing"]["failed"], done["failing"]["msg"]) == (True, "it was changed")
    assert done["failing"]["result"] == "superseded"
    assert (done["broken"]["failed"], done["broken"]["reason"]) == (True, "Unexpected")


def test_warnings_and_progress_are_those_of_the_services_host():
    wave = Wave()

    def roll(module: t.Any) -> dict[str, t.Any]:
        assert (module.check_mode, module._diff) == (True, True)
        module.warn("a pod was in trouble")
        module.progress("RolloutProgress", "half way", {})
        return {}

    assert roll_all(wave, {"host-1": {}}, roll)["host-1"]["warnings"] == ["a pod was in trouble"]
    assert wave.messages == [("host-1", "half way")]


@contextmanager
def answering(*statuses: int) -> t.Iterator[str]:
    """The URL of a server that answers with each in turn, and with the last from then on."""
    left = [*statuses]

    class Scripted(Handler):
        def do_GET(self) -> None:
            self.answer(left.pop(0) if len(left) > 1 else left[0])

    with serving(Scripted) as url:
        yield f"{url}/health?token=none"


def http_check(name: str, url: str) -> Check:
    options = fragment_spec("_checks", "checks", "http")
    defaults = {option: spec.get("default") for option, spec in options.items()}
    return Check(name, "http", {**defaults, "url": url}, 10)


def rolled_and_asked(url: str, timeout: float) -> dict[str, t.Any]:
    checks = checks_by_host([http_check("wallet", url)], ("wallet", "buyer"))

    def roll(_module: t.Any) -> dict[str, t.Any]:
        return {"changed": True, "result": "succeeded", "reason": ""}

    def snapshot(check: t.Any) -> dict[str, t.Any]:
        return answers(checks.get(check.host, ()), timeout)

    done = roll_all(Wave(), {"wallet": {}, "buyer": {}}, roll, snapshot)
    assert done["buyer"] == {"changed": True, "failed": False, "result": "succeeded", "reason": ""}
    return done["wallet"]


def test_a_service_is_done_when_its_health_endpoint_answers_too():
    with answering(503, 200) as url:
        done = rolled_and_asked(url, 10)
    assert (done["changed"], done["failed"], done["result"]) == (True, False, "succeeded")


def test_one_that_rolled_and_does_not_answer_fails_and_stays_rolled():
    with answering(503) as url:
        done = rolled_and_asked(url, 0)
    assert (done["changed"], done["failed"], done["result"]) == (True, True, "succeeded")
    assert done["reason"] == "CheckFailed"
    assert done["msg"].startswith("wallet: GET http://127.0.0.1:")
    assert "answered 503 and not 200" in done["msg"]
    assert "token" not in done["msg"]
    assert done["results"][0]["status"] == "fail"


def test_a_check_of_no_service_is_refused_by_its_name():
    with pytest.raises(InputError, match="'walet', which is no host in 'services'"):
        checks_by_host([http_check("walet", "https://x.example.com")], ("wallet",))


def test_a_service_that_failed_is_not_asked_as_well():
    def roll(_module: t.Any) -> dict[str, t.Any]:
        raise ConflictError("no image", result="blocked")

    def snapshot(_module: t.Any) -> dict[str, t.Any]:
        raise AssertionError("the endpoint tells of what ran before")

    assert roll_all(Wave(), {"wallet": {}}, roll, snapshot)["wallet"]["msg"] == "no image"


def test_a_remote_module_has_no_progress_to_tell():
    class Remote(Wave):
        progress_of = None  # type: ignore[assignment]

    with_progress: list[bool] = []
    roll_all(
        Remote(), {"h": {}}, lambda module: {"x": with_progress.append(hasattr(module, "progress"))}
    )
    assert with_progress == [False]


@pytest.mark.parametrize(
    "services",
    [
        pytest.param([service("wallet"), service("wallet", host="b")], id="deployment"),
        pytest.param([service("wallet", host="a"), service("buyer", host="a")], id="host"),
        pytest.param([service("wallet"), service("buyer", host="wallet")], id="host by default"),
    ],
)
def test_twins_are_refused(services):
    with pytest.raises(InputError, match="more than one entry"):
        rollouts_of({"services": services, "pinned": {}})


def test_one_rollout_has_the_options_of_the_wave_its_own_and_the_defaults():
    wave = {
        "host": "https://api",  # of the API server, as each module of the group has it
        "release": "2.0.0",
        "wait_timeout": 60,
        "undo_on_failure": False,
        "services": [],
        "fail": True,
    }
    options = options_of(wave, service("wallet", host="wallet-host", log_line="started"))
    assert (options["name"], options["image"], options["log_line"]) == (
        "wallet",
        "wallet:v2",
        "started",
    )
    assert (options["host"], options["release"], options["wait_timeout"]) == (
        "https://api",
        "2.0.0",
        60,
    )
    assert (options["state"], options["undo_on_failure"], options["quorum"]) == (
        "released",
        False,
        "nodes",
    )
    assert "services" not in options


def test_images_are_rolled_by_what_is_pinned_for_them_all_or_none():
    def images(**pins: str) -> list[str]:
        pinned = {f"{name}:v2": image for name, image in pins.items()}
        wave = {"services": [service("wallet"), service("buyer")], "pinned": pinned}
        return [rollout["image"] for rollout in rollouts_of(wave).values()]

    assert images() == ["wallet:v2", "buyer:v2"]
    assert images(wallet="w@sha256:1", buyer="b@sha256:2") == ["w@sha256:1", "b@sha256:2"]
    with pytest.raises(InputError, match="nothing for buyer:v2, the image of 'buyer'"):
        images(wallet="w@sha256:1")


def test_a_wave_begins_when_the_one_before_it_is_done():
    begun: list[str] = []

    def roll(module: t.Any) -> dict[str, t.Any]:
        begun.append(module.host)
        return {"changed": True, "result": "succeeded", "diagnosis": {"logs": "long"}}

    wave = Wave()
    rollouts: dict[str, dict[str, t.Any]] = {name: {} for name in ("agent", "buyer", "wallet")}
    done = roll_waves(wave, Overlap([["wallet"], ["agent", "buyer"]]), rollouts, roll)
    assert begun[0] == "wallet"
    assert {host: result["wave"] for host, result in done.items()} == {
        "wallet": 1,
        "agent": 2,
        "buyer": 2,
    }
    assert [(event, text) for event, text, _data in wave.reported] == [
        ("WaveRolled", "wave 1 of 2: done"),
        ("WaveRolled", "wave 2 of 2: done"),
    ]
    reported = wave.reported[0][2]
    assert reported["services"] == {
        "wallet": {"changed": True, "failed": False, "result": "succeeded"}
    }


def test_a_wave_is_done_when_all_before_it_are_though_it_ended_first():
    """The first soaks until the second has ended."""
    second = threading.Event()

    def roll(module: t.Any) -> dict[str, t.Any]:
        if module.host == "first":
            module.place.soak(1.0)
            assert second.wait(30)
        return {"changed": True}

    def ended(module: t.Any) -> dict[str, t.Any]:
        if module.host == "second":
            second.set()
        return {}

    wave = Wave()
    done = roll_waves(
        wave, Overlap([["first"], ["second"]]), {"first": {}, "second": {}}, roll, ended
    )
    assert [*done] == ["first", "second"]
    assert [text for _event, text, _data in wave.reported] == [
        "wave 1 of 2: done",
        "wave 2 of 2: done",
    ]


@pytest.mark.parametrize(("well", "overlaps", "begun"), [
    (True, True, ["first", "second"]), (False, True, ["first"]), (True, False, ["first"]),
], ids=["well", "not well yet", "one after the other"])  # fmt: skip
def test_the_next_wave_begins_in_a_soak_once_the_service_is_well(well, overlaps, begun):
    ran: list[str] = []
    soaked = threading.Event()

    def roll(module: t.Any) -> dict[str, t.Any]:
        ran.append(module.host)
        if module.host == "first":
            module.place.soak(1.0)
            deadline = time.monotonic() + (120 if begun != ran else 0.2)
            while time.monotonic() < deadline and (ran != begun or len(begun) == 1):
                time.sleep(0.02)
            assert ran == begun
            soaked.set()
        return {"changed": True}

    def ask(_module: t.Any) -> dict[str, t.Any]:
        if not well and not soaked.is_set():
            raise ConflictError("no answer yet")
        return {}

    rollouts: dict[str, dict[str, t.Any]] = {"first": {}, "second": {}}
    order = Overlap([["first"], ["second"]], overlaps=overlaps)
    done = roll_waves(Wave(), order, rollouts, roll, ask)
    assert [result["failed"] for result in done.values()] == [False, False]


@pytest.mark.parametrize("failing", ["first", "middle", "last"])
def test_no_wave_begins_after_one_with_a_failed_service(failing):
    def roll(module: t.Any) -> dict[str, t.Any]:
        if module.host == failing:
            raise ConflictError("no such image")
        return {"changed": True}

    waves = [["first"], ["middle", "beside"], ["last"]]
    rollouts: dict[str, dict[str, t.Any]] = {name: {} for wave in waves for name in wave}
    wave = Wave()
    done = roll_waves(wave, Overlap(waves), rollouts, roll)
    number = next(place for place, hosts in enumerate(waves, 1) if failing in hosts)
    assert list(done) == [name for hosts in waves[:number] for name in hosts]
    assert [name for name, result in done.items() if result["failed"]] == [failing]
    assert wave.reported[-1][1] == f"wave {number} of 3: failed: {failing}"


@pytest.mark.parametrize(
    ("waves", "says"),
    [
        ([["a"], ["a", "b"]], "correct 'a'"),
        ([["a", "b", "c"]], "correct 'c'"),
        ([["a"]], "correct 'b'"),
    ],
)
def test_a_service_that_is_not_in_exactly_one_wave_is_refused(waves, says):
    with pytest.raises(InputError, match=says):
        plan_waves(["a", "b"], waves)


def test_without_waves_all_roll_side_by_side_and_an_empty_wave_is_none():
    assert plan_waves(["a", "b"], None) == [["a", "b"]]
    assert plan_waves(["a", "b"], [["b"], [], ["a"]]) == [["b"], ["a"]]
