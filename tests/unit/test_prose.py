"""What of the code is read as a sentence for people, and how commits begin."""

import subprocess

import pytest

from tests.caches import ROOT
from tests.interop.prose import messages

SOURCE = '''
"""A module says this to its owner."""

DOCUMENTATION = "It says this to a user of it."

def refuse(name):
    """A function says this to its owner."""
    key = "a key of a dictionary"
    raise ValueError(
        f"Option {name!r} is empty: "
        "name the server."
    )
'''


def test_a_text_that_ends_like_a_sentence_is_a_message_with_what_it_is_filled_with():
    assert messages(SOURCE) == [(10, "Option X is empty: name the server.")]


def test_the_subject_of_a_commit_is_a_line_of_72_letters():
    if not (ROOT / ".git").exists():
        pytest.skip("there is no history here")
    log = ("git", "log", "-50", "--no-merges", "--format=%s")
    subjects = subprocess.check_output(log, cwd=ROOT, text=True).splitlines()
    assert [one for one in subjects if len(one) > 72 or one.endswith(".") or one[0].islower()] == []
