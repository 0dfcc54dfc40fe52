# SPDX-License-Identifier: GPL-3.0-or-later
"""Keep what was measured beside the release's record, in a ConfigMap of its own that nothing else of the run writes."""

from __future__ import annotations

import json
import typing as t

from .._cluster import Cluster, MonotonicClock
from .._errors import ConflictError, DeployError, RefusedError, VerificationError
from .._lock.models import Lock
from .._release.store import ReleaseStore
from .claims import DAMAGED
from .models import UNREADABLE, Json, Measured

RELEASE, ROLLBACK = "release", "rollback"
SUBJECTS = (RELEASE, ROLLBACK)


def attachment_of(subject: str) -> str:
    return "availability" if subject == RELEASE else f"availability-{subject}"


class MeasuredStore:
    """Of the release itself, or of its rollback. `releases` may be replaced by one over another connection."""

    def __init__(self, releases: ReleaseStore, subject: str = RELEASE) -> None:
        self.releases = releases
        self._name = attachment_of(subject)
        self._version = ""

    def read(self) -> Measured | None:
        """Raises VerificationError for what is damaged; it may be overwritten even so."""
        try:
            found = self.releases.attachment(self._name)
        except VerificationError:
            self._version = self.releases.attachment_version(self._name)
            raise
        self._version = found.resource_version if found else ""
        if found is None:
            return None
        try:
            return Measured.from_json(json.loads(found.content))
        except UNREADABLE as exc:
            raise VerificationError(
                f"What was measured of release {self.releases.version!r} is not written as this collection "
                f"writes it ({exc}): it counts for nothing."
            ) from exc

    def write(self, measured: Measured) -> None:
        """Over what was read or written last. ConflictError when somebody else wrote meanwhile."""
        content = json.dumps(measured.to_json(), sort_keys=True).encode()
        self._version = self.releases.overwrite(
            measured.attempt, self._name, content, version=self._version
        )


class Recorder:
    """Writes for one prober, as long as the lock is its run's. A fence of 0 means that there is no lock."""

    def __init__(self, store: MeasuredStore, *, lock: str, fence: int, me: str) -> None:
        self._store = store
        self._lock = lock
        self._fence = fence
        self._me = me

    def write(self, cluster: Cluster, measured: Measured) -> bool:
        """False when it is another's to write. Trouble with the API is sat out: the next write has it all."""
        store = self._store
        store.releases = ReleaseStore(cluster, store.releases.version, clock=MonotonicClock())
        try:
            if not self._ours(cluster):
                return False
            try:
                store.write(measured)
            except (ConflictError, RefusedError):
                return self._write_over(measured)
        except DeployError:
            return True
        return True

    def _ours(self, cluster: Cluster) -> bool:
        """Also when the run has given the lock back already, and nobody has taken it since."""
        if not self._fence:
            return True
        body = cluster.read("Lease", self._lock)
        return body is not None and Lock.from_json(body).fence == self._fence

    def _write_over(self, measured: Measured) -> bool:
        """Somebody wrote or deleted it: another prober of this run, or a hand, whose work does not count."""
        try:
            found = self._store.read()
        except VerificationError:
            found = None
        if found is not None and (found.closed or found.prober not in ("", self._me)):
            return False
        self._store.write(measured)
        return True


def facts_of(store: ReleaseStore, attempt: int, present: t.Container[str]) -> dict[str, Json]:
    """For whoever reads, by subject: what was measured of the attempt, {} for nothing, and why it cannot be read.

    `present` are the names of the release's attachments.
    """
    return {
        subject: _facts(MeasuredStore(store, subject), attempt)
        if attachment_of(subject) in present
        else {}
        for subject in SUBJECTS
    }


def _facts(store: MeasuredStore, attempt: int) -> Json:
    try:
        found = store.read()
    except VerificationError as exc:
        return {DAMAGED: str(exc)}
    return found.to_json() if found is not None and found.attempt == attempt else {}
