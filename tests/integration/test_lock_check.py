"""What is not in the cluster, by a run whose deploy lock is another's when it comes to its next write."""

import json
import threading
import typing as t
from contextlib import closing

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._lock import apply
from ansible_collections.easymo.deploy.plugins.modules import deploy_lock
from tests.integration.conftest import KUBECTL
from tests.integration.prisma_project import PrismaProject
from tests.integration.restoring import SPOILT, WHOLE
from tests.integration.running import hosted_database, scratch_database, stand_in
from tests.integration.supabase_project import Holder, Project, SqlProject
from tests.waiting import until

NAMES = {
    Project: ("v1_a", "v2_b", "v3_c"),
    SqlProject: ("V1__a", "V2__b", "V3__c"),
    PrismaProject: ("1_a", "2_b", "3_c"),
}
WAITS_FOR = "SELECT pg_advisory_xact_lock(7)"
WAITS = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"


@pytest.fixture
def lock(place) -> t.Iterator[dict[str, t.Any]]:
    """The options of a run that holds it."""
    held = place.run(deploy_lock, release="2.0.0")
    yield {
        "fence": held["fence"],
        "kubernetes": {"kubeconfig": place.kubeconfig, "namespace": place.namespace},
    }
    place.run(deploy_lock, state="free", force=True, reason="the test is over")


@pytest.mark.parametrize("method", ["swap", "in_place"])
def test_a_restore_that_lost_the_lock_while_it_filled_never_goes_live(
    spoilt, place, lock, tmp_path, method
):
    loses = (
        f'{spoilt.program("pg_restore")} "$@" || exit; [ "$1" = --list ] || {KUBECTL} '
        f"--kubeconfig={place.kubeconfig} -n {place.namespace} delete lease easymo-deploy >/dev/null"
    )
    pg_restore = stand_in(tmp_path, "pg_restore", loses, version="18.6")
    # The first look is as fresh as the restore is short.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(apply, "FRESH", 0.0)
        result = spoilt.restore(method=method, pg_restore=pg_restore, **lock)
    assert result["reason"] == "LeaseLost"
    serves = "serves as before" if method == "swap" else "serves unchanged"
    assert serves in result["standing"]
    assert (spoilt.orders(), list(spoilt.databases())) == (SPOILT, [spoilt.database])
    assert spoilt.restore(method=method)["changed"]
    assert spoilt.orders() == WHOLE


def test_a_restore_without_the_lock_touches_nothing(spoilt, place, lock):
    place.kubectl("delete", "lease", "easymo-deploy")
    assert spoilt.restore(**lock)["reason"] == "LeaseLost"
    assert (spoilt.orders(), list(spoilt.databases())) == (SPOILT, [spoilt.database])


@pytest.mark.parametrize("kind", NAMES, ids=lambda kind: kind.__name__)
def test_of_some_migrations_none_runs_after_the_lock_was_lost(world, place, lock, tmp_path, kind):
    first, second, third = NAMES[kind]
    with hosted_database(world) if kind is Project else scratch_database(world) as database:
        project = kind(tmp_path, database)
        sql = (f"{WAITS_FOR}; CREATE TABLE a ()", "CREATE TABLE b ()", "CREATE TABLE c ()")
        project.write(**dict(zip((first, second, third), sql, strict=True)))
        options = {**lock, "lock_timeout": 30, "additive_only": False}
        with pytest.MonkeyPatch.context() as patch, Holder(project, WAITS_FOR) as holder:
            patch.setattr(apply, "FRESH", 0.0)

            def lose() -> None:
                until(lambda: project.query(WAITS) != [(0,)])
                place.kubectl("delete", "lease", "easymo-deploy")
                holder.let_go()

            with closing(_Thread(lose)):
                result = project.run(**options)
        assert (result["reason"], len(result["applied"])) == ("LeaseLost", 1), result["msg"]
        assert [project.has(table) for table in "abc"] == [True, False, False]
        again = project.run(**{**options, "fence": 0})
        assert (len(again["applied"]), project.has("c")) == (2, True)


def test_a_migration_after_a_freeze_waits_for_its_end(world, place, lock, tmp_path):
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "deploy-freeze"}}
    stated = {**body, "data": {"reason": "Black Friday"}}
    place.kubectl("create", "-f", "-", stdin=json.dumps(stated))
    with hosted_database(world) as database:
        project = Project(tmp_path, database)
        project.write(v1_a="CREATE TABLE a ()")
        result = project.run(**lock)
        assert (result["reason"], project.has("a")) == ("Frozen", False), result
        assert "Black Friday" in result["msg"], result["msg"]
        place.kubectl("delete", "configmap", "deploy-freeze")
        assert project.run(**lock)["changed"]


def test_a_lock_of_no_cluster_is_refused(world, tmp_path):
    with hosted_database(world) as database:
        project = Project(tmp_path, database)
        project.write(v1_a="CREATE TABLE a ()")
        assert "needs 'kubernetes'" in project.run(fence=3)["msg"]
        assert not project.has("a")


class _Thread:
    def __init__(self, act: t.Callable[[], None]) -> None:
        self._thread = threading.Thread(target=act)
        self._thread.start()

    def close(self) -> None:
        self._thread.join()
