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


def _ran(present: Deployed | None) -> tuple[int, str]:
    return (present.version, present.sha256) if present else (0, "")


@dataclass(frozen=True)
class Staged:
    """A bundle that waits for its activation, what it was made of, and the version and hash that ran meanwhile."""

    deployed: Deployed
    fingerprint: str
    over: int
    """0 where the function did not exist."""
    over_sha256: str

    @classmethod
    def of(cls, deployed: Deployed, fingerprint: str, running: Running | None) -> Staged:
        return cls(deployed, fingerprint, *_ran(running.deployed if running else None))

    def is_over(self, present: Deployed | None) -> bool:
        """A function that was deleted and deployed again begins anew at version 1."""
        return _ran(present) == (self.over, self.over_sha256)

    def to_json(self) -> dict[str, t.Any]:
        return {
            "record": dict(self.deployed.raw),
            "fingerprint": self.fingerprint,
            "over": self.over,
            "over_sha256": self.over_sha256,
        }

    @classmethod
    def from_json(cls, entry: t.Any) -> Staged:
        """Raises KeyError, TypeError or ValueError."""
        deployed = Deployed.from_json(entry["record"])
        over = int(entry["over"]), str(entry["over_sha256"])
        return cls(deployed, str(entry["fingerprint"]), *over)


@dataclass(frozen=True)
class FunctionsMemory:
    """Sources and bundles of earlier tasks, valid as long as the list shows the same versions."""

    known: Knowledge = field(default_factory=dict)
    archive: Archive | None = None
    staged: t.Mapping[str, Staged] = field(default_factory=dict)

    def source(self, deployed: Deployed) -> FunctionSource | None:
        archive = self.archive
        if archive is None or deployed.slug not in archive.versions:
            return None
        if not archive.versions[deployed.slug].holds(deployed):
            return None
        return next(source for source in archive.sources if source.slug == deployed.slug)

    def bundle(self, source: FunctionSource, present: Deployed | None) -> Deployed | None:
        """A bundle of these very sources that was made on top of what runs now."""
        staged = self.staged.get(source.slug)
        if staged is None or staged.fingerprint != source.fingerprint:
            return None
        if not staged.is_over(present):
            return None
        if source.verify_jwt not in (None, staged.deployed.verify_jwt):
            return None
        return staged.deployed

    def is_overtaken(self, slug: str, present: Running | None) -> bool:
        """Whether something else runs than when everything was staged."""
        staged = self.staged.get(slug)
        if staged is not None:
            return not staged.is_over(present.deployed if present else None)
        known = self.known.get(slug, ())
        return present is None or not any(version.holds(present.deployed) for version in known)


@dataclass(frozen=True)
class Prepared:
    wanted: tuple[FunctionSource, ...]
    """With what runs now where they say nothing of a setting."""
    running: dict[str, Running]
    bundled: dict[str, Deployed]
    listed: dict[str, Deployed]

    def staged(self) -> dict[str, Staged]:
        fingerprints = {source.slug: source.fingerprint for source in self.wanted}
        return {
            slug: Staged.of(bundle, fingerprints[slug], self.running.get(slug))
            for slug, bundle in self.bundled.items()
        }


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
            self._bundle(source, entry)

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

    def _bundle(self, source: FunctionSource, entry: Deployed | None) -> None:
        staged = self._memory.bundle(source, entry)
        try:
            bundled = staged or self._api.bundle(source)
        except DeployError as exc:
            with self._lock:
                self.failed[source.slug] = exc
            self._emit("FunctionRefused", f"{source.slug} does not bundle")
            return
        with self._lock:
            self.bundled[source.slug] = bundled
        if not staged:
            self._emit("FunctionBundled", f"{source.slug} is bundled")

    def _emit(self, event: str, text: str) -> None:
        done = len(self.bundled) + len(self.failed)
        self._report(event, f"{text} ({done} of at most {self._total})", {})
