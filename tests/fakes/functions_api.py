"""The Management API's edge functions in memory: what is uploaded, what is bundled, what is active."""

import threading
import typing as t

from ansible_collections.easymo.deploy.plugins.module_utils._decode import restored
from ansible_collections.easymo.deploy.plugins.module_utils._errors import (
    DeployError,
    RefusedError,
    UnreachableError,
)
from ansible_collections.easymo.deploy.plugins.module_utils._functions.models import (
    Deployed,
    FunctionSource,
)


class MemoryFunctions:
    """A SupabaseFunctionsApi.

    `broken` names functions that do not bundle. `losses` are how the next activations go wrong: "before" the call
    arrives, or "after", with its answer alone lost. `reading` fails every list, `turned` has its JWT switch on whatever
    was asked for.
    """

    def __init__(self, *sources: FunctionSource) -> None:
        self.active: dict[str, Deployed] = {}
        self.sources: dict[tuple[str, str], FunctionSource] = {}
        self.broken: set[str] = set()
        self.losses: list[t.Literal["before", "after", "half"]] = []
        self.reading: DeployError | None = None
        self.turned: set[str] = set()
        self.project_secrets: dict[str, str] = {}
        self.uploads: list[str] = []
        self.downloads: list[str] = []
        self._lock = threading.Lock()
        for source in sources:
            self.deploy(source)

    def deploy(self, source: FunctionSource) -> None:
        """As somebody else does it."""
        self.active[source.slug] = self._bundled(source)

    def list(self) -> list[Deployed]:
        if self.reading:
            raise self.reading
        return [self._listed(entry) for entry in self.active.values()]

    def source(self, deployed: Deployed) -> FunctionSource:
        with self._lock:
            self.downloads.append(deployed.slug)
        return self.sources[deployed.slug, deployed.sha256].under(deployed.verify_jwt)

    def bundle(self, source: FunctionSource) -> Deployed:
        if source.slug in self.broken:
            raise RefusedError(f"{source.slug} does not parse")
        with self._lock:
            self.uploads.append(source.slug)
        return self._bundled(source)

    def activate(self, bundled: t.Sequence[Deployed]) -> None:
        loss = self.losses.pop(0) if self.losses else None
        arriving = {None: bundled, "after": bundled, "half": bundled[:1], "before": ()}[loss]
        self.active.update({entry.slug: entry for entry in arriving})
        if loss:
            raise UnreachableError("the connection was lost")

    def delete(self, slug: str) -> None:
        del self.active[slug]

    def secrets(self) -> dict[str, str]:
        return dict(self.project_secrets)

    def versions(self) -> dict[str, int]:
        return {slug: entry.version for slug, entry in self.active.items()}

    def _bundled(self, source: FunctionSource) -> Deployed:
        before = self.active.get(source.slug)
        with self._lock:
            self.sources[source.slug, source.fingerprint] = source
        record: dict[str, t.Any] = {
            "slug": source.slug,
            "status": "ACTIVE",
            "version": before.version + 1 if before else 1,
            "ezbr_sha256": source.fingerprint,
            "entrypoint_path": source.entrypoint,
        }
        if source.verify_jwt is not None:
            record["verify_jwt"] = source.verify_jwt
        return restored(Deployed, record, "function")

    def _listed(self, entry: Deployed) -> Deployed:
        if entry.slug not in self.turned:
            return entry
        return restored(Deployed, {**entry.raw, "verify_jwt": True}, "function")
