# SPDX-License-Identifier: GPL-3.0-or-later
"""Prepare an activation without changing anything: read the running functions, and bundle those that differ.

Functions pass both steps independently: no wait for one of the API's limits leaves the other idle.
"""

from __future__ import annotations

import dataclasses
import email.parser
import email.policy
import functools
import json
import posixpath
import typing as t
from dataclasses import dataclass, field

from .._errors import DeployError, RefusedError, UnreachableError
from .._threads import Lock, side_by_side
from .archive import Archive
from .models import Deployed, FunctionsApi, FunctionSource, Knowledge, Running
from .scan import SCRIPTS


def uploaded_path(files: t.Mapping[str, bytes], location: str) -> str:
    """The uploaded file that `location` means, which may stand below a folder of the builder's own machine.

    Empty for an empty location, as for a function without an import map.
    """
    if not location:
        return ""
    candidates = [path for path in files if f"/{location}".endswith(f"/{path.lstrip('/')}")]
    if not candidates:
        raise UnreachableError(
            f"The Supabase Management API names {location}, but sent only "
            f"{', '.join(sorted(files))}."
        )
    return max(candidates, key=len)


def static_rest(files: t.Mapping[str, bytes], entrypoint: str, import_map: str) -> list[str]:
    """Files that are no modules. The API does not tell which patterns once matched them, and forgets those unnamed."""
    return sorted(
        path
        for path in files
        if path not in (entrypoint, import_map)
        and posixpath.splitext(path)[1].lower() not in SCRIPTS
    )


def parse_sources(content_type: str, body: bytes) -> tuple[dict[str, t.Any], dict[str, bytes]]:
    """The metadata and the files, by path, of a function's body in multipart/form-data."""
    message = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(
        b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + body
    )
    metadata: dict[str, t.Any] = {}
    files: dict[str, bytes] = {}
    for part in message.iter_parts() if message.is_multipart() else ():
        content = t.cast("bytes", part.get_payload(decode=True))
        name = part.get_param("name", header="content-disposition")
        if name == "metadata":
            metadata = json.loads(content)
        elif path := part.get("Supabase-Path") or part.get_filename():
            files[str(path)] = content
    if not files:
        raise UnreachableError(
            "The Supabase Management API sent no sources: its answer was "
            f"{content_type or 'without a content type'}."
        )
    return metadata, files


PARALLEL = 8

Reporter = t.Callable[[str, str, dict[str, t.Any]], None]


def silent(_event: str, _text: str, _data: dict[str, t.Any]) -> None:
    return


@dataclass
class FunctionsMemory:
    """Sources of earlier tasks, valid as long as the list shows the same versions. By itself it remembers nothing."""

    known: Knowledge = field(default_factory=dict)
    archive: Archive | None = None

    def source(self, deployed: Deployed) -> FunctionSource | None:
        archive = self.archive
        if archive is None or deployed.slug not in archive.versions:
            return None
        if not archive.versions[deployed.slug].holds(deployed):
            return None
        return next(source for source in archive.sources if source.slug == deployed.slug)

    def write(self, known: Knowledge, archive: Archive | None = None) -> dict[str, str]:  # noqa: ARG002
        """Keep the versions, and with `archive` what is about to be replaced. Returns where that was saved."""
        return {}


@dataclass(frozen=True)
class Prepared:
    wanted: tuple[FunctionSource, ...]
    """With what runs now where they say nothing of a setting."""
    running: dict[str, Running]
    bundled: dict[str, Deployed]
    listed: dict[str, Deployed]


def prepare(
    api: FunctionsApi,
    wanted: t.Sequence[FunctionSource],
    listed: t.Mapping[str, Deployed],
    memory: FunctionsMemory,
    *,
    upload: bool,
    also_read: t.Collection[str] = (),
    report: Reporter = silent,
) -> Prepared:
    """`upload`: false when nothing may be sent. Raises RefusedError with every function that did not bundle."""
    active = {slug: entry for slug, entry in listed.items() if entry.status == "ACTIVE"}
    work = _Work(api, memory, upload=upload, total=len(wanted), report=report)
    others = [active[slug] for slug in also_read if slug in active]
    settled = tuple(
        source.under(active[source.slug].verify_jwt if source.slug in active else None)
        for source in wanted
    )
    jobs: list[t.Callable[[], object]] = [
        *(functools.partial(work.read, entry) for entry in others),
        *(functools.partial(work.go, source, active.get(source.slug)) for source in settled),
    ]
    side_by_side(lambda job: job(), jobs, at_once=PARALLEL)
    if work.failed:
        reasons = "; ".join(f"{slug}: {exc}" for slug, exc in sorted(work.failed.items()))
        raise RefusedError(
            f"{len(work.failed)} of {len(wanted)} functions did not bundle, so none was activated: {reasons}",
            functions=sorted(work.failed),
            activated=False,
        )
    return Prepared(settled, work.running, work.bundled, dict(listed))


class _Work:
    """The workers' shared state."""

    def __init__(
        self,
        api: FunctionsApi,
        memory: FunctionsMemory,
        *,
        upload: bool,
        total: int,
        report: Reporter,
    ) -> None:
        self.running: dict[str, Running] = {}
        self.bundled: dict[str, Deployed] = {}
        self.failed: dict[str, DeployError] = {}
        self._api = api
        self._memory = memory
        self._upload = upload
        self._total = total
        self._report = report
        self._lock = Lock()

    def read(self, entry: Deployed) -> Running:
        source = self._memory.source(entry) or self._api.source(entry)
        running = Running(entry, source)
        with self._lock:
            self.running[entry.slug] = running
        return running

    def go(self, source: FunctionSource, entry: Deployed | None) -> None:
        running = self._running(source, entry) if entry else None
        if running and running.is_as(source):
            return
        if self._upload:
            self._bundle(source)

    def _running(self, source: FunctionSource, entry: Deployed) -> Running:
        entries = self._memory.known.get(entry.slug, ())
        if not any(
            version.holds(entry) and version.fingerprint == source.fingerprint
            for version in entries
        ):
            return self.read(entry)
        running = Running(entry, dataclasses.replace(source, verify_jwt=entry.verify_jwt))
        with self._lock:
            self.running[entry.slug] = running
        return running

    def _bundle(self, source: FunctionSource) -> None:
        try:
            bundled = self._api.bundle(source)
        except DeployError as exc:
            with self._lock:
                self.failed[source.slug] = exc
            self._emit("FunctionRefused", f"{source.slug} does not bundle")
            return
        with self._lock:
            self.bundled[source.slug] = bundled
        self._emit("FunctionBundled", f"{source.slug} is bundled")

    def _emit(self, event: str, text: str) -> None:
        done = len(self.bundled) + len(self.failed)
        self._report(event, f"{text} ({done} of at most {self._total})", {})
