import dataclasses
import json
import typing as t
from pathlib import Path

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._errors import (
    ConflictError,
    InputError,
    RefusedError,
    UnreachableError,
    VerificationError,
)
from ansible_collections.easymo.deploy.plugins.module_utils._functions import apply
from ansible_collections.easymo.deploy.plugins.module_utils._functions.archive import (
    Archive,
    Saved,
    keep,
    read_archive,
)
from ansible_collections.easymo.deploy.plugins.module_utils._functions.collect import Collected
from ansible_collections.easymo.deploy.plugins.module_utils._functions.models import FunctionSource
from ansible_collections.easymo.deploy.plugins.module_utils._functions.task import (
    FunctionsRequest,
    deploy,
    restore,
)
from ansible_collections.easymo.deploy.plugins.module_utils._lock.models import LeaseLostError
from tests.fakes.functions_api import MemoryFunctions

ROOT = "supabase/functions"
Result = dict[str, t.Any]


def source(slug: str, text: str = "1", *, verify_jwt: bool | None = False) -> FunctionSource:
    entrypoint = f"{ROOT}/{slug}/index.ts"
    return FunctionSource(slug, entrypoint, "", (), verify_jwt, {entrypoint: text.encode()})


def order(*, check: bool = False, diff: bool = False, **options: t.Any) -> FunctionsRequest:
    given = {
        "archive": None,
        "known": {},
        "staged": None,
        "required_secrets": [],
        "prune": False,
        "force": [],
    }
    # Through JSON, as results travel from task to task.
    params = json.loads(json.dumps({**given, **options}))
    path = Path(params["archive"]) if params["archive"] else None
    saved = read_archive(path) if path and path.exists() else None
    return FunctionsRequest.from_params(params, saved, check_mode=check, diff=diff)


def go(
    api: MemoryFunctions,
    *sources: FunctionSource,
    activate: bool = True,
    check: bool = False,
    **options: t.Any,
) -> Result:
    def keeping(archive: Archive, path: Path) -> Saved:
        return keep(archive, path, None, "", check_mode=check)

    return deploy(
        api, Collected(sources, ()), order(check=check, **options), keeping, activate=activate
    )


def changes(result: Result) -> list[tuple[str, str, list[str], list[str]]]:
    return [(c["slug"], c["kind"], c["files"], c["settings"]) for c in result["changes"]]


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch) -> None:
    monkeypatch.setattr(apply, "LOOK_PAUSE", 0.0)


def test_only_what_differs_is_uploaded_and_it_is_told_how():
    api = MemoryFunctions(source("same"), source("old"), source("open"), source("other"))
    wanted = source("same"), source("old", "2"), source("open", verify_jwt=True), source("fresh")
    result = go(api, *wanted)
    assert changes(result) == [
        ("old", "changed", ["index.ts"], []),
        ("open", "changed", [], ["verify_jwt"]),
        ("fresh", "new", ["index.ts"], []),
    ]
    assert (result["unchanged"], result["extra"]) == (["same"], ["other"])
    assert sorted(api.uploads) == ["fresh", "old", "open"]
    assert api.versions() == {"same": 1, "old": 2, "open": 2, "other": 1, "fresh": 1}


def test_check_mode_predicts_and_sends_nothing():
    api = MemoryFunctions(source("old"))
    predicted = go(api, source("old", "2"), source("new"), check=True, diff=True)
    assert (api.uploads, api.versions()) == ([], {"old": 1})
    real = go(api, source("old", "2"), source("new"), diff=True)
    assert (real["changes"], real["diff"]) == (predicted["changes"], predicted["diff"])


def test_the_diff_shows_the_text_of_files_that_are_text_and_small():
    entrypoint = f"{ROOT}/a/index.ts"
    old = source("a", "one\n")
    files = {entrypoint: b"two\n", f"{ROOT}/a/x.png": b"\xff", f"{ROOT}/a/y": b"y" * 70_000}
    new = FunctionSource("a", entrypoint, "", (), False, files)
    shown = go(MemoryFunctions(old), new, check=True, diff=True)["diff"]
    texts = {entry["after_header"]: (entry["before"], entry["after"]) for entry in shown}
    assert texts["a: index.ts"] == ("one\n", "two\n")
    assert texts["a: x.png"] == ("", "1 bytes that are not text\n")
    assert texts["a: y"] == ("", "70000 bytes, too many to show\n")
    assert texts["a"][0].startswith("verify_jwt: false\nindex.ts: sha256 ")


