"""The release's message as blocks: what it shows in each state, and that Slack would take it whatever is in it."""

import json
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st
from slack_sdk.models.blocks import Block

from ansible_collections.easymo.deploy.plugins.module_utils._messages import headline
from ansible_collections.easymo.deploy.plugins.module_utils._messages.headline import (
    Release,
    ReleaseStatus,
)
from ansible_collections.easymo.deploy.plugins.module_utils._messages.slack import WORD_JOINER
from ansible_collections.easymo.deploy.plugins.module_utils._release.record import (
    Record,
    RecordedMetric,
)
from ansible_collections.easymo.deploy.plugins.module_utils._story.plan import Plan, Planned
from ansible_collections.easymo.deploy.plugins.module_utils._terminal.models import (
    PlayBegun,
    RunFailure,
)
from sandbox.sinks.slack_shapes import content
from tests.examples import examples

PLAN = Plan(
    (
        Planned("preflight", "Pre-Deploy", 15),
        Planned("microservices", "Microservices", 20),
        Planned("monitoring", "Monitoring", 60),
    )
)
LINKS = (("Live page", "https://page.easymo.com:8443/2.0.0/"), ("Dashboard", "https://d.x"))
SERVICES = ("Phase 4", "microservices", 12)


def phase(status: str, **evidence: t.Any) -> dict[str, t.Any]:
    times = {"started": "1970-01-01T00:00:00Z", "finished": "1970-01-01T00:03:10Z"}
    return {"status": status, **times, "evidence": evidence}


def release(
    playbook: str = "deploy_v2.yml", status: str = "running", **phases: t.Any
) -> ReleaseStatus:
    made = ReleaseStatus(
        Release("EasyMO v2.0", playbook, "production", plan=PLAN, links=LINKS), 0.0
    )
    seen = Record.read(
        {"attempt": 1, "status": status, "started": "1970-01-01T00:00:00Z", "phases": phases}
    )
    if seen:
        made.record_seen(seen)
    return made


def begin(made: ReleaseStatus, name: str, phase: str = "", hosts: int = 1) -> ReleaseStatus:
    made.begin(PlayBegun(name, phase, tuple(f"s{number}" for number in range(hosts))), 200.0)
    made.stages[-1].task = "Roll the service"
    return made


def running() -> ReleaseStatus:
    made = begin(release(preflight=phase("done")), *SERVICES)
    made.stages[-1].hosts = {"agent-core", *map(str, range(11))}
    made.stages[-1].rolled.add("agent-core")
    made.progressed("wallet-service", "3 of 4 pods are ready")
    return made


def ended(*, good: bool, reason: str = "") -> ReleaseStatus:
    made = running()
    if not good:
        made.failed(RunFailure("wallet-service", "Roll", "no image", reason=reason))
    made.close(260.0, "done" if good else "failed")
    return made


def rolled_back() -> ReleaseStatus:
    made = release("rollback.yml", "rolled_back", preflight=phase("done"))
    begin(made, "Way back 1")
    made.close(260.0, "done")
    return made


def watching() -> ReleaseStatus:
    made = begin(release(microservices=phase("done")), "Phase 7", "monitoring")
    made.measured(
        [
            RecordedMetric("error_rate", "ratio", status="good", newest=0.0),
            RecordedMetric("p95", "", status="breach", newest=2.0),
        ]
    )
    return made


def live() -> ReleaseStatus:
    made = release(status="done", **{one.name: phase("done") for one in PLAN})
    begin(made, "Phase 7", "monitoring").close(260.0, "done")
    return made


STATES: dict[str, tuple[ReleaseStatus, str, list[str]]] = {
    "running": (running(), "🚀 EasyMO v2.0 is being deployed · production",
                ["✅ Pre-Deploy", "*Services* 1 of 12", "✅ agent-core",
                "`wallet-service` 3 of 4 pods"]),
    "watching": (watching(), "🚀 EasyMO v2.0 is being deployed", ["🔴 p95 2", "🟢 error rate 0 %"]),
    "failed": (ended(good=False), "🛑 EasyMO v2.0 stopped in Microservices",
               ["*Cause* `wallet-service` in `Roll`", "```no image```", "❌ wallet-service"]),
    "on hold": (ended(good=False, reason="Hold"), "⏸️ EasyMO v2.0 is on hold in Microservices",
                ["```no image```"]),
    "one phase done": (ended(good=True),
                       "☑️ EasyMO v2.0 run finished: 1 of 3 phases are done · production",
                       ["✅ Pre-Deploy"]),
    "live": (live(), "✅ EasyMO v2.0 is deployed · production", ["✅ Monitoring"]),
    "rolled back": (rolled_back(), "↩️ EasyMO v2.0 was rolled back · production",
                    ["*Rollback*", "✅ Way back 1"]),
}  # fmt: skip


