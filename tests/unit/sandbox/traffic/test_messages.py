"""The messages are signed as Meta signs them, and the crowd writes what the platform is measured by."""

import hashlib
import hmac
import json
import random
import re
from collections import Counter

import pytest

from sandbox.services.routing import agent_for, in_rollout
from sandbox.traffic.generator import TEXTS, first_percent, notification, number, text, user_count

CHANCE = random.Random(1)


def test_the_signature_is_of_exactly_these_bytes():
    sent = notification(CHANCE, 1000, app_secret="s3cret", message_id="wamid.1", timestamp=1)
    digest = hmac.new(b"s3cret", sent.body, hashlib.sha256).hexdigest()
    assert sent.signature == f"sha256={digest}"


def test_a_notification_holds_one_text_message():
    sent = notification(CHANCE, 1000, app_secret="s", message_id="wamid.1", timestamp=7)
    (entry,) = json.loads(sent.body)["entry"]
    (message,) = entry["changes"][0]["value"]["messages"]
    assert (message["id"], message["type"], message["timestamp"]) == ("wamid.1", "text", "7")
    assert message["text"]["body"]


def test_numbers_are_rwandan_and_come_again():
    numbers = [number(CHANCE, 1000) for _ in range(5000)]
    assert all(re.fullmatch(r"2507\d{8}", one) for one in numbers)
    assert len(set(numbers)) <= 1000


def test_only_seeded_users_write():
    assert (user_count(1), user_count(50)) == (125, 1000)


@pytest.mark.parametrize("seed_mb", [1, 2, 50])
def test_one_percent_of_the_crowd_is_somebody_and_soon_heard_of(seed_mb):
    users = user_count(seed_mb)
    assert 0.005 < len(first_percent(users)) / users < 0.02
    heard = sum(in_rollout(number(CHANCE, users), 1) for _ in range(2000)) / 2000
    assert 0.08 < heard < 0.15


def test_the_shares_add_up_to_a_hundred():
    assert sum(TEXTS.values()) == 100


def test_few_messages_are_for_the_agent_that_is_off_at_first():
    wanted = Counter(agent_for(text(CHANCE)) for _ in range(5000))
    assert wanted["marketplace"] / wanted.total() < 0.05
    assert set(wanted) >= {"buyer", "station", "driver", "vendor", "customer_support"}
