# SPDX-License-Identifier: GPL-3.0-or-later
"""Blank out the secrets that a run knows, and what looks like a secret in text: log lines, events, error bodies.

Secrets with a form of their own are in `_secret_forms`. Here are those that stand under a name: in JSON, YAML, INI,
environments, headers, query strings, connection strings, XML, SQL and on command lines, also where these are quoted
in one another or encoded for a URL.

The text is read once from left to right: a name is looked for, then what stands behind it, and reading goes on after
that. Whatever looks ahead without a bound is passed over, so that it is linear in the length of the text.
"""

from __future__ import annotations

import base64
import json
import re
import typing as t
from urllib.parse import quote

from ._secret_forms import BLANK, SECRET_NAME, Naming, blank_forms, naming

__all__ = ["BLANK", "excerpt", "redact"]

LOOKED_AT = 16_384
"""Characters of a text of which an excerpt is shown."""
LAST_WORD = 4_096
"""Of them at the end, where a word may have been cut that does not look like a secret any more."""


def redact(text: str) -> str:
    # First what may have several lines, or parts that fields end at.
    return blank_fields(blank_forms(text))


def excerpt(text: str, limit: int) -> str:
    """The beginning of what others said, in one line of at most `limit` characters.

    Redacted before lines become one, as many a secret ends with its line, and before it is cut, so that no part of a
    secret is left over at the cut.
    """
    return " ".join(redact(_beginning(text)).split())[:limit]


def _beginning(text: str) -> str:
    """A part that is long enough, without the word that the cut goes through."""
    if len(text) <= LOOKED_AT:
        return text
    head = text[:LOOKED_AT]
    cut = max(head.rfind(space) for space in " \t\r\n")
    return head[:cut] if cut >= LOOKED_AT - LAST_WORD else head


_LONGEST_NAME = 200
_WORD_END = re.compile(rf"[\w.-]{{0,{_LONGEST_NAME}}}")

_QUOTE = r"\\{0,8}[\"'`]|%(?:25){0,4}2[27]|&quot;|&#3[49];"
_SIGN = re.compile(
    rf"(?P<quote>{_QUOTE})?(?:\]|%5[dD])?[ \t]{{0,16}}"
    r"(?P<sign>:=|=>|={1,3}|:(?!:)|%(?:25){0,4}3[aAdD])(?P<space>[ \t]{0,16})"
)
_QUOTED_SIGN = re.compile(rf"(?P<quote>{_QUOTE})\s{{0,64}}(?P<sign>:|=>)(?P<space>\s{{0,64}})")
_OPENING = re.compile(rf"(?:[bBrRuUeEfF](?=[\"'])|\[\s{{0,16}}(?=[\"']))?(?P<quote>{_QUOTE})")

# One line, with its closing quote or without; or several lines up to a quote that ends a field.
_INSIDE = {
    quote: re.compile(
        rf"(?:[^{quote}\\\n]|\\.|{quote}{quote})*(?={quote})"
        rf"|(?:[^{quote}\\]|\\.){{0,4096}}(?={quote}[ \t]*(?:[,;)}}\]]|$))|[^\n]*",
        re.M | re.S,
    )
    for quote in "\"'`"
}
_ENCODED = re.compile(r"(?:[^\s&\"'<>%]|%(?!(?:25){0,4}2[27]))*")
_LIST = re.compile(r"[^\]\n]*")

