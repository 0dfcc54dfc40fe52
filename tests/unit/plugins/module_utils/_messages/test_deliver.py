"""Who is told when a channel fails, limits its rate, or takes too long."""

import email
import email.policy
import re
import socketserver
import ssl
import threading

import pytest
import trustme

from ansible_collections.easymo.deploy.plugins.module_utils._errors import (
    InputError,
    RefusedError,
    UnreachableError,
)
from ansible_collections.easymo.deploy.plugins.module_utils._messages import apply
from ansible_collections.easymo.deploy.plugins.module_utils._messages.apply import (
    compose,
    deliver,
    read_attachments,
)
from ansible_collections.easymo.deploy.plugins.module_utils._messages.plan import (
    Message,
    plan_messages,
)
from ansible_collections.easymo.deploy.plugins.module_utils._messages.slack import (
    SlackClient,
)
from tests.fakes.http_server import Handler, serving

MAIL = {
    "host": "mail.example",
    "port": 25,
    "starttls": "never",
    "sender": "d@x.example",
    "recipients": ["a@x.example"],
    "subject": "Done ✅",
    "html": "<b>Done</b>",
}


def test_one_failing_channel_keeps_no_other_from_being_told(monkeypatch):
    def refuse(_message, _deadline, _ca_cert):
        raise RefusedError("no")

    def take(message, _deadline, _ca_cert):
        return message.result()

    monkeypatch.setattr(apply, "SENDERS", {"slack": refuse, "email": take})
    messages = [Message("slack", "#devops", "x", {}), Message("email", "a@x.example", "x", {})]
    delivered, undelivered = deliver(messages, timeout=1, ca_cert=None)
    assert [(one["channel"], one["target"]) for one in delivered] == [("email", "a@x.example")]
    told = {"channel": "slack", "target": "#devops", "reason": "Refused", "msg": "no"}
    assert undelivered == [told]


def test_a_mail_has_text_and_html_and_says_that_a_machine_wrote_it():
    mail = compose(*plan_messages({"text": "Done", "email": MAIL}))
    assert mail["Auto-Submitted"] == "auto-generated"
    assert [part.get_content_type() for part in mail.iter_parts()] == ["text/plain", "text/html"]


def test_a_mail_with_an_attachment_keeps_both_its_bodies(tmp_path):
    event = tmp_path / "review.ics"
    event.write_bytes(b"BEGIN:VCALENDAR\r\nSUMMARY:\xe2\x9c\x85\r\n")
    (tmp_path / "page.bin").write_bytes(b"\x00\xff")
    contents = read_attachments([str(event), str(tmp_path / "page.bin")])
    (planned,) = plan_messages({"text": "Done", "email": MAIL}, contents)
    mail = email.message_from_bytes(compose(planned).as_bytes(), policy=email.policy.default)
    assert mail.get_body(("plain",)).get_content().strip() == "Done"
    assert mail.get_body(("html",)).get_content().strip() == "<b>Done</b>"
    calendar, page = mail.iter_attachments()
    assert (calendar.get_content_type(), calendar.get_filename()) == ("text/calendar", "review.ics")
    assert "SUMMARY:✅" in calendar.get_content()
    assert page.get_content() == b"\x00\xff"


def test_an_attachment_that_is_not_there_is_named():
    with pytest.raises(InputError, match="can't be read"):
        read_attachments(["/nowhere/review.ics"])


@pytest.mark.parametrize(
    "client",
    [
        SlackClient(api_url="http://127.0.0.1:1/api", token="xoxb-secret", channel="#x", timeout=1),
        SlackClient(webhook_url="http://127.0.0.1:1/secret", timeout=1),
    ],
)
def test_slack_that_is_down_is_one_sentence_without_secrets(client):
    with pytest.raises(UnreachableError) as caught:
        client.post("hello")
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert "Slack cannot be reached" in str(caught.value)


@pytest.mark.parametrize(
    ("status", "body", "kind", "told"),
    [
        (429, b"", UnreachableError, "limits the rate for 3 s"),
        (503, b"", UnreachableError, "HTTP 503"),
        (404, b"no_service", RefusedError, "(no_service): the webhook was removed"),
    ],
)
def test_a_webhook_s_refusals_are_told_apart(status, body, kind, told):
    class Hook(Handler):
        def do_POST(self):
            self.body()
            self.answer(status, body, {"Retry-After": "3"})

    with serving(Hook) as url, pytest.raises(kind, match=re.escape(told)):
        SlackClient(webhook_url=url, timeout=5).post("hello")


@pytest.mark.parametrize("body", [[], 1, None, "x", {"dedup_key": None}, [[1, None]], {"id": 5}])
@pytest.mark.parametrize("kind", ["pagerduty", "statuspage"])
def test_whatever_one_service_answers_the_next_is_asked(kind, body):
    class Odd(Handler):
        def do_GET(self) -> None:
            self.answer_json(body)

        def do_POST(self) -> None:
            self.body()
            self.answer_json(body)

    with serving(Odd) as url:
        options = {"url": url, "routing_key": "r", "action": "resolve", "dedup_key": "d"}
        options |= {"page_id": "p", "token": "t", "status": "investigating"}
        message = Message(kind, "x", "Checkout is down.", options)
        delivered, undelivered = deliver([message, message], timeout=20, ca_cert=None)
    assert len(delivered) + len(undelivered) == 2


class MailServer(socketserver.StreamRequestHandler):
    """Offers STARTTLS and a login."""

    def handle(self) -> None:
        self.wfile.write(b"220 ready\r\n")
        for line in self.rfile:
            ends = line.strip().upper() == b"QUIT"
            self.wfile.write(
                b"221 bye\r\n" if ends else b"250-ready\r\n250-STARTTLS\r\n250 AUTH PLAIN\r\n"
            )


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"username": "jané", "starttls": "implicit"}, "no letters beyond ASCII in a user name"),
        ({"starttls": "implicit"}, "nowhere.pem holds no certificate"),
        ({"starttls": "required"}, "nowhere.pem holds no certificate"),
    ],
)
def test_a_mail_that_cannot_go_keeps_nobody_else_from_being_told(tmp_path, options, words):
    authority, encrypted = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(encrypted)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    ca_cert = str(tmp_path / ("ca.pem" if "username" in options else "nowhere.pem"))
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), MailServer) as server:
        if "username" in options:
            server.socket = encrypted.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        where = dict(zip(("host", "port"), server.server_address, strict=False))
        (mail,) = plan_messages({"text": "x", "email": {**MAIL, **where, **options}})
        delivered, undelivered = deliver([mail, mail], timeout=20, ca_cert=ca_cert)
        server.shutdown()
    assert not delivered
    assert [words in result["msg"] for result in undelivered] == [True, True], undelivered