def test_what_is_known_is_not_downloaded_again():
    api = MemoryFunctions(source("a"), source("b"))
    known = go(api, source("a"), source("b"))["known"]
    api.downloads.clear()
    again = go(api, source("a"), source("b"), known=known)
    assert (again["changed"], again["known"], api.downloads) == (False, known, [])


def test_what_somebody_else_deployed_in_between_is_read_again():
    api = MemoryFunctions(source("a"), source("b"))
    known = go(api, source("a"), source("b"))["known"]
    api.deploy(source("a", "theirs"))
    api.downloads.clear()
    assert changes(go(api, source("a"), source("b"), known=known)) == [
        ("a", "changed", ["index.ts"], [])
    ]
    assert api.downloads == ["a"]


def test_a_switch_that_somebody_turned_is_told_and_turned_back():
    api = MemoryFunctions(source("a"))
    known = go(api, source("a"))["known"]
    api.active["a"] = dataclasses.replace(api.active["a"], verify_jwt=True)
    result = go(api, source("a"), known=known)
    assert (changes(result), result["turned"]) == ([("a", "changed", [], ["verify_jwt"])], ["a"])
    assert api.active["a"].verify_jwt is False


def test_without_a_policy_a_switch_stays_as_it_is():
    api = MemoryFunctions(source("a", verify_jwt=False))
    assert changes(go(api, source("a", verify_jwt=None))) == []
    go(api, source("a", "2", verify_jwt=None))
    assert api.active["a"].verify_jwt is False


def test_one_function_that_does_not_bundle_stops_all_of_them():
    api = MemoryFunctions(source("a"))
    api.broken = {"b", "d"}
    with pytest.raises(RefusedError) as raised:
        go(api, *(source(slug, "2") for slug in "abcd"))
    message = "2 of 4 functions did not bundle, so none was activated: b: b does not parse; d: d does not parse"
    assert str(raised.value) == message
    assert raised.value.details == {"functions": ["b", "d"], "activated": False}
    assert api.versions() == {"a": 1}


@pytest.mark.parametrize(
    "losses", [["after"], ["before"], ["before", "after"]], ids=lambda losses: "-".join(losses)
)
def test_an_answer_lost_after_the_activation_was_sent_is_found_out_from_the_list(losses):
    api = MemoryFunctions(source("a"))
    api.losses = losses
    assert set(go(api, source("a", "2"), source("b"))["functions"]) == {"a", "b"}
    assert api.versions() == {"a": 2, "b": 1}


def test_an_activation_that_never_arrives_is_told_as_such():
    api = MemoryFunctions(source("a"))
    api.losses = ["before", "before"]
    with pytest.raises(UnreachableError, match="none of 2 functions was activated") as raised:
        go(api, source("a", "2"), source("b"))
    assert raised.value.details == {"activated": False}


def test_an_activation_that_arrived_in_part_is_told_with_names():
    api = MemoryFunctions()
    api.losses = ["half"]
    with pytest.raises(
        UnreachableError, match="only a run the new sources, while b do not"
    ) as raised:
        go(api, source("a"), source("b"))
    assert raised.value.details == {"functions": ["b"], "activated": True}


def test_a_lost_answer_and_a_lost_list_leave_a_doubt_that_is_told(monkeypatch):
    api = MemoryFunctions()
    api.losses = ["after"]
    activate = api.activate

    def lose(bundled: t.Any) -> None:
        api.reading = UnreachableError("gone")
        activate(bundled)

    monkeypatch.setattr(api, "activate", lose)
    with pytest.raises(UnreachableError, match="The new functions may run") as raised:
        go(api, source("a"))
    assert raised.value.details["activated"] is True


class Lock:
    """The deploy lock, which is another's after it was looked at so often."""

    def __init__(self, holds: int) -> None:
        self.holds = holds

    def check(self) -> None:
        if not self.holds:
            raise LeaseLostError("lost")
        self.holds -= 1


@pytest.mark.parametrize(
    ("holds", "losses", "left"),
    [(0, [], {"a": 1, "old": 1}), (1, ["before"], {"a": 1, "old": 1}), (1, [], {"a": 2, "old": 1})],
    ids=["activation", "second activation", "deletion"],
)
def test_nothing_is_written_after_the_deploy_lock_was_lost(holds, losses, left):
    api = MemoryFunctions(source("a"), source("old"))
    api.losses = losses
    given = order(prune=True, force=["old"])
    with pytest.raises(LeaseLostError):
        deploy(
            api,
            Collected((source("a", "2"),), ()),
            given,
            lambda *_archive: pytest.fail("nothing is saved"),
            activate=True,
            check_lock=Lock(holds).check,
        )
    assert api.versions() == left


