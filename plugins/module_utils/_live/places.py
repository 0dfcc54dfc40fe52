# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a page is written to, whole or not at all: a file of this machine, an object in S3."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from pathlib import Path

from .._errors import DeployError, InputError
from .._report.folder import ReportFolder
from .._s3 import S3Bucket

PATIENCE = 10.0
"""Seconds of silence after which S3 is left alone until the next page."""


class Place(t.Protocol):
    name: str

    def write(self, page: str) -> None:
        """Raises a DeployError."""


class FilePlace:
    def __init__(self, path: Path) -> None:
        self.name = str(path)
        self._folder = ReportFolder(path.parent)
        self._file = path.name

    def read(self) -> str:
        return self._folder.read([self._file]).get(self._file, "")

    def write(self, page: str) -> None:
        self._folder.write({self._file: page})


class ObjectPlace:
    """An object is there whole or not at all. Its client is made where it is used: it does not outlive a fork."""

    def __init__(self, params: t.Mapping[str, t.Any]) -> None:
        self._params = params
        self._key = f"{params['prefix']}{params['key']}"
        self.name = f"s3://{params['bucket']}/{self._key}"
        self._bucket: S3Bucket | None = None

    def write(self, page: str) -> None:
        if self._bucket is None:
            self._bucket = S3Bucket.from_params(self._params, patience=PATIENCE, attempts=1)
        self._bucket.put_page(self._key, page.encode())


@dataclass
class Published:
    """A place with what was last written there, and why the last try failed."""

    place: Place
    page: str = ""
    problem: str = ""

    def publish(self, page: str) -> None:
        """Trouble is kept and told; the next page tries again."""
        try:
            self.place.write(page)
        except DeployError as exc:
            self.problem = str(exc)
        else:
            self.page, self.problem = page, ""


def places_of(params: t.Mapping[str, t.Any], file: str) -> list[Place]:
    """Besides the report's own folder. Raises InputError for options that do not belong together."""
    found: list[Place] = []
    if params["folder"]:
        found.append(FilePlace(Path(params["folder"]) / file))
    if params["s3"]:
        if not params["s3"]["key"]:
            raise InputError("'s3.key' is empty: name the object that the page is kept as.")
        found.append(ObjectPlace(params["s3"]))
    return found
