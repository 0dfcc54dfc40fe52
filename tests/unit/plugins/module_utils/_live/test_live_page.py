"""A page that is written again while its release runs, and tells how the run ended."""

import json
import re
import threading
import typing as t
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._decode import dumped
from ansible_collections.easymo.deploy.plugins.module_utils._errors import UnreachableError
from ansible_collections.easymo.deploy.plugins.module_utils._gate.models import (
    Bounds,
    Sample,
    SampleStatus,
    Series,
)
from ansible_collections.easymo.deploy.plugins.module_utils._live.page import (
    AT_LEAST,
    PageWriter,
    Published,
    Sight,
    doing,
    in_file,
)
from ansible_collections.easymo.deploy.plugins.module_utils._redaction import Redactor
from ansible_collections.easymo.deploy.plugins.module_utils._report.models import ReportOptions
from ansible_collections.easymo.deploy.plugins.module_utils._story.plan import Plan
from tests.fakes import release_records as records
from tests.fakes.cluster import FakeClock, MemoryCluster

ZONE = ZoneInfo("Africa/Kigali")
PLAN = Plan.read(records.PLAN)
TOKEN = "kube-token-1234567890"
ASKED = {"error_rate": {"unit": "ratio", "pass": {"max": 0.01}, "rollback": {"above": 0.05}}}


def service(version: str, available: int = 3, *, complete: bool = True) -> dict[str, t.Any]:
    pods = {"available": available, "desired": 3, "complete": complete}
    return {"exists": True, "version": version, **pods}


def rolling() -> Sight:
    services = {
        "agent-core": service("v2.0.0"),
        "driver-service": service("v2.0.0", 1, complete=False),
    }
    return Sight(records.dead(), services)


def watching(*values: float | None, held: float | None = None) -> Sight:
    record = records.green()
    del record["phases"]["sign_off"]
    record["phases"]["monitoring"] = records.phase("running", 80, None)
    series = Series()
    bounds = Bounds(maximum=0.01, above=0.05)
    for value in values:
        status = SampleStatus.NO_DATA if value is None else bounds.judge(value)
        series = replace(
            series, count=series.count + 1, last=Sample(value, ""), value=value, status=status,
            minimum=min(filter(None, values)), maximum=max(filter(None, values)),
            points=(*series.points, (10.0 * series.count, value, status.shown)),
        )  # fmt: skip
    state = {
        "attempt": 1, "started": records.BEGIN.timestamp() + 4800, "phase_started": records.at(80), "elapsed": 750.0,
        "held": held, "held_why": ["error_rate is 0.03"] if held else [],
        "asked": ASKED, "series": {"error_rate": json.loads(dumped(series)), "p95": json.loads(dumped(Series()))},
    }  # fmt: skip
    return Sight({**record, "status": "running", "finished": ""}, watches={"monitoring": state})


def tell(sight: Sight) -> tuple[str, ...]:
    return tuple(doing(sight, PLAN, records.BEGIN + timedelta(minutes=90)))


def test_what_goes_on_is_told_by_phase_services_and_pods():
    assert tell(rolling()) == (
        "Microservices (4 of 8) for 46 min 48 s of 20 min, by amina@ops-1.",
        "1 of 2 services complete · rolling: driver-service v2.0.0 1/3.",
    )
    (resumed, *_) = tell(replace(rolling(), holder="bob@laptop"))
    assert resumed.endswith("by bob@laptop.")
    assert tell(Sight({})) == ("The release is starting: no phase is open yet.",)


def test_a_hold_is_told_with_its_reason():
    told = tell(watching(0.002, 0.03, held=700.0))
    assert told == (
        "On hold: Monitoring (7 of 8) for 10 min of 1 h, by amina@ops-1, still watching: error_rate is 0.03.",
    )


def test_a_watch_of_an_earlier_try_is_not_shown():
    assert watching(0.002).watched.evidence("monitoring").metrics
    sight = watching(0.002)
    sight.watches["monitoring"]["phase_started"] = records.at(10)
    assert not sight.watched.evidence("monitoring").metrics


