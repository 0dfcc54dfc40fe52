# SPDX-License-Identifier: GPL-3.0-or-later
"""An edge function as sources and as a record of the Management API.

What is deployed is compared here with what is there: which functions are new, changed, unchanged or extra.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import posixpath
import typing as t
from dataclasses import dataclass, field

from .._decode import under
from .._errors import InputError


@dataclass(frozen=True)
class FunctionSource:
    """The upload of one function. Paths are posix and relative to the root of the checkout."""

    slug: str
    entrypoint: str
    import_map: str
    """Empty when there is none."""
    static_patterns: tuple[str, ...]
    verify_jwt: bool | None
    """None leaves a function that exists as it is; a new one gets the platform's default, which is true."""
    files: t.Mapping[str, bytes]

    def metadata(self) -> dict[str, t.Any]:
        """The `metadata` part of an upload, with the keys in the order in which the Supabase CLI sends them."""
        policy = {} if self.verify_jwt is None else {"verify_jwt": self.verify_jwt}
        return {
            "entrypoint_path": self.entrypoint,
            "import_map_path": self.import_map,
            "static_patterns": list(self.static_patterns),
            **policy,
            "name": self.slug,
        }

    def relative(self, path: str) -> str:
        """Seen from the entrypoint's folder, so that a checkout that the platform moved compares equal."""
        return posixpath.relpath(path, posixpath.dirname(self.entrypoint) or ".")

    @functools.cached_property
    def digests(self) -> dict[str, str]:
        """sha256 by relative path."""
        return {
            self.relative(path): hashlib.sha256(content).hexdigest()
            for path, content in self.files.items()
        }

    @functools.cached_property
    def fingerprint(self) -> str:
        """Of all that makes the program. Patterns of static files count by the files that they matched."""
        import_map = self.relative(self.import_map) if self.import_map else ""
        what = [posixpath.basename(self.entrypoint), import_map, sorted(self.digests.items())]
        return hashlib.sha256(json.dumps(what).encode()).hexdigest()

    def under(self, policy: bool | None) -> FunctionSource:
        """The same source with `policy` where it has none of its own."""
        if self.verify_jwt is not None or policy is None:
            return self
        return dataclasses.replace(self, verify_jwt=policy)


@dataclass(frozen=True)
class Deployed:
    """One entry of the API's list of functions. `id` is what its log calls it."""

    RAW: t.ClassVar[str] = "raw"
    slug: str
    status: str
    version: int
    id: str = ""
    verify_jwt: bool = True
    """The API leaves the key out where the default applies, which is true."""
    entrypoint_path: str = ""
    import_map_path: str = ""
    sha256: str = under("ezbr_sha256")
    raw: t.Mapping[str, t.Any] = field(default_factory=dict)
    """The answer itself: activation sends it back."""

    @property
    def entrypoint(self) -> str:
        return _path_of(self.entrypoint_path)

    @property
    def import_map(self) -> str:
        return _path_of(self.import_map_path)

    def known(self, fingerprint: str) -> KnownVersion:
        return KnownVersion(self.version, self.sha256, fingerprint)


@dataclass(frozen=True)
class KnownVersion:
    """A deployed version with its fingerprint, valid as long as the API lists this very version and hash."""

    version: int
    sha256: str
    fingerprint: str
    """Of its sources, see Source.fingerprint."""

    def holds(self, deployed: Deployed) -> bool:
        return (self.version, self.sha256) == (deployed.version, deployed.sha256)

    def to_json(self) -> dict[str, t.Any]:
        return dataclasses.asdict(self)


Knowledge = t.Mapping[str, tuple[KnownVersion, ...]]
"""Versions by function, the oldest first. A failed deployment leaves the old and the intended version."""


@dataclass(frozen=True)
class Running:
    """A function that is active, and its sources with the settings that it has."""

    deployed: Deployed
    source: FunctionSource

    def is_as(self, wanted: FunctionSource) -> bool:
        same_policy = wanted.verify_jwt in (None, self.deployed.verify_jwt)
        return same_policy and self.source.fingerprint == wanted.fingerprint


def _path_of(location: str) -> str:
    return location.removeprefix("file://").lstrip("/")


@dataclass(frozen=True)
class FunctionChange:
    """The change of one function. `deploy`: the source to upload, None for a deletion."""

    slug: str
    kind: t.Literal["new", "changed", "deleted"]
    deploy: FunctionSource | None
    files: tuple[str, ...] = ()
    """Paths that differ, relative to the entrypoint's folder."""
    settings: tuple[str, ...] = ()
    """Settings that differ."""

    def to_result(self) -> dict[str, t.Any]:
        shown = {"files": list(self.files), "settings": list(self.settings)}
        return {"slug": self.slug, "kind": self.kind, **shown}


@dataclass(frozen=True)
class FunctionsPlan:
    changes: tuple[FunctionChange, ...] = ()
    extra: tuple[str, ...] = ()
    """Functions of the project that were not requested, and that stay."""
    retained: tuple[str, ...] = ()
    """Functions that a rollback leaves as they are: another writer deployed them since."""
    turned: tuple[str, ...] = ()
    """Functions whose JWT check another writer switched: all else is as deployed."""
    unchanged: t.Mapping[str, KnownVersion] = field(default_factory=dict)
    """With their versions."""

    @property
    def uploads(self) -> tuple[FunctionSource, ...]:
        return tuple(change.deploy for change in self.changes if change.deploy is not None)

    @property
    def deletions(self) -> tuple[str, ...]:
        return tuple(change.slug for change in self.changes if change.deploy is None)


