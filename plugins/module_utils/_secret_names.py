# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Which names are given to secrets: of variables, fields, headers and options. The one place that lists them."""

from __future__ import annotations

import re
import typing as t

_PASSWORDS = r"pass(?:word|wd|phrase|code)|pwd|pswd|dbpass"
_HEADERS = r"authorization|cookie"
_TOKENS = (
    r"secret|token|credential|bearer|slack[_.-]?webhook|api[_.-]?key"
    r"|(?:access|secret|private|signing|encryption|master|role|auth|account|shared|session|routing|integration|client)"
    r"[_.-]?key"
)
# Too short to say it within a word.
_SHORT = r"(?<![A-Za-z])(?:pw|auth)(?![A-Za-z])|_pass(?![A-Za-z])"

SECRET_NAME = re.compile(
    f"(?P<password>{_PASSWORDS})|(?P<header>{_HEADERS})|(?P<token>{_TOKENS})|(?P<short>{_SHORT})",
    re.I,
)
"""Stands in the name of a secret, and in names that are about one: `holds_secret` and `Naming` tell them apart."""

# What may come after it in the name of a secret.
_STILL = re.compile(
    r"s?(?:[_.-]?(?:\d{1,4}|value|raw|plain|plaintext|hash|hashed|base64|b64|encoded|encrypted|old|new|current"
    r"|previous|prod|production|staging|dev|test|demo|default|base|confirm|confirmation|header|key)s?)?",
    re.I,
)
# What comes last in a name that is about a secret and holds none.
_ABOUT = re.compile(
    r"(?:^|[_.-])(?:type|name|id|user|count|ttl|age|at|in|on|ref|file|path|dir|mount|url|uri|host|endpoint|version"
    r"|status|state|valid|present|missing|enabled|disabled|required|used|usage|budget|min|max|limits?|size|length|policy"
    r"|expir(?:y|es|ed|ation|ing)|algorithm|format|kind|source|rotation|rotated|errors?|bytes|seconds|days|problems?)$",
    re.I,
)
_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
Kind = t.Literal["password", "header", "token", "related"]


class Naming(t.NamedTuple):
    """`related`: the name has such a word and goes on, so that its value decides. `many`: it is a plural."""

    kind: Kind
    many: bool = False


def naming(name: str) -> Naming | None:
    """What the name says of its value; None when it says nothing."""
    found = list(SECRET_NAME.finditer(name))
    if not found:
        return None
    last = found[-1]
    rest = name[last.end() :].rstrip("_.-")
    if _STILL.fullmatch(rest):
        kind = t.cast("Kind", "related" if last["short"] else last.lastgroup)
        return Naming(kind, many=rest[:1] in ("s", "S"))
    if _ABOUT.search(_WORDS.sub("_", name)):
        return None
    return Naming("related")


def holds_secret(name: str) -> bool:
    """Whether a variable or an option of this name may hold one. An inventory's own are called `secret_*`."""
    if name.startswith("secret_"):
        return not name.endswith("_user")
    return naming(name) is not None
