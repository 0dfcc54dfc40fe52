"""The mail server delivers into its folder, and has its bad days."""

import asyncio
from types import SimpleNamespace

import pytest

from sandbox.faults import Fault, Faults
from sandbox.sinks.store import Mailbox
from sandbox.smtp import Delivery

MAIL = b"From: d@x.example\r\nSubject: Done\r\n\r\ntext"


@pytest.fixture
def faults(tmp_path):
    return Faults(tmp_path / "faults.json")


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "mails"
    made.mkdir()
    return made


def send(delivery, *recipients):
    """The server's answers to each recipient and to the mail."""
    envelope = SimpleNamespace(mail_from="d@x.example", rcpt_tos=[], content=MAIL)
    session = SimpleNamespace(ssl=object())

    async def exchange():
        taken = [await delivery.handle_RCPT(None, session, envelope, who, []) for who in recipients]
        return [*taken, await delivery.handle_DATA(None, session, envelope)]

    return asyncio.run(exchange())


def test_each_mail_is_one_file_with_its_real_recipients(folder, faults):
    for _restarted in range(2):
        send(Delivery(folder, faults), "a@x.example", "b@x.example")
    mails = Mailbox(folder).mails()
    assert [mail["recipients"] for mail in mails] == [["a@x.example", "b@x.example"]] * 2
    assert all(mail["secured"] and mail["subject"] == "Done" for mail in mails)


def test_a_rejected_recipient_gets_nothing_and_the_others_do(folder, faults):
    faults.write([Fault("smtp", "rejects", "b@x.example")])
    answers = send(Delivery(folder, faults), "a@x.example", "b@x.example")
    assert [answer[:3] for answer in answers] == ["250", "550", "250"]
    assert Mailbox(folder).mails()[0]["recipients"] == ["a@x.example"]


def test_a_mail_that_was_answered_with_an_error_is_not_delivered(folder, faults):
    faults.write([Fault("smtp", "errors")])
    assert send(Delivery(folder, faults), "a@x.example")[-1].startswith("451")
    assert Mailbox(folder).mails() == []
