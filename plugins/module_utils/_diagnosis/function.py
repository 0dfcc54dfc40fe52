# SPDX-License-Identifier: GPL-3.0-or-later
"""Look at edge functions from both sides: what the Management API lists and logs, and what a call of each answers."""

from __future__ import annotations

import time
import typing as t
from dataclasses import dataclass
from datetime import timedelta

from .._errors import DeployError, UnreachableError
from .._functions.api import SupabaseFunctionsApi
from .._functions.log import (
    FunctionLog,
    FunctionProbe,
    HttpGateway,
    LogEntry,
    platform_code,
    verdict,
)
from .._functions.models import Deployed
from .._http import Answer
from .._threads import side_by_side
from .._time import of_epoch
from .crash_loop import ERROR_LINE
from .evidence import Notebook, ObservedFact, file_name

HEADERS = (
    "sb-error-code",
    "sb-request-id",
    "x-sb-error",
    "x-deno-execution-id",
    "content-type",
    "retry-after",
)
SHOWN = 300
SINCE = timedelta(hours=1)
AT_ONCE = 8


@dataclass(frozen=True)
class Policy:
    """How functions are meant to be: which there are, whether the gateway asks for a JWT, what they need."""

    names: tuple[str, ...]
    verify_jwt: bool | None
    verify_jwt_by_name: t.Mapping[str, bool]
    required_secrets: tuple[str, ...]

    def wants_jwt(self, name: str) -> bool | None:
        return self.verify_jwt_by_name.get(name, self.verify_jwt)


def look_at_list(
    notes: Notebook, api: SupabaseFunctionsApi, logs: FunctionLog, policy: Policy
) -> None:
    """Each of these may fail alone; what the others tell is worth having."""
    file = "supabase/functions.txt"
    listed: dict[str, Deployed] = {}
    try:
        listed = {entry.slug: entry for entry in api.list()}
    except DeployError as exc:
        notes.blind(str(exc))
    else:
        for name in policy.names:
            _tell_listed(notes, file, name, listed.get(name), policy.wants_jwt(name))
    try:
        there = api.secrets()
    except DeployError as exc:
        notes.blind(str(exc))
    else:
        notes.write(file, f"The project has {len(there)} secrets.")
        for name in policy.required_secrets:
            if name not in there:
                notes.see("no_secret", name, f"The project has no secret {name}", file=file)
    for name in filter(listed.__contains__, policy.names):
        try:
            entries = logs.of_function(
                str(listed[name].raw.get("id", "")), limit=notes.limits.lines, since=SINCE
            )
        except DeployError as exc:
            notes.blind(f"The log of function {name} could not be read: {exc}")
        else:
            _tell_log(notes, name, entries)


def _tell_listed(
    notes: Notebook, file: str, name: str, entry: Deployed | None, wanted: bool | None
) -> None:
    if entry is None:
        notes.see("not_listed", name, f"{name} is not in the project's list", file=file)
        return
    text = f"{name}: {entry.status}, version {entry.version}, verify_jwt {entry.verify_jwt}"
    notes.see("listed", name, text, file=file, version=entry.version, status=entry.status)
    if entry.status != "ACTIVE":
        notes.see("not_active", name, f"{name} is {entry.status}", file=file, status=entry.status)
    if wanted is not None and entry.verify_jwt is not wanted:
        on = "on" if entry.verify_jwt else "off"
        text = f"{name} has verify_jwt {on}, against the release's policy"
        notes.see("jwt_policy", name, text, file=file, on=on)


def _tell_log(notes: Notebook, name: str, entries: t.Sequence[LogEntry]) -> None:
    file = f"supabase/{file_name(name)}.log"
    lines = [f"{of_epoch(entry.at)} {entry.level or '-'} {entry.message}" for entry in entries]
    stored = notes.keep_log(file, lines)
    sentences = [
        line for line in stored if line.split(" ", 2)[1] == "error" or ERROR_LINE.search(line)
    ]
    if sentences:
        notes.see(
            "function_errors",
            name,
            f"{name}: {len(sentences)} error lines in the last hour, the last: {sentences[-1]}",
            file="supabase/errors.txt",
            count=len(sentences),
            last=sentences[-1].split(" ", 2)[2],
            last_words={
                "place": f"{file}:{len(stored) - stored[::-1].index(sentences[-1])}",
                "text": sentences[-1],
            },
        )


def look_at_answers(
    notes: Notebook, gateway: HttpGateway, probes: t.Sequence[FunctionProbe]
) -> None:
    """Call each function once, as anybody would."""
    answers = side_by_side(lambda probe: _ask(gateway, probe), probes, at_once=AT_ONCE)
    silent = [entry for entry in answers if isinstance(entry, str)]
    for probe, answer in zip(probes, answers, strict=True):
        _tell_answer(notes, probe, answer)
    if silent and len(silent) == len(probes):
        notes.see(
            "gateway_silent",
            "the functions' gateway",
            f"None of {len(probes)} functions answers: {silent[0]}",
            file="supabase/answers.txt",
            answer=silent[0],
        )


def _ask(gateway: HttpGateway, probe: FunctionProbe) -> tuple[Answer, float] | str:
    began = time.monotonic()
    try:
        return gateway.ask(probe), time.monotonic() - began
    except UnreachableError as exc:
        return str(exc)


def _tell_answer(
    notes: Notebook, probe: FunctionProbe, answer: tuple[Answer, float] | str
) -> ObservedFact:
    file = "supabase/answers.txt"
    if isinstance(answer, str):
        text = f"{probe.slug}: {answer}"
        return notes.see("function_silent", probe.slug, text, file=file, answer=answer)
    heard, seconds = answer
    problem = verdict(probe, heard)
    stated = " ".join(heard.text[: 4 * SHOWN].split())[:SHOWN]
    text = f"{probe.slug}: {heard.status} in {seconds:.2f} s{f', {problem}' if problem else ''}"
    kind = "answer"
    if problem:
        kind = "function_fails" if heard.status else "function_silent"
    fact = notes.see(
        kind,
        probe.slug,
        text,
        file=file,
        status=heard.status,
        code=platform_code(heard),
        problem=problem,
        body=stated,
    )
    for name in HEADERS:
        if name in heard.headers:
            notes.write(file, f"  {name}: {heard.headers[name]}")
    notes.write(file, f"  {stated or '(no body)'}")
    return fact
