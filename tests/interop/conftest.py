"""The tools whose work ours must be indistinguishable from."""

import typing as t

import pytest

from tests.integration.running import hosted_database
from tests.interop.prisma_workspace import Workspace
from tests.interop.projects import Options, Project
from tests.interop.toolchain import Tool, install


@pytest.fixture(scope="session")
def supabase_cli() -> Tool:
    return install("supabase")


@pytest.fixture
def project(supabase_cli, tmp_path) -> Project:
    home = tmp_path / "home"
    home.mkdir()
    return Project(tmp_path / "workspace", supabase_cli, home)


@pytest.fixture(scope="session")
def prisma() -> Tool:
    return install("prisma")


@pytest.fixture
def workspace(prisma, tmp_path) -> Workspace:
    return Workspace(tmp_path / "workspace", prisma).prepare()


@pytest.fixture
def database(world) -> t.Iterator[Options]:
    """As Supabase hosts it, for the role that a project's people connect as."""
    with hosted_database(world) as options:
        yield options


@pytest.fixture
def twin(world) -> t.Iterator[Options]:
    """A second database, for the other of the two."""
    with hosted_database(world) as options:
        yield options
