# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Ask a URL, and compare the answer with what is expected."""

from __future__ import annotations

import json
import typing as t
from urllib.parse import urlsplit, urlunsplit

from .._errors import InputError, RefusedError, UnreachableError
from .._http import request, requests
from .._redaction import excerpt
from .models import CheckError, Options
from .options import http_options

_SHOWN = 200
_MISSING = object()


def options_for(url: str) -> Options:
    """Those of a check that passes when the URL answers 200."""
    return {**{name: one.get("default") for name, one in http_options().items()}, "url": url}


def probe(options: Options, timeout: float) -> str:
    shown = without_query(options["url"])
    body = options["body"]
    try:
        answer = request(
            options["method"],
            options["url"],
            headers=options["headers"],
            # What is not text already goes as JSON.
            data=body if isinstance(body, str) else None,
            json=None if isinstance(body, str) else body,
            timeout=timeout,
            ca_cert=options["ca_cert"],
        )
    except requests.exceptions.SSLError as exc:
        raise RefusedError(
            f"TLS with {shown} failed ({_cause(exc)}); set 'ca_cert' to the authority that signed it."
        ) from exc
    except requests.exceptions.Timeout as exc:
        raise UnreachableError(f"{shown} did not answer within {timeout:g} s.") from exc
    except requests.exceptions.ConnectionError as exc:
        raise UnreachableError(f"{shown} cannot be reached ({_cause(exc)}).") from exc
    except (requests.exceptions.RequestException, ValueError) as exc:
        raise InputError(f"{shown} cannot be asked ({type(exc).__name__}).") from exc
    judge_answer(options, answer.status_code, answer.text)
    return f"HTTP {answer.status_code}"


def judge_answer(options: Options, status: int, text: str) -> None:
    """Raise CheckError with everything that is not as expected."""
    problems = []
    if status not in options["status"]:
        expected = " or ".join(map(str, options["status"]))
        problems.append(f"answered {status} and not {expected}")
    if options["text"] and options["text"] not in text:
        problems.append(f"does not contain {options['text']!r}")
    if options["json"]:
        problems += _json_problems(text, options["json"])
    if problems:
        saw = excerpt(text, _SHOWN)
        raise CheckError(
            f"{options['method']} {without_query(options['url'])} {'; '.join(problems)}"
            f"{f' (it said: {saw})' if saw else ''}."
        )


def _json_problems(text: str, expected: t.Mapping[str, t.Any]) -> t.Iterator[str]:
    try:
        document = json.loads(text)
    except ValueError:
        yield "is not JSON"
        return
    for path, wanted in expected.items():
        found = look_up(document, path)
        if found is _MISSING:
            yield f"has no {path}"
        elif not same(found, wanted):
            yield f"has {path} {found!r} and not {wanted!r}"


def look_up(document: t.Any, path: str) -> t.Any:
    """Follow `a.b.0.c` through dicts and lists; _MISSING when it leads nowhere."""
    for part in path.split("."):
        if isinstance(document, dict) and part in document:
            document = document[part]
        elif isinstance(document, list) and part.isdecimal() and int(part) < len(document):
            document = document[int(part)]
        else:
            return _MISSING
    return document


def same(found: t.Any, wanted: t.Any) -> bool:
    """Equal, or written the same: a template may have made text of a number."""
    if isinstance(found, bool) or isinstance(wanted, bool):
        return str(found).lower() == str(wanted).lower()
    return bool(found == wanted or str(found) == str(wanted))


def without_query(url: str) -> str:
    """The URL as far as it may be shown: no user, no password, no query."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, "", ""))


def _cause(exc: BaseException) -> str:
    """The innermost reason, such as 'Connection refused', without the objects requests wraps it in."""
    seen: list[BaseException] = []
    inner: BaseException | None = exc
    while inner is not None and inner not in seen:
        seen.append(inner)
        wrapped = (arg for arg in inner.args if isinstance(arg, BaseException))
        inner = inner.__cause__ or inner.__context__ or next(wrapped, None)
    cause = seen[-1]
    return str(getattr(cause, "strerror", None) or getattr(cause, "reason", None) or cause)[:_SHOWN]
