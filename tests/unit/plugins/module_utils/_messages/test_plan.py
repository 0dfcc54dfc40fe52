"""What a task's options become, and what is refused before anybody is told anything."""

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._errors import InputError
from ansible_collections.easymo.deploy.plugins.module_utils._messages.plan import plan_messages

SLACK = {"api_url": "https://slack.com/api/", "token": "xoxb-secret", "channel": "#devops"}
EMAIL = {
    "host": "mail.example",
    "port": 587,
    "starttls": "required",
    "sender": "devops@easymo.com",
    "recipients": ["team@easymo.com"],
    "subject": "Done",
}
EVENT = {
    "url": "https://events.example",
    "routing_key": "k" * 32,
    "action": "trigger",
    "dedup_key": "easymo/2.0.0",
    "severity": "critical",
    "source": "deploy",
}
INCIDENT = {
    "url": "https://api.example",
    "token": "t",
    "page_id": "p",
    "name": "Upgrade",
    "status": "in_progress",
}


def one(text="", **channels):
    (message,) = plan_messages({"text": text, **channels})
    return message


@pytest.mark.parametrize(
    ("text", "mention", "shown"),
    [
        pytest.param("@channel 🚀 go", [], "<!channel> 🚀 go", id="first word"),
        pytest.param("failed: @channel <!here>", [], "failed: @channel &lt;!here&gt;", id="quoted"),
        pytest.param("go", ["U0ONCALL01", "here"], "<@U0ONCALL01> <!here> go", id="by option"),
        pytest.param("@here go", ["here"], "<!here> go", id="only once"),
        pytest.param("@channels", [], "@channels", id="another word"),
    ],
)
def test_only_those_who_are_meant_are_mentioned_in_slack(text, mention, shown):
    assert one(text, slack=SLACK | {"mention": mention}).text == shown


def test_people_in_the_text_are_mentioned_where_they_stand_and_nobody_else():
    people = {"Amina": "U0ONCALL01", "Amina Uwase": "U0BACKUP01", "Kwame": "kwame"}
    said = one(
        "On-Call: @Amina Uwase, @Amina, @Kwame <@U0MANAGER1>", slack=SLACK | {"people": people}
    )
    assert said.text == "On-Call: <@U0BACKUP01>, <@U0ONCALL01>, @Kwame &lt;@U0MANAGER1&gt;"


def test_each_channel_may_have_a_text_of_its_own():
    messages = plan_messages({"text": "all", "slack": SLACK, "email": EMAIL | {"text": "mail"}})
    assert [message.text for message in messages] == ["all", "mail"]


def test_what_a_service_limits_is_cut_and_marked():
    assert one("x" * 2000, pagerduty=EVENT).text.endswith("…")


@pytest.mark.parametrize(("channels", "named"), [
    ({"slack": SLACK | {"token": ""}}, "slack.token"),
    ({"slack": SLACK | {"channel": ""}}, "slack.channel"),
    ({"slack": {"api_url": "", "webhook_url": "hooks.slack.com/T0/B0/s3cret"}}, "not a URL"),
    ({"slack": {"webhook_url": "https://h", "archive": True}}, "slack.archive"),
    ({"statuspage": INCIDENT | {"minutes": 0}}, "statuspage.minutes"),
    ({"email": EMAIL | {"recipients": []}}, "email.recipients"),
    ({"email": EMAIL | {"recipients": ["team"]}}, "'team'"),
    ({"email": EMAIL | {"recipients": ["a@x.example\nBcc: b@x.example"]}}, "not an e-mail address"),
    ({"email": EMAIL | {"subject": "x\nBcc: all@x.example"}}, "email.subject"),
    ({"email": EMAIL | {"username": "u", "starttls": "never"}}, "in clear"),
    ({"email": EMAIL | {"port": 465}}, "'implicit'"),
    ({"pagerduty": EVENT, "text": ""}, "pagerduty.summary"),
    ({"slack": SLACK, "text": "x" * 40_001}, "40000"),
    ({"slack": SLACK, "text": ""}, "text is empty"),
])  # fmt: skip
def test_bad_input_is_refused_and_named(channels, named):
    with pytest.raises(InputError) as caught:
        plan_messages({"text": "hello", **channels})
    assert named in str(caught.value)
    assert "xoxb-secret" not in str(caught.value)


def test_what_has_the_form_of_a_secret_is_not_told():
    said = "it failed: postgresql://u:hunter2hunter2@db/x with xoxb-123456789-abc"
    messages = plan_messages(
        {
            "text": said,
            "slack": SLACK,
            "email": EMAIL | {"text": said, "subject": said},
            "pagerduty": EVENT | {"summary": said},
        }
    )
    told = repr(messages)
    assert "hunter2" not in told
    assert "xoxb-1" not in told


def test_a_page_has_a_title_that_a_phone_shows_and_all_of_it_beside():
    said = "stopped: " + "why it did " * 30
    [event] = plan_messages({"text": said, "pagerduty": EVENT})
    assert len(event.text) <= 120
    assert event.options["details"]["message"] == said


def test_secrets_are_not_in_the_words_of_a_message():
    shown = repr(plan_messages({"text": "x", "slack": SLACK, "pagerduty": EVENT}))
    assert "xoxb-secret" not in shown
    assert "k" * 32 not in shown
