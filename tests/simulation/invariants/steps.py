"""What lets the ramp leave a step upwards, or call it good: its own watch, or a person's word about its hold."""

import typing as t
from dataclasses import replace

import orjson

from ansible_collections.easymo.deploy.plugins.module_utils._cluster import RAMP_ANNOTATION, Object

from ..platform import FLAGS, STEPS
from ..scheduler import Process
from ..scripts.script import WATCH
from ..tasks import Did
from .history import History, Part, Write, annotations_of, percentage_of

UNWATCHED, PROCEED, HOLD, ROLLBACK, FIRST, LET_GO = (
    "unwatched",
    "proceed",
    "hold",
    "rollback",
    "first",
    "let go",
)


class StepInvariants(Part):
    def __init__(self, history: History) -> None:
        super().__init__(history)
        self._found = LET_GO
        """What the last verdict on the present step is. LET_GO where none is needed."""
        self._step, self._since = 0, 0.0
        """Which it is, by how often the percentage was set, and when it began."""
        self._moved: tuple[int, str] | None = None
        """Where other hands moved the percentage from, and what was found of that, until one of ours writes."""
        self._words: dict[tuple[str, str], int] = {}
        """Of which step a person let go with them."""
        self._watched: dict[str, Did] = {}
        """The last watch of a step, by the run."""

    def claimed(self, process: Process, did: Did) -> None:
        if did.module == "metrics_gate" and not did.failed:
            if did.params["gate"] != WATCH:
                self._watched[process.name] = did
            elif did.began >= self._since and did.result["verdict"] == PROCEED:
                self._watched_by_phase()
        if did.module == "person_check" and not did.failed and process.name in self._watched:
            # What people answered counts with the metrics.
            watched = self._watched[process.name]
            result = {**watched.result, "verdict": did.result["watch"]["verdict"]}
            self._watched[process.name] = replace(watched, result=result)
        flags_set = did.module == "release" and did.params["phase"] == "feature_flags"
        if flags_set and did.params["phase_changed"] and not self._world.plan.watched:
            # Where no release watches, its first step counts as good, as if it had.
            self._watched_by_phase()
        if did.module == "feature_ramp" and did.params["state"] == "moved":
            self._check_left(process, did)

    def _watched_by_phase(self) -> None:
        """The first step once more, to which the guard went back before the phase began to watch."""
        flags = self._history.find("configmaps", FLAGS)
        if self._found == UNWATCHED and percentage_of(flags) == STEPS[1]:
            self._found = FIRST

    def _check_left(self, process: Process, did: Did) -> None:
        """What a ramp says that neither moves nor watches, of a step that nobody else has set meanwhile."""
        percentage, asked = did.result.get("percentage"), did.params["percentage"]
        if not percentage or self._history.others_wrote("configmaps", FLAGS, did, process.name):
            return
        left = did.result.get("action") in ("none", "wait", "done")
        if did.failed and asked in (None, percentage):
            reasons = {one["kind"] for one in (did.result.get("next") or {}).get("reasons") or ()}
            left = bool(reasons) and reasons <= {"hold", "breach", "watch", "day"}
        self._check(
            "watched_again",
            not left or self._found in (PROCEED, FIRST, LET_GO),
            f"{process.name} leaves {percentage} % as it is, which is {self._found}: {did.result.get('sentence')}",
        )

    def written(self, write: Write) -> None:
        if write.name != FLAGS or write.after is None:
            return
        module, params = self._history.doing(write.by)
        old, new = (percentage_of(one) for one in (write.before, write.after))
        before = self._found
        if module == "feature_ramp":
            for entry in _released(write):
                self._check_words(write, entry, params, old)
            if new > old:
                self._check_rise(write, new)
            if params["state"] == "judged":
                self._check_judged(write, params)
        self._found = self._after(module, params, old, new)
        self._moved = None if write.ours else self._moved or (old, before)
        # Set back by another hand, a step looks as if it had never been left.
        if self._moved is not None and new == self._moved[0]:
            self._found, self._moved = self._moved[1], None
        if new != old:
            self._step, self._since = self._step + 1, write.at

    def _check_words(
        self, write: Write, entry: Object, params: t.Mapping[str, t.Any], percentage: int
    ) -> None:
        words = entry["by"], entry["reason"]
        self._check(
            "own_step",
            words == (params["released_by"], params["release_reason"])
            and self._words.setdefault(words, self._step) == self._step,
            f"{write.by} let go of {percentage} % by the words {words}",
        )
        held = self._found in (HOLD, LET_GO) or (self._found == ROLLBACK and not percentage)
        self._check(
            "own_step", held, f"{write.by} let go of {percentage} %, which is {self._found}"
        )
        self._found = LET_GO

    def _check_rise(self, write: Write, new: int) -> None:
        found, release = self._found, self._history.release_of(write.by)
        if found == FIRST and self._world.plan.watched:
            phases = self._history.record(release)["phases"]
            watch, flags = (phases.get(name) or {} for name in (WATCH, "feature_flags"))
            watched = watch.get("status") == "done" and watch["finished"] >= flags["finished"]
            found = PROCEED if watched else UNWATCHED
        self._check(
            "own_step",
            found in (PROCEED, FIRST, LET_GO),
            f"{write.by} raised it to {new} from a step that is {found}",
        )

    def _check_judged(self, write: Write, params: t.Mapping[str, t.Any]) -> None:
        watched, verdict = self._watched.get(write.by), params["verdict"]
        # Set to the same again by another hand, a step looks as if it had never been left.
        again = watched is not None and any(
            one.at > watched.began and not one.ours
            for one in self._history.writes("configmaps", FLAGS)
        )
        self._check(
            "own_step",
            watched is not None
            and (watched.began >= self._since or again)
            and watched.result["verdict"] == verdict,
            f"{write.by} stored {verdict} of a step that it did not watch so",
        )

    def _after(self, module: str, params: t.Mapping[str, t.Any], old: int, new: int) -> str:
        """What the next run that raises it has to know. Phases watch the step that a deployment sets or finds."""
        if module == "feature_ramp" and params["state"] == "judged":
            return str(params["verdict"])
        if module == "feature_flags" and new == STEPS[1]:
            return FIRST
        if new != old and new:
            return LET_GO if module == "feature_flags" else UNWATCHED
        if new != old and (module == "feature_ramp" or self._found != ROLLBACK):
            return LET_GO
        return self._found


def _released(write: Write) -> list[Object]:
    """What this write says that a person let go of."""
    before, after = (_history_of(one) for one in (write.before, write.after))
    return [one for one in after if one["what"] == "released" and one not in before]


def _history_of(flags: Object | None) -> list[Object]:
    text = annotations_of(flags).get(RAMP_ANNOTATION) if flags else None
    return t.cast("list[Object]", orjson.loads(text)["history"]) if text else []