def plan_functions(
    running: t.Mapping[str, Running],
    wanted: t.Iterable[FunctionSource],
    *,
    known: Knowledge,
    remove: t.Iterable[str],
    extra: t.Iterable[str] = (),
    retained: t.Iterable[str] = (),
) -> FunctionsPlan:
    """`running` are the active functions among those wanted, and `remove` those to delete where they are active."""
    changes: list[FunctionChange] = []
    unchanged: dict[str, KnownVersion] = {}
    turned: list[str] = []
    for source in wanted:
        present = running.get(source.slug)
        if present is None:
            changes.append(
                FunctionChange(source.slug, "new", source, tuple(sorted(source.digests)))
            )
            continue
        turns = source.verify_jwt not in (None, present.deployed.verify_jwt)
        settings = ("verify_jwt",) if turns else ()
        same = present.source.fingerprint == source.fingerprint
        if same and not settings:
            unchanged[source.slug] = present.deployed.known(source.fingerprint)
            continue
        old, new = present.source.digests, source.digests
        files = tuple(sorted(path for path in old | new if old.get(path) != new.get(path)))
        changes.append(FunctionChange(source.slug, "changed", source, files, settings))
        if same and source.slug in known:
            turned.append(source.slug)
    changes += [FunctionChange(slug, "deleted", None) for slug in remove if slug in running]
    return FunctionsPlan(tuple(changes), tuple(extra), tuple(retained), tuple(turned), unchanged)


def prune(extra: t.Collection[str], known: Knowledge, force: t.Collection[str]) -> tuple[str, ...]:
    """The functions of `extra` that may be deleted: this record deployed them, or `force` names them."""
    unknown = sorted({*force} - {*extra})
    if unknown:
        raise InputError(
            f"'force' names {', '.join(unknown)}, which cannot be pruned: correct the name."
        )
    return tuple(slug for slug in extra if slug in known or slug in force)


def deployed_since(
    listed: t.Mapping[str, Deployed], known: Knowledge, archived: t.Mapping[str, KnownVersion]
) -> tuple[str, ...]:
    """Functions that run neither what the release deployed nor what ran before it: not ours to undo."""
    return tuple(
        slug
        for slug, entries in known.items()
        if slug in listed
        and not any(entry.holds(listed[slug]) for entry in (*entries, archived.get(slug)) if entry)
    )


def missing_secrets(required: t.Iterable[str], present: t.Collection[str]) -> None:
    missing = sorted({*required} - {*present})
    if missing:
        raise InputError(
            f"The project lacks {len(missing)} secret{'s' * (len(missing) > 1)} that the functions need: "
            f"{', '.join(missing)}. Set them, for example with easymo.deploy.edge_functions. "
            "Nothing was uploaded."
        )


def activation_problems(
    wanted: t.Iterable[FunctionSource],
    before: t.Mapping[str, Deployed],
    bundled: t.Mapping[str, Deployed],
    listed: t.Mapping[str, Deployed],
) -> dict[str, str]:
    """Problems of the activation by the list that was read after it, one phrase a function."""
    problems = {}
    for source in wanted:
        slug, now = source.slug, listed.get(source.slug)
        expected, policy = bundled[slug], source.verify_jwt
        old = before.get(slug)
        if now is None:
            problems[slug] = f"{slug} is not listed"
        elif now.status != "ACTIVE":
            problems[slug] = f"{slug} is {now.status} instead of ACTIVE"
        elif policy is not None and now.verify_jwt != policy:
            problems[slug] = f"{slug} has verify_jwt {now.verify_jwt}, not {policy}"
        elif old is not None and now.version == old.version:
            problems[slug] = f"{slug} still has version {now.version}"
        elif expected.sha256 and now.sha256 and expected.sha256 != now.sha256:
            problems[slug] = f"{slug} does not run the uploaded bundle"
    return problems


LARGEST = 64 * 1024
"""Bytes of a file whose text is shown."""
ALTOGETHER = 512 * 1024
"""Bytes of text that are shown of all of them."""


def diff_of(plan: FunctionsPlan, running: t.Mapping[str, Running]) -> list[dict[str, str]]:
    """One entry for each function's settings, and one for each of its files. Ansible shows them as unified diffs."""
    entries: list[dict[str, str]] = []
    room = ALTOGETHER
    for change in plan.changes:
        present, new = running.get(change.slug), change.deploy
        old = present.source if present else None
        switch = present.deployed.verify_jwt if present else True
        wanted = switch if new is None or new.verify_jwt is None else new.verify_jwt
        entries.append(_entry(change.slug, _overview(old, switch), _overview(new, wanted)))
        for path in change.files:
            contents = [_content(source, path) for source in (old, new)]
            size = sum(len(content or b"") for content in contents)
            shown = size <= room
            room -= size if shown else 0
            texts = [_text(content, shown=shown) for content in contents]
            entries.append(_entry(f"{change.slug}: {path}", *texts))
    return entries


def _entry(header: str, before: str, after: str) -> dict[str, str]:
    return {"before_header": header, "after_header": header, "before": before, "after": after}


def _overview(source: FunctionSource | None, switch: bool) -> str:
    if source is None:
        return ""
    lines = [f"verify_jwt: {str(switch).lower()}"]
    lines += [f"{path}: sha256 {digest}" for path, digest in sorted(source.digests.items())]
    return "\n".join(lines) + "\n"


def _content(source: FunctionSource | None, path: str) -> bytes | None:
    files = source.files.items() if source else ()
    return next((body for name, body in files if source and source.relative(name) == path), None)


def _text(content: bytes | None, *, shown: bool) -> str:
    if content is None:
        return ""
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return f"{len(content)} bytes that are not text\n"
    if not shown or len(content) > LARGEST:
        return f"{len(content)} bytes, too many to show\n"
    return text
