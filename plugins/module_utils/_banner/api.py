# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""The one place that talks to the admin API about its banner. Every call of it may be repeated."""

from __future__ import annotations

from .._checks.http import without_query
from .._errors import InputError, RefusedError, UnreachableError, VerificationError
from .._http import request, requests
from .._messages.retry import BusyError, Deadline, retry_after, retrying
from .._redaction import BLANK, excerpt
from .plan import Banner

_SHOWN = 200


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
                f"{self._where} does not tell which banner is shown: see whether the URL is right."
            ) from exc

    def show(self, banner: Banner | None) -> None:
        """Put this one in the place of whatever is shown; None takes it down."""
        if banner is None:
            self._ask("DELETE")
        else:
            self._ask("POST", banner.to_result())

    def _ask(self, method: str, body: dict[str, str] | None = None) -> requests.Response:
        return retrying(lambda: self._once(method, body), self._deadline, idempotent=True)

    def _once(self, method: str, body: dict[str, str] | None) -> requests.Response:
        left = max(0.1, self._deadline.left())
        try:
            answer = request(
                method,
                self._url,
                json=body,
                authorization=f"Bearer {self._token}",
                timeout=(min(5.0, left), left),
                ca_cert=self._ca_cert,
            )
        except requests.exceptions.SSLError:
            raise RefusedError(
                f"{self._where} has a certificate that is not trusted: set 'ca_cert' to the authority that signed it."
            ) from None
        except requests.exceptions.Timeout:
            raise UnreachableError(f"{self._where} did not answer in time: try again.") from None
        except (
            requests.exceptions.ConnectionError,
            requests.exceptions.ChunkedEncodingError,
        ):
            raise UnreachableError(
                f"{self._where} cannot be reached: check the network and the URL."
            ) from None
        except (requests.exceptions.RequestException, ValueError) as exc:
            raise InputError(
                f"{self._where} cannot be asked ({type(exc).__name__}): correct 'url'."
            ) from None
        return self._judged(answer)

    def _judged(self, answer: requests.Response) -> requests.Response:
        if 200 <= answer.status_code < 300:
            return answer
        said = excerpt(answer.text.replace(self._token, BLANK), _SHOWN)
        told = f"{self._where} answered HTTP {answer.status_code}{f' ({said})' if said else ''}"
        if answer.status_code == 429:
            raise BusyError(f"{told}: try again later.", retry_after(answer.headers))
        if answer.status_code >= 500:
            raise UnreachableError(f"{told}: see its log, then try again.")
        if answer.status_code in (401, 403):
            raise RefusedError(f"{told}: correct 'token'.")
        raise RefusedError(f"{told}: correct 'url' or the banner.")

    def _permit(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request