# What ends a value also occurs in passwords: it counts by what comes after it. Signs alone are no name of a field.
_FIELD_NAME = r"_{0,8}[^\W_][\w.-]{0,63}"
_ENDS = rf"(?=\s|$|[\"'{{\[]|{_FIELD_NAME}\s?[=:])"
_CLOSED = rf"(?:[)\]}}\"']|\\[\"']){{0,4}}[.:]?(?:\s|$|[,;]{_ENDS})"
_WORD = re.compile(
    rf"(?:[^\s,;&)\]}}\"'`<%\\]|%(?!(?:25){{0,4}}2[267])|[,;&](?!{_ENDS})"
    rf"|[)\]}}](?!{_CLOSED})|[\"'`](?!{_CLOSED})|\\(?![nrt\"']))+"
)
_LINE = re.compile(
    rf"(?:[^\n\"'`\\,;]|\\(?![nr\"'])|[\"'`](?!\s*(?:[,;)}}\]]|$))|,(?!\s?[\"']?{_FIELD_NAME}[\"']?\s?[=:])"
    rf"|;(?!\s?{_FIELD_NAME}\s?[=:]))+",
    re.M,
)
_HEADER = re.compile(r"(?:[^\n\"'`\\]|\\(?![nr\"'])|[\"'`](?!\s*(?:[,;)}\]]|$|-)))+", re.M)
_BEFORE_FIELD = re.compile(r"[ \t]+[\w.-]{1,64}=")
_MORE_OF_PAIR = re.compile(r"(?: [^\s=;,\"'&]{1,100}){1,8}(?=;)")
_REST_OF_PAIR = re.compile(r"[^;\"'\n]*")
_BLOCK = re.compile(r"[|>][+-]?\d?[+-]?[ \t]*\n")
_FIELD = re.compile(
    r"(?:\\n)?[\s#>|*{(\[,-]{0,40}(?:(?:export|set|env|const|let|var|ENV|ARG)[ \t]+)?"
)
_FLAG = re.compile(r"[ \t]{1,8}(?![-|>&])")
_SQL = re.compile(r"\s{1,8}[eE]?(?=')")
_MARKUP = re.compile(r"[^<>]{0,200}>(?=[^<\s])")
_PAIR = re.compile(r"[\"']\s{0,16},\s{0,16}(?=b?[\"'])")
_SAID = re.compile(r"[ \t]{1,4}(?:(is|was|ist|lautet|es|est)[ \t]{1,4})?")
_ENTRY = re.compile(
    rf"(?:{_QUOTE})?\s{{0,80}},?\s{{0,80}}(?:{_QUOTE})?value(?:{_QUOTE})?\s{{0,8}}[:=][ \t]{{0,8}}",
    re.I,
)
_ENTRY_NAME = re.compile(rf"name(?:{_QUOTE})?\s{{0,8}}[:=]\s{{0,8}}(?:{_QUOTE})?\Z", re.I)

# What stands where a secret would, and is none.
_EMPTY = r"(?:true|false|null|none|nil|undefined|unset|empty|required|optional|not set)"
_PLACEHOLDER = (
    r"(?:\*{3,}|x{3,}|\.{3}|…|<[^<>\s]{1,60}>|\[[A-Za-z ]{1,20}\]|\$\{[^}\s]{1,80}\}|\{\{[^{}]{1,200}\}\}|\$\d{1,3}|%s"
    r"|%\(\w{1,40}\)s|\?)"
)
_NOTHING = re.compile(rf"{_EMPTY}|{_PLACEHOLDER}", re.I)
_OVER = rf"[<&\r\n]|\\[nrt\"']|$|(?:[)\]}}\"']|\\[\"']){{1,4}}[.:]?(?:\s|$|[,;]{_ENDS})|[,;]{_ENDS}"
_NOTHING_BEGINS = re.compile(
    rf"{_PLACEHOLDER}(?=\s|{_OVER})|{_EMPTY}(?={_OVER}|[ \t]{{1,16}}(?:$|[\r\n]|[\w.-]{{1,64}}=))",
    re.I,
)
_CODE = re.compile(r"[A-Za-z_]\w{0,80}(?:\.\w{1,80}){0,8}(?:\(\)|[\[(][\"'])")
_IDENTIFIER = re.compile(r"[A-Za-z_][\w.]*")
_NUMBER = re.compile(r"[\d.,]+%?")
_RESULTS = re.compile(
    r"(?:pass|fail)(?:ed)?|ok|good|bad|valid|invalid|expired|missing|skipped|waived|done", re.I
)
"""What a check says of a token, and no token is."""
_ADDRESS = re.compile(r"https?://[^/?#\s]+", re.I)
_KEY_IN_ADDRESS = 16
"""Characters; a shorter part of an address is no key."""
_TIME = re.compile(r"\d{4}-\d\d-\d\d")