def test_nothing_goes_back_after_the_deploy_lock_was_lost(tmp_path):
    api, archive, result = released(tmp_path)
    with pytest.raises(LeaseLostError):
        restore(api, archive, order(known=result["known"]), check_lock=Lock(0).check)
    assert api.versions() == {"a": 2, "b": 1, "mine": 1}


def test_a_switch_that_does_not_stay_fails_with_the_functions_name():
    api = MemoryFunctions()
    api.turned = {"a"}
    with pytest.raises(VerificationError, match="a has verify_jwt True, not False") as raised:
        go(api, source("a"), source("b"))
    assert raised.value.details == {"functions": ["a"], "activated": True}


def test_a_list_that_did_not_move_is_no_success(monkeypatch):
    api = MemoryFunctions(source("a"))
    monkeypatch.setattr(api, "activate", lambda bundled: None)
    with pytest.raises(VerificationError, match="a still has version 1"):
        go(api, source("a", "2"))


def test_missing_secrets_are_named_all_at_once_before_anything_is_sent():
    api = MemoryFunctions()
    api.project_secrets = {"HAVE": "digest"}
    with pytest.raises(InputError, match=r"lacks 2 secrets .*: ONE, TWO\."):
        go(api, source("a"), required_secrets=["HAVE", "TWO", "ONE"])
    assert api.uploads == []


def test_what_is_staged_is_activated_without_another_upload():
    api = MemoryFunctions(source("a"))
    ready = go(api, source("a", "2"), source("b"), activate=False)
    assert (ready["changed"], api.versions(), sorted(api.uploads)) == (False, {"a": 1}, ["a", "b"])
    go(api, source("a", "2"), source("b"), staged=ready["staged"], known=ready["known"])
    assert (api.versions(), sorted(api.uploads)) == ({"a": 2, "b": 1}, ["a", "b"])


@pytest.mark.parametrize("before", [source("a"), source("a", "2")], ids=["staged", "unchanged"])
def test_what_somebody_deployed_since_it_was_staged_is_not_replaced(before):
    """It would be lost, for what ran was saved before, and a rollback could not tell whose the next version is."""
    api = MemoryFunctions(before)
    ready = go(api, source("a", "2"), source("b"), activate=False)
    api.deploy(source("a", "theirs"))
    with pytest.raises(ConflictError, match="Somebody else deployed or deleted a since") as caught:
        go(api, source("a", "2"), source("b"), staged=ready["staged"], known=ready["known"])
    assert caught.value.details["functions"] == ["a"]
    assert api.versions() == {"a": 2}
    api.delete("a")
    for _deleted_then_deployed_again in range(2):
        with pytest.raises(ConflictError):
            go(api, source("a", "2"), source("b"), staged=ready["staged"], known=ready["known"])
        api.deploy(source("a", "theirs"))
    again = go(api, source("a", "2"), source("b"), activate=False)
    go(api, source("a", "2"), source("b"), staged=again["staged"], known=again["known"])
    assert api.versions() == {"a": 3, "b": 1}


@pytest.mark.parametrize("between", ["edit", "policy"])
def test_what_was_staged_for_something_else_is_not_used(between):
    api = MemoryFunctions(source("a"))
    wanted = source("a", "2")
    staged = go(api, wanted, activate=False)["staged"]
    wanted = source("a", "3") if between == "edit" else source("a", "2", verify_jwt=True)
    go(api, wanted, staged=staged)
    assert api.uploads == ["a", "a"]
    assert api.source(api.active["a"]).files == wanted.files


def test_what_runs_is_saved_before_the_activation(tmp_path):
    api = MemoryFunctions(source("a"), source("same"))
    api.losses = ["before", "before"]
    path = tmp_path / "before.json"
    with pytest.raises(UnreachableError):
        go(api, source("a", "2"), source("same"), source("new"), archive=str(path))
    saved = read_archive(path)
    assert {each.slug: each.files for each in saved.sources} == {
        each.slug: each.files for each in (source("a"), source("same"))
    }
    assert saved.absent == ("new",)
    assert path.stat().st_mode & 0o777 == 0o600


