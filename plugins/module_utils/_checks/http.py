# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask a URL, and compare the answer with what is expected."""

from __future__ import annotations

import json
import typing as t

from .._http import REQUESTS, ask, without_query
from .._jmespath import JMESPATH, holds, search
from .._redaction import excerpt
from .models import CheckError, Kind, Options

_SHOWN = 200


def probe(options: Options, timeout: float) -> str:
    body = options["body"]
    answer = ask(
        without_query(options["url"]),
        options["method"],
        options["url"],
        headers=options["headers"],
        # What is not text already goes as JSON.
        data=body if isinstance(body, str) else None,
        json=None if isinstance(body, str) else body,
        timeout=timeout,
        ca_cert=options["ca_cert"],
    )
    judge_answer(options, answer.status, answer.text)
    return f"HTTP {answer.status}"


def judge_answer(options: Options, status: int, text: str) -> None:
    """Raise CheckError with everything that is not as expected."""
    problems = []
    if status not in options["status"]:
        expected = " or ".join(map(str, options["status"]))
        problems.append(f"answered {status} and not {expected}")
    if options["text"] and options["text"] not in text:
        problems.append(f"does not contain {options['text']!r}")
    if options["json"] or options["holds"]:
        problems += _json_problems(text, options["json"], options["holds"])
    if problems:
        saw = excerpt(text, _SHOWN)
        raise CheckError(
            f"{options['method']} {without_query(options['url'])} {'; '.join(problems)}"
            f"{f' (it said: {saw})' if saw else ''}."
        )


def _json_problems(
    text: str, expected: t.Mapping[str, t.Any], conditions: t.Sequence[str]
) -> t.Iterator[str]:
    try:
        document = json.loads(text)
    except ValueError:
        yield "is not JSON"
        return
    for path, wanted in expected.items():
        found = search(path, document)
        if found is None:
            yield f"has no {path}"
        elif not same(found, wanted):
            yield f"has {path} {found!r} and not {wanted!r}"
    for condition in conditions:
        if not holds(condition, document):
            yield f"does not hold {condition}"


def same(found: t.Any, wanted: t.Any) -> bool:
    """Equal, or written the same: a template may have made text of a number."""
    if isinstance(found, bool) or isinstance(wanted, bool):
        return str(found).lower() == str(wanted).lower()
    return bool(found == wanted or str(found) == str(wanted))


KIND = Kind(
    probe,
    {
        "url": {"type": "str", "required": True},
        "method": {"type": "str", "default": "GET"},
        "headers": {"type": "dict", "default": {}, "no_log": True},
        "body": {"type": "raw"},
        "status": {"type": "list", "elements": "int", "default": [200]},
        "json": {"type": "dict", "default": {}},
        "holds": {"type": "list", "elements": "str", "default": []},
        "text": {"type": "str"},
        "ca_cert": {"type": "path"},
    },
    (REQUESTS, JMESPATH),
)
