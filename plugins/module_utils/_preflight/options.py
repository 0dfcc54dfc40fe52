# SPDX-License-Identifier: GPL-3.0-or-later
"""Options that several kinds of checks have."""

from __future__ import annotations

from .._options import Spec

ACCESS: Spec = {"token": {"type": "str", "no_log": True}, "ca_cert": {"type": "path"}}
CLIENT: Spec = {"client_cert": {"type": "path"}, "client_key": {"type": "path", "no_log": False}}
WANTED: Spec = {
    "type": "list",
    "elements": "dict",
    "required": True,
    "options": {
        "name": {"type": "str", "required": True},
        "what": {"type": "str", "required": True},
        "of": {"type": "str", "default": ""},
        "section": {"type": "str", "default": ""},
    },
}
"""The sign-offs that a release needs."""


def service(url: str) -> Spec:
    return {"api_url": {"type": "str", "default": url}, **ACCESS}


def names(*, required: bool = False) -> Spec:
    listed: Spec = {"type": "list", "elements": "str"}
    return {**listed, "required": True} if required else {**listed, "default": []}