_STRUCTURE = re.compile(r"[\[{]\s{0,16}(?:\\?[\"'{\[\]}]|[\w.-]{1,64}\s?[:=]|$)", re.M)


class _Name(t.NamedTuple):
    text: str
    start: int
    stop: int
    naming: Naming


class _Place(t.NamedTuple):
    """Where a value begins, and what stands around it: `glued` has no space before, `field` begins a line."""

    start: int
    sign: str
    glued: bool
    quoted: bool
    field: bool


def blank_fields(text: str) -> str:
    remaining: list[str] = []
    place = look_from = 0
    while hit := SECRET_NAME.search(text, look_from):
        start, stop = _word_around(text, hit, look_from)
        look_from = stop
        known = naming(text[start:stop].rstrip(".-"))
        span = _value(text, _Name(text[start:stop], start, stop, known)) if known else None
        if span and span[1] > span[0]:
            remaining += [text[place : span[0]], BLANK]
            place = look_from = span[1]
    return "".join([*remaining, text[place:]])


def _word_around(text: str, hit: re.Match[str], floor: int) -> tuple[int, int]:
    before = text[max(floor, hit.start() - _LONGEST_NAME) : hit.start()]
    return hit.start() - _length(_WORD_END, before[::-1], 0), hit.end() + _length(
        _WORD_END, text, hit.end()
    )


def _length(pattern: re.Pattern[str], text: str, place: int) -> int:
    match = pattern.match(text, place)
    return match.end() - place if match else 0


def _value(text: str, name: _Name) -> tuple[int, int] | None:
    """From where to where the secret of this name stands; None when there is none."""
    sign = _QUOTED_SIGN.match(text, name.stop) or _SIGN.match(text, name.stop)
    if sign:
        quoted, glued = bool(sign["quote"]), not sign["space"]
        place = _Place(sign.end(), sign["sign"], glued, quoted, _begins_field(text, name.start))
        return _quoted(text, name, place) or _unquoted(text, name, place)
    return _unsigned(text, name)


def _begins_field(text: str, start: int) -> bool:
    line = text.rfind("\n", max(0, start - 80), start) + 1
    if not line and start > 80:
        return False
    before = text[line:start].rstrip("\"'")
    return bool(_FIELD.fullmatch(before))


def _quoted(text: str, name: _Name, place: _Place) -> tuple[int, int] | None:
    opening = _OPENING.match(text, place.start)
    if not opening:
        return None
    start, quote = opening.end(), opening["quote"]
    if "[" in opening[0]:
        start, stop = opening.start() + 1, start + _length(_LIST, text, start)
    elif quote in _INSIDE:
        stop = start + _length(_INSIDE[quote], text, start)
    elif quote.startswith("%"):
        stop = start + _length(_ENCODED, text, start)
    else:
        closing = re.compile(rf"(?<!\\){re.escape(quote)}|\n").search(text, start)
        stop = closing.start() if closing else len(text)
    value = text[start:stop]
    related = name.naming.kind == "related" and (" " in value or _NUMBER.fullmatch(value))
    # An empty span: it was looked at, and nothing is behind it.
    return (start, start) if related or _NOTHING.fullmatch(value) else (start, stop)


def _unquoted(text: str, name: _Name, place: _Place) -> tuple[int, int] | None:
    start = place.start
    if any(entry.match(text, start) for entry in (_NOTHING_BEGINS, _CODE, _STRUCTURE)):
        return None
    word = start + _length(_WORD, text, start)
    if _is_no_secret(name, text[start:word]):
        return None
    stop = _BY_KIND[name.naming.kind](text, name, place, word)
    around = text[name.start - 1 : name.start]
    if not place.quoted and around and around in "\"'`":
        stop = _closed(text, start, stop, around)
    return start, stop


