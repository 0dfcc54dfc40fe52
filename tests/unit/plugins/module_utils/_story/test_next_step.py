"""What comes next, of states that the product's own operations leave in a cluster, and until nothing is left to do."""

import itertools

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.easymo.deploy.plugins.module_utils._status import build
from ansible_collections.easymo.deploy.plugins.module_utils._story import next_step as tells
from ansible_collections.easymo.deploy.plugins.module_utils._story.next_step import (
    Person,
    PlaybookRun,
)
from ansible_collections.easymo.deploy.plugins.module_utils._story.plan import Plan
from tests.fakes.release_records import PLAN
from tests.tables import cases
from tests.unit.plugins.module_utils._story.states import (
    FEWER,
    FOLLOW,
    RESET,
    STATES,
    World,
    stands,
)


def shown(step: tells.Step) -> str:
    if isinstance(step, PlaybookRun) and step.playbook:
        return " ".join([step.playbook, *step.words, *(["not before"] if step.after else [])])
    return step.who if isinstance(step, Person) and step.who else step.why


def followed(world: World) -> tells.Step:
    """Where doing what comes next leads. Nothing of it is refused, and it never comes to the same state again."""
    faces: list[str] = []
    while True:
        story = world.story()
        step, face = tells.steps(story)[0], world.face(story)
        if not isinstance(step, PlaybookRun) or (
            step.playbook == "ramp.yml" and step.after and faces
        ):
            return step
        assert face not in faces, shown(step)
        faces.append(face)
        try:
            world.type(step)
        except DeployError as exc:
            pytest.fail(f"{shown(step)} was refused: {exc}")


@pytest.mark.parametrize("words", STATES)
def test_who_does_what_comes_next_comes_to_an_end(words: str) -> None:
    """The last is the ramp's next day, that nothing is left to do, or a person."""
    world = stands(words)
    assert shown(tells.steps(world.story())[0]) == STATES[words]
    end = followed(world)
    person = isinstance(end, Person) and end.who
    assert not person or STATES[words] == "the operator of the release"


IN_TURN = itertools.cycle(("closed", "frozen", "locked"))


@pytest.mark.parametrize(
    "words",
    [
        *(f"{words} kill" for words in FEWER),
        *(f"{words} {before}" for words, before in zip(FEWER, IN_TURN, strict=False)),
    ],
)
def test_what_would_refuse_it_comes_first(words: str) -> None:
    followed(stands(words))


SENTENCES = {
    "": "NO RELEASE: no release is recorded",
    "sign": "NO RELEASE: release 2.0.0 has sign-offs, and no phase has begun",
    "run:database": "RUNNING: Database (2 of 8) for 20 s of 15 min, by bob@here",
    "run:database rest:120": "RUNNING: Database (2 of 8) for 2 min 20 s of 15 min, by bob@here, but its lock lapsed at "
    "12:01:20 UTC: the run may have died",
    "run:database rest:120 free": "INTERRUPTED: release 2.0.0 in Database (2 of 8) since 12:00:20 UTC; "
    "the deploy lock is free",
    "fail:database": "FAILED: release 2.0.0 in Database (2 of 8) since 12:00:20 UTC: It did not work.",
    "run:feature_flags rest:120 free fail:microservices": "FAILED: release 2.0.0 in Microservices (4 of 8) since "
    "12:05:00 UTC: It did not work.",
    "fail:smoke_tests": "FAILED: release 2.0.0 in Smoke Tests (6 of 8) since 12:01:40 UTC: It did not work.",
    "hold:preflight": "ON HOLD: release 2.0.0 in Pre-Deploy (1 of 8) since 12:00:00 UTC: It did not work.",
    "until:smoke_tests": "NOT FINISHED: release 2.0.0: Monitoring, Sign-Off are left",
    "deploy": "FINE: release 2.0.0 is done since 12:02:40 UTC",
    "deploy locked": "FINE: release 2.0.0 is done since 12:02:40 UTC",
    "deploy kill": "KILLED: eve@there set the kill switch at 2026-11-24 12:02:40 UTC, because: errors",
    "deploy rollback:dies rest:120": "RUNNING: rolling back, by bob@here, but its lock lapsed at 12:03:45 UTC: "
    "the run may have died",
    "deploy rollback:dies rest:120 free": "INTERRUPTED: release 2.0.0 in the rollback since "
    "12:02:40 UTC; the deploy lock is free",
    "deploy restore:dies rest:120 free": "INTERRUPTED: release 2.0.0 in the restore of its databases since "
    "12:02:40 UTC; the deploy lock is free",
    "deploy kill rollback": "ROLLED BACK: release 2.0.0 at 12:02:45 UTC. Cause: errors (12:02 UTC). "
    "eve@there set the kill switch at 2026-11-24 12:02:40 UTC, because: errors",
    "deploy alone:microservices": "NOT FINISHED: release 2.0.0: Microservices is left",
}  # fmt: skip


@pytest.mark.parametrize("words", SENTENCES)
def test_the_state_is_told_in_a_sentence(words: str) -> None:
    story = stands(words).story()
    found = tells.state_of(story)
    assert f"{found.word}: {build.why_in(story, found)}" == SENTENCES[words]


def test_the_whole_ramp_comes_to_all_users() -> None:
    world = stands("deploy")
    while isinstance(step := tells.steps(world.story())[0], PlaybookRun):
        world.type(step)
    assert step == Person("", "all users have it")


NAMED = (("decide.yml", "-e decision=approve"),)
LOCK = {"held": True, "holder": "eve@there", "manual": False}


@cases(("known", "stop", "lines"), {
    "a typo": ({}, {"reason": "InvalidInput", "phase": "database"}, ["after fixing the cause"]),
    "another run's lock": ({"lock": LOCK}, {"reason": "Locked"}, ["wait for the lock", FOLLOW]),
    "a lock by hand": ({"lock": {**LOCK, "manual": True}}, {"reason": "Locked"},
                       ["eve@there", f"unlock.yml {tells.FORCE}", "then"]),
    "a freeze": ({"freeze": "Frozen."}, {"reason": "Frozen"}, ["the author of the freeze", "then"]),
    "a kill switch": ({"killed": "Eve did"}, {"reason": "KillSwitchSet"}, [RESET, "then"]),
    "a phase before its turn": ({"plan": Plan.read(PLAN)}, {"phase": "monitoring", "missing": ("smoke_tests",)},
                                ["deploy.yml --tags smoke_tests,monitoring,sign_off"]),
    "a hold with its remedy": ({}, {"reason": "Hold", "named": NAMED}, [" ".join(NAMED[0]), "look again"]),
    "a failure with a remedy": ({}, {"reason": "Refused", "named": NAMED},
                                ["after fixing the cause", " ".join(NAMED[0])]),
})  # fmt: skip
def test_a_run_that_was_refused_is_not_told_to_do_the_same_again(known, stop, lines):
    story = tells.Story(**known, stop=tells.Stop(**stop))
    assert [*map(shown, tells.steps(story))] == lines
