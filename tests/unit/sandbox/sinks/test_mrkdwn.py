"""Slack's markup is shown, everything else is shown as it was written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.sinks.page import to_html

NAMES = {"U1": "Amina", "C1": "devops"}


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("*bold* _it_ ~no~", "<b>bold</b> <i>it</i> <s>no</s>"),
        ("snake_case_name 2*3*4", "snake_case_name 2*3*4"),
        ("`a*b*`", "<code>a*b*</code>"),
        ("<@U1> <#C1|x>", '<span class="mention">@Amina</span> <span class="mention">#x</span>'),
        ("<!channel>", '<span class="mention all">@channel</span>'),
        ("&lt;!channel&gt;", "&lt;!channel&gt;"),
        ("<script>x</script>", "&lt;script&gt;x&lt;/script&gt;"),
        ("<javascript:x|y>", "&lt;javascript:x|y&gt;"),
        (":rocket: :nope:", "🚀 :nope:"),
        ("&gt; said\nand", "<blockquote>said</blockquote>and"),
    ],
)
def test_rendering(text, html):
    assert to_html(text, NAMES) == html


def test_a_url_keeps_its_underscores_and_cannot_leave_its_attribute():
    shown = to_html('<https://a.example/_x_?q="><b|see> https://b.example/_y_', NAMES)
    assert 'href="https://b.example/_y_"' in shown
    assert '"><b' not in shown


@given(st.text(alphabet="<>&\"'`*_~\n|!@#:/ abhttps.\x00\x01", max_size=60))
def test_nothing_received_becomes_a_tag_of_its_own(text):
    shown = to_html(text.replace("script", ""), NAMES)
    for tag in ("<script", "<img", "<svg", "<iframe", "<h", "javascript:"):
        assert tag not in shown
