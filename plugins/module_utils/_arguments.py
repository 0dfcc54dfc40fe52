# SPDX-License-Identifier: GPL-3.0-or-later
"""Check values against an argument spec, as Ansible does, with each problem in one short sentence.

Values that Ansible's own check of options takes, or breaks on.

What it takes: infinite and huge numbers, NaN. What it breaks on: those where a whole number is due, a number in the
place of a dictionary with options, and a value that contains itself, as a YAML anchor inside its own value does.

Also who runs this, as the record, the lock and the journal name them, and who decides something, and why. What people
type for others to read is read here, and refused where it looks like a secret.
"""

from __future__ import annotations

import getpass
import math
import os
import typing as t
from collections.abc import Mapping

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.common.parameters import remove_values
from ansible.module_utils.common.validation import check_type_dict

from ._errors import InputError, in_short
from ._redaction import redact

LARGEST = 1e15
"""Beyond it a float no longer counts by ones, and no option of this collection means such a number."""
DEEPEST = 100
"""Levels of dictionaries and lists; Python itself ends at a thousand calls."""
LONGEST_NAME = 60
LONGEST_FILE = 255
"""NAME_MAX in Linux' include/uapi/linux/limits.h."""
MOST_BITS = 4_300 * 3
"""Python writes integers of 4,300 digits: https://docs.python.org/3/library/stdtypes.html#int-max-str-digits."""
NUMBERS = frozenset({"int", "float"})
TEXTS = frozenset({"str", "path"})
LONGEST_TEXT = 262_144
"""Characters, as many as all annotations of an object in Kubernetes may have together."""

Spec = t.Mapping[str, t.Any]


def wrong_kinds(spec: Spec, given: t.Mapping[str, t.Any], where: str = "") -> list[str]:
    """One sentence for each of those values among the options of an argument spec, with the path to it."""
    results: list[str] = []
    for name, option in spec.items():
        if name in given:
            path = f"{where}{name}"
            endless = not where and is_endless(given[name])
            results += [endless_sentence(path)] if endless else _wrong(option, given[name], path)
    return results


def is_endless(value: t.Any) -> bool:
    """Whether Python cannot write it: it contains itself, is nested too deeply, or has too long an integer."""
    return _ends_not(value, [], set())


def _ends_not(value: t.Any, around: list[int], known: set[int]) -> bool:
    if isinstance(value, int):
        return value.bit_length() > MOST_BITS
    if not isinstance(value, (Mapping, list, tuple)) or id(value) in known:
        return False
    if id(value) in around or len(around) >= DEEPEST:
        return True
    inner = value.values() if isinstance(value, Mapping) else value
    around.append(id(value))
    endless = any(_ends_not(entry, around, known) for entry in inner)
    around.pop()
    known.add(id(value))
    return endless


def endless_sentence(path: str) -> str:
    return (
        f"Option {path!r} contains itself, is nested more than {DEEPEST} levels deep, or has a number of thousands of "
        "digits: write it out, without a YAML anchor inside its own value."
    )


def _wrong(option: Spec, value: t.Any, path: str) -> list[str]:
    kind = option.get("type", "str")
    if isinstance(value, bytes):
        return [f"Option {path!r} is binary: write it as a text."]
    if kind == "list":
        if option.get("options") and isinstance(value, str):
            return [f"Option {path!r} is a text: it must be a list of dictionaries."]
        element = {**option, "type": option.get("elements") or "raw", "elements": None}
        return [
            entry
            for number, inner in enumerate(_as_list(value))
            for entry in _wrong(element, inner, f"{path}[{_name_of(inner) or number}]")
        ]
    if kind in TEXTS and (why := _no_text(value)):
        return [f"Option {path!r} {why}"]
    if kind == "path" and isinstance(value, str) and max(map(len, value.split("/"))) > LONGEST_FILE:
        return [f"Option {path!r} has a name of more than {LONGEST_FILE} characters: no file has."]
    if kind in NUMBERS and not _is_countable(value):
        return [f"Option {path!r} is {_number(value)}: it must be a number within ±{LARGEST:g}."]
    if kind != "dict" or not option.get("options"):
        return []
    if isinstance(value, Mapping):
        return wrong_kinds(option["options"], value, f"{path}.")
    if value is None or _spells_a_dictionary(value):
        return []
    # Of a text or a list nothing is quoted: a password may be in it.
    plain = isinstance(value, (int, float)) and _is_countable(value)
    what = str(value) if plain else "a list" if isinstance(value, (list, tuple)) else "none"
    return [
        f"Option {path!r} is {what}: it must be a dictionary, of {', '.join(option['options'])}."
    ]


def _as_list(value: t.Any) -> t.Sequence[t.Any]:
    """As Ansible makes one of it."""
    if isinstance(value, str):
        return value.split(",")
    return value if isinstance(value, (list, tuple)) else [value]


def _spells_a_dictionary(value: t.Any) -> bool:
    """Whether Ansible makes one of it, as of C(min=1 max=2)."""
    try:
        return isinstance(value, str) and bool(check_type_dict(value))
    except (TypeError, ValueError):
        return False


def _no_text(value: t.Any) -> str:
    """Why it is none that can be written and sent; "" for one."""
    if isinstance(value, (Mapping, list, tuple)):
        what = "dictionary" if isinstance(value, Mapping) else "list"
        return f"is a {what}: it must be a text."
    if not isinstance(value, str):
        return ""
    if len(value) > LONGEST_TEXT:
        return f"has {len(value)} characters: it may have at most {LONGEST_TEXT}."
    if "\0" in value or any("\ud800" <= entry <= "\udfff" for entry in value):
        return "has a NUL or half of a character: write it anew."
    return ""


