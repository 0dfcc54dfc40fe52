"""What a rehearsal changes for all databases of a server, taken back or named."""

import typing as t

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._errors import RefusedError
from ansible_collections.easymo.deploy.plugins.module_utils._migration.runner import migrating
from ansible_collections.easymo.deploy.plugins.module_utils._migration.server_wide import ServerWide
from ansible_collections.easymo.deploy.plugins.module_utils._postgres import PostgresTarget, Session
from sandbox.postgres.component import unpack
from tests.caches import SANDBOX_CACHE
from tests.integration.throwaway_server import ThrowawayServer


@pytest.fixture(scope="module")
def session() -> t.Iterator[Session]:
    server = ThrowawayServer(unpack(SANDBOX_CACHE))
    given = {"login_password": None, "ca_cert": None, "connect_timeout": 10, **server.options}
    try:
        with migrating(PostgresTarget.from_params({**given, "login_db": "postgres"})) as session:
            session.execute("CREATE ROLE old; CREATE ROLE other")
            yield session
    finally:
        server.stop()


@pytest.mark.parametrize(
    ("sql", "named"),
    [
        ('CREATE ROLE "New one" LOGIN; GRANT old TO "New one"; GRANT other TO old', []),
        ("ALTER ROLE old SET search_path = x", ["role old is not as it was"]),
        ("GRANT other TO old WITH ADMIN OPTION", []),
        (
            "DO $$BEGIN EXECUTE format('CREATE ROLE %I', 'hid' || 'den'); END$$",
            ["hidden came meanwhile"],
        ),
    ],
)
def test_roles_are_as_before_or_named(session, sql, named):
    before = ServerWide.read(session)
    session.execute(sql)
    remarks = before.take_back(session, sql)
    assert len(remarks) == len(named)
    assert all(words in remark for words, remark in zip(named, remarks, strict=True))
    if not named:
        assert ServerWide.read(session) == before


def test_a_role_that_cannot_go_is_named_with_the_statement(session):
    before = ServerWide.read(session)
    session.execute("CREATE ROLE keeper; CREATE TABLE kept (); ALTER TABLE kept OWNER TO keeper")
    with pytest.raises(RefusedError, match=r'made the role keeper .* hand \(DROP ROLE "keeper"\)'):
        before.take_back(session, "CREATE ROLE keeper")
