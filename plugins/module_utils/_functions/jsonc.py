# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""JSON as Deno's configuration has it: with comments and commas before a closing bracket."""

from __future__ import annotations

import json
import re
import typing as t

_PIECE = re.compile(r"""(?P<string>"(?:[^"\\]|\\.)*")|(?P<comment>//[^\n]*|/\*.*?\*/)""", re.DOTALL)
_LAST_COMMA = re.compile(r"""(?P<string>"(?:[^"\\]|\\.)*")|,(?=\s*[\]}])""", re.DOTALL)


def load(content: bytes) -> t.Any:
    """Raises ValueError with line and column, which are those of the file."""
    text = content.decode("utf-8-sig")
    text = _PIECE.sub(lambda found: found["string"] or re.sub(r"[^\n]", " ", found[0]), text)
    return json.loads(_LAST_COMMA.sub(lambda found: found["string"] or " ", text))
