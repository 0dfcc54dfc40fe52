# SPDX-License-Identifier: GPL-3.0-or-later
"""Refusals in the platform's own shapes."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from aiohttp import web


@dataclass(eq=False)
class RefusedError(Exception):
    """Carries status, body and headers to the edge that answers."""

    status: int
    body: t.Mapping[str, object]
    headers: t.Mapping[str, str] | None = None

    def to_response(self) -> web.Response:
        return web.json_response(self.body, status=self.status, headers=self.headers)


class ApiError(RefusedError):
    def __init__(
        self, status: int, message: str, headers: t.Mapping[str, str] | None = None
    ) -> None:
        super().__init__(status, {"message": message}, headers)