def _is_no_secret(name: _Name, word: str) -> bool:
    """A count, a result, the directory of a shell, or a variable of the same name in code and SQL."""
    if name.naming.kind in ("token", "related") and _RESULTS.fullmatch(word.rstrip(".")):
        return True
    if (name.naming.many or name.naming.kind == "related") and _NUMBER.fullmatch(word):
        return True
    if name.text in ("PWD", "OLDPWD") and word[:1] in "/~":
        return True
    word = word.lstrip(":@$")
    same = word.rpartition(".")[2].lower() == name.text.rpartition(".")[2].lower()
    return same and bool(_IDENTIFIER.fullmatch(word))


def _password(text: str, name: _Name, place: _Place, word: int) -> int:
    """It may have spaces."""
    if place.quoted:
        return word
    block = _block(text, name, place)
    if block:
        return block
    if not place.glued:
        return place.start + _length(_LINE, text, place.start)
    if text[name.start - 1 : name.start] == ";":
        return max(word, place.start + _length(_REST_OF_PAIR, text, place.start))
    word += _length(_MORE_OF_PAIR, text, word)
    if place.field and text[word : word + 1] == " " and not _BEFORE_FIELD.match(text, word):
        return word + _length(_LINE, text, word)
    return word


def _token(text: str, name: _Name, place: _Place, word: int) -> int:
    """It has no spaces. In a sentence, as in "unexpected token: end of file", it has to look like one."""
    if place.quoted or (place.glued and (place.sign != ":" or place.field)):
        return word
    if place.field:
        return _block(text, name, place) or place.start + _length(_LINE, text, place.start)
    return word if _looks_random(text[place.start : word]) else place.start


def _header(text: str, _name: _Name, place: _Place, word: int) -> int:
    return max(word, place.start + _length(_HEADER, text, place.start))


def _related(text: str, _name: _Name, place: _Place, word: int) -> int:
    glued = place.glued and place.sign != ":"
    return word if glued or _looks_random(text[place.start : word]) else place.start


_BY_KIND: dict[str, t.Callable[[str, _Name, _Place, int], int]] = {
    "password": _password,
    "token": _token,
    "header": _header,
    "related": _related,
}


def _looks_random(word: str) -> bool:
    if _TIME.match(word):
        return False
    if address := _ADDRESS.match(word):
        parts = re.split(r"[/?&=#]", word[address.end() :])
        return any(_looks_random(part) for part in parts if len(part) >= _KEY_IN_ADDRESS)
    mixed = any(map(str.isdigit, word)) and any(map(str.isalpha, word))
    return (mixed and len(word) >= 8) or (len(word) >= 20 and "/" not in word)


def _block(text: str, name: _Name, place: _Place) -> int:
    """Where a block scalar of YAML ends: with the first line that is not indented further than its name. 0 for none."""
    begin = _BLOCK.match(text, place.start)
    if not begin:
        return 0
    line = text[text.rfind("\n", 0, name.start) + 1 : name.start]
    indent = len(line) - len(line.lstrip(" "))
    lines = re.compile(rf"(?:[ ]{{{indent + 1},}}[^\n]*(?:\n|\Z)|[ \t]*\n)*")
    stop = begin.end() + _length(lines, text, begin.end())
    return stop - 1 if text[stop - 1] == "\n" else stop


def _closed(text: str, start: int, stop: int, quote: str) -> int:
    """The name stands in quotes together with its value, which ends with them."""
    place = text.find(quote, start, stop)
    while place >= 0 and text[place + 1 : place + 2].isalnum():
        place = text.find(quote, place + 1, stop)
    return place if place >= 0 else stop


