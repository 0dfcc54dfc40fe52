# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines of the checklist that people answer for: who signed what of a release, and whether a sign-off counts.

And what one adds to the record of its release.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._arguments import read_who_and_why, refuse_secrets, text_of
from .._cluster import Cluster, MonotonicClock
from .._errors import ConflictError, InputError, VerificationError
from .._identity import Demands, Scope, account_in, how_verified, known_as, named, signed_by_key
from .._module import refuse_twice
from .._release.models import PLANNED, ROLLED_BACK, SIGN_OFFS
from .._release.plan import RecordChange
from .._release.record import Record, SignOff
from .._release.store import ReleaseStore
from .._time import utc_now


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
        texts = {option: text_of(body.get(option)) for option in ("by", "note", "release")}
        refuse_secrets(**{f"sign_offs.{name}.{option}": text for option, text in texts.items()})
        asks.append(Ask(str(name), **texts, instead=body.get("instead") is True))
    return asks


def sign(
    cluster: Cluster,
    release: str,
    options: t.Mapping[str, t.Any],
    commit: str,
    demands: Demands,
    *,
    check_mode: bool,
) -> dict[str, t.Any]:
    """The result of a task that signs one line, by its options, with the diff."""
    wanted = read_wanted(options["required"])
    store = ReleaseStore(cluster, release, clock=MonotonicClock())
    before, scope = store.read(), demands.scope(cluster, release)
    known = known_sign_offs(before)
    subject = subject_of(before, release, commit)
    given = (options[name] for name in ("note", "signed_release", "instead"))
    ask = Ask(options["name"], options["by"].strip(), *given)
    now = utc_now()
    there = {name: act for name, act in known.items() if counts(act, subject)}
    anew = bool(judged(there, demands, scope).get(ask.name, ("", ""))[1])
    planned = plan_sign_off(known, wanted, ask, subject, now, known_as(cluster), anew=anew)
    new = {n: signed_by_key(act, scope, options["key"] or "") for n, act in planned.items()}
    after = {**known, **new}
    # What is signed now comes last: another line that the same person signed counts.
    current = {**{n: act for n, act in there.items() if n != ask.name}, ask.name: after[ask.name]}
    person, why = judged(current, demands, scope)[ask.name]
    if why:
        raise VerificationError(
            f"The sign-off {ask.name!r} would not count: {why}. {how_verified(demands, 'sign_key')}"
        )
    if new:
        facts, status = {SIGN_OFFS: as_json(new)}, PLANNED if before is None else ""
        change = RecordChange(release, options["by"], now, status=status, facts=facts)
        store.change(change, check_mode=check_mode)
    signed = after[ask.name]
    missing = [line.name for line in wanted if missing_because(line, after.get(line.name), subject)]
    who = named(signed.by, person, signed.known_as)
    remark = (
        f'{who} signed "{signed.what}" of {release}, attempt {signed.attempt}, commit '
        f"{_short(signed.git_sha)}. {'Still unsigned: ' + ', '.join(missing) if missing else 'All are signed'}."
    )
    return {
        "changed": bool(new),
        "sign_off": signed.to_json(),
        "missing": missing,
        "remarks": [remark],
        "diff": {"before": as_json(known), "after": as_json(after)},
    }


def judged(
    signed: t.Mapping[str, SignOff], demands: Demands, scope: Scope, deployer: str | None = None
) -> dict[str, tuple[str, str]]:
    """By line who signed it, "" where that is only stated, and why it does not count as the release wants it.

    `deployer`: the account of who deploys, "" where the API server names none; None while nobody deploys.
    """
    people: dict[str, str] = {}
    results = {}
    for name, act in signed.items():
        person = why = ""
        try:
            person = demands.person(act, scope)
        except VerificationError as exc:
            why = str(exc)
        account = account_in(act.known_as)
        if demands.other_than_deployer and deployer is not None and not why:
            if not deployer:
                why = "the API server names no account of who deploys, so it may be the same"
            elif account in ("", deployer):
                why = f"it was signed as {account or 'an unknown account'}, and {deployer} deploys"
        if name in demands.different_people and person and not why:
            first = people.setdefault(person, name)
            why = f"{person} signed {first!r} too" if first != name else ""
        results[name] = person, why
    return results


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
    known: t.Mapping[str, SignOff],
    wanted: t.Sequence[Wanted],
    ask: Ask,
    subject: Subject,
    now: str,
    who: str = "",
    *,
    anew: bool = False,
) -> dict[str, SignOff]:
    """What the record gets, by the sign-off's name; nothing when the same person signed it already, but `anew`.

    `who`: as `known_as` names them.
    """
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
        if len(signers) == 1 and not anew:
            return {}
        if len(signers) > 1 and not ask.instead:
            raise ConflictError(
                f"{before.by} signed {ask.name!r} at {before.at} already: to "
                "replace that signature, set 'instead'."
            )
    what = (line.what, ask.note, subject.attempt, subject.git_sha, who)
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
