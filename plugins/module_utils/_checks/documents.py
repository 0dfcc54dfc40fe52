# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of documents that CI leaves: results of tests and of load tests, and of which commit they are."""

from __future__ import annotations

import json
import math
import typing as t
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from .._errors import InputError, NotReadyError, VerificationError
from .._http import REQUESTS, bearer, without_query
from .models import Finding, Ground, Kind, Kinds, Options, failed, held, passed
from .web import get

LEAST_OF_A_COMMIT = 7
"""Options that say where the document lies."""


@dataclass(frozen=True)
class Origin:
    """Of what release a document says it is; empty for what it does not say."""

    version: str = ""
    commit: str = ""


def read_document(options: Options, ground: Ground) -> str:
    if options["url"]:
        return get(
            "The file",
            options["url"],
            timeout=ground.timeout,
            authorization=bearer(options["token"]),
            ca_cert=options["ca_cert"],
        ).text
    if not options["path"]:
        raise InputError("Neither 'path' nor 'url' is set: set one.")
    try:
        return Path(options["path"]).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise NotReadyError(
            f"The file {options['path']} is missing: let staging write it, or correct its path."
        ) from None
    except (OSError, ValueError) as exc:
        raise NotReadyError(f"The file {options['path']} cannot be read ({exc}).") from None


def place_of(options: Options) -> str:
    return str(without_query(options["url"]) if options["url"] else options["path"])


def parse_json(text: str, where: str) -> dict[str, t.Any]:
    try:
        result = json.loads(text)
    except ValueError:
        result = None
    if not isinstance(result, dict):
        raise VerificationError(f"{where} is not one JSON object: check its writer.")
    return result


def number(document: t.Mapping[str, t.Any], key: str) -> float | None:
    """None for what is not there or is no finite number, which proves nothing."""
    value = document.get(key)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return None
    return value


def origin_of(document: t.Mapping[str, t.Any]) -> Origin:
    return Origin(str(document.get("version") or ""), str(document.get("commit") or ""))


def strangeness(origin: Origin, ground: Ground, where: str) -> Finding | None:
    """Why it is no proof for this release; None when it is one."""
    if not origin.version and not origin.commit:
        return held(
            f"{where} has neither a version nor a commit, so its release is unknown: let its "
            "writer add one"
        )
    if origin.version and _bare(origin.version) != _bare(ground.release):
        return failed(
            f"{where} is of version {origin.version} and not of {ground.release}: run it again for this "
            "release"
        )
    if not origin.commit:
        return None
    if same_commit(origin.commit, ground.known_commit()):
        return None
    return failed(
        f"{where} is of commit {origin.commit[:12]} but {ground.known_commit()[:12]} is "
        "released: run it again for this commit"
    )


def same_commit(short: str, full: str) -> bool:
    short = short.lower()
    return len(short) >= LEAST_OF_A_COMMIT and full.lower().startswith(short)


def _bare(version: str) -> str:
    return version.strip().removeprefix("v")


@dataclass(frozen=True)
class Results:
    """None for a number that the document does not tell."""

    passed: int | None
    failed: int | None
    skipped: int
    origin: Origin


def look_test_results(options: Options, ground: Ground) -> t.Sequence[Finding]:
    """Whether enough tests passed and none failed, as JUnit XML or a summary in JSON tells."""
    where = place_of(options)
    results = read_results(read_document(options, ground), where)
    return [judge_test_results(results, options["least"], ground, where)]


def read_results(text: str, where: str) -> Results:
    return _of_junit(text, where) if text.lstrip().startswith("<") else _of_json(text, where)


def judge_test_results(results: Results, least: int, ground: Ground, where: str) -> Finding:
    strange = strangeness(results.origin, ground, where)
    if strange is not None:
        return strange
    if results.passed is None or results.failed is None:
        return held(f"{where} has no numbers of passed and failed tests")
    if results.failed:
        return failed(
            f"{results.failed} tests failed and {results.passed} passed, says {where}: fix them, "
            "and test again"
        )
    if results.passed < least:
        aside = f", {results.skipped} were skipped" if results.skipped else ""
        return failed(
            f"{results.passed} tests passed, {least} are required{aside}, says {where}: run all "
            "of them"
        )
    return passed(f"{results.passed} passed, 0 failed, at least {least} required")


def _of_json(text: str, where: str) -> Results:
    body = parse_json(text, where)
    good, bad, errors = (number(body, key) for key in ("passed", "failed", "errors"))
    return Results(
        passed=None if good is None else int(good),
        failed=None if bad is None else int(bad + (errors or 0)),
        skipped=int(number(body, "skipped") or 0),
        origin=origin_of(body),
    )


def _of_junit(text: str, where: str) -> Results:
    """Counted by the cases: the sums that writers put into attributes differ from one to the next."""
    try:
        root = ElementTree.fromstring(text)  # noqa: S314 - expat itself refuses entities that explode
    except ElementTree.ParseError as exc:
        raise VerificationError(f"{where} is not XML ({exc}): check its writer.") from None
    cases = list(root.iter("testcase"))
    bad = sum(any(case.find(tag) is not None for tag in ("failure", "error")) for case in cases)
    aside = sum(case.find("skipped") is not None for case in cases)
    named = {
        str(entry.get("name")): entry.get("value") or entry.text or ""
        for entry in root.iter("property")
    }
    return Results(
        passed=len(cases) - bad - aside if cases else None,
        failed=bad if cases else None,
        skipped=aside,
        origin=origin_of(named),
    )


def look_load_test(options: Options, ground: Ground) -> t.Sequence[Finding]:
    """Whether a load test was large enough and its answers good enough, as its summary in JSON tells."""
    where = place_of(options)
    summary = parse_json(read_document(options, ground), where)
    return [judge_load_test(summary, options, ground, where)]


def judge_load_test(
    summary: t.Mapping[str, t.Any], bounds: t.Mapping[str, t.Any], ground: Ground, where: str
) -> Finding:
    """Only the bounds that are set count; a rate and a duration must be below theirs."""
    strange = strangeness(origin_of(summary), ground, where)
    if strange is not None:
        return strange
    users, rate, p95 = (number(summary, key) for key in ("users", "error_rate", "p95_seconds"))
    wrong: list[str] = []
    unknown: list[str] = []
    good: list[str] = []
    for name, value, bound, fine, words in (
        ("users", users, bounds["least_users"], _at_least, "{0:g} users (at least {1:g})"),
        ("error_rate", rate, bounds["error_rate"], _below, "error rate {0:.2%} (below {1:.2%})"),
        ("p95_seconds", p95, bounds["p95"], _below, "p95 {0:.3g} s (below {1:g} s)"),
    ):
        if bound is None:
            continue
        if value is None:
            unknown.append(name)
        else:
            (good if fine(value, bound) else wrong).append(words.format(value, bound))
    if wrong:
        return failed(f"{', '.join(wrong)}, says {where}: find the cause, and test again")
    if unknown:
        return held(f"{where} has no number as {', '.join(unknown)}")
    return passed(", ".join(good) or "no bound was set")


def _at_least(value: float, bound: float) -> bool:
    return value >= bound


def _below(value: float, bound: float) -> bool:
    return 0 <= value < bound


KINDS: Kinds = {
    "test_results": Kind(look_test_results, (REQUESTS,)),
    "load_test": Kind(look_load_test, (REQUESTS,)),
}
