"""A small cluster for all contracts of a session, and a Supabase of a test module's own."""

import typing as t

import pytest

from sandbox.world import World
from tests.contract.rollout_cluster import running_cluster
from tests.contract.rollout_place import Stage, stage
from tests.contract.supabase_project import Project, project_in, without_database


@pytest.fixture(scope="session")
def shared_cluster(tmp_path_factory) -> t.Iterator[World]:
    """Each test has a namespace of its own in it, and clears the faults that it set."""
    with running_cluster(tmp_path_factory.mktemp("cluster")) as world:
        yield world


@pytest.fixture(scope="module")
def cluster(shared_cluster) -> World:
    return shared_cluster


@pytest.fixture
def at(cluster) -> t.Iterator[Stage]:
    with stage(cluster) as made:
        yield made


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> t.Iterator[Project]:
    world = World(tmp_path_factory.mktemp("supabase"))
    without_database(world)
    with project_in(world) as made:
        yield made
