import dataclasses
import typing as t

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._errors import (
    ConflictError,
    InputError,
    RefusedError,
    UnreachableError,
    VerificationError,
)
from ansible_collections.easymo.deploy.plugins.module_utils._functions import task
from ansible_collections.easymo.deploy.plugins.module_utils._functions.archive import (
    Archive,
    FunctionsMemory,
    FunctionsRecord,
)
from ansible_collections.easymo.deploy.plugins.module_utils._functions.collect import Collected
from ansible_collections.easymo.deploy.plugins.module_utils._functions.models import (
    Deployed,
    FunctionSource,
    Knowledge,
)
from ansible_collections.easymo.deploy.plugins.module_utils._functions.task import FunctionsTask
from ansible_collections.easymo.deploy.plugins.module_utils._lock.apply import no_check
from ansible_collections.easymo.deploy.plugins.module_utils._lock.models import LeaseLostError
from ansible_collections.easymo.deploy.plugins.module_utils._release.store import ReleaseStore
from tests.fakes.cluster import FakeClock, MemoryCluster
from tests.fakes.functions_api import MemoryFunctions

ROOT = "supabase/functions"
Result = dict[str, t.Any]


def source(slug: str, text: str = "1", *, verify_jwt: bool | None = False) -> FunctionSource:
    entrypoint = f"{ROOT}/{slug}/index.ts"
    return FunctionSource(slug, entrypoint, "", (), verify_jwt, {entrypoint: text.encode()})


def record_in(cluster: MemoryCluster, **options: t.Any) -> FunctionsRecord:
    """Read anew, as each task does."""
    store = ReleaseStore(cluster, "2.0.0", clock=FakeClock())
    return FunctionsRecord(store, "edge_functions", lambda: None, "", **options)


def task_of(
    api: MemoryFunctions,
    memory: FunctionsMemory,
    check_lock: t.Callable[[], None] = no_check,
    **options: t.Any,
) -> FunctionsTask:
    return FunctionsTask(api, memory, check_lock, lambda *_event: None, **options)


def go(
    api: MemoryFunctions,
    *sources: FunctionSource,
    memory: FunctionsMemory | MemoryCluster | None = None,
    **options: t.Any,
) -> Result:
    """Once, by the record in a cluster, or without one."""
    if isinstance(memory, MemoryCluster):
        memory = record_in(memory)
    return task_of(api, memory or FunctionsMemory(), **options).deploy(Collected(sources, ()))


def back(api: MemoryFunctions, cluster: MemoryCluster, **options: t.Any) -> Result:
    record = record_in(cluster)
    return task_of(api, record, **options).restore(record.before())


def saved(cluster: MemoryCluster) -> Archive:
    archive = record_in(cluster).archive
    assert archive
    return archive


def changes(result: Result) -> list[tuple[str, str, list[str], list[str]]]:
    return [(c["slug"], c["kind"], c["files"], c["settings"]) for c in result["changes"]]


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch) -> None:
    monkeypatch.setattr(task, "LOOK_PAUSE", 0.0)


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
    predicted = go(api, source("old", "2"), source("new"), check_mode=True, diff=True)
    assert (api.uploads, api.versions()) == ([], {"old": 1})
    real = go(api, source("old", "2"), source("new"), diff=True)
    assert (real["changes"], real["diff"]) == (predicted["changes"], predicted["diff"])


def test_the_diff_shows_the_text_of_files_that_are_text_and_small():
    entrypoint = f"{ROOT}/a/index.ts"
    old = source("a", "one\n")
    files = {entrypoint: b"two\n", f"{ROOT}/a/x.png": b"\xff", f"{ROOT}/a/y": b"y" * 70_000}
    new = FunctionSource("a", entrypoint, "", (), False, files)
    shown = go(MemoryFunctions(old), new, check_mode=True, diff=True)["diff"]
    texts = {entry["after_header"]: (entry["before"], entry["after"]) for entry in shown}
    assert texts["a: index.ts"] == ("one\n", "two\n")
    assert texts["a: x.png"] == ("", "1 bytes that are not text\n")
    assert texts["a: y"] == ("", "70000 bytes, too many to show\n")
    assert texts["a"][0].startswith("verify_jwt: false\nindex.ts: sha256 ")


def test_what_is_known_is_not_downloaded_again_and_not_written():
    api, cluster = MemoryFunctions(source("a"), source("b")), MemoryCluster()
    go(api, source("a"), source("b"), memory=cluster)
    before = dict(cluster.objects)
    api.downloads.clear()
    again = go(api, source("a"), source("b"), memory=cluster)
    assert (again["changed"], api.downloads, cluster.objects) == (False, [], before)