class Observed:
    """What each look finds, the last for good. None is a cluster out of sight."""

    def __init__(self, *sights: Sight | None) -> None:
        self.sights = list(sights)

    def __call__(self, _cluster: t.Any) -> Sight:
        sight = self.sights.pop(0) if len(self.sights) > 1 else self.sights[0]
        if sight is None:
            raise UnreachableError("out of sight")
        return sight


class Bad:
    name = "s3://releases/2.0.0.html"

    def __init__(self) -> None:
        self.gone, self.page = True, ""

    def write(self, page: str) -> None:
        if self.gone:
            raise UnreachableError("S3 at AWS cannot be reached.")
        self.page = page


def writer(folder, *sights, others=(), clock=None, redact=None):
    asked = ReportOptions(plan=PLAN, zone=ZONE)
    moments = iter(records.BEGIN + timedelta(minutes=90, seconds=5 * n) for n in range(1000))
    return PageWriter(
        observe=Observed(*sights),
        live=replace(asked, live=True),
        path=folder / "report.html",
        others=[Published(one.name, one.write) for one in others],
        redact=redact or Redactor([TOKEN]),
        clock=clock or FakeClock(),
        wall=lambda: next(moments),
    )


def title(page: str) -> str:
    return re.findall("<title>(.*)</title>", page)[0]


def looked(made: PageWriter) -> str:
    made.look(MemoryCluster())
    return made.read()


def test_a_running_page_refreshes_itself_and_one_that_is_over_does_not(tmp_path):
    done = Sight({**records.held()})
    made = writer(tmp_path, rolling(), done)
    live = looked(made)
    assert title(live) == "Release 2.0.0: Running"
    assert '<meta http-equiv="refresh" content="10">' in live
    assert "rolling: driver-service v2.0.0 1/3." in live
    assert "46 min 48 s of 20 min planned, 134 % late" in live
    assert "no end recorded" not in live
    made.finish(MemoryCluster())
    over = made.read()
    assert title(over) == "Release 2.0.0: On hold"
    assert "refresh" not in over
    assert "<script" not in over


def test_a_run_that_ended_without_a_word_was_interrupted(tmp_path):
    made = writer(tmp_path, rolling())
    looked(made)
    made.finish(MemoryCluster())
    page = made.read()
    assert title(page) == "Release 2.0.0: Interrupted"
    assert re.search(
        r"in Microservices \(4 of 8\) since 2026-11-24 08:28:\d+ CAT; no end is rec", page
    )


def test_the_end_is_told_by_what_was_seen_last_when_the_cluster_is_out_of_sight(tmp_path):
    made = writer(tmp_path, rolling(), None)
    looked(made)
    looked(made)
    made.finish(MemoryCluster())
    assert title(made.read()) == "Release 2.0.0: Interrupted"


def test_a_rollback_is_live_until_it_is_done(tmp_path):
    record = records.green()
    record["facts"]["rollback_asked"] = {
        "by": "eve",
        "reason": "payments fail",
        "at": records.at(160),
    }
    made = writer(tmp_path, Sight(record), Sight(records.rolled_back()))
    made.live = replace(made.live, undo=True)
    page = looked(made)
    assert title(page) == "Release 2.0.0: Rolling back"
    assert "Rolling back, by eve." in page
    assert "eve rolled back: payments fail." in page
    assert looked(made) == page
    made.finish(MemoryCluster())
    assert title(made.read()) == "Release 2.0.0: Rolled back"


def test_a_rollback_that_died_is_told_as_such(tmp_path):
    record = records.green()
    record["facts"]["rollback_asked"] = {"at": records.at(160), "open": True}
    made = writer(tmp_path, Sight(record))
    made.live = replace(made.live, undo=True)
    made.options_of = lambda _sight: replace(made.live, live=False)
    looked(made)
    made.finish(MemoryCluster())
    assert title(made.read()) == "Release 2.0.0: Interrupted"
    assert "Release 2.0.0 in the rollback since" in made.read()


def test_the_report_of_the_run_itself_is_the_last_page(tmp_path):
    place = Bad()
    place.gone = False
    made = writer(tmp_path, rolling(), Sight(records.green()), others=[place])
    looked(made)
    (tmp_path / "report.html").write_text("the report", encoding="utf-8")
    made.look(MemoryCluster())
    made.finish(MemoryCluster())
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == place.page == "the report"


