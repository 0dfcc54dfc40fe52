"""The command to type next: as a shell reads it, with what was typed, without what was a mistake."""

import shlex
from dataclasses import replace

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._story.next_step import (
    PlaybookRun,
    commands_in,
)
from ansible_collections.easymo.deploy.plugins.module_utils._terminal.commands import (
    Command,
    Typed,
    quoted,
    without_options,
)

TYPED = Command(
    ("playbooks/rollback.yml",),
    Typed("playbooks", ("inventories/prod",), ".venv/bin/ansible-playbook"),
    extra=("reason='errors at 12 percent'", "by=ann", "@answers.json"),
)


def test_what_was_typed_comes_back_as_a_shell_reads_it():
    words = shlex.split(TYPED.line())
    assert words[:2] == [".venv/bin/ansible-playbook", "playbooks/rollback.yml"]
    assert [words[n + 1] for n, word in enumerate(words) if word == "-e"] == list(TYPED.extra)


def test_a_mistaken_variable_is_left_out_and_no_other():
    assert TYPED.without(["by"]).extra == ("reason='errors at 12 percent'", "@answers.json")
    assert TYPED.without(["answers"]) == TYPED


@pytest.mark.parametrize(
    ("extra", "left"),
    [
        ("wrong={}", ()),
        ("wrong='a b' right='a b'", ("right='a b'",)),
        ('{"wrong": {}}', ()),
        ('{"wrong": 1, "right": true}', ('{"right": true}',)),
        ("right=wrong", ("right=wrong",)),
        ("@wrong", ("@wrong",)),
        ('{"right": 1', ('{"right": 1',)),
        ("it's=wrong", ("it's=wrong",)),
    ],
)
def test_a_mistaken_variable_is_left_out_however_it_was_typed(extra, left):
    assert replace(TYPED, extra=(extra,)).without(["wrong"]).extra == left


DEPLOY = replace(
    TYPED, playbooks=("playbooks/deploy_v2.yml",), phases=("database", "sign_off"), extra=("a=b c",)
)
ONE = replace(DEPLOY, playbooks=("playbooks/database.yml",), phases=("database",), extra=())
HERE = replace(TYPED, typed=replace(TYPED.typed, playbooks=""))
BESIDE = replace(ONE, beside=("deploy.yml",))


@pytest.mark.parametrize(
    ("command", "step", "line"),
    [
        (TYPED, PlaybookRun("status.yml", ""), "playbooks/status.yml -i inventories/prod"),
        (DEPLOY, PlaybookRun("", ""), "playbooks/deploy_v2.yml -i inventories/prod -e 'a=b c'"),
        (DEPLOY, PlaybookRun("deploy.yml", ""), "playbooks/deploy_v2.yml -i inventories/prod -e 'a=b c'"),
        (BESIDE, PlaybookRun("deploy.yml", "", ("sign_off",)),
         "playbooks/deploy.yml -i inventories/prod --tags sign_off"),
        (ONE, PlaybookRun("deploy.yml", ""), "playbooks/database.yml -i inventories/prod --tags database"),
        (replace(BESIDE, limit="x"), PlaybookRun("deploy.yml", ""), "playbooks/deploy.yml -i inventories/prod"),
        (replace(HERE, beside=("deploy.yml",)), PlaybookRun("deploy.yml", ""),
         "deploy.yml -i inventories/prod"),
        (replace(ONE, hidden=("token",)), PlaybookRun("", ""),
         'playbooks/database.yml -i inventories/prod -e token="$token"'),
    ],
)  # fmt: skip
def test_a_step_is_typed_with_what_was_typed_by_the_playbook_that_has_its_phases(
    command, step, line
):
    text = command.carrying(step, ("database", "sign_off"), limited=False)
    assert text == f".venv/bin/ansible-playbook {line}"


def test_phases_that_were_typed_alone_are_typed_alone_again_unless_others_come_first():
    alone, plan = replace(DEPLOY, tags=("sign_off",), extra=()), ("database", "sign_off")
    again = alone.carrying(PlaybookRun("deploy.yml", "", ("sign_off",)), plan, limited=True)
    assert again.endswith("--tags sign_off")
    before = replace(alone, tags=("database",))
    rest = before.carrying(PlaybookRun("deploy.yml", "", plan), (*plan, "x"), limited=True)
    assert rest.endswith("--tags database")
    missing = alone.carrying(PlaybookRun("deploy.yml", "", plan), (*plan, "x"), limited=True)
    assert missing.endswith("--tags database,sign_off")


def test_what_no_playbook_does_is_no_line():
    step = PlaybookRun("deploy.yml", "", ("sign_off",))
    assert ONE.carrying(step, ("database", "sign_off"), limited=False) == ""
    assert DEPLOY.carrying(PlaybookRun("rollback.yml", ""), (), limited=False) == ""


@pytest.mark.parametrize(
    "word", ["plain", "a b", "it's", 'say "x"', "$HOME's", "`x`'", "back\\slash's", "", "what's!"]
)
def test_a_word_is_quoted_so_that_a_shell_reads_the_same(word):
    assert shlex.split(quoted(word)) == [word]
    assert not any(sign in quoted(word) and quoted(word).startswith('"') for sign in "$`!")


DECIDE = "-e monitoring_gate=ramp -e decision=approve -e by=$USER -e \"reason='WHY'\""
HELD = f"Wait, or decide with playbooks/decide.yml {DECIDE} (or reject), then run it again."


@pytest.mark.parametrize(("sentence", "asked"), [
    (HELD, [("decide.yml", DECIDE)]),
    ("Sign by playbooks/approve.yml -e sign_off=qa.", [("approve.yml", "-e sign_off=qa")]),
    ('Go back: playbooks/rollback.yml --tags services -e \'{"names": ["a b"]}\'.',
     [("rollback.yml", '--tags services -e \'{"names": ["a b"]}\'')]),
    ("It is set (playbooks/rollback.yml -e version=2.0.0), or",
     [("rollback.yml", "-e version=2.0.0")]),
    (f"{HELD} {HELD}", [("decide.yml", DECIDE)]),
    ("Check playbooks/status.yml -- or not -e.", []),
])  # fmt: skip
def test_a_sentence_s_playbooks_are_found_with_their_options(sentence, asked):
    assert commands_in(sentence) == asked


def test_a_sentence_is_shorter_where_its_commands_stand_below():
    told = "Wait, or decide with playbooks/decide.yml (or reject), then run it again."
    assert without_options(HELD) == told


@pytest.mark.parametrize(("typed", "command"), [
    (Typed("playbooks", ("inventories/prod", "my hosts"), ".venv/bin/ansible-playbook"),
     ".venv/bin/ansible-playbook playbooks/decide.yml -i inventories/prod -i 'my hosts'"),
    (Typed("easymo.deploy.", ("hosts.yml",)), "ansible-playbook easymo.deploy.decide -i hosts.yml"),
])  # fmt: skip
def test_a_sentence_s_commands_are_completed_as_they_are_typed_here(typed, command):
    assert typed.completed(HELD) == HELD.replace("playbooks/decide.yml", command)
