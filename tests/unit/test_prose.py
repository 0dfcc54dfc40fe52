"""What of the code is read as a sentence for people."""

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