def test_an_archive_keeps_the_oldest_and_grows_by_what_it_lacks(tmp_path):
    api = MemoryFunctions(source("a"), source("b"))
    path = tmp_path / "before.json"
    go(api, source("a", "2"), archive=str(path))
    go(api, source("a", "3"), source("b", "2"), source("c"), archive=str(path))
    saved = read_archive(path)
    assert {each.slug: each.files for each in saved.sources} == {
        each.slug: each.files for each in (source("a"), source("b"))
    }
    assert saved.absent == ("c",)


def test_nothing_is_saved_where_nothing_changes(tmp_path):
    path = tmp_path / "before.json"
    assert "saved" not in go(MemoryFunctions(source("a")), source("a"), archive=str(path))
    go(MemoryFunctions(source("a")), source("a", "2"), archive=str(path), check=True)
    assert not path.exists()


def released(tmp_path: Path) -> tuple[MemoryFunctions, Archive, Result]:
    """`a` was changed and `b` created by a release, which left an archive and what it knows."""
    api = MemoryFunctions(source("a"), source("mine"))
    path = tmp_path / "before.json"
    result = go(api, source("a", "2"), source("b"), archive=str(path))
    return api, read_archive(path), result


def test_going_back_brings_the_old_sources_and_removes_what_the_release_created(tmp_path):
    api, archive, result = released(tmp_path)
    predicted = restore(api, archive, order(known=result["known"], check=True))
    restored = restore(api, archive, order(known=result["known"]))
    assert changes(restored) == changes(predicted) == [
        ("a", "changed", ["index.ts"], []),
        ("b", "deleted", [], []),
    ]  # fmt: skip
    assert set(api.active) == {"a", "mine"}
    assert api.source(api.active["a"]).files == source("a").files
    again = restore(api, archive, order(known=restored["known"]))
    assert (again["changed"], again["kept"]) == (False, [])


@pytest.mark.parametrize("slug", ["a", "b"])
def test_what_somebody_deployed_since_the_release_is_left_alone(tmp_path, slug):
    api, archive, result = released(tmp_path)
    api.deploy(source(slug, "theirs"))
    restored = restore(api, archive, order(known=result["known"]))
    assert restored["kept"] == [slug]
    assert api.source(api.active[slug]).files == source(slug, "theirs").files
    forced = restore(api, archive, order(known=result["known"], force=[slug]))
    assert [change["slug"] for change in forced["changes"]] == [slug]


def test_a_function_that_somebody_created_meanwhile_is_not_removed(tmp_path):
    api = MemoryFunctions(source("a"))
    known = go(api, source("a", "2"))["known"]
    api.deploy(source("b"))
    restored = restore(api, Archive((source("a"),), ("b",)), order(known=known))
    assert (restored["kept"], set(api.active)) == (["b"], {"a", "b"})


def test_a_release_that_was_killed_before_it_knew_its_end_can_go_back(tmp_path):
    api = MemoryFunctions(source("a"))
    path = tmp_path / "before.json"
    ready = go(api, source("a", "2"), source("b"), activate=False, archive=str(path))
    go(api, source("a", "2"), source("b"), staged=ready["staged"])
    restored = restore(api, read_archive(path), order(known=ready["known"]))
    assert (restored["kept"], set(api.active)) == ([], {"a"})


def test_a_way_back_that_was_cut_short_is_finished_by_the_next(tmp_path):
    api, archive, result = released(tmp_path)
    restore(api, archive, order(known=result["known"]))
    # Nobody could write down what the first way back made known.
    again = restore(api, archive, order(known=result["known"]))
    assert (again["changed"], again["kept"]) == (False, [])


def test_only_what_the_release_deployed_or_somebody_names_is_pruned():
    api = MemoryFunctions(source("theirs"), source("named"))
    known = go(api, source("a"), source("b"))["known"]
    result = go(api, source("a"), known=known)
    assert (result["changed"], result["extra"]) == (False, ["b", "named", "theirs"])
    result = go(api, source("a"), known=known, prune=True, force=["named"])
    assert [(slug, kind) for slug, kind, *_ in changes(result)] == [
        ("b", "deleted"),
        ("named", "deleted"),
    ]
    assert (result["extra"], set(api.active)) == (["theirs"], {"a", "theirs"})
    with pytest.raises(InputError, match="'force' names gone"):
        go(api, source("a"), prune=True, force=["gone"])


@pytest.mark.parametrize("option", ["known", "staged"])
def test_what_no_task_returned_is_refused_as_an_option(option):
    with pytest.raises(InputError, match="'known' and 'staged' take an earlier task's results"):
        order(**{option: {"a": [{"version": "x"}]}})
