# SPDX-License-Identifier: GPL-3.0-or-later
"""What preflight reads from the web, and why there is none of it."""

from __future__ import annotations

import typing as t

from .. import _http
from .._errors import InputError, NotReadyError
from .._http import Answer, without_query


def ask(who: str, url: str, **how: t.Any) -> Answer:
    """Whatever is answered. `how` as for `_http.send`."""
    return _http.ask(
        f"{who} at {without_query(url)}",
        "GET",
        url,
        headers={"Accept": "application/json, */*"},
        **how,
    )


def get(who: str, url: str, **how: t.Any) -> Answer:
    """Only a good answer."""
    answer, where = ask(who, url, **how), f"{who} at {without_query(url)}"
    if answer.status == 404:
        raise NotReadyError(f"{where} is missing (HTTP 404): create it, or correct its URL.")
    return _http.good(
        answer,
        where,
        forbidden="set a token that may read it",
        otherwise=(InputError, "correct its URL"),
    )


def get_json(who: str, url: str, **how: t.Any) -> t.Any:
    answer = get(who, url, **how)
    try:
        return answer.json()
    except ValueError:
        raise InputError(
            f"{who} at {without_query(url)} did not answer with JSON: correct its URL."
        ) from None