def test_what_somebody_else_deployed_in_between_is_read_again():
    api, cluster = MemoryFunctions(source("a"), source("b")), MemoryCluster()
    go(api, source("a"), source("b"), memory=cluster)
    api.deploy(source("a", "theirs"))
    api.downloads.clear()
    assert changes(go(api, source("a"), source("b"), memory=cluster)) == [
        ("a", "changed", ["index.ts"], [])
    ]
    assert api.downloads == ["a"]


def test_a_switch_that_somebody_turned_is_told_and_turned_back():
    api, cluster = MemoryFunctions(source("a")), MemoryCluster()
    go(api, source("a"), memory=cluster)
    api.active["a"] = dataclasses.replace(api.active["a"], verify_jwt=True)
    result = go(api, source("a"), memory=cluster)
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
    wanted = Collected((source("a", "2"),), ())
    made = task_of(api, FunctionsMemory(), Lock(holds).check, prune=True, force=("old",))
    with pytest.raises(LeaseLostError):
        made.deploy(wanted)
    assert api.versions() == left


def test_nothing_goes_back_after_the_deploy_lock_was_lost():
    api, cluster = released()
    record = record_in(cluster)
    with pytest.raises(LeaseLostError):
        task_of(api, record, Lock(0).check).restore(record.before())
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
        go(api, source("a"), required_secrets=("HAVE", "TWO", "ONE"))
    assert api.uploads == []


class Meanwhile(FunctionsMemory):
    """Somebody acts between the looks of a deployment."""

    def __init__(self, act: t.Callable[[], None]) -> None:
        super().__init__()
        self._act = act

    def write(self, known: Knowledge, archive: Archive | None = None) -> dict[str, str]:
        self._act()
        return {}


@pytest.mark.parametrize("before", [source("a"), source("a", "2")], ids=["staged", "unchanged"])
@pytest.mark.parametrize("acts", [("deploy",), ("delete",), ("delete", "deploy")], ids="-".join)
def test_what_somebody_deployed_since_it_was_staged_is_not_replaced(before, acts):
    """It would be lost, for what ran was saved before, and a rollback could not tell whose the next version is."""
    api = MemoryFunctions(before)
    act = {"deploy": lambda: api.deploy(source("a", "theirs")), "delete": lambda: api.delete("a")}
    with pytest.raises(ConflictError, match="Somebody else deployed or deleted a since") as caught:
        go(
            api,
            source("a", "2"),
            source("b"),
            memory=Meanwhile(lambda: [act[one]() for one in acts] and None),
        )
    assert caught.value.details == {"functions": ["a"], "activated": False}
    assert "b" not in api.versions()
    go(api, source("a", "2"), source("b"))
    assert set(api.versions()) == {"a", "b"}


def test_what_runs_is_saved_before_the_activation():
    api, cluster = MemoryFunctions(source("a"), source("same")), MemoryCluster()
    api.losses = ["before", "before"]
    with pytest.raises(UnreachableError):
        go(api, source("a", "2"), source("same"), source("new"), memory=cluster)
    archive = saved(cluster)
    assert {each.slug: each.files for each in archive.sources} == {
        each.slug: each.files for each in (source("a"), source("same"))
    }
    assert archive.absent == ("new",)


def test_an_archive_keeps_the_oldest_and_grows_by_what_it_lacks():
    api, cluster = MemoryFunctions(source("a"), source("b")), MemoryCluster()
    go(api, source("a", "2"), memory=cluster)
    go(api, source("a", "3"), source("b", "2"), source("c"), memory=cluster)
    archive = saved(cluster)
    assert {each.slug: each.files for each in archive.sources} == {
        each.slug: each.files for each in (source("a"), source("b"))
    }
    assert archive.absent == ("c",)


def test_nothing_is_saved_where_nothing_changes_and_nothing_written_in_check_mode():
    api, cluster = MemoryFunctions(source("a")), MemoryCluster()
    go(api, source("a", "2"), memory=cluster, check_mode=True)
    assert cluster.objects == {}
    assert "saved" not in go(api, source("a"), memory=cluster)
    api.reading = UnreachableError("nobody asks")
    assert (back(api, cluster)["changed"], record_in(cluster).before()) == (False, None)


def released() -> tuple[MemoryFunctions, MemoryCluster]:
    """`a` was changed and `b` created by a release."""
    api, cluster = MemoryFunctions(source("a"), source("mine")), MemoryCluster()
    go(api, source("a", "2"), source("b"), memory=cluster)
    return api, cluster


