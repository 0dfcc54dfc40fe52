# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""The one place where preflight reads from the web, and what went wrong in one sentence."""

from __future__ import annotations

import typing as t

from .._checks.http import without_query
from .._errors import InputError, NotReadyError, RefusedError, UnreachableError
from .._http import request, requests


def ask(
    who: str,
    url: str,
    *,
    timeout: float,
    authorization: str = "",
    ca_cert: str | None = None,
    params: t.Sequence[tuple[str, str]] = (),
) -> requests.Response:
    """Whatever is answered. `authorization` is the whole header; it is sent nowhere else."""

    where = f"{who} at {without_query(url)}"
    try:
        return request(
            "GET",
            url,
            params=list(params),
            authorization=authorization,
            headers={"Accept": "application/json, */*"},
            timeout=timeout,
            ca_cert=ca_cert,
        )
    except requests.exceptions.SSLError:
        raise RefusedError(
            f"TLS with {where} failed: set 'ca_cert' to the authority that signed its certificate."
        ) from None
    except requests.exceptions.Timeout:
        raise UnreachableError(
            f"{where} did not answer within {timeout:g} s: see whether it is overloaded, then try again."
        ) from None
    except requests.exceptions.ConnectionError:
        raise UnreachableError(
            f"{where} cannot be reached: see whether it runs and whether its URL is right."
        ) from None
    except (requests.exceptions.RequestException, ValueError) as exc:
        raise InputError(
            f"{where} cannot be asked ({type(exc).__name__}): correct its URL."
        ) from None


def get(who: str, url: str, **how: t.Any) -> requests.Response:
    """Only a good answer, else why there is none."""
    answer = ask(who, url, **how)
    where, status = f"{who} at {without_query(url)}", answer.status_code
    if status in (401, 403):
        raise RefusedError(f"{where} answered HTTP {status}: give it a token that may read there.")
    if status == 404:
        raise NotReadyError(f"{where} is not there (HTTP 404): have it made, or correct its URL.")
    if status in (408, 429) or status >= 500:
        raise UnreachableError(f"{where} answered HTTP {status}: try again later.")
    if status != 200:
        raise InputError(f"{where} answered HTTP {status}: correct its URL.")
    return answer


def get_json(who: str, url: str, **how: t.Any) -> t.Any:
    answer = get(who, url, **how)
    try:
        return answer.json()
    except ValueError:
        raise InputError(
            f"{who} at {without_query(url)} did not answer with JSON: correct its URL."
        ) from None