def test_of_a_release_that_does_not_run_nothing_is_written(tmp_path):
    made = writer(tmp_path, Sight(records.green()))
    made.look(MemoryCluster())
    made.finish(MemoryCluster())
    assert list(tmp_path.iterdir()) == []


def test_a_phase_that_stops_when_it_is_run_again_after_the_end_is_told_at_last(tmp_path):
    made = writer(tmp_path, Sight(records.green()), Sight(records.held()))
    (tmp_path / "report.html").write_text("deployed", encoding="utf-8")
    assert looked(made) == "deployed"
    made.finish(MemoryCluster())
    assert title(made.read()) == "Release 2.0.0: On hold"


def test_a_run_that_ended_between_two_phases_was_not_interrupted(tmp_path):
    between = records.green()
    between["status"] = "running"
    del between["phases"]["sign_off"]
    made = writer(tmp_path, Sight(between))
    looked(made)
    made.finish(MemoryCluster())
    assert title(made.read()) == "Release 2.0.0: Not finished"
    assert "Release 2.0.0: Sign-Off is left." in made.read()


def test_it_is_written_when_something_changed_and_often_enough_to_be_alive(tmp_path):
    clock = FakeClock()
    made = writer(tmp_path, rolling(), clock=clock)
    first = looked(made)
    assert looked(made) == first
    clock.sleep(AT_LEAST)
    assert looked(made) != first
    made.observe.sights = [watching(0.002)]
    assert "1 of 2 metrics were good" in looked(made)


def test_the_running_watch_is_drawn(tmp_path):
    page = looked(writer(tmp_path, watching(0.002, 0.004, 0.003)))
    assert "passes up to 1 %" in page
    assert page.count("<polyline ") == 1
    assert "error rate" in page


def test_a_place_that_is_gone_is_tried_again(tmp_path):
    place = Bad()
    made = writer(tmp_path, rolling(), others=[place])
    looked(made)
    assert made.others[0].problem == "S3 at AWS cannot be reached."
    place.gone = False
    looked(made)
    assert title(place.page) == "Release 2.0.0: Running"


def test_no_secret_reaches_the_page(tmp_path):
    sight = rolling()
    sight.body["notes"] = [f"the token is {TOKEN}"]
    sight.body["facts"]["api_token"] = "hunter2hunter2"
    sight.body["phases"]["database"]["evidence"]["password"] = "s3cr3t-pass-9"
    page = looked(writer(tmp_path, sight))
    for secret in (TOKEN, "hunter2hunter2", "s3cr3t-pass-9"):
        assert secret not in page


@pytest.mark.slow
def test_a_reader_at_the_moment_of_writing_sees_a_whole_page(tmp_path):
    sights = [Sight({**records.dead(), "notes": [f"{n}" * 400]}) for n in range(60)]
    made = writer(tmp_path, *sights)
    looked(made)
    seen, over = [], threading.Event()

    def read() -> None:
        while not over.is_set():
            seen.append((tmp_path / "report.html").read_text(encoding="utf-8"))

    reader = threading.Thread(target=read)
    reader.start()
    for _ in sights:
        made.look(MemoryCluster())
    over.set()
    reader.join()
    assert len({*seen}) > 1
    assert all(page.endswith("</html>\n") for page in seen)


def test_a_folder_that_cannot_be_written_stops_nothing(tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    made = writer(tmp_path, rolling())
    # A file stands where the folder should.
    made.mine = in_file(tmp_path / "file" / "below" / "report.html")
    made.look(MemoryCluster())
    assert "can't be written" in made.mine.problem


@pytest.mark.parametrize("minute", [0, 90])
def test_a_page_tells_when_it_was_written(tmp_path, minute):
    made = writer(tmp_path, rolling())
    made.wall = lambda: datetime(2026, 11, 24, 8, minute % 60, tzinfo=UTC)
    page = looked(made)
    assert f'data-written="{int(made.wall().timestamp())}"' in page
