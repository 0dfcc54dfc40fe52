# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of documents that CI leaves: results of tests and of load tests, and of which commit they are."""

from __future__ import annotations

import json
import operator
import typing as t
from pathlib import Path
from xml.etree import ElementTree

from .._errors import NotReadyError, VerificationError
from .._formats import number
from .models import Finding, Ground, Kind, Kinds, Options, failed, held, passed

LEAST_OF_A_COMMIT = 7
"""Letters by which a commit is told from others."""

Document = t.Mapping[str, t.Any]
"""What it says, by the names that summaries in JSON have."""


def read_document(options: Options) -> str:
    path = options["path"]
    try:
        return Path(path).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise NotReadyError(
            f"The file {path} is missing: let staging write it, or correct its path."
        ) from None
    except (OSError, ValueError) as exc:
        raise NotReadyError(f"The file {path} cannot be read ({exc}).") from None


def parse_json(text: str, where: str) -> Document:
    try:
        result = json.loads(text)
    except ValueError:
        result = None
    if not isinstance(result, dict):
        raise VerificationError(f"{where} is not one JSON object: check its writer.")
    return result


def strangeness(document: Document, ground: Ground, where: str) -> Finding | None:
    """Why it is no proof for this release; None when it is one."""
    version, commit = (str(document.get(name) or "") for name in ("version", "commit"))
    if not version and not commit:
        return held(
            f"{where} has neither a version nor a commit, so its release is unknown: let its "
            "writer add one"
        )
    if version and _bare(version) != _bare(ground.release):
        return failed(
            f"{where} is of version {version} and not of {ground.release}: run it again for this "
            "release"
        )
    if not commit:
        return None
    known = ground.known_commit()
    if len(commit) >= LEAST_OF_A_COMMIT and known.lower().startswith(commit.lower()):
        return None
    return failed(
        f"{where} is of commit {commit[:12]} but {known[:12]} is released: run it again for this "
        "commit"
    )


def _bare(version: str) -> str:
    return version.strip().removeprefix("v")


def look_test_results(options: Options, ground: Ground) -> Finding:
    """Whether enough tests passed and none failed, as JUnit XML or a summary in JSON tells."""
    text, where, least = read_document(options), options["path"], options["least"]
    junit = text.lstrip().startswith("<")
    results = _of_junit(text, where) if junit else parse_json(text, where)
    strange = strangeness(results, ground, where)
    if strange is not None:
        return strange
    good, bad, errors, aside = (
        number(results.get(name)) for name in ("passed", "failed", "errors", "skipped")
    )
    if good is None or bad is None:
        return held(f"{where} has no numbers of passed and failed tests")
    bad += errors or 0
    if bad:
        return failed(
            f"{bad:.0f} tests failed and {good:.0f} passed, says {where}: fix them, and test again"
        )
    if good < least:
        left_out = f", {aside:.0f} were skipped" if aside else ""
        return failed(
            f"{good:.0f} tests passed, {least} are required{left_out}, says {where}: run all of them"
        )
    return passed(f"{good:.0f} passed, 0 failed, at least {least} required")


def _of_junit(text: str, where: str) -> Document:
    """Counted by the cases: the sums that writers put into attributes differ from one to the next."""
    try:
        root = ElementTree.fromstring(text)  # noqa: S314 - expat itself refuses entities that explode
    except ElementTree.ParseError as exc:
        raise VerificationError(f"{where} is not XML ({exc}): check its writer.") from None
    cases = list(root.iter("testcase"))
    bad = sum(any(case.find(tag) is not None for tag in ("failure", "error")) for case in cases)
    aside = sum(case.find("skipped") is not None for case in cases)
    counts = {"passed": len(cases) - bad - aside, "failed": bad, "skipped": aside}
    properties = {
        str(entry.get("name")): entry.get("value") or entry.text or ""
        for entry in root.iter("property")
    }
    origin = {name: properties.get(name) for name in ("version", "commit")}
    return {**origin, **(counts if cases else {})}


def look_load_test(options: Options, ground: Ground) -> Finding:
    """Whether a load test was large enough and its answers good enough, as its summary in JSON tells.

    Only the bounds that are set count; a rate and a duration must be below theirs.
    """
    where = options["path"]
    summary = parse_json(read_document(options), where)
    strange = strangeness(summary, ground, where)
    if strange is not None:
        return strange
    wrong: list[str] = []
    unknown: list[str] = []
    good: list[str] = []
    for name, option, fine, words in (
        ("users", "least_users", operator.ge, "{0:g} users (at least {1:g})"),
        ("error_rate", "error_rate", _below, "error rate {0:.2%} (below {1:.2%})"),
        ("p95_seconds", "p95", _below, "p95 {0:.3g} s (below {1:g} s)"),
    ):
        value, bound = number(summary.get(name)), options[option]
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


def _below(value: float, bound: float) -> bool:
    return 0 <= value < bound


_DOCUMENT = """    path:
      description: The file on this machine.
      type: path
      required: true
"""
TEST_RESULTS_OPTIONS = f"""  description:
    - Whether enough tests passed and none failed. The file is JUnit XML, or one JSON object with C(passed),
      C(failed), C(skipped).
    - It names C(version), C(commit) or both, in JUnit XML as properties. One of another release fails, one
      that names neither holds.
  suboptions:
{_DOCUMENT}    least:
      description: How many tests must have passed.
      type: int
      default: 1
"""
LOAD_TEST_OPTIONS = f"""  description:
    - Whether a load test was good. The file is one JSON object with C(users), C(error_rate) as a ratio,
      C(p95_seconds), and C(version) or C(commit) as those of tests.
    - Only the bounds that are set count.
  suboptions:
{_DOCUMENT}    least_users:
      description: How many users at the same time there must have been.
      type: float
    error_rate:
      description: The ratio of errors must be below this.
      type: float
    p95:
      description: Seconds; the 95th percentile of the response time must be below this.
      type: float
"""

KINDS: Kinds = {
    "test_results": Kind(look_test_results, TEST_RESULTS_OPTIONS),
    "load_test": Kind(look_load_test, LOAD_TEST_OPTIONS),
}
