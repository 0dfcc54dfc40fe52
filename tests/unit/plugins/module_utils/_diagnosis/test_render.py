"""The folder: for its owner alone, with a summary that names what lies there."""

import json
import os
import stat
import typing as t
from dataclasses import replace
from datetime import datetime, timezone

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._diagnosis.evidence import (
    CollectedPart,
    Diagnosis,
    files_of,
    summary,
    write_folder,
)
from ansible_collections.easymo.deploy.plugins.module_utils._diagnosis.rules import (
    SURE,
    Cause,
    LinePlace,
    ObservedFact,
)
from ansible_collections.easymo.deploy.plugins.module_utils._errors import InputError

NOW = datetime(2026, 11, 25, 9, 30, 5, tzinfo=timezone.utc)  # noqa: UP017 - as the code writes it
PLACE = LinePlace("kubernetes/wallet.log", 2)


def diagnosis(**changes: t.Any) -> Diagnosis:
    fact = ObservedFact("crash_loop", "trouble", "wallet", "wallet says", PLACE, {"dooms": True})
    log = ["line 1", "line 2"]
    parts = (
        CollectedPart(
            "crash_loop", "the pods", [fact], [], ["the rest"], {"kubernetes/wallet.log": log}
        ),
        CollectedPart("migration", "the sessions", [], ["The server does not answer."]),
    )
    given: dict[str, t.Any] = {
        "release": "2.0.0",
        "at": "2026-11-25T09:30:05Z",
        "entries": ("crash_loop", "migration"),
        "parts": parts,
        "causes": (Cause("crash_loop", SURE, "it crashed.", "Roll it back.", (PLACE,)),),
        "missing_secrets": ("secret_x (environment variable X, for Y)",),
    }
    return Diagnosis(**{**given, **changes})


def test_the_summary_has_causes_with_what_to_do_and_what_was_not_seen():
    lines = "\n".join(summary(diagnosis()))
    for words in ("it crashed", "Roll it back.", "kubernetes/wallet.log:2", "No data", "secret_x",
                  "The server does not answer.", "Left out: the rest"):  # fmt: skip
        assert words in lines


def test_the_terminal_shows_the_surest_and_where_the_others_are():
    many = diagnosis()
    many = replace(many, causes=many.causes[:1] * 8)
    shown, whole = (summary(many, most) for most in (5, None))
    assert "And 3 less certain causes, in summary.txt." in shown
    assert [sum("it crashed" in line for line in lines) for lines in (shown, whole)] == [5, 8]


def test_without_a_cause_that_is_said_with_what_was_looked_at():
    bare = diagnosis(causes=())
    assert "No cause was found. Checked without trouble: the pods." in summary(bare)


def test_the_json_has_all_of_it():
    document = json.loads(files_of(diagnosis())["diagnosis.json"])
    assert document["causes"][0]["evidence"] == ["kubernetes/wallet.log:2"]
    assert document["parts"][0]["files"] == ["kubernetes/wallet.log"]
    assert document["parts"][1]["unseen"] == ["The server does not answer."]


def test_the_folder_is_for_its_owner_alone_whatever_the_umask(tmp_path):
    before = os.umask(0)
    try:
        folder = write_folder(tmp_path / "report", files_of(diagnosis()), NOW)
    finally:
        os.umask(before)
    assert folder.name == "diagnosis-20261125T093005Z"
    modes = {stat.S_IMODE(path.stat().st_mode) for path in folder.rglob("*") if path.is_file()}
    assert modes == {0o600}
    kept = [folder, *(path for path in folder.rglob("*") if path.is_dir())]
    assert {stat.S_IMODE(path.stat().st_mode) for path in kept} == {0o700}


def test_where_no_folder_can_be_made_that_is_said(tmp_path):
    write_folder(tmp_path, {}, NOW)
    with pytest.raises(InputError, match="File exists"):
        write_folder(tmp_path, {}, NOW)
    (tmp_path / "file").write_text("", "utf-8")
    with pytest.raises(InputError, match="set 'dest'"):
        write_folder(tmp_path / "file" / "below", {}, NOW)
