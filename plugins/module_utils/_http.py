# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""How every client here that uses requests sends one: with our token and no other, TLS verified, and redirects told.

What an answer means, and what is said when there is none, is the client's.
"""

from __future__ import annotations

import traceback
import typing as t

from ._library import Library

try:
    import requests
    import requests.adapters
    import requests.auth
    import requests.utils

    IMPORT_ERROR: str | None = None
except ImportError:
    requests = None  # type: ignore[assignment]
    IMPORT_ERROR = traceback.format_exc()

__all__ = ["REQUESTS", "request", "requests"]

REQUESTS = Library("requests >= 2.32", IMPORT_ERROR)


class _Permit:
    """An auth of our own, for without one requests puts what ~/.netrc has for the host in place of every token.

    `Session.trust_env` would keep it away too, and with it the proxies of the environment.
    """

    def __init__(self, authorization: str) -> None:
        self._authorization = authorization

    def __call__(self, prepared: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._authorization:
            prepared.headers["Authorization"] = self._authorization
            return prepared
        user, password = requests.utils.get_auth_from_url(prepared.url or "")
        return (
            requests.auth.HTTPBasicAuth(user, password)(prepared) if user or password else prepared
        )


def request(
    method: str,
    url: str,
    *,
    timeout: float | tuple[float, float],
    authorization: str = "",
    ca_cert: str | None = None,
    session: requests.Session | None = None,
    **more: t.Any,
) -> requests.Response:
    """As `requests.request`. `authorization` is the whole header, and `ca_cert` a file of authorities for this server.

    The authorities go with the request, not with the session: there REQUESTS_CA_BUNDLE would take their place.
    """
    return (session or requests).request(
        method,
        url,
        timeout=timeout,
        auth=_Permit(authorization),
        verify=ca_cert or True,
        allow_redirects=False,
        **more,
    )
