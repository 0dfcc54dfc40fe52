# SPDX-License-Identifier: GPL-3.0-or-later
"""The one place that talks to the admin API about its banner. Every call of it may be repeated.

Decide what to do about a banner, from the one that is shown and the one that is wanted. Pure.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ._errors import InputError, RefusedError, VerificationError
from ._http import Answer, Repeat, ask, bearer, good, without_query
from ._time import Deadline

LONGEST = 500
"""Characters: what fits on the dashboard."""


@dataclass(frozen=True)
class Banner:
    message: str
    type: str

    def to_result(self) -> dict[str, str]:
        return {"message": self.message, "type": self.type}


@dataclass(frozen=True)
class BannerPlan:
    """None stands for no banner."""

    before: Banner | None
    after: Banner | None

    @property
    def changed(self) -> bool:
        return self.before != self.after

    def to_diff(self) -> dict[str, t.Any]:
        return {
            "before": self.before.to_result() if self.before else {},
            "after": self.after.to_result() if self.after else {},
        }


def wanted_banner(state: str, message: str | None, kind: str) -> Banner | None:
    if state == "absent":
        return None
    text = (message or "").strip()
    if not text or len(text) > LONGEST:
        raise InputError(
            f"'text' has {len(text)} characters: a banner needs from 1 to {LONGEST} of them."
        )
    return Banner(text, kind)


class BannerApi:
    """GET, POST and DELETE of one URL. `token` is a bearer token."""

    def __init__(self, url: str, token: str, deadline: Deadline, ca_cert: str | None) -> None:
        self._url = url
        self._where = f"The admin API at {without_query(url)}"
        self._token = token
        self._deadline = deadline
        self._ca_cert = ca_cert

    def read(self) -> Banner | None:
        answer = self._ask("GET")
        try:
            shown = answer.json()["banner"]
            return Banner(str(shown["message"]).strip(), str(shown["type"])) if shown else None
        except (ValueError, LookupError, TypeError) as exc:
            raise VerificationError(
                f"{self._where} does not say which banner is shown: check the URL."
            ) from exc

    def show(self, banner: Banner | None) -> None:
        """Put this one in the place of whatever is shown; None takes it down."""
        if banner is None:
            self._ask("DELETE")
        else:
            self._ask("POST", banner.to_result())

    def _ask(self, method: str, body: dict[str, str] | None = None) -> Answer:
        answer = ask(
            self._where,
            method,
            self._url,
            json=body,
            authorization=bearer(self._token),
            timeout=max(0.1, self._deadline.left()),
            ca_cert=self._ca_cert,
            repeat=Repeat(self._deadline),
        )
        return good(
            answer,
            self._where,
            forbidden="correct 'token'",
            otherwise=(RefusedError, "correct 'url' or the banner"),
            secret=self._token,
        )
