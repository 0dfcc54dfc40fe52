"""Who gets an agent and which one: the rules, and what holds for every user and percentage."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.names import INTERNAL_NUMBER
from sandbox.services import ConfigurationError
from sandbox.services.routing import (
    AGENTS,
    BUCKETS,
    Flags,
    agent_for,
    bucket,
    cohort,
    in_rollout,
    normalized,
    route,
)

numbers = st.from_regex(r"2507[0-9]{8}", fullmatch=True)
percentages = st.floats(0, 100)


@pytest.mark.parametrize("word", ["MENU", "menu", " Menu \n"])
def test_menu_is_the_menu_for_everybody(word):
    flags = Flags(True, 100, frozenset(AGENTS), frozenset({INTERNAL_NUMBER}))
    assert route(INTERNAL_NUMBER, word, flags).reason == "menu_requested"


def test_nobody_gets_an_agent_while_the_feature_is_off():
    flags = Flags(False, 100, frozenset(AGENTS), frozenset({INTERNAL_NUMBER}))
    assert route(INTERNAL_NUMBER, "I need vegetables", flags).agent is None


def test_an_allow_listed_number_gets_an_agent_at_zero_percent():
    flags = Flags(True, 0, frozenset(AGENTS), frozenset({INTERNAL_NUMBER}))
    routed = route(f"+{INTERNAL_NUMBER}", "I need vegetables", flags)
    assert (routed.agent, routed.reason) == ("buyer", "allow_listed")


@given(number=numbers, text=st.text())
def test_a_switched_off_feature_never_asks_an_agent(number, text):
    assert route(number, text, Flags()).agent is None


@given(number=numbers, low=percentages, high=percentages)
def test_a_higher_percentage_only_adds_users(number, low, high):
    low, high = sorted((low, high))
    assert in_rollout(number, low) <= in_rollout(number, high)


@given(number=numbers)
def test_zero_is_nobody_and_hundred_is_everybody(number):
    assert not in_rollout(number, 0)
    assert in_rollout(number, 100)


@given(number=numbers)
def test_a_user_stays_in_the_same_bucket_however_the_number_is_written(number):
    written = f"+{number[:3]} {number[3:6]}-{number[6:]}"
    assert bucket(written) == bucket(number)
    assert 0 <= bucket(number) < BUCKETS


@pytest.mark.parametrize(
    ("number", "place"), [("250780000000", 9872), ("250780000001", 514), ("250788123456", 8015)]
)
def test_no_release_draws_the_users_anew(number, place):
    """Whoever was let in at five percent would be out, and others in, in the middle of a ramp."""
    assert bucket(number) == place


@pytest.mark.parametrize("percentage", [1, 5, 50])
def test_the_share_of_users_is_close_to_the_percentage(percentage):
    crowd = [f"2507{n:08d}" for n in range(20_000)]
    share = 100 * sum(in_rollout(number, percentage) for number in crowd) / len(crowd)
    assert share == pytest.approx(percentage, abs=0.08 * percentage + 0.2)


@pytest.mark.parametrize(
    ("text", "agent"),
    [
        ("I need vegetables", "buyer"),
        ("Where is a FUEL station?", "station"),
        ("a ride, please", "driver"),
        ("house for rent", "marketplace"),
        ("I want to sell tomatoes", "vendor"),
        ("Muraho", "customer_support"),
        ("", "customer_support"),
        ("statistics", "customer_support"),
        ("parental advice", "customer_support"),
    ],
)
def test_the_subject_names_the_agent(text, agent):
    assert agent_for(text) == agent


def test_reports_are_for_colleagues():
    assert agent_for("statistics", internal=True) == "admin"


def test_flags_are_read_from_the_environment():
    env = {
        "FEATURE_AI_AGENTS": "True",
        "FEATURE_AI_AGENTS_ROLLOUT_PERCENTAGE": "0.5",
        "FEATURE_CUSTOMER_SUPPORT_AGENT": "true",
        "FEATURE_MARKETPLACE_AGENT": "false",
        "AGENT_ALLOW_LIST": "+250 780 000 001, 250780000002,",
    }
    allowed = frozenset({"250780000001", "250780000002"})
    assert Flags.from_env(env) == Flags(True, 0.5, frozenset({"customer_support"}), allowed)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("FEATURE_AI_AGENTS", "maybe"),
        ("FEATURE_AI_AGENTS_ROLLOUT_PERCENTAGE", "101"),
        ("FEATURE_AI_AGENTS_ROLLOUT_PERCENTAGE", "nan"),
        ("FEATURE_AI_AGENTS_ROLLOUT_PERCENTAGE", "one"),
    ],
)
def test_a_flag_that_is_none_names_itself(name, value):
    with pytest.raises(ConfigurationError, match=f"{name} is '{value}'"):
        Flags.from_env({name: value})


@given(numbers, percentages)
def test_whoever_is_drawn_is_treated_and_everybody_else_is_the_control(number, percentage):
    drawn = "treated" if in_rollout(number, percentage) else "control"
    # No agent is on, so that each of them gets the menu.
    assert cohort(f"+{number}", Flags(True, percentage)) == drawn
    assert cohort(number, Flags(False, percentage)) == "control"


@given(percentages)
def test_nobody_drew_who_is_in_the_allow_list(percentage):
    flags = Flags(True, percentage, allow_list=frozenset({normalized(INTERNAL_NUMBER)}))
    assert cohort(f"+{INTERNAL_NUMBER}", flags) is None
