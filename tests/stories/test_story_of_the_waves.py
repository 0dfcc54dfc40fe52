"""Wave after wave under heavy traffic: killed midway, taken up again, and brought back from elsewhere.

The tests are the chapters of one story and stand in its order.
"""

import json
import re
import typing as t

import pytest

from sandbox.names import SERVICES
from tests.stories.people import Operator, Witness
from tests.victims import Victim
from tests.waiting import until

OLD, NEW = "v1.9.0", "v2.0.0"
# Of the phases only this one: the others have stories of their own.
WAIVED = {"by": "Jane Doe", "reason": "only the services"}
ALONE = (
    "-e",
    json.dumps(
        {
            "release_phases_waived": dict.fromkeys(
                ("preflight", "database", "edge_functions"), WAIVED
            )
        }
    ),
)
PINNED = (*ALONE, "-e", "release_pin_digests=true")
WAVES = (SERVICES[:1], SERVICES[1:4], SERVICES[4:])
REPLICAS = 3


@pytest.fixture(scope="module", autouse=True)
def traffic(operator) -> None:
    """Through all chapters above 200 requests a second, or what this machine bears: how many is no matter of the story.

    Calls of every service, and every fifth a WhatsApp message.
    """
    load = ("--rate", "210", "--messages", "0.2", "--ease")
    assert operator.sandbox("traffic", "start", *load).rc == 0


@pytest.fixture
def nobody_noticed(operator) -> t.Iterator[None]:
    """Not one request failed from the beginning of the chapter to its end, and of each service as many were sent."""
    before = answered(operator)
    yield
    after = answered(operator)
    assert after["running"]
    assert after["failed"] == before["failed"], after["first_failures"]
    calls = {name: after["answers"][name] - before["answers"].get(name, 0) for name in SERVICES}
    sent = after["routes"]["call"]["sent"] - before["routes"]["call"]["sent"]
    # The twelve are called in turn, so that only what is still under way makes a difference.
    under_way = before["in_flight"] + after["in_flight"]
    assert min(calls.values()) >= max(1, sent // len(SERVICES) - 1 - under_way), calls


def answered(operator: Operator) -> t.Any:
    return json.loads(operator.sandbox("traffic", "report", "--json").output)


def generations(witness: Witness) -> dict[str, int]:
    listed = witness.reads("deployments")
    found = {one["metadata"]["name"]: one["metadata"]["generation"] for one in listed}
    return {name: found[name] for name in SERVICES}


def revisions(witness: Witness) -> dict[str, int]:
    """Of the templates: a way back leaves its epoch on each service, and restarts nothing for that."""
    listed = witness.reads("deployments")
    revision = "deployment.kubernetes.io/revision"
    found = {one["metadata"]["name"]: one["metadata"]["annotations"][revision] for one in listed}
    return {name: int(found[name]) for name in SERVICES}


def until_written(witness: Witness, service: str, run: Victim) -> None:
    before = generations(witness)[service]

    def written() -> bool:
        assert run.process.poll() is None
        return generations(witness)[service] != before

    until(written, 120)


@pytest.mark.usefixtures("nobody_noticed")
def test_a_run_killed_in_the_middle_is_taken_up_with_no_patch_but_those_that_were_missing(
    operator, witness
):
    before, written = revisions(witness), generations(witness)
    run = operator.begins("microservices", *PINNED)
    until_written(witness, "vendor-service", run)
    run.kill("everything")
    assert NEW in witness.images()["agent-core"]
    again = operator.plays("microservices", *PINNED)
    assert again.rc == 0, again.tail()
    assert witness.images() == dict.fromkeys(SERVICES, NEW)
    looked_up = witness.record("2.0.0")["facts"]["images"].values()
    assert sorted(witness.templates().values()) == sorted(one["pinned"] for one in looked_up)
    assert revisions(witness) == {name: count + 1 for name, count in before.items()}
    # Its image with the mark of a soak, and that mark taken away.
    assert generations(witness) == {name: count + 2 for name, count in written.items()}


@pytest.mark.usefixtures("nobody_noticed")
def test_a_way_back_that_is_killed_is_taken_up_on_another_machine_from_the_record_alone(
    world, operator, witness, tmp_path
):
    before = revisions(witness)
    killed = operator.begins("rollback", "--tags", "services")
    until_written(witness, "agent-core", killed)
    killed.kill("everything")
    operator = Operator.elsewhere(world, tmp_path)
    run = operator.goes_back("--tags", "services")
    assert run.rc == 0, run.tail()
    assert revisions(witness) == {name: count + 1 for name, count in before.items()}
    assert witness.images() == dict.fromkeys(SERVICES, OLD)
    assert witness.rolled_out()
    assert all(witness.serves(service) for service in SERVICES)
    told = [
        one for one in re.findall(r"\[localhost\] (\S+): .*updated", run.output) if one in SERVICES
    ]
    waves = list(dict.fromkeys(next(n for n, w in enumerate(WAVES) if one in w) for one in told))
    # How far the first run came before it was killed is chance: what it left comes in the same order.
    assert waves, "something was left"
    assert waves == [wave for wave in (0, 2, 1) if wave in waves], "agent-core, then reverse waves"

    states = witness.states()
    again = operator.goes_back("--tags", "services")
    assert again.rc == 0, again.tail()
    assert set(again.changed().values()) == {0}
    assert witness.states() == states