def text_of(value: t.Any) -> str:
    """The given text, or "" for what is none, such as a list: it has no name and no reason."""
    if isinstance(value, str):
        return "" if _no_text(value) else value.strip()
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return str(value) if number and _is_countable(value) else ""


def _name_of(value: t.Any) -> str:
    """By which people know an entry of a list."""
    name = value.get("name") if isinstance(value, Mapping) else None
    return name if isinstance(name, str) and len(name) <= LONGEST_NAME else ""


def _number(value: t.Any) -> str:
    try:
        return f"{float(value):g}"
    except OverflowError:
        return "too large for Python"


def _is_countable(value: t.Any) -> bool:
    """Whatever is no number at all, Ansible refuses by itself."""
    try:
        number = float(value)
    except OverflowError:
        return False
    except (TypeError, ValueError):
        return True
    return math.isfinite(number) and abs(number) <= LARGEST


def read_options(spec: Spec, given: t.Mapping[str, t.Any]) -> tuple[dict[str, t.Any], list[str]]:
    """The values that are right, with defaults, and what is wrong with the others."""
    wrong = {name: wrong_kinds({name: option}, given) for name, option in spec.items()}
    known = {name: option for name, option in spec.items() if not wrong[name]}
    rest = {name: value for name, value in given.items() if not wrong.get(name)}
    checked = ArgumentSpecValidator(known).validate(rest)
    texts = [sentence for sentences in wrong.values() for sentence in sentences]
    texts += [
        _sentence(str(remove_values(message, checked._no_log_values)))
        for message in checked.error_messages
    ]
    return checked.validated_parameters, [in_short(text) for text in texts]


def options_or_refusal(spec: Spec, given: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """The values. Raises InputError with all that is wrong with them."""
    values, wrong = read_options(spec, given)
    if wrong:
        raise InputError(" ".join(wrong))
    return values


def _sentence(message: str) -> str:
    """Of keys that an option does not have, Ansible's text begins with their names."""
    unknown = "unknown: " if ". Supported parameters include: " in message else ""
    return f"{unknown}{message.rstrip('.')}."


PLACEHOLDERS = frozenset(
    [
        *("nobody", "none", "unknown", "anonymous", "somebody", "n/a", "tbd", "$user", "who"),
        *("name", "your name", "why", "reason", "the reason", "what was seen"),
    ]
)
"""What printed commands and forms have in the place of a name or a reason, in small letters."""


def user_here() -> str:
    """The login by the environment (LOGNAME, USER, LNAME, USERNAME) or the system's accounts, else C(uid-<number>).

    A container may run as an account that /etc/passwd does not have, which is no reason to fail: `getpass.getuser`
    raises KeyError then before Python 3.13, and OSError from it on.
    """
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid-{os.getuid()}"


def as_meant(value: t.Any, *, name: bool = False) -> str:
    """What a person typed as a reason, or as a name; "" for nothing, and for what only holds its place."""
    text = text_of(value)
    letters = [char for char in text if (char.isalpha() if name else char.isalnum())]
    holds_its_place = text.strip("<>'\"").casefold() in PLACEHOLDERS
    return "" if holds_its_place or len(letters) < (2 if name else 1) else text


def decided_by(option: str, entry: t.Any) -> tuple[str, str]:
    """The `by` and `reason` of an entry that people write, "" for each that is missing or a placeholder."""
    fields = entry if isinstance(entry, dict) else {}
    refuse_secrets(**{f"{option}.{name}": fields.get(name) for name in ("by", "reason")})
    return as_meant(fields.get("by"), name=True), as_meant(fields.get("reason"))


def read_who_and_why(**given: t.Any) -> list[str]:
    """What these say, by what a person types; one that ends in `by` is a name. Raises InputError for nothing."""
    refuse_secrets(**given)
    return [_read(variable, value) for variable, value in given.items()]


def read_if_given(**given: t.Any) -> list[str]:
    """The same of what may be left empty, which is ""."""
    return [
        read_who_and_why(**{name: entry})[0] if text_of(entry) else ""
        for name, entry in given.items()
    ]


def read_blanked(**given: t.Any) -> list[str]:
    """The same for what nothing may hinder: a secret is blanked out in place of a refusal."""
    return [
        redact(_read(name, entry)) if text_of(entry) or name == "reason" else ""
        for name, entry in given.items()
    ]


def refuse_placeholders(**given: t.Any) -> None:
    """Of what may be left empty."""
    for variable, value in given.items():
        if text_of(value):
            _read(variable, value)


def refuse_secrets(**given: t.Any) -> None:
    """What others will read must not look like one. The value is not told."""
    for option, value in given.items():
        text = text_of(value)
        if redact(text) != text:
            raise InputError(
                f"{option!r} looks as if it holds a secret, and others will read it: say it without the secret."
            )


def _read(variable: str, value: t.Any) -> str:
    name = variable.endswith("by")
    if text := as_meant(value, name=name):
        return text
    lacks, wanted, place = (
        ("is no name", "the name of who decides", "NAME")
        if name
        else ("gives no reason", "the reason", "WHY")
    )
    raise InputError(
        f"{variable!r} is {text_of(value)!r}, which {lacks}: add -e \"{variable}='{place}'\", "
        f"with {wanted} in the place of {place}."
    )
