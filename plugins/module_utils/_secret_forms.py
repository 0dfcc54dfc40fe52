# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets that have a form of their own, whatever stands before them: keys, tokens, credentials in URLs, private keys.

Each pattern begins with text that it must have, and repeats nothing that it may have to read again, so that all of
them are linear in the length of the text.

Which names are given to secrets: of variables, fields, headers and options. The one place that lists them.
"""

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
    results = list(SECRET_NAME.finditer(name))
    if not results:
        return None
    last = results[-1]
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


INNOCENT = frozenset({"secrets", "required_secrets"})
"""Options that name secrets and hold none."""


def secrets_within(value: t.Any, name: str = "") -> t.Iterator[str]:
    """The values of all options that hold one, however deep."""
    if isinstance(value, str):
        if value and holds_secret(name):
            yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            if key not in INNOCENT:
                yield from secrets_within(inner, str(key))
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from secrets_within(inner, name)


BLANK = "********"

# Also after an escape of JSON or of a URL, whose last character is a letter or a digit.
_BEGIN = r"(?:(?<![A-Za-z0-9])|(?<=%[0-9A-Fa-f]{2})|(?<=\\[nrt]))"

_KEYS = re.compile(
    _BEGIN + r"(?:xox[a-z]-[\w-]{8,}|xapp-[\w-]{8,}"  # Slack
    r"|sbp_\w{16,}|sb_secret_[\w-]{8,}"  # Supabase
    r"|gh[pousr]_\w{16,}|github_pat_\w{16,}|glpat-[\w-]{16,}|npm_\w{30,}"
    r"|sk-(?:(?:proj|ant|svcacct|admin)-[\w-]{16,}|\w{20,})|[sr]k_(?:live|test)_\w{10,}"  # OpenAI, Anthropic, Stripe
    r"|(?:AKIA|ASIA)[A-Z0-9]{12,}|AIza[\w-]{30,}|ya29\.[\w-]{20,}"  # AWS, Google
    r"|EAA[A-Za-z0-9]{30,}"  # Meta's Graph API
    r"|SG\.[\w-]{16,}(?:\.[\w-]*)?|hv[sb]\.[\w-]{20,}|AGE-SECRET-KEY-1[A-Z0-9]{20,}"
    # JSON Web Tokens: eyJ is how '{"' begins in base64
    r"|eyJ[\w-]{16,}(?:\.[\w-]*){0,4})"
)
_SLACK_WEBHOOK = re.compile(
    r"(?<=/)T[A-Z0-9]{6,24}/B[A-Z0-9]{6,24}/\w{8,64}"
    r"|(?<=hooks\.slack\.com/)(?:services|workflows|triggers)/[\w/-]+"
)
_SIGNED_QUERY = re.compile(
    r"([?&;](?:X-Amz-(?:Signature|Credential|Security-Token)|Signature|sig)=)[^&\s\"'<>]+", re.I
)
# In the next line only where that is indented, as in folded YAML, and no field: else these words end their line.
_SCHEME = re.compile(
    r"(?<![\w-])(bearer|basic)((?:[^\S\r\n]|%20|\+){1,4}|[ \t]?\r?\n[ \t]{1,40}(?![\w.-]{1,64}:))"
    r"([A-Za-z0-9._~+/=-]{8,})",
    re.I,
)
_PROSE = re.compile(r"[A-Za-z]?[a-z]{0,15}[.]?")
"""What follows these words in a sentence, as in "basic authentication failed."."""

# To the last "@" before white space, a quote or the next scheme, and over a scheme that comes before the first "@": an
# "@", a "/" or a "://" may stand in a password as it is. A port is no password, and a digest no host.
_URL = re.compile(
    r"((?:(?<=://)|(?<=:\\/\\/))[^\s:/@?#\"'<>\[]*:)(?!\d{1,5}(?:[/?#]|\\/|[,;][\w+.-]+:(?://|\\/\\/)))"
    r"(?:[^\s\"'<>@]{0,400}(?=@))?(?:[^\s\"'<>:]|:(?!//|\\/\\/))*(?=@(?!sha256:))"
)
_ENCODED_URL = re.compile(
    r"((?<=%3[aA]%2[fF]%2[fF])[^\s:/@?#\"'<>%]*(?::|%3[aA]))(?!\d{1,5}%2[fF])"
    r"(?:(?:[^\s\"'<>%&]|%(?!40)){0,400}(?=%40))?(?:[^\s\"'<>%&]|%(?!3[aA]%2[fF]%2[fF]))*(?=%40)"
)
# Without a scheme: what has an "@" in its password, or goes on after its host.
_LOGIN = re.compile(
    r"(?<![\w/.@:%+-])([\w.+-]{1,64}:)(?!//)(?:(?:[^\s\"'<>@/]{0,200}@){1,8}[^\s\"'<>@/]{0,200}"
    r"|[^\s\"'<>@/]{1,200}(?=@(?:[\w.-]{1,253}(?::\d|/\w)|tcp\(|unix\()))(?=@(?!sha256:))"
)

_PEM = re.compile(r"-----(BEGIN|END) [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_PEM_BODY = re.compile(r"(?:[A-Za-z0-9+/=\s]|\\[nr])*")
_PEM_WORD = re.compile(r"[A-Za-z0-9+/=]*")
_PEM_SPACE = re.compile(r"(\s+|\\[nr])")
_PEM_LINE = 40
"""Shorter words of base64 are the last of a key, or words."""


def blank_forms(text: str) -> str:
    text = _blank_private_keys(text)
    text = _ENCODED_URL.sub(rf"\1{BLANK}", _URL.sub(rf"\1{BLANK}", text))
    text = _LOGIN.sub(rf"\1{BLANK}", text)
    text = _KEYS.sub(BLANK, text)
    text = _SLACK_WEBHOOK.sub(BLANK, text)
    text = _SIGNED_QUERY.sub(rf"\1{BLANK}", text)
    return _SCHEME.sub(_blank_scheme, text)


def _blank_scheme(result: re.Match[str]) -> str:
    if _PROSE.fullmatch(result[3]) or set(result[3]) == {"*"}:
        return result[0]
    return f"{result[1]}{result[2]}{BLANK}"


def _blank_private_keys(text: str) -> str:
    """Also one whose end was cut off, and the end of one whose beginning was."""
    remaining: list[str] = []
    place, opened = 0, -1
    for match in _PEM.finditer(text):
        if match[1] == "BEGIN":
            opened = match.start() if opened < 0 else opened
            continue
        before = text[place:opened] if opened >= 0 else _without_key(text[place : match.start()])
        remaining += [before, BLANK]
        place, opened = match.end(), -1
    if opened >= 0:
        body = _PEM_BODY.match(text, text.index("KEY", opened) + len("KEY-----"))
        remaining += [text[place:opened], BLANK]
        place = body.end() if body else len(text)
    return "".join([*remaining, text[place:]])


def _without_key(text: str) -> str:
    """Without the words of base64 that it ends with."""
    words = _PEM_SPACE.split(text)
    least = 0
    while words and _PEM_WORD.fullmatch(words[-1]) and len(words[-1]) >= least:
        least = _PEM_LINE if words.pop() else least
        while words and _PEM_SPACE.fullmatch(words[-1]):
            words.pop()
    return "".join(words)
