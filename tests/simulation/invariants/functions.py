"""Edge functions, as the Management API has them."""

import base64
import math
import typing as t

from ansible_collections.easymo.deploy.plugins.module_utils._cluster import Object
from sandbox.supabase.functions import Function, Upload

from ..functions import Project, Written
from ..platform import VERSION
from ..scheduler import GONE, Process
from ..tasks import Did
from .history import RECORD, SPARED, History, Part, Write, record_of, unpacked

PHASE = "edge_functions"


class FunctionInvariants(Part):
    def __init__(self, history: History) -> None:
        super().__init__(history)
        self._stray: set[Written] = set()
        """What a run wrote that had just lost the lock: whoever comes next finds it there."""
        if self._project is not None:
            self._project.observers.append(self._function_written)

    @property
    def _project(self) -> Project | None:
        return self._world.project

    def _functions(self) -> t.Mapping[str, Function]:
        return t.cast("Project", self._project).store.functions

    def written(self, write: Write) -> None:
        """A ConfigMap."""
        if self._project is None or write.after is None or write.plural != "configmaps":
            return
        if write.name.startswith(f"{RECORD}-functions"):
            self._saved_written(write.by, unpacked(write.after, "content"))
        elif write.name == RECORD:
            before = record_of(write.before)["phases"] if write.before else {}
            now = record_of(write.after)["phases"].get(PHASE, {}).get("status")
            if now == "done" and before.get(PHASE, {}).get("status") != "done":
                for slug in self._project.wanted:
                    self._check_new("done_is_done", write.by, slug, f"{write.by} closed {PHASE}")

    def _saved_written(self, by: str, archive: Object) -> None:
        for one in archive["functions"]:
            saved = _digest(one)
            known = [
                each.after
                for each in self._writes(one["slug"])
                if not self._ours(each.by) or each.by == GONE or each in self._stray
            ]
            self._check(
                "pins_are_old",
                any(each is not None and each.ezbr_sha256 == saved for each in known),
                f"what is saved of {one['slug']} never ran but by a release",
            )
        since = t.cast("Project", self._project).staged.get(by, 0.0)
        for slug in archive["absent"]:
            last = [one for one in self._writes(slug) if one.at < since][-1:]
            self._check(
                "pins_are_old",
                not last or self._ours(last[0].by) or not last[0].after,
                f"{slug} is saved as absent, and was there",
            )

    def _function_written(self, write: Written) -> None:
        module, params = self._history.doing(write.by)
        if module != PHASE:
            return
        check, project, by = self._check, t.cast("Project", self._project), write.by
        deploys, began = params["state"] == "deployed", self._history.began(by)
        checked = project.checked.get(by, math.inf) if deploys else began
        check(
            "begins_nothing",
            not self._history.lost_before(by, max(began, checked - SPARED)),
            f"{by} lost the lock, and wrote function {write.slug}",
        )
        lost = self._history.lost_before(write.by, self._world.scheduler.now)
        if lost:
            self._stray.add(write)
        if self._others_wrote(write.slug, by, checked):
            return
        if deploys:
            archived, staged = self._archived(), project.staged.get(by, 0.0)
            check(
                "saved_first",
                lost or write.slug in archived,
                f"{write.by} replaced {write.slug} before what ran was saved",
            )
            check(
                "looked_first",
                not self._others_wrote(write.slug, by, staged)
                or _seen(self._at(write.slug, staged)) == _seen(write.before),
                f"{write.by} replaced {write.slug}, which another wrote since it looked",
            )
            check(
                "not_again",
                _as(write.before) != _as(write.after)
                or _version(write.before) == _version(write.after),
                f"{write.by} deployed {write.slug} again, which ran already",
            )
        else:
            last = self._writes(write.slug)[-2:-1]
            check(
                "not_undone",
                not last or self._ours(last[0].by) or not last[0].after,
                f"{write.by} took back {write.slug}, which {last[0].by if last else ''} had deployed",
            )

    def _ours(self, by: str) -> bool:
        """Whether a run of the release, or a request of one that came late."""
        return by == GONE or self._history.script_of(by).startswith(("deploy", "rollback"))

    def claimed(self, process: Process, did: Did) -> None:
        if did.module != PHASE or did.failed:
            return
        if did.params["state"] == "deployed":
            for slug in did.params["names"]:
                if not self._others_wrote(slug, process.name, did.began):
                    self._check_new(
                        "true_claims", process.name, slug, f"{process.name} deployed it"
                    )
        elif did.params["state"] == "restored":
            self._check_back(process, did)

    def _check_back(self, process: Process, did: Did) -> None:
        archive = self._saved()
        wanted: dict[str, t.Any] = dict.fromkeys(archive["absent"])
        wanted |= {one["slug"]: (_digest(one), one["verify_jwt"]) for one in archive["functions"]}
        for slug, saved in wanted.items():
            if slug in did.result["kept"] or self._others_wrote(slug, process.name, did.began):
                continue
            found = _as(self._functions().get(slug))
            self._check(
                "back_at_pins", found == saved, f"{slug} is said to be back, and is {found}"
            )

    def _check_new(self, invariant: str, by: str, slug: str, said: str) -> None:
        project, found = t.cast("Project", self._project), self._functions().get(slug)
        if self._others_wrote(slug, by, self._world.scheduler.now - SPARED):
            return
        last = self._writes(slug)[-1:]
        if invariant == "done_is_done" and last and not self._ours(last[0].by):
            return
        self._check(
            invariant,
            project.is_new(found, slug) and found is not None and not found.verify_jwt,
            f"{said}, and {slug} is {found}",
        )

    def _writes(self, slug: str) -> list[Written]:
        return [one for one in t.cast("Project", self._project).writes if one.slug == slug]

    def _at(self, slug: str, at: float) -> Function | None:
        return next((one.after for one in reversed(self._writes(slug)) if one.at < at), None)

    def _others_wrote(self, slug: str, by: str, since: float) -> bool:
        return any(one.at >= since and one.by != by for one in self._writes(slug))

    def _archived(self) -> set[str]:
        """Of which functions the record has what ran before, or that there was none."""
        archive = self._saved()
        return {*archive["absent"], *(one["slug"] for one in archive["functions"])}

    def _saved(self) -> Object:
        """What the record says was saved."""
        saved = (self._history.record(VERSION).get("facts") or {}).get(PHASE, {}).get("saved")
        body = saved and self._history.find("configmaps", f"{RECORD}-{saved['attachment']}")
        return unpacked(body, "content") if body else {"absent": [], "functions": []}


def _version(function: Function | None) -> int:
    return function.version if function else 0


def _seen(function: Function | None) -> tuple[int, str]:
    return (function.version, function.ezbr_sha256) if function else (0, "")


def _as(function: Function | None) -> tuple[str, bool] | None:
    return function and (function.ezbr_sha256, function.verify_jwt)


def _digest(saved: Object) -> str:
    files = {path: base64.b64decode(content) for path, content in saved["files"].items()}
    root = "source/"
    return Upload(
        saved["entrypoint"].removeprefix(root),
        saved["import_map"].removeprefix(root),
        files={path.removeprefix(root): content for path, content in files.items()},
    ).digest