def taken(made: t.Sequence[dict[str, t.Any]]) -> None:
    """As Slack's own client library and the sandbox's Slack judge it."""
    for block in Block.parse_all(list(made)):
        block.validate_json()
    content({"text": "x", "blocks": list(made)})
    assert len(made) <= 50
    assert len(str(made)) <= headline.IN_ALL + 2 * len(made)


@pytest.mark.parametrize(("made", "title", "told"), STATES.values(), ids=STATES)
def test_each_state_has_its_header_its_parts_and_its_links(made, title, told):
    shown = headline.render(made, 260.0).blocks
    taken(shown)
    assert shown[0]["type"] == "header"
    assert shown[0]["text"]["text"].startswith(title)
    text = json.dumps(shown, ensure_ascii=False).replace(WORD_JOINER, "")
    assert [part for part in told if part not in text] == []
    assert [one["url"] for one in shown[-1]["elements"]] == [url for _text, url in LINKS]


def test_without_addresses_there_are_no_buttons():
    made = ReleaseStatus(Release("R", "deploy_v2.yml", plan=PLAN), 0.0)
    assert [one["type"] for one in headline.render(made, 1.0).blocks] == [
        "header",
        "context",
        "section",
    ]


def test_two_hundred_services_fit():
    made = begin(release(), "Phase 4", "microservices")
    for number in range(200):
        made.progressed(f"service-{number}-with-quite-a-long-name", "1 of 3 pods is ready")
    names = [*made.stages[-1].progress]
    made.stages[-1].hosts, made.stages[-1].rolled = {*names}, {*names[:150]}
    shown = headline.render(made, 260.0).blocks
    taken(shown)
    text = json.dumps(shown)
    assert "*Services* 150 of 200" in text
    assert "and 138 more" in text
    assert "and 46 more" in text


def test_a_later_look_at_some_metrics_leaves_the_others():
    made = watching()
    made.measured(
        [
            RecordedMetric("alerts", "alerts", status="good", newest=0.0),
            RecordedMetric("p95", "", status="good", newest=1.0),
        ]
    )
    (found,) = [one for one in headline.render(made, 260.0).blocks if "fields" in one]
    assert [one["text"] for one in found["fields"]] == [
        "🟢 error rate 0 %",
        "🟢 p95 1",
        "🟢 alerts 0 alerts",
    ]


def test_many_metrics_show_the_worst_first():
    made = begin(release(), "Phase 7", "monitoring")
    made.measured(
        [
            *(RecordedMetric(f"m{number}", "", status="good", newest=1.0) for number in range(20)),
            RecordedMetric("bad", "", status="breach", newest=9.0),
        ]
    )
    (found,) = [one for one in headline.render(made, 260.0).blocks if "fields" in one]
    assert found["fields"][0]["text"] == "🔴 bad 9"
    assert found["fields"][-1]["text"] == "and 12 more"
    assert len(found["fields"]) == 10


ANYTHING = st.text(max_size=400) | st.sampled_from(
    ["&" * 4_000, "<!channel>" * 900, "\x1b[31m" * 300, "🚗" * 3_000, "x" * 9_000, "`" * 2_000, ""]
)


@examples(60)
@given(
    title=ANYTHING,
    host=ANYTHING,
    sentence=ANYTHING,
    names=st.lists(ANYTHING, max_size=12),
    plays=st.integers(0, 150),
    links=st.lists(st.tuples(ANYTHING, ANYTHING), max_size=30),
)
def test_slack_would_take_it_whatever_is_in_it(title, host, sentence, names, plays, links):
    plan = Plan(Planned(f"phase_{number}", name, 5.0) for number, name in enumerate(names))
    buttons = tuple((text, f"https://x.example/{url}") for text, url in links)
    made = ReleaseStatus(Release(title, "rollback.yml", title, plan=plan, links=buttons), 0.0)
    begin(made, *SERVICES)
    for name in names:
        made.progressed(name, sentence)
    made.stages[-1].rolled |= {*names[::2]}
    made.failed(RunFailure(host, title, sentence))
    made.measured([RecordedMetric(name, sentence, status="good", newest=1.0) for name in names])
    for number in range(plays):
        begin(made, f"{title} {number}")
    made.close(300.0, "failed")
    text, shown = headline.render(made, 300.0)
    taken(shown)
    assert "<!channel>" not in json.dumps([text, shown])
    assert len(text) < 4_000
