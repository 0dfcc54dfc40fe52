# SPDX-License-Identifier: GPL-3.0-or-later
"""One task of the release module: change the record first, then pin; and who signed what of a release.

What a sign-off adds to its record, and whether one counts.
"""

from __future__ import annotations

import json
import typing as t
from dataclasses import dataclass

from .._arguments import read_who_and_why, refuse_secrets, text_of
from .._cluster import Cluster, MonotonicClock
from .._errors import ConflictError, InputError
from .._kubernetes import actor_of, cluster_elsewhere
from .._module import Module, refuse_twice
from .._time import utc_now
from .models import NO_RECORD, PLANNED, ROLLED_BACK, SIGN_OFFS
from .order import read_order
from .plan import RecordChange, check_attempt, diff_face
from .record import Record, SignOff
from .store import ReleaseStore

ASKS = ("phase", "status", "backups", "facts", "notes")


Pin = t.Mapping[str, t.Any]
"""The option `pin` of the module release, {} for nothing to pin."""


def read_change(params: t.Mapping[str, t.Any]) -> RecordChange:
    """By the options of the module release."""
    if params["evidence"] and not params["phase"]:
        raise InputError("'evidence' belongs to a phase: set 'phase' too.")
    texts = ("phase", "phase_status", "phase_started", "status")
    bodies = ("evidence", "backups", "facts")
    given: dict[str, t.Any] = {
        **{name: params[name] or "" for name in texts},
        **{name: plain(params[name]) for name in bodies},
    }
    return RecordChange(
        version=params["name"],
        actor=actor_of({"actor": None}),
        now=utc_now(),
        phase_changed=params["phase_changed"],
        fence=params["fence"],
        notes=tuple(params["notes"]),
        order=read_order(params["order"] or {}),
        **given,
    )


def writes_record(params: t.Mapping[str, t.Any]) -> bool:
    """Whether the record itself is written, and not only pins."""
    return not params["pin"] or any(params[name] for name in ASKS)


@dataclass(frozen=True)
class ReleaseOutcome:
    change: RecordChange
    before: Record | None
    after: Record | None
    pinned: t.Mapping[str, t.Sequence[str]]

    def to_result(self) -> dict[str, t.Any]:
        after = self.after
        phases = after.body["phases"] if after else {}
        changed = self.before != self.after
        return {
            "changed": changed or any(self.pinned.values()),
            "at": self.change.now,
            **(after.to_result() if after else NO_RECORD),
            "phase": phases.get(self.change.phase, {}),
            "repaired_since": after.repaired_since(self.change.phase) if after else "",
            "pinned": dict(self.pinned),
        }

    def to_diff(self) -> dict[str, t.Any]:
        return {"before": diff_face(self.before), "after": diff_face(self.after)}


def carry_out(
    cluster: Cluster, change: RecordChange, pin: Pin, *, writes: bool = True, check_mode: bool
) -> ReleaseOutcome:
    """Change the record, and pin. Without `writes` only pin."""
    store = ReleaseStore(cluster, change.version, clock=MonotonicClock())
    before: Record | None
    after: Record | None
    if writes:
        before, after = store.change(change, check_mode=check_mode)
    else:
        before = after = store.read()
    if change.fence and change.opens and not check_mode:
        store.leave_epoch(change.fence)
    pinned = take_pins(store, change, pin, after, check_mode=check_mode)
    return ReleaseOutcome(change, before, after, pinned)


def take_pins(
    store: ReleaseStore, change: RecordChange, pin: Pin, after: Record | None, *, check_mode: bool
) -> dict[str, t.Sequence[str]]:
    """Names of what the task pinned, by kind. `after`: the record, which pins need."""
    wanted = {kind: tuple(pin.get(kind) or ()) for kind in ("deployments", "config_maps")}
    if not any(wanted.values()):
        return {"deployments": [], "config_maps": []}
    record = check_attempt(after, change.version)
    deployments, config_maps = store.pin(
        record.attempt,
        **wanted,
        digests={image.digest for image in record.facts.images if image.digest},
        fence=change.fence,
        check_mode=check_mode,
    )
    return {"deployments": deployments, "config_maps": config_maps}


def store_of(module: Module) -> ReleaseStore | None:
    """By the options `release` and `kubernetes` of a module whose work is elsewhere. None without a release."""
    if not module.params["release"]:
        return None
    return ReleaseStore(cluster_elsewhere(module), module.params["release"], clock=MonotonicClock())


def change_record(
    store: ReleaseStore, *, check_mode: bool = False, **changes: t.Any
) -> tuple[Record | None, Record]:
    """The record before and after these changes by this machine's user, as `RecordChange` names them."""
    actor = actor_of({"actor": None})
    change = RecordChange(version=store.version, actor=actor, now=utc_now(), **changes)
    return store.change(change, check_mode=check_mode)