def _unsigned(text: str, name: _Name) -> tuple[int, int] | None:
    """What is a name and a value without a sign between them."""
    before = text[max(0, name.start - 40) : name.start]
    password = name.naming.kind == "password"
    if name.text.startswith("--") and (flag := _FLAG.match(text, name.stop)):
        place = _Place(flag.end(), "=", glued=True, quoted=False, field=False)
        return _quoted(text, name, place) or (
            place.start,
            place.start + _length(_WORD, text, place.start),
        )
    if password and (sql := _SQL.match(text, name.stop)):
        return _quoted(text, name, _Place(sql.end(), "=", glued=True, quoted=False, field=False))
    if before[-1:] in ("<", ":") and "<" in before and (tag := _MARKUP.match(text, name.stop)):
        stop = text.find("<", tag.end())
        return tag.end(), stop if stop >= 0 else len(text)
    if (pair := _PAIR.match(text, name.stop)) and (opens := before.rstrip("b\"'")[-1:]) in (
        "(",
        "[",
    ):
        place = _Place(pair.end(), ",", glued=True, quoted=True, field=False)
        span = _quoted(text, name, place)
        # In brackets a name before others is one of a list.
        return (
            span
            if opens == "(" or not span or text[span[1] + 1 : span[1] + 2] in ("]", "")
            else None
        )
    if _ENTRY_NAME.search(before) and (entry := _ENTRY.match(text, name.stop)):
        place = _Place(entry.end(), ":", glued=False, quoted=False, field=True)
        return _quoted(text, name, place) or _unquoted(text, name, place)
    if name.naming.kind in ("password", "token") and (said := _SAID.match(text, name.stop)):
        stop = said.end() + _length(_WORD, text, said.end())
        if _looks_said(text[said.end() : stop], password and bool(said[1])):
            return said.end(), stop
    return None


def _looks_said(word: str, is_one: bool) -> bool:
    """Whether a word behind that of a secret in a sentence is it: no word of a language has all of these."""
    letters, digits = any(map(str.isalpha, word)), any(map(str.isdigit, word))
    strange = any(char in "!#$%^&*@+~" for char in word) or (word.lower() != word != word.upper())
    return (
        len(word) >= 6
        and letters
        and digits
        and (is_one or strange)
        and "/" not in word
        and "(" not in word
    )


# Shorter ones would blank out ordinary words.
SECRET_LENGTH = 6


class Redactor:
    """Blanks out known values, in each form that logs show them in, and what has the form of a secret."""

    def __init__(self, values: t.Iterable[str] = ()) -> None:
        known = {
            form for value in values if len(value) >= SECRET_LENGTH for form in forms_of(value)
        }
        # The longest first: one may be a part of another.
        self._values = sorted(known, key=len, reverse=True)

    def __call__(self, text: str) -> str:
        for value in self._values:
            text = text.replace(value, BLANK)
        return redact(text)

    def within(self, value: t.Any, depth: int = 6) -> t.Any:
        """The same inside lists and dicts; what is under a secret's name is blank as a whole."""
        if isinstance(value, str):
            return self(value)
        if depth == 0 and isinstance(value, (dict, list, tuple)):
            return "…"
        if isinstance(value, dict):
            return {
                str(k): BLANK if is_secret(str(k), v) else self.within(v, depth - 1)
                for k, v in value.items()
            }
        if isinstance(value, (list, tuple)):
            return [self.within(item, depth - 1) for item in value]
        return value if value is None or isinstance(value, (bool, int, float)) else self(str(value))


def forms_of(value: str) -> set[str]:
    """As it is, in JSON, in a URL, and in a basic credential."""
    encoded = base64.b64encode(value.encode()).decode().rstrip("=")
    return {value, json.dumps(value)[1:-1], quote(value, safe=""), encoded}


def is_secret(name: str, value: t.Any) -> bool:
    """By its name; where that goes on after the word for a secret, a value of several words is none."""
    if not isinstance(value, str) or not value:
        return False
    named = naming(name)
    return named is not None and (named.kind != "related" or len(value.split()) == 1)
