# SPDX-License-Identifier: GPL-3.0-or-later
"""Where Prometheus or Alertmanager is, and how it lets us in."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ._errors import InputError
from ._http import basic, bearer, client_certificate

TENANT = "X-Scope-OrgID"
"""The header of Mimir, Cortex and Thanos Receive, https://grafana.com/docs/mimir/latest/references/http-api/#authentication."""

NO_SERIES = "no series of anything, as with a wrong tenant: correct 'tenant', or the URL's path"
"""Goes on after the server's name."""


@dataclass(frozen=True)
class MonitoringServer:
    """`how` is for `_http.send`: authorization, ca_cert, cert and headers. Without a URL there is none to ask."""

    url: str = ""
    how: t.Mapping[str, t.Any] = field(default_factory=dict, repr=False)

    @classmethod
    def from_params(cls, given: t.Mapping[str, t.Any] | None) -> MonitoringServer:
        """Of the options of the doc fragment _monitoring; an empty value is as good as none."""
        if not given:
            return cls()
        token, user = given.get("token"), given.get("username")
        if token and user:
            raise InputError(
                f"Both 'token' and 'username' are set for {given['url']}: a server takes one, so set one."
            )
        certificate, key = given.get("client_cert"), given.get("client_key")
        if key and not certificate:
            raise InputError(
                f"'client_key' is set for {given['url']} without 'client_cert': set the certificate, too."
            )
        tenant = given.get("tenant")
        return cls(
            str(given["url"]).rstrip("/"),
            {
                "authorization": bearer(token) or basic(user or "", given.get("password") or ""),
                "ca_cert": given.get("ca_cert") or None,
                "cert": client_certificate(certificate, key),
                "headers": {TENANT: tenant} if tenant else {},
            },
        )
