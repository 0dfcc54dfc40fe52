"""Nothing in a quoted text can mention, link, style or break out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.easymo.deploy.plugins.module_utils._messages import slack as mrkdwn

HOSTILE = st.text(alphabet="<>!@#|`*_~&\n abchannel", max_size=80)


@given(HOSTILE)
def test_quoted_text_never_has_an_angle_or_a_grave_accent_of_its_own(text):
    quoted = mrkdwn.code_block(text)
    assert "<" not in quoted
    assert ">" not in quoted
    assert "`" not in quoted.strip("`")
    assert "<" not in mrkdwn.plain(text)


@pytest.mark.parametrize(
    ("text", "forbidden"),
    [
        ("@channel go", "@channel"),
        ("a *loud* word", "*"),
        ("a ~gone~ word", "~"),
        ("an _askew_ word", "_askew_"),
        (":tada:", ":tada:"),
        ("`code`", "`"),
        ("two\nlines", "\n"),
    ],
)
def test_style_marks_and_names_in_plain_text_lose_their_effect(text, forbidden):
    assert forbidden not in mrkdwn.plain(text)


@pytest.mark.parametrize(
    "text",
    [
        "see https://wallet.easymo.com:8443/health_z?a=1&b=*~c now",
        "at 10:30 on 10.0.0.7:5432, or http://127.0.0.1:24304/a_b_/c",
        "image registry.easymo.com:5000/easymo/wallet:v2.0.0",
    ],
)
def test_an_address_is_left_as_it_is_so_that_it_is_a_link(text):
    assert mrkdwn.plain(text) == mrkdwn.escape(text)


def test_what_only_begins_like_an_address_is_plain_text():
    assert "<" not in mrkdwn.plain("https://x<!channel>")
    assert mrkdwn.plain("https://x.example. *b*") == "https://x.example. \u2217b\u2217"


@pytest.mark.parametrize("make", [mrkdwn.plain, mrkdwn.code_block])
def test_colours_and_controls_of_a_terminal_are_left_out_and_unicode_stays(make):
    shown = make("\x1b[31;1merror\x1b[0m \x1b]8;;http://x\x07été\x1b]8;;\x07 \x07日本 🚗\x00")
    assert shown.strip("`") == "error été 日本 🚗"


def test_plain_text_stays_readable():
    shown = mrkdwn.plain("Phase 4: snake_case at 10:30")
    assert shown.replace(mrkdwn.WORD_JOINER, "") == "Phase 4: snake_case at 10:30"
    assert "snake_case" in shown


@pytest.mark.parametrize(
    ("who", "shown"),
    [
        ("channel", "<!channel>"),
        ("@here", "<!here>"),
        ("U0ONCALL01", "<@U0ONCALL01>"),
        ("S0ONCALLS1", "<!subteam^S0ONCALLS1>"),
    ],
)
def test_mentions(who, shown):
    assert mrkdwn.mention(who) == shown


def test_a_name_that_is_no_id_mentions_nobody():
    assert "<" not in mrkdwn.mention("amina> <!channel")


def test_a_long_text_is_cut_with_a_mark_and_keeps_whole_entities():
    block = mrkdwn.code_block("&" * 100, limit=10)
    assert block == "```" + "&amp;" * 9 + "…```"