def test_going_back_brings_the_old_sources_and_removes_what_the_release_created():
    api, cluster = released()
    predicted = back(api, cluster, check_mode=True)
    restored = back(api, cluster)
    assert changes(restored) == changes(predicted) == [
        ("a", "changed", ["index.ts"], []),
        ("b", "deleted", [], []),
    ]  # fmt: skip
    assert set(api.active) == {"a", "mine"}
    assert api.source(api.active["a"]).files == source("a").files
    again = back(api, cluster)
    assert (again["changed"], again["kept"]) == (False, [])


@pytest.mark.parametrize("slug", ["a", "b"])
def test_what_somebody_deployed_since_the_release_is_left_alone(slug):
    api, cluster = released()
    api.deploy(source(slug, "theirs"))
    theirs = api.active[slug]
    restored = back(api, cluster)
    assert (restored["kept"], api.active[slug]) == ([slug], theirs)
    forced = back(api, cluster, force=(slug,))
    assert [change["slug"] for change in forced["changes"]] == [slug]


def test_a_function_that_somebody_created_meanwhile_is_not_removed():
    api, cluster = MemoryFunctions(source("a")), MemoryCluster()
    go(api, source("a", "2"), memory=cluster)
    api.deploy(source("b"))
    archive = Archive((source("a"),), ("b",))
    restored = task_of(api, record_in(cluster)).restore(archive)
    assert (restored["kept"], set(api.active)) == (["b"], {"a", "b"})


class EndedError(Exception):
    """A run that was killed."""


STEPS = ["attachment", "record", "activation", "deletion"]


@pytest.mark.parametrize("step", range(len(STEPS)), ids=STEPS)
@pytest.mark.parametrize("way", ["finished", "back"])
def test_a_run_that_ends_before_any_of_its_steps_can_be_finished_and_taken_back(
    monkeypatch, step, way
):
    api, cluster = MemoryFunctions(source("a"), source("gone")), MemoryCluster()
    wanted = (source("a", "2"), source("b"))
    pruning = {"memory": cluster, "prune": True, "force": ("gone",)}
    left = [None] * step

    def ending(call: t.Callable[..., t.Any]) -> t.Callable[..., t.Any]:
        def act(*given: t.Any) -> t.Any:
            if not left:
                raise EndedError
            left.pop()
            return call(*given)

        return act

    with monkeypatch.context() as run:
        for one, names in ((cluster, ("create", "replace")), (api, ("activate", "delete"))):
            for name in names:
                run.setattr(one, name, ending(getattr(one, name)))
        with pytest.raises(EndedError):
            go(api, *wanted, **pruning)
    assert (record_in(cluster).archive is not None) is (step > STEPS.index("record"))
    if way == "finished":
        go(api, *wanted, **{**pruning, "force": ("gone",) if "gone" in api.active else ()})
        assert set(api.active) == {"a", "b"}
        assert api.source(api.active["a"]).files == source("a", "2").files
    back(api, cluster)
    assert set(api.active) == {"a", "gone"}
    assert api.source(api.active["a"]).files == source("a").files


class Counting(MemoryFunctions):
    """An activation whose versions are not those of its bundles, so that the record learns them afterwards."""

    def activate(self, bundled: t.Sequence[Deployed]) -> None:
        super().activate([dataclasses.replace(one, version=one.version + 1) for one in bundled])


def test_functions_that_run_and_are_not_recorded_are_told_as_activated():
    """So that the playbook brings the previous ones back."""
    api, cluster = Counting(source("a")), MemoryCluster()
    with pytest.raises(LeaseLostError) as caught:
        go(api, source("a", "2"), memory=record_in(cluster, check_lock=Lock(2).check))
    assert (caught.value.details["activated"], api.versions()) == (True, {"a": 3})


def test_a_way_back_that_was_cut_short_is_finished_by_the_next():
    api, cluster = released()
    before = dict(cluster.objects)
    back(api, cluster)
    cluster.objects = before  # nobody could write down what it made known
    again = back(api, cluster)
    assert (again["changed"], again["kept"]) == (False, [])


def test_only_what_the_release_deployed_or_somebody_names_is_pruned():
    api, cluster = MemoryFunctions(source("theirs"), source("named")), MemoryCluster()
    go(api, source("a"), source("b"), memory=cluster)
    result = go(api, source("a"), memory=cluster)
    assert (result["changed"], result["extra"]) == (False, ["b", "named", "theirs"])
    result = go(api, source("a"), memory=cluster, prune=True, force=("named",))
    assert [(slug, kind) for slug, kind, *_ in changes(result)] == [
        ("b", "deleted"),
        ("named", "deleted"),
    ]
    assert (result["extra"], set(api.active)) == (["theirs"], {"a", "theirs"})
    with pytest.raises(InputError, match="'force' names gone"):
        go(api, source("a"), prune=True, force=("gone",))