def plain(value: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """As it will be read back from JSON, so that a second look compares equal."""
    return t.cast("dict[str, t.Any]", json.loads(json.dumps(dict(value), default=str)))


@dataclass(frozen=True)
class Wanted:
    """A line of the checklist that people answer for. `of` is who should, in words."""

    name: str
    what: str
    of: str = ""
    section: str = ""

    @property
    def item(self) -> str:
        return f"{self.section}: {self.what}" if self.section else self.what


@dataclass(frozen=True)
class Ask:
    """`release` is what the person says was looked at, "" when they say nothing.

    `instead`: the signer knowingly signs in the place of another.
    """

    name: str
    by: str
    note: str = ""
    release: str = ""
    instead: bool = False


@dataclass(frozen=True)
class Subject:
    """What is signed: one commit of a release, in one attempt. `git_sha` is "" where it is not known."""

    release: str
    attempt: int
    git_sha: str


def read_wanted(entries: t.Sequence[t.Mapping[str, t.Any]]) -> list[Wanted]:
    wanted = [Wanted(**entry) for entry in entries]
    refuse_twice("Sign-offs", wanted)
    return wanted


def read_given(given: t.Mapping[str, t.Any]) -> list[Ask]:
    """Sign-offs by name, each a person's name or a dictionary."""
    asks = []
    for name, entry in given.items():
        body = entry if isinstance(entry, dict) else {"by": entry}
        strange = sorted(map(str, set(body) - {"by", "note", "release", "instead"}))
        if strange:
            raise InputError(
                f"The sign-off {name!r} has {strange[0]!r}; it may have by, note, release and instead."
            )
        texts = {name: text_of(body.get(name)) for name in ("by", "note", "release")}
        asks.append(Ask(str(name), **texts, instead=body.get("instead") is True))
    return asks


def sign(
    store: ReleaseStore, options: t.Mapping[str, t.Any], commit: str, *, check_mode: bool
) -> dict[str, t.Any]:
    """The result of a task that signs one line, by its options, with the diff."""
    wanted = read_wanted(options["required"])
    before = store.read()
    known = known_sign_offs(before)
    subject = subject_of(before, store.version, commit)
    given = (options[name] for name in ("note", "signed_release", "instead"))
    ask = Ask(options["name"], options["by"].strip(), *given)
    now = utc_now()
    new = plan_sign_off(known, wanted, ask, subject, now)
    if new:
        facts, status = {SIGN_OFFS: as_json(new)}, PLANNED if before is None else ""
        change = RecordChange(store.version, options["by"], now, status=status, facts=facts)
        store.change(change, check_mode=check_mode)
    after = {**known, **new}
    signed = after[ask.name]
    missing = [line.name for line in wanted if missing_because(line, after.get(line.name), subject)]
    remark = (
        f'{signed.by} signed "{signed.what}" of {store.version}, attempt {signed.attempt}, commit '
        f"{_short(signed.git_sha)}. {'Still unsigned: ' + ', '.join(missing) if missing else 'All are signed'}."
    )
    return {
        "changed": bool(new),
        "sign_off": signed.to_json(),
        "missing": missing,
        "remarks": [remark],
        "diff": {"before": as_json(known), "after": as_json(after)},
    }


def as_json(sign_offs: t.Mapping[str, SignOff]) -> dict[str, t.Any]:
    return {name: sign_off.to_json() for name, sign_off in sign_offs.items()}


def subject_of(record: Record | None, release: str, git_sha: str) -> Subject:
    """After a rollback, what is signed is the next attempt."""
    attempt = 1 if record is None else record.attempt + (record.status == ROLLED_BACK)
    return Subject(release, attempt, git_sha)


def known_sign_offs(record: Record | None) -> dict[str, SignOff]:
    return {sign_off.name: sign_off for sign_off in record.facts.sign_offs} if record else {}


def counts(given: SignOff, subject: Subject) -> bool:
    return (given.attempt, given.git_sha) == (subject.attempt, subject.git_sha)


def plan_sign_off(
    known: t.Mapping[str, SignOff], wanted: t.Sequence[Wanted], ask: Ask, subject: Subject, now: str
) -> dict[str, SignOff]:
    """What the record gets, by the sign-off's name; nothing when the same person signed it already."""
    line = next((each for each in wanted if each.name == ask.name), None)
    if line is None:
        names = ", ".join(each.name for each in wanted) or "none"
        raise InputError(
            f"No sign-off {ask.name!r} is required for release {subject.release}; there are "
            f"{names}."
        )
    read_who_and_why(by=ask.by)
    refuse_secrets(note=ask.note)
    if ask.release and ask.release.removeprefix("v") != subject.release.removeprefix("v"):
        raise ConflictError(
            f"{ask.by} signed {ask.name!r} for release {ask.release}, but {subject.release} is "
            "released: check this release and sign it."
        )
    before = known.get(ask.name)
    if before is not None and counts(before, subject):
        signers = {" ".join(name.split()).casefold() for name in (before.by, ask.by)}
        if len(signers) == 1:
            return {}
        if not ask.instead:
            raise ConflictError(
                f"{before.by} signed {ask.name!r} at {before.at} already: to "
                "replace that signature, set 'instead'."
            )
    what = (line.what, ask.note, subject.attempt, subject.git_sha)
    return {ask.name: SignOff(ask.name, ask.by, now, *what)}


def missing_because(wanted: Wanted, given: SignOff | None, subject: Subject) -> str:
    """Why the line is not signed; empty when it is."""
    signer = wanted.of or "somebody"
    how = f"playbooks/approve.yml -e sign_off={wanted.name} -e by=$USER"
    if given is None:
        return f"not signed yet: {signer} signs it by {how}"
    if counts(given, subject):
        return ""
    if given.attempt != subject.attempt:
        signed = f"attempt {given.attempt}, and this is attempt {subject.attempt}"
    else:
        signed = f"commit {_short(given.git_sha)}, and {_short(subject.git_sha)} is released"
    return f"{given.by} signed {signed}: {signer} signs again by {how}"


def _short(git_sha: t.Any) -> str:
    return str(git_sha or "")[:12] or "unknown"
